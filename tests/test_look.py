"""Pages and mail in a real browser: narrow screens, targets, contrast, dark mode, keyboard, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from digest.labels import record_path
from editions import EDITIONS, copies_of, pages_of, publication_of, shipped

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DAY = "2026/11/19/"
PAPER, VERSIONS = "papers/2611.10002/index.html", "papers/2611.10012/index.html"
TOPIC = "topics/other/index.html"
PAGES = [
    *("index.html", f"{DAY}index.html", "2026/11/index.html", "2026/index.html", "feeds/index.html"),
    *(TOPIC, "topics/index.html", "404.html"),
]
MAIL = f"{DAY}email.html"
ODD_PAPER = f"{record_path(EDITIONS['odd']().entries[8].paper.key)}index.html"
NAMES = ["rich", "bare", "odd", "single"]
EVERYTHING = [(name, path) for name in ("rich", "odd") for path in [*PAGES, MAIL]]
EVERYTHING += [(name, path) for name in ("bare", "single") for path in (f"{DAY}index.html", MAIL)]
EVERYTHING += [("rich", PAPER), ("rich", VERSIONS), ("rich", "authors/marit-solheim/index.html")]
# Of an odd edition every paper: all titles that people and machines have put there.
EVERYTHING += [("odd", f"{record_path(entry.paper.key)}index.html") for entry in EDITIONS["odd"]().entries]
EVERYTHING += [("bare", f"{record_path(EDITIONS['bare']().entries[0].paper.key)}index.html")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented editions, written to a folder each."""
    root = tmp_path_factory.mktemp("site")
    for name in NAMES:
        edition = EDITIONS[name]()
        for path, body in {
            **pages_of(publication_of(edition), shipped()),
            **copies_of(edition, shipped()),
        }.items():
            file = root / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
    return root


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """One tab for all tests: starting one costs more than most of them."""
    return browser.new_page()


def show(page: Page, file: Path, *, width: int, scheme: Any = "light", media: Any = "screen") -> None:
    """The page in the tab, put there: to go to its address takes three times as long."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, media=media)
    page.set_content(file.read_text())


@pytest.mark.parametrize(("name", "path"), EVERYTHING)
def test_nothing_scrolls_sideways_at_320_pixels(page: Page, site: Path, name: str, path: str) -> None:
    show(page, site / name / path, width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("path", ["index.html", PAPER])
@pytest.mark.parametrize("width", [850, 910, 1000, 1200])
def test_no_word_is_broken_beside_the_text(page: Page, site: Path, path: str, width: int) -> None:
    show(page, site / "rich" / path, width=width)
    assert page.evaluate("document.querySelector('aside').getBoundingClientRect().width") >= 200


@pytest.mark.parametrize("width", [375, 1200])
def test_letters_grow_with_the_size_that_the_reader_has_set(page: Page, site: Path, width: int) -> None:
    """WCAG 2.2, 1.4.4: as the browser's own setting, where most people who need it look first."""
    browser, sizes = page.context.new_cdp_session(page), []
    for size in (16, 24):
        browser.send("Page.setFontSizes", {"fontSizes": {"standard": size}})
        show(page, site / "rich" / PAGES[0], width=width)
        sizes.append(float(page.evaluate("getComputedStyle(document.body).fontSize").removesuffix("px")))
    browser.send("Page.setFontSizes", {"fontSizes": {"standard": 16}})
    assert 16 <= sizes[0] <= 18
    assert sizes[1] == pytest.approx(sizes[0] * 1.5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# Links in the middle of a sentence are exempt; so is the skip link until it has the focus.
TARGETS = """() => [...document.querySelectorAll('a, summary')].filter(e => {
  if (e.classList.contains('skip') || !e.getClientRects().length) return false;
  const inSentence = getComputedStyle(e).display === 'inline' && [...e.parentElement.childNodes].some(
    n => n.nodeType === 3 && /\\w{2}/.test(n.textContent));
  return !inSentence;
}).map(e => [e.textContent.trim().slice(0, 40), Math.round(e.getBoundingClientRect().height * 10) / 10])"""


@pytest.mark.parametrize(("name", "path"), EVERYTHING)
def test_every_target_is_44_pixels_high_at_375(page: Page, site: Path, name: str, path: str) -> None:
    show(page, site / name / path, width=375)
    targets = page.evaluate(TARGETS)
    assert targets
    assert [(text, height) for text, height in targets if height < 43.9] == []


# The least contrast (WCAG 2.2, 1.4.3) of any text with what is painted behind it.
CONTRAST = """() => {
  const channels = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => channels(c).slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (channels(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e.getClientRects().length || e.tagName === 'STYLE') continue;
    const pair = [getComputedStyle(e).color, behind(e)], [a, b] = pair.map(light);
    found[pair.join(' on ')] = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, VERSIONS, MAIL])
def test_text_stands_out_in_both_schemes(page: Page, site: Path, path: str, scheme: str) -> None:
    show(page, site / "rich" / path, width=1200, scheme=scheme)
    pairs = page.evaluate(CONTRAST)
    assert len(pairs) >= 3
    assert {pair: ratio for pair, ratio in pairs.items() if ratio < 4.5} == {}


@pytest.mark.parametrize(
    ("path", "light", "dark"),
    [(PAGES[0], "rgb(250, 249, 246)", "rgb(20, 22, 21)"), (MAIL, "rgb(243, 242, 238)", "rgb(18, 20, 19)")],
)
def test_dark_mode_darkens(page: Page, site: Path, path: str, light: str, dark: str) -> None:
    for scheme, colour in (("light", light), ("dark", dark)):
        show(page, site / "rich" / path, width=1200, scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour


@pytest.mark.parametrize("path", [*PAGES, ODD_PAPER, MAIL])
def test_nothing_is_loaded_from_elsewhere(page: Page, site: Path, path: str) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.goto((site / "odd" / path).as_uri())
    page.remove_listener("request", note)
    assert asked == [(site / "odd" / path).as_uri()]


@pytest.mark.parametrize("path", [*PAGES, PAPER])
def test_the_skip_link_comes_first_and_is_seen_when_focused(page: Page, site: Path, path: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto((site / "rich" / path).as_uri())
    page.keyboard.press("Tab")
    box = page.locator(".skip:focus").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_abstracts_are_open_in_print(page: Page, site: Path) -> None:
    file = site / "rich" / DAY / "index.html"
    show(page, file, width=1200)
    assert not page.locator("details p").first.is_visible()
    show(page, file, width=1200, media="print")
    assert page.locator("details p").first.is_visible()


def test_an_edition_has_its_contents_beside_it_on_wide_screens(page: Page, site: Path) -> None:
    file = site / "rich" / DAY / "index.html"
    for width, beside in ((1200, True), (375, False)):
        show(page, file, width=width)
        toc, main = (page.locator(selector).bounding_box() for selector in (".toc", "main"))
        assert toc is not None
        assert main is not None
        assert (toc["x"] + toc["width"] <= main["x"]) is beside


def test_lines_are_75_characters_at_most(page: Page, site: Path) -> None:
    """Measured on the widest paragraph: its width over the mean width of a character of its own text."""
    script = """() => Math.max(...[...document.querySelectorAll('main p')].filter(e => e.textContent.length > 200).map(e => {
      const r = document.createRange(); r.selectNodeContents(e);
      const lines = new Set([...r.getClientRects()].map(b => Math.round(b.top))).size;
      return lines > 1 ? e.textContent.length / lines : 0; }))"""
    show(page, site / "rich" / "feeds/index.html", width=1200)
    assert 0 < page.evaluate(script) <= 75
