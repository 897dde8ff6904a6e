"""The live page, "Follow one user through M²SE", below a cell."""

from __future__ import annotations

from html import escape

from course.panels import close_all, show_live

TITLE = "Follow one user through M²SE"
SUMMARY = (
    "a trained model in one page; python -m docs.explainer.build writes it to a file for a"
    " browser window of its own, build/explainer/index.html"
)


class LivePage:
    """The page in a frame of its own: its style and its script do not meet the notebook's."""

    def __init__(self) -> None:
        import ipywidgets

        from docs.explainer.build import build_page

        page = escape(build_page(), quote=True)
        style = "width:100%;height:min(85vh,900px);border:1px solid #bbbbbb"
        frame = f'<iframe title="{TITLE}" sandbox="allow-scripts" style="{style}" srcdoc="{page}">'
        # A widget, since its content is not saved: the notebook stays small.
        self.box = ipywidgets.HTML(f"{frame}</iframe>")

    def close(self) -> None:
        """Remove the page from the notebook and the kernel."""
        close_all(self.box)


def live_page() -> None:
    """Show the live page, or where nothing can run a sentence in its place."""
    show_live(TITLE, SUMMARY, LivePage)
