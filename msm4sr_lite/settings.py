"""Base of all configurations: checked fields with a meaning, a source and a range."""

import dataclasses
import math
import numbers
import operator
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from msm4sr_lite.printable import one_line

C = TypeVar("C")
BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a number"),
    str: (str, "printable text"),
}
SHOWN = 60  # characters of a wrong value in a message
COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


class UserError(ValueError):
    """An error that the user can correct; one line says what is wrong and how to fix it.

    Line ends and control characters, which come from data, are replaced.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def setting(default: Any, meaning: str, source: str, limits: str = "") -> Any:
    """Return a dataclass field with its meaning, source and range, such as ``>= 0 and < 1``."""
    return field(default=default, metadata={"meaning": meaning, "source": source, "limits": limits})


@dataclass(frozen=True)
class SettingField:
    """Description of one setting.

    Attributes
    ----------
    name
        Name with its section, such as ``pretrain.lr``.
    type
        ``bool``, ``int``, ``float`` or ``str``.
    default, meaning, source
        As given where the setting is defined.
    choices
        The allowed values; empty if only the type and the range matter.
    limits
        The range, such as ``>= 0 and < 1``; empty if every value is allowed.
    """

    name: str
    type: type
    default: Any = None
    meaning: str = ""
    source: str = ""
    choices: tuple[str, ...] = ()
    limits: str = ""

    @property
    def allowed(self) -> str:
        """Describe the allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return f"{KINDS[self.type][1]} {self.limits}".rstrip()

    def refuse(self, value: Any) -> NoReturn:
        """Raise a ``UserError`` that names the setting, the value and the allowed values."""
        close = did_you_mean(value, self.choices)
        hint = f"; {close}" if close else ""
        raise UserError(f"{self.name} must be {self.allowed}; got {in_one_line(value)}{hint}")

    def check(self, value: Any) -> Any:
        """Return ``value`` in the field's type; raise ``UserError`` if it is not allowed."""
        if type(value).__module__ == "numpy" and type(value).__name__.startswith("bool"):
            value = bool(value)
        is_bool = isinstance(value, bool)
        if not isinstance(value, KINDS[self.type][0]) or is_bool != (self.type is bool):
            self.refuse(value)
        try:
            found = self.type(value)
        except OverflowError:  # an integer that is too large for a float
            self.refuse(value)
        if self.choices:
            allowed = found in self.choices
        elif self.type is str:
            allowed = found.isprintable()
        else:
            limits = [limit.split() for limit in self.limits.split(" and ") if limit]
            allowed = all(COMPARE[sign](found, float(limit)) for sign, limit in limits)
            allowed = allowed and (self.type is not float or math.isfinite(found))
        return found if allowed else self.refuse(value)

    def parse(self, text: str) -> Any:
        """Convert ``text`` from a command line to a value of this setting."""
        try:
            value = BOOLEANS[text.strip().lower()] if self.type is bool else self.type(text)
        except (KeyError, ValueError):
            self.refuse(text)
        return self.check(value)


class Settings:
    """Base class of all configurations; checks type, choice and range of every field."""

    def __post_init__(self) -> None:
        for known in describe(type(self)):
            object.__setattr__(self, known.name, known.check(getattr(self, known.name)))
        for name, kind in sections(type(self)).items():
            if not isinstance(getattr(self, name), kind):
                got = in_one_line(getattr(self, name))
                raise UserError(f"{name} must be a {kind.__name__}; got {got}")


def in_one_line(value: Any) -> str:
    """Return a value for a message: on one line, and not too long."""
    try:
        text = " ".join(_SHORT.repr(value).split())
    except ValueError:  # Python does not write integers of more than 4,300 digits
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


_SHORT = reprlib.Repr()  # cuts before it writes, and survives objects that cannot be written
vars(_SHORT).update(dict.fromkeys(("maxstring", "maxother", "maxlong"), 4 * SHOWN))


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Return ``did you mean ...?`` with the most similar known name; empty if none is similar."""
    wanted = name.strip().lower().replace("-", "_") if isinstance(name, str) else ""
    by_spelling = {one.lower().replace("-", "_"): one for one in known}
    close = get_close_matches(wanted, by_spelling, n=1)
    return f"did you mean {by_spelling[close[0]]!r}?" if close else ""


def describe(kind: type, section: str = "") -> Iterator[SettingField]:
    """Yield the description of each field made by ``setting``, in the order of the fields."""
    hints = get_type_hints(kind)
    for one in dataclasses.fields(kind):
        if one.metadata:
            literal = get_origin(hints[one.name]) is Literal
            yield SettingField(
                name=f"{section}.{one.name}".lstrip("."),
                type=str if literal else hints[one.name],
                default=one.default,
                choices=get_args(hints[one.name]) if literal else (),
                **one.metadata,
            )


def sections(config: type) -> dict[str, type]:
    """Return the sections of a configuration: the name and the class of each."""
    hints = get_type_hints(config).items()
    return {s: kind for s, kind in hints if isinstance(kind, type) and issubclass(kind, Settings)}


def fields_by_name(config: type) -> dict[str, SettingField]:
    """Return all settings of a configuration with sections, by names like ``pretrain.lr``."""
    return {one.name: one for s, kind in sections(config).items() for one in describe(kind, s)}


def flatten(nested: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Flatten the nested dictionary of ``as_dict``; the keys become names like ``pretrain.lr``."""
    return {f"{part}.{name}": v for part, one in nested.items() for name, v in one.items()}


def find_field(config: type, name: str) -> SettingField:
    """Return the description of a setting, named ``pretrain.lr`` or ``pretrain__lr``.

    Raises
    ------
    UserError
        If there is no such section or setting; the message suggests the nearest name.
    """
    known = fields_by_name(config)
    name = str(name).replace("__", ".")
    if name in known:
        return known[name]
    inside = [one for one in known if one.startswith(name.partition(".")[0] + ".")]
    close = [one for one in known if one.endswith(f".{name}")]
    close = close or get_close_matches(name, inside or known, n=1, cutoff=0.0 if inside else 0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"sections are {', '.join(sections(config))}"
    raise UserError(f"unknown setting {in_one_line(name)}; {hint}")


def with_settings(config: C, settings: Mapping[str, Any]) -> C:
    """Return ``config`` with new values for some settings.

    Parameters
    ----------
    config
        A configuration with sections, such as ``Config``.
    settings
        New values by name: ``{"pretrain.lr": 1e-3}`` or ``{"pretrain__lr": 1e-3}``. Settings of
        one section are replaced together, so their order does not matter.

    Raises
    ------
    UserError
        If a name is unknown, or a value has the wrong type or is out of range.

    Examples
    --------
    >>> from msm4sr_lite.config import Config
    >>> with_settings(Config(), {"finetune.lr": 0.001}).finetune.lr
    0.001
    >>> with_settings(Config(), {"pretrain.epoch": 3})  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UserError: unknown setting 'pretrain.epoch'; did you mean 'pretrain.epochs'?
    """
    by_section: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        section, _, field_name = find_field(type(config), name).name.partition(".")
        by_section.setdefault(section, {})[field_name] = value
    changed: dict[str, Any] = {}
    for section, values in by_section.items():
        try:
            changed[section] = dataclasses.replace(getattr(config, section), **values)
        except UserError as error:
            raise UserError(f"{section}.{error}") from None
    return dataclasses.replace(config, **changed)  # type: ignore[type-var]
