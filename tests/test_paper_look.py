"""The theme `paper` in a real browser: all that is asked of the usual look, and what makes it a book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import test_look
from digest.render import Renderer
from digest.themes import theme_folders
from editions import EDITIONS, copies_of, pages_of, publication_of
from pages import ROOT
from test_look import DAY, MAIL, NAMES, PAGES, PAPER, VERSIONS, page, show

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = test_look.pytestmark
__all__ = ["page"]

# The same checks, met with the fixture `site` of this file. Only the colours of the usual look are its own.
_OWN = {"test_dark_mode_darkens"}
globals().update(
    {name: check for name, check in vars(test_look).items() if name.startswith("test_") and name not in _OWN}
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented editions in the theme `paper`, written to a folder each."""
    root = tmp_path_factory.mktemp("paper")
    renderer = Renderer(theme_folders("paper", root / "own", ROOT / "templates"))
    for name in NAMES:
        edition = EDITIONS[name]()
        made = {**pages_of(publication_of(edition), renderer), **copies_of(edition, renderer)}
        for path, body in made.items():
            file = root / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
    return root


@pytest.mark.parametrize(
    ("path", "light", "dark"),
    [(PAGES[0], "rgb(247, 243, 234)", "rgb(25, 23, 19)"), (MAIL, "rgb(239, 233, 218)", "rgb(25, 23, 19)")],
)
def test_dark_mode_is_as_warm_as_the_light_one(
    page: Page, site: Path, path: str, light: str, dark: str
) -> None:
    for scheme, colour in (("light", light), ("dark", dark)):
        show(page, site / "rich" / path, width=1200, scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour


@pytest.mark.parametrize("path", [f"{DAY}index.html", PAPER, VERSIONS, MAIL])
def test_texts_are_set_in_serif(page: Page, site: Path, path: str) -> None:
    show(page, site / "rich" / path, width=1200)
    fonts = page.evaluate(
        "[...document.querySelectorAll('h1, h3, p:not(.m):not([class*=pn])')].map(e => getComputedStyle(e).fontFamily)"
    )
    assert len(fonts) >= 3
    assert {font.rsplit(", ", 1)[-1] for font in fonts} == {"serif"}


# Characters of the longest line of each paragraph with more than one.
LINES = """() => [...document.querySelectorAll('p')].filter(
  e => e.textContent.trim().length > 100 && e.getClientRects().length).map(e => {
  const r = document.createRange(); const lines = {};
  const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) for (let i = 0; i < n.length; i++) {
    r.setStart(n, i); r.setEnd(n, i + 1); const b = r.getBoundingClientRect();
    if (b.width) { const y = Math.round(b.top / 8); lines[y] = (lines[y] || 0) + 1; } }
  return Math.max(...Object.values(lines)); })"""


@pytest.mark.parametrize("path", [f"{DAY}index.html", PAPER, VERSIONS, "feeds/index.html"])
def test_no_line_of_a_text_is_longer_than_75_characters(page: Page, site: Path, path: str) -> None:
    show(page, site / "rich" / path, width=1920)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('.m').forEach(e => e.remove())")
    lengths = page.evaluate(LINES)
    assert lengths
    # A line may end a little beyond the mean: letters differ in width.
    assert max(lengths) <= 80
    assert sum(lengths) / len(lengths) <= 75
