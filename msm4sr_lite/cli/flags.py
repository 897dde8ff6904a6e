"""Command-line flags made from the fields of a configuration, and read back into it."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

C = TypeVar("C")


def add_flags(
    parser: argparse.ArgumentParser,
    config: type[Any],
    *,
    prefix: str = "",
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> None:
    """Add one flag per field: ``user_min`` becomes ``--user-min``, yes/no get ``--no-...``."""
    title = (config.__doc__ or config.__name__).splitlines()[0].rstrip(".").lower()
    group = parser.add_argument_group(f"settings: {title}")
    hints = get_type_hints(config)
    for field in dataclasses.fields(config):
        if field.name in skip or (only and field.name not in only):
            continue
        kind = hints[field.name]
        options: dict[str, Any] = {"type": kind}
        if kind is bool:
            options = {"action": argparse.BooleanOptionalAction}
        elif get_origin(kind) is Literal:
            options = {"choices": get_args(kind)}
        meaning = f"{field.metadata['meaning']} (default: {field.default})".replace("%", "%%")
        group.add_argument(
            "--" + (prefix + field.name).replace("_", "-"),
            dest=prefix + field.name,
            default=None,
            help=meaning,
            **options,
        )


def from_flags(args: argparse.Namespace, preset: C, prefix: str = "", **fixed: Any) -> C:
    """Return ``preset`` with every field replaced that was given as a flag, or is in ``fixed``."""
    names = [field.name for field in dataclasses.fields(preset)]  # type: ignore[arg-type]
    given = {name: getattr(args, prefix + name, None) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(preset, **(given | fixed))  # type: ignore[type-var]
