"""What is written in the pages of the built site: links, anchors, what they load."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}
LOADED |= {("video", "src"), ("object", "data"), ("image", "href"), ("use", "href")}
IN_CSS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page(HTMLParser):
    """What a page links to, what it loads, and where a link can lead to in it."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    titles: int = 0
    equations: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.titles += tag == "h1"
        self.equations += tag == "math"
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.places.add(value)
            elif (tag, name) in LOADED and value:
                self.loads.append(value)
            elif tag == "a" and name == "href" and value:
                self.links.append(value)
            elif name == "style" and value:
                self.loads += [one or other for one, other in IN_CSS.findall(value)]


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    found = {
        path: read(path) for path in site.rglob("*.html") if path.name != "webpack-macros.html"
    }
    assert len(found) > 40
    return found


def broken(path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    """Return links and loaded files that are not there, and anchors that a page does not have."""
    problems = []
    for target in (*page.links, *page.loads):
        parts = urlsplit(target)
        if parts.scheme in {"http", "https", "mailto", "data"}:
            continue
        place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        known = pages[place].places if place in pages else None
        anchor = unquote(parts.fragment)
        if not place.is_file() or (anchor and known is not None and anchor not in known):
            problems.append(f"{path.name}: {target}")
    return problems


def outside(targets: list[str]) -> list[str]:
    return [
        one for one in targets if urlsplit(one).netloc or urlsplit(one).scheme not in {"", "data"}
    ]


def test_no_link_is_broken(pages: dict[Path, Page]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 1_000
    assert [one for path, page in pages.items() for one in broken(path, page, pages)] == []


def test_no_page_loads_anything_from_outside(site: Path, pages: dict[Path, Page]) -> None:
    assert {one for page in pages.values() for one in outside(page.loads)} == set()
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert outside([one or other for one, other in IN_CSS.findall(text)]) == [], sheet.name


def test_every_page_of_docs_and_every_notebook_is_there(pages: dict[Path, Page]) -> None:
    names = {path.stem for path in pages}
    sources = [
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/api/*.md"),
        *ROOT.glob("docs/studies/*.md"),
    ]
    sources += ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")
    assert len(sources) > 30
    assert {path.stem for path in sources} - names == set()
    assert {"contributing", "changelog", "licenses"} <= names


def test_every_page_can_be_reached(site: Path, pages: dict[Path, Page]) -> None:
    linked = {
        (path.parent / unquote(urlsplit(link).path)).resolve()
        for path, page in pages.items()
        for link in page.links
        if not urlsplit(link).scheme
    }
    assert {path.name for path in pages.keys() - linked} <= {"search.html"}


def test_every_page_has_one_title(pages: dict[Path, Page]) -> None:
    assert {path.name: page.titles for path, page in pages.items() if page.titles != 1} == {}


def test_equations_are_mathml(site: Path, pages: dict[Path, Page]) -> None:
    assert pages[site / "course" / "06_contrastive_pretraining.html"].equations > 10
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "math notranslate" not in text, path.name  # what a script would draw


def test_every_setting_is_explained(site: Path) -> None:
    from msm4sr_lite.config import Config
    from msm4sr_lite.settings import fields_by_name

    text = (site / "api" / "settings.html").read_text(encoding="utf-8")
    known = {name.partition(".")[2] for name in fields_by_name(Config)}
    assert {name for name in known if f'<span class="pre">{name}</span>' not in text} == set()


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    path, other = tmp_path / "a.html", tmp_path / "b.html"
    other.write_text('<h2 id="x">', encoding="utf-8")
    text = '<a href="b.html#x"><a href="b.html#y"><a href="c.html"><a href="#z"><img src="d.png">'
    path.write_text(f'{text}<a href="https://a.example"><script src="//b.example/c.js">', "utf-8")
    pages = {one: read(one) for one in (path, other)}
    wrong = ["b.html#y", "c.html", "#z", "d.png", "//b.example/c.js"]
    assert broken(path, pages[path], pages) == [f"a.html: {one}" for one in wrong]
    assert outside(pages[path].loads) == ["//b.example/c.js"]
