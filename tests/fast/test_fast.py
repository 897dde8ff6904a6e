"""The switch between plain and fast forms, and which functions have both."""

import pytest

from msm4sr_lite import fast


def test_the_switch_goes_back_on_whatever_happens():
    assert fast.is_on()
    with fast.switched_off():
        assert not fast.is_on()
        with fast.switched_off():
            pass
        assert not fast.is_on()
    with pytest.raises(ZeroDivisionError), fast.switched_off():
        raise ZeroDivisionError
    assert fast.is_on()


def test_every_marked_function_has_a_fast_form_with_its_name_and_arguments():
    """``has_fast_form`` is a promise that is kept for each function of the package."""
    import inspect
    from importlib import import_module
    from pathlib import Path

    found = []
    for path in Path(fast.__file__).parents[1].glob("*.py"):
        if "@has_fast_form" not in path.read_text(encoding="utf-8"):
            continue
        module = import_module(f"msm4sr_lite.{path.stem}")
        owners = [module, *(c for c in vars(module).values() if inspect.isclass(c))]
        for function in {
            f for owner in owners for f in vars(owner).values() if hasattr(f, "plain")
        }:
            if function.__module__ != module.__name__:
                continue
            form = getattr(import_module(f"msm4sr_lite.fast.{path.stem}"), function.__name__)
            plain, quick = (inspect.signature(f).parameters for f in (function.plain, form))
            if "options" not in quick:
                assert list(plain)[1:] == list(quick)[1:], function
            found.append(function.__name__)
    assert sorted(found) == [
        "cross_modal_loss",
        "embed_modality",
        "finetuning_loss",
        "make_batch",
        "next_item_loss",
        "pretraining_loss",
        "score_on_device",
        "target_ranks",
    ]
