"""Base of all configurations: checked fields with a meaning, a source and a range."""

import dataclasses
import math
import numbers
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

C = TypeVar("C")
BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a number"),
    str: (str, "text"),
}
COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


class UserError(ValueError):
    """An error that the user can correct; one line says what is wrong and how to fix it."""


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
    default: Any
    meaning: str
    source: str
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
        raise UserError(f"{self.name} must be {self.allowed}; got {value!r}")

    def check(self, value: Any) -> Any:
        """Return ``value`` in the field's type; raise ``UserError`` if it is not allowed."""
        allowed = isinstance(value, KINDS[self.type][0])
        allowed &= isinstance(value, bool) == (self.type is bool)
        if allowed and self.type in (int, float):
            limits = [limit.split() for limit in self.limits.split(" and ") if limit]
            inside = all(COMPARE[sign](value, float(limit)) for sign, limit in limits)
            allowed = inside and math.isfinite(value)
        if not allowed or (self.choices and value not in self.choices):
            self.refuse(value)
        return self.type(value)

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


def fields_by_name(config: type) -> dict[str, SettingField]:
    """Return all settings of a configuration with sections, by names like ``pretrain.lr``."""
    hints = get_type_hints(config).items()
    kinds = {s: kind for s, kind in hints if isinstance(kind, type) and issubclass(kind, Settings)}
    return {one.name: one for section in kinds for one in describe(kinds[section], section)}


def find_field(config: type, name: str) -> SettingField:
    """Return the description of a setting, named ``pretrain.lr`` or ``pretrain__lr``.

    Raises
    ------
    UserError
        If there is no such section or setting; the message suggests the nearest name.
    """
    known = fields_by_name(config)
    name = name.replace("__", ".")
    if name in known:
        return known[name]
    sections = dict.fromkeys(one.partition(".")[0] for one in known)
    inside = [one for one in known if one.startswith(name.partition(".")[0] + ".")]
    close = [one for one in known if one.endswith(f".{name}")]
    close = close or get_close_matches(name, inside or known, n=1, cutoff=0.0 if inside else 0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"sections are {', '.join(sections)}"
    raise UserError(f"unknown setting {name!r}; {hint}")


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
