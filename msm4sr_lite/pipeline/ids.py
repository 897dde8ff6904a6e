"""Ids of users and items that a caller gives, in the form that ids of a dataset have."""

from collections.abc import Container, Iterable

from pandas.api.types import is_scalar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.rows import id_text
from msm4sr_lite.settings import in_one_line


def id_of(value: object, name: str) -> str:
    """Return an id as text, in the form that ids of a dataset have: 7 and 7.0 are "7"."""
    shown = in_one_line(value)
    if not is_scalar(value):
        raise UserError(f"{shown} is not a {name}: it must be a text or a number")
    try:
        return id_text(value, name)
    except ValueError as error:
        raise UserError(f"{shown} is not a {name}: {error}") from None


def item_list(items: Iterable[str], what: str = "items") -> list[str]:
    """Return item ids as texts; refuse a single one."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise UserError(f"{what} must be a list of item ids; got {in_one_line(items)}")
    return [id_of(item, "item_id") for item in items]


def known_ids(ids: Iterable[str], known: Container[str], what: str, where: str) -> set[str]:
    """Return item ids as texts; refuse unknown ids."""
    wanted = item_list(ids, what)
    if unknown := [item for item in wanted if item not in known]:
        raise UserError(f"{what}: {unknown[0]!r} is not an item of {where}; check its id")
    return set(wanted)
