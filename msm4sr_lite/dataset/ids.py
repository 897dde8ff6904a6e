"""Ids of users and items that a caller gives, in the form that ids of a dataset have."""

from collections.abc import Container, Iterable

from pandas.api.types import is_scalar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.rows import id_text
from msm4sr_lite.settings import in_one_line


def id_of(value: object, name: str) -> str:
    """Return an id as text, in the form that ids of a dataset have: 7 and 7.0 are "7".

    Raises
    ------
    UserError
        If the value is no id.
    """
    try:
        if is_scalar(value):
            return id_text(value, name)
        reason = "it must be a text or a number"
    except ValueError as error:
        reason = str(error)
    raise UserError(f"{in_one_line(value)} is no {name}: {reason}")


def item_list(items: Iterable[str], what: str = "items") -> list[str]:
    """Return item ids as texts.

    Raises
    ------
    UserError
        If ``items`` is a single text or no list, or holds something that is no id. ``what`` names
        it in the message.
    """
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise UserError(f"{what} must be a list of item ids; got {in_one_line(items)}")
    try:
        return [id_of(item, "item_id") for item in items]
    except UserError as error:
        raise UserError(f"{what}: {error}") from None


def known_ids(ids: Iterable[str], known: Container[str], what: str, where: str) -> set[str]:
    """Return item ids as texts.

    Raises
    ------
    UserError
        If an id is not among those known; ``where`` says in the message where it is missing.
    """
    wanted = item_list(ids, what)
    if unknown := [item for item in wanted if item not in known]:
        raise UserError(f"{what}: {unknown[0]!r} is not an item of {where}; check its id")
    return set(wanted)
