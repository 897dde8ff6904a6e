"""HTML for the eye with a plain-text version, and foreign text made harmless.

The plain text is what a screen without HTML shows and what nbval compares.
"""

from __future__ import annotations

import html
import re
import unicodedata

from msm4sr_lite.printable import UNPRINTABLE

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_SIGNS = {"correct": "✓", "right": "✓", "not yet": "✗", "error": "✗", "wrong": "✗"}
_SIGNS |= {"near": "≈", "hint": "→"}
_COLOURS = {"✓": "#006B4F", "✗": "#A33B00", "≈": "#0072B2", "→": "#0072B2", "○": "#555555"}


def _harmless(char: re.Match[str]) -> str:
    seen = unicodedata.category(char[0]) != "Cf"
    return "\t" if char[0] == "\t" else "\ufffd" if seen else ""


def isolate(text: object) -> str:
    r"""Return ``text`` such that it cannot disturb what stands around it.

    Direction marks and marks without width vanish, text with right-to-left letters is isolated,
    and characters that cannot be shown (control characters, half surrogates) become ``U+FFFD``.
    The joiners, which emoji and some scripts need, stay.

    >>> isolate("a\u202eb\x00c") == "ab\ufffdc"
    True
    """
    shown = UNPRINTABLE.sub(_harmless, str(text))
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in shown):
        return _FIRST_STRONG_ISOLATE + shown + _POP_ISOLATE
    return shown


def escape(text: object) -> str:
    """Return ``text`` ready to stand in HTML, between tags or in a quoted attribute.

    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(isolate(text), quote=True)


def mark_code(text: object) -> str:
    """Return plain text as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def publish(bundle: dict[str, object]) -> None:
    """Hand a MIME bundle to the notebook."""
    from IPython.display import display

    display(bundle, raw=True)


def without_math(markup: str) -> str:
    """Return ``markup`` such that Jupyter does not take two prices in dollars for a formula."""
    return f'<div class="mathjax_ignore tex2jax_ignore">{markup}</div>'


def make_bundle(markup: str, text: str) -> dict[str, object]:
    """Return the MIME bundle of ``markup`` with ``text`` as its plain version.

    ``markup`` is trusted: what comes from data goes through :func:`escape` first.
    """
    return {"text/html": without_math(markup), "text/plain": isolate(text)}


def show_html(markup: str, text: str) -> None:
    """Show ``markup`` as it is, with ``text`` as its plain version; see :func:`make_bundle`."""
    publish(make_bundle(markup, text))


def show_note(kind: str, headline: str, message: str) -> None:
    """Show a verdict, or a hint: a sign and a bar in its colour, a headline and plain text.

    What stands between backticks in the headline is code.
    """
    sign = _SIGNS.get(kind, "○")
    show_html(
        f'<p style="border-left:0.4em solid {_COLOURS[sign]};padding-left:0.7em">'
        f"<strong>{sign} {mark_code(headline)}</strong> {escape(message)}</p>",
        f"{sign} {headline} {message}".rstrip(),
    )
