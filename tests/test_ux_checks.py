"""The twenty checks of the interface, each on editions of 1, 30 and 120 papers (in `make torture` of 500), over every page of a
site that the whole program built, its mails, its feeds, its forms and the command line.

| # | check | here | further in |
|---|---|---|---|
| 1 | bytes of the HTML part | test_the_html_part_fits | test_mail_compose (budget, choices) |
| 2 | style blocks | test_styles_are_small_and_load_nothing | test_mail_compose |
| 3 | foreign requests | test_nothing_is_loaded_from_other_hosts, test_a_browser_asks_no_other_host | test_look, test_life |
| 4 | images | test_there_is_nothing_to_see_only_with_images | |
| 5 | links of mail and feeds | test_links_of_mails_and_feeds_are_whole | test_hostile_readers |
| 6 | text part | test_the_text_part_has_every_paper | test_mail_compose, test_mail_any_edition |
| 7 | subject | test_a_subject_is_short_and_of_its_day | test_mail_compose |
| 8 | preheader | test_the_preheader_tempts | test_mail_compose |
| 9 | unsubscribe headers | test_one_post_unsubscribes_and_looking_does_not | test_web, test_mail_letters |
| 10 | footer | test_both_parts_say_why_who_and_how_to_leave | test_mail_compose |
| 11 | lang, title, h1 | test_every_page_and_mail_has_one_heading_in_order | test_formats_archive |
| 12 | tables | test_tables_say_what_they_are | |
| 13 | contrast | test_text_and_fields_stand_out_in_both_schemes | test_look, test_life |
| 14 | target size | test_targets_are_large_enough_for_a_thumb | test_look, test_life |
| 15 | narrow screens | test_nothing_scrolls_sideways_at_320_pixels | test_look, test_life |
| 16 | forms | test_every_field_has_a_label_and_works_without_scripts | test_life, test_web |
| 17 | counts | test_counts_agree_everywhere | test_formats_archive |
| 18 | scripts and TeX | test_titles_of_every_script_are_shown_as_reviewed | test_render, test_formats_golden, test_tex |
| 19 | feeds | test_feeds_keep_their_ids_and_bytes | test_formats_syndication, test_readers, test_rebuild |
| 20 | command line | test_every_command_is_plain_in_a_pipe_and_speaks_json | test_cli, test_docs |
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cached_property
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import feedparser
import pytest
from bs4 import BeautifulSoup
from lxml import etree
from msgspec import Struct

from commands import called
from digest.app import open_app
from digest.text import display_width
from html_allowed import is_safe
from pages import ROOT
from test_life import BORDERS
from test_look import CONTRAST
from ux_pages import (
    LONG,
    PUBLISHER,
    READER,
    TITLES,
    URL,
    Built,
    forms_of,
    kind_of,
    parts_of,
    unflowed,
)
from webs import Clock, Site, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

THEMES = sorted(p.name for p in (ROOT / "templates" / "themes").glob("*") if p.is_dir() and p.name != "plain")


_SITES: dict[tuple[int, str], Built] = {}


def site_of(papers: int, theme: str, factory: pytest.TempPathFactory) -> Built:
    """Each built once for all tests: 500 papers are 600 files."""
    if (papers, theme) not in _SITES:
        _SITES[papers, theme] = Built(factory.mktemp("ux") / "here", papers, theme=theme)
    return _SITES[papers, theme]


@pytest.fixture(params=[1, 30, 120, pytest.param(500, marks=pytest.mark.torture)])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return site_of(request.param, "", tmp_path_factory)


# ---------------------------------------------------------------- mail


def test_the_html_part_fits(built: Built) -> None:
    for mail in built.mails:
        _, part = mail.iter_parts()
        encoded = part.get_payload()
        assert isinstance(encoded, str)
        assert len(encoded.encode()) <= (60_000 if built.papers <= 30 else 85_000)
        assert part["Content-Transfer-Encoding"] in ("8bit", "quoted-printable")


def test_styles_are_small_and_load_nothing(built: Built) -> None:
    for mail in built.mails:
        page = BeautifulSoup(parts_of(mail)[1], "lxml")
        assert sum(len(style.encode()) for style in page.select("style")) <= 8 * 1024
        assert not page.select("body style")
        assert not re.search(r"@import|@font-face|var\(", str(page))
    for path, page in built.pages.items():
        assert not page.select("body style, [style*='url']"), path
        assert not re.search(
            r"@import|@font-face|url\(", "".join(style.text for style in page.select("style"))
        ), path


def test_nothing_is_loaded_from_other_hosts(built: Built) -> None:
    for mail in built.mails:
        assert not BeautifulSoup(parts_of(mail)[1], "lxml").select(
            "script, link, img, [src], [background], [srcset]"
        )
    for path, page in built.pages.items():
        for tag in page.select(
            "[src], link[rel~=stylesheet], link[rel~=icon], link[rel~=preload], [srcset], [poster], [data]"
        ):
            assert str(tag.get("src") or tag.get("href")).startswith((URL, "/")), f"{path}: {tag}"
        # With a web door there is no script at all: it answers searches by itself.
        assert not page.select("script, iframe, object, embed"), path


def test_there_is_nothing_to_see_only_with_images(built: Built) -> None:
    for mail in built.mails:
        assert not BeautifulSoup(parts_of(mail)[1], "lxml").select("img, svg, picture")
    for path, page in built.pages.items():
        for image in page.select("img"):
            assert image.has_attr("alt"), path
            assert "1" not in (image.get("width"), image.get("height")), path


def test_links_of_mails_and_feeds_are_whole(built: Built) -> None:
    links = [
        str(a.get("href"))
        for mail in built.mails
        for a in BeautifulSoup(parts_of(mail)[1], "lxml").select("a")
    ]
    for mail in built.mails:
        links += re.findall(r"https?://\S+", parts_of(mail)[0])
    for name, body in built.files.items():
        if name.endswith(".xml") and b"<urlset" not in body:
            feed = etree.fromstring(body)
            links += [str(e.get("href")) for e in feed.iter("{*}link") if e.get("href")]
            links += [str(e.text) for e in feed.iter("link")]
            for content in (*feed.iter("{*}encoded"), *feed.iter("{*}content")):
                links += [str(a.get("href")) for a in BeautifulSoup(content.text or "", "lxml").select("a")]
    assert len(links) > 10 * min(built.papers, 50)
    assert [
        link for link in set(links) if not link.startswith(("https://", "mailto:")) or not is_safe(link)
    ] == []


def test_the_text_part_has_every_paper(built: Built) -> None:
    for mail in built.mails:
        text, html = parts_of(mail)
        flat, page = unflowed(text), BeautifulSoup(html, "lxml")
        bare = "".join(re.sub("[\u2068\u2069]", "", flat).split())
        titles = page.select("h3 a")
        assert titles
        for link in titles:
            assert str(link["href"]) in text
            assert "".join(re.sub("[\u2068\u2069]", "", link.text).split()) in bare
        leave = {a["href"] for a in page.select("a[href*='/unsubscribe/']")}
        assert leave == set(re.findall(rf"{URL}unsubscribe/\?t=[\w-]+", text))
        assert len(leave) == 1
        long = [
            line
            for line in text.splitlines()
            if display_width(line) > 78 and not re.fullmatch(r"(\S+: )?https://\S+", line)
        ]
        assert long == []


def test_a_subject_is_short_and_of_its_day(built: Built) -> None:
    subjects = [str(mail["Subject"]) for mail in built.mails]
    assert len(set(subjects)) == len(subjects) == 2
    for subject in subjects:
        assert 10 <= len(subject) <= 70
        assert re.sub("[\u2068\u2069\u200d]", "", subject).isprintable()


def test_the_preheader_tempts(built: Built) -> None:
    for mail in built.mails:
        body = BeautifulSoup(parts_of(mail)[1], "lxml").body
        assert body is not None
        first = next(text for text in body.stripped_strings)
        preheader = re.split("[\u2007\u034f\u00ad\u200c]", first)[0].strip()
        assert 40 <= len(preheader) <= 110
        assert preheader != mail["Subject"]


def test_one_post_unsubscribes_and_looking_does_not(tmp_path: Path) -> None:
    for papers in (1, 30):
        built = Built(tmp_path / str(papers), papers)
        mail = built.mails[-1]
        addresses = re.findall("<([^>]+)>", str(mail["List-Unsubscribe"]))
        (address,) = [url for url in addresses if url.startswith("https://")]
        assert re.fullmatch(rf"{URL}unsubscribe/\?t=[\w-]{{20,}}", address)
        assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
        path = address.replace(URL, "/")
        with serving(built.config) as site:
            for method in ("GET", "HEAD", "GET"):
                assert site.ask(method, path).status in (200, 405)
                assert site.app.store.subscriber(READER).status == "confirmed"  # type: ignore[union-attr]
            for _ in range(2):
                answer = site.post(path, b"List-Unsubscribe=One-Click")
                assert answer.status == 200
                assert not {"set-cookie", "location"} & answer.headers.keys()
                assert site.app.store.subscriber(READER).status == "unsubscribed"  # type: ignore[union-attr]


def test_both_parts_say_why_who_and_how_to_leave(built: Built) -> None:
    for mail in built.mails:
        text, html = parts_of(mail)
        for words, links in (
            (" ".join(text.split()), text),
            (" ".join(BeautifulSoup(html, "lxml").get_text(" ").split()), unescape(html)),
        ):
            assert f"You get this because {READER} asked for it" in words
            assert f"Sent by {PUBLISHER}" in words
            assert re.search(rf"{URL}manage/\?t=[\w-]+", links)
            assert re.search(rf"{URL}unsubscribe/\?t=[\w-]+", links)


# ---------------------------------------------------------------- pages


def assert_headed(page: BeautifulSoup, where: str) -> None:
    assert page.html is not None
    assert page.html.get("lang"), where
    assert page.title is not None, where
    assert page.title.text.strip(), where
    levels = [int(h.name[1]) for h in page.find_all(re.compile("^h[1-6]$"))]
    assert levels.count(1) == 1, f"{where}: {levels}"
    assert levels[0] == 1, f"{where}: {levels}"
    assert all(after - before <= 1 for before, after in pairwise(levels)), f"{where}: {levels}"


def test_every_page_and_mail_has_one_heading_in_order(built: Built) -> None:
    kinds = {kind_of(path) for path in built.pages}
    assert {
        "index.html",
        "feeds/index.html",
        "404.html",
        "papers/*/index.html",
        "topics/*/index.html",
        "authors/*/index.html",
    } <= kinds
    for path, page in built.pages.items():
        assert_headed(page, path)
    for n, mail in enumerate(built.mails):
        assert_headed(BeautifulSoup(parts_of(mail)[1], "lxml"), f"mail {n}")


def test_tables_say_what_they_are(built: Built) -> None:
    for mail in built.mails:
        tables = BeautifulSoup(parts_of(mail)[1], "lxml").select("table")
        assert tables
        assert all(table.get("role") == "presentation" for table in tables)
    seen = 0
    for path, page in built.pages.items():
        for table in page.select("table"):
            assert table.select("caption, th[scope]"), path
            seen += 1
    assert seen


def test_every_page_leads_somewhere_that_is_there(built: Built) -> None:
    """Links of the archive to itself, with their fragments; forms and searches are the web door's."""
    doors = ("subscribe/", "search/", "manage/", "unsubscribe/")
    ids = {path: {str(tag["id"]) for tag in page.select("[id]")} for path, page in built.pages.items()}
    missing = set()
    for path, page in built.pages.items():
        for link in page.select("a[href], link[href], area[href]"):
            href = str(link["href"])
            target, _, fragment = href.partition("#")
            if not target.startswith(URL) and not href.startswith("#"):
                continue
            name = path if href.startswith("#") else unquote(target.removeprefix(URL).partition("?")[0])
            name = f"{name}index.html" if name.endswith("/") or not name else name
            if name.startswith(doors):
                continue
            if name not in built.files or (fragment and name in ids and unquote(fragment) not in ids[name]):
                missing.add(f"{path}: {href}")
    assert sorted(missing)[:5] == []


def test_counts_agree_everywhere(built: Built) -> None:
    data = json.loads(built.files[f"{built.day}papers.json"])
    listed = len(data["picks"]) + sum(len(topic["papers"]) for topic in data["topics"])
    page = built.pages[f"{built.day}index.html"]
    said = re.search(r"Today: ([\d,]+) new paper", page.get_text(" "))
    assert said
    assert (
        int(said[1].replace(",", ""))
        == listed
        == data["count"]
        == built.papers
        == len(page.select("main article"))
    )
    assert sum(int(count.text) for count in page.select(".toc i")) == built.papers
    for path in ("index.html", "2026/11/index.html"):
        day = built.pages[path].select_one(f"table a[href='{URL}{built.day}']")
        assert day is not None, path
        assert day["aria-label"] == f"19 November, {built.papers} paper{'s' if built.papers > 1 else ''}"
        cell = day.find_parent("td")
        assert cell is not None
        assert cell.get_text(" ").split() == ["19", str(built.papers)]
    (row,) = built.pages["2026/index.html"].select("tbody tr")
    assert [cell.text for cell in row.select("td")] == ["2", str(9 + built.papers)]
    for n, mail in enumerate(built.mails):
        assert f"{(9, built.papers)[n]} new paper" in unflowed(parts_of(mail)[0])


def test_titles_of_every_script_are_shown_as_reviewed(built: Built) -> None:
    data = json.loads(built.files[f"{built.day}papers.json"])
    papers = {
        p["anchor"]: p for p in [*data["picks"], *(p for topic in data["topics"] for p in topic["papers"])]
    }
    expected = {
        " ".join(BeautifulSoup(html, "lxml").get_text().split()): html for html in TITLES.values() if html
    }
    edition = built.pages[f"{built.day}index.html"]
    flat = "".join(re.sub("[\u2068\u2069]", "", unflowed(parts_of(built.mails[-1])[0])).split())
    seen = set()
    for anchor, paper in papers.items():
        if paper["title"] not in expected:
            continue
        heading = edition.select_one(f"[id='{anchor}'] h3")
        assert heading is not None
        inner = (heading.a or heading).decode_contents()
        assert BeautifulSoup(inner, "lxml") == BeautifulSoup(expected[paper["title"]], "lxml"), inner
        record = BeautifulSoup(built.files[f"papers/{paper['ids']['arxiv']}/index.html"], "lxml")
        assert record.h1 is not None
        assert BeautifulSoup(record.h1.decode_contents(), "lxml").get_text().strip() == paper["title"]
        if built.papers <= 30 and paper["title"] != LONG:
            assert "".join(paper["title"].split()) in flat
        seen.add(paper["title"])
    assert seen == (set(expected) if built.papers > 1 else {LONG})


def test_feeds_keep_their_ids_and_bytes(built: Built) -> None:
    feeds = {
        name: body
        for name, body in built.files.items()
        if re.search(r"(rss|atom|editions|editions-atom)\.xml$|feed\.json$", name)
    }
    assert {
        "rss.xml",
        "atom.xml",
        "feed.json",
        "editions.xml",
        "topics/moths/rss.xml",
        f"{built.day}rss.xml",
    } <= set(feeds)
    for name, body in feeds.items():
        if name.endswith(".json"):
            assert json.loads(body)["version"] == "https://jsonfeed.org/version/1.1"
            continue
        feed = etree.fromstring(body)
        ids = [e.text for e in feed.iter("guid")] or [e.findtext("{*}id") for e in feed.iter("{*}entry")]
        assert len(set(ids)) == len(ids), name
        if "/" not in name:  # a slow parser; it reads all feeds in test_formats_syndication
            parsed = feedparser.parse(body)
            assert not parsed.bozo, name
            assert [entry.id for entry in parsed.entries] == ids, name
        if name.endswith("rss.xml"):
            for item in feed.iter("item"):
                assert item.findtext("{http://purl.org/dc/elements/1.1/}creator"), name
    for path in feeds:
        (built.output / path).unlink()
    with open_app(built.config) as app:
        assert app.rebuild().written == len(feeds)
    after = {path: (built.output / path).read_bytes() for path in feeds}
    assert after == feeds


# ---------------------------------------------------------------- forms


def test_every_field_has_a_label_and_works_without_scripts(built: Built) -> None:
    with serving(built.config, Clock()) as site:
        doors = {name: site.get(path).page for name, path in forms_of(site).items()}
        doors["search"] = site.get("/search/?q=moth").page
        wrong = site.post("/subscribe/", {"email": "nobody@@mail.example", "digest": "daily"})
    assert wrong.status in (400, 422)
    fields = wrong.page.select("[aria-invalid=true]")
    assert fields
    for field in fields:
        error = wrong.page.find(id=str(field["aria-describedby"]).split()[0])
        assert error is not None
        assert error.get_text().strip()
    seen = 0
    for where, page in {**built.pages, **doors}.items():
        for form in page.select("form"):
            assert form.get("action") is not None, where
            assert form.get("method", "get").lower() in ("get", "post"), where  # type: ignore[union-attr]
            assert form.select("button, input[type=submit]"), f"{where}: nothing sends it without a script"
            for field in form.select("input:not([type=hidden]):not([type=submit]), select, textarea"):
                named = field.find_parent("label") or page.select_one(f"label[for='{field.get('id')}']")
                assert named or field.get("aria-label"), f"{where}: {field}"
                seen += 1
    assert seen > 10
    for name, page in doors.items():
        assert_headed(page, name)
        assert not page.select("script, [src], [onclick]"), name


# ---------------------------------------------------------------- in a browser

SCHEMES = ("light", "dark")


class Seen(Struct):
    """A page as a browser shows it: what it asked for, how wide it is on the smallest screen, its targets on a telephone, what
    large letters cut off there, and the contrasts of its texts and fields in each scheme."""

    asked: list[str]
    width: int
    targets: list[Any]
    cut: list[str]
    contrast: dict[str, tuple[dict[str, float], list[float]]]


class Shown:
    """A site in a browser: its pages, each gone to once."""

    def __init__(self, site: Site, built: Built, tab: Page) -> None:
        self.site, self.tab = site, tab
        self._asked: list[str] = []
        self._browser = tab.context.new_cdp_session(tab)
        tab.on("request", lambda request: self._asked.append(request.url))
        paths = [f"/{path.removesuffix('index.html')}" for path in built.one_of_each_kind()]
        few = built.papers != 30
        self.paths = [
            path for path in paths if not few or kind_of(path[1:]) in ("", "#/#/#/", "papers/*/", "topics/*/")
        ]
        self.paths += [f"/{built.day}email.html"] + (
            [] if few else ["/search/?q=moth", "/search/?q=nothing-like-it", "/search/"]
        )
        if not few:
            self.paths += forms_of(site).values()

    @cached_property
    def seen(self) -> dict[str, Seen]:
        return {path: self._look(path) for path in self.paths}

    def _look(self, path: str) -> Seen:
        self._asked.clear()
        self._sized(320)
        self.tab.goto(f"http://127.0.0.1:{self.site.port}{path}")
        width = self.tab.evaluate("document.documentElement.scrollWidth")
        self._sized(375)
        targets = self.tab.evaluate(TARGETS)
        self._letters(32)
        cut = self.tab.evaluate(CUT)
        self._letters(16)
        self._sized(1200)
        return Seen(
            list(self._asked), width, targets, cut, {scheme: self._contrast(scheme) for scheme in SCHEMES}
        )

    def _sized(self, width: int) -> None:
        self.tab.set_viewport_size({"width": width, "height": 800})

    def _letters(self, size: int) -> None:
        """The size of letters in the settings of the browser."""
        self._browser.send("Page.setFontSizes", {"fontSizes": {"standard": size}})

    def _contrast(self, scheme: Any) -> tuple[dict[str, float], list[float]]:
        self.tab.emulate_media(color_scheme=scheme)
        return self.tab.evaluate(CONTRAST), self.tab.evaluate(BORDERS)


@pytest.fixture(
    scope="module",
    params=[
        (1, ""),
        (30, ""),
        pytest.param((500, ""), marks=pytest.mark.torture),
        *((30, theme) for theme in THEMES),
    ],
    ids=str,
)
def shown(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    papers, theme = request.param
    built = site_of(papers, theme, tmp_path_factory)
    with serving(built.config, Clock()) as site:
        tab = browser.new_page()
        try:
            yield Shown(site, built, tab)
        finally:
            tab.close()


TARGETS = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')].filter(e =>
  !e.classList.contains('skip') && e.type !== 'hidden' && !e.closest('.hp') && e.getClientRects().length
).map(e => {
  const sentence = getComputedStyle(e).display === 'inline' && [...e.parentElement.childNodes].some(
    n => n.nodeType === 3 && /\\w{2}/.test(n.textContent));
  const box = (e.closest('label.ck') || e).getBoundingClientRect();
  const control = e.matches('button, input, select, textarea, summary') || e.parentElement.matches('.act, nav, nav *');
  return {what: e.outerHTML.slice(0, 70), height: box.height, sentence, control};
})"""


# Words that stand out of their page, or of their button. The mail's copy has its letters in pixels, as mail has.
CUT = """() => [...document.querySelectorAll('body *')].filter(e => {
  if (e.closest('.skip, .hp') || !e.getClientRects().length || ![...e.childNodes].some(n => n.nodeType === 3)) return false;
  const words = document.createRange();
  words.selectNodeContents(e);
  const right = words.getBoundingClientRect().right, box = e.getBoundingClientRect();
  return right > innerWidth + 1 || (e.matches('button, .btn') && right > box.right + 1);
}).map(e => e.outerHTML.slice(0, 70))"""


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
class TestInABrowser:
    def test_nothing_scrolls_sideways_at_320_pixels(self, shown: Shown) -> None:
        assert {path: seen.width for path, seen in shown.seen.items() if seen.width > 320} == {}

    def test_letters_of_twice_the_size_stay_on_a_small_screen(self, shown: Shown) -> None:
        """WCAG 2.2, 1.4.4: 32 pixels, set in the browser, at 375."""
        assert {path: seen.cut for path, seen in shown.seen.items() if seen.cut} == {}

    def test_targets_are_large_enough_for_a_thumb(self, shown: Shown) -> None:
        small = []
        for path, seen in shown.seen.items():
            assert seen.targets
            for target in seen.targets:
                least = 0 if target["sentence"] else 43.9 if target["control"] else 23.9
                if target["height"] < least:
                    small.append((path, target["what"], target["height"]))
        assert small == []

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_text_and_fields_stand_out_in_both_schemes(self, shown: Shown, scheme: str) -> None:
        faint = []
        for path, seen in shown.seen.items():
            pairs, borders = seen.contrast[scheme]
            assert len(pairs) >= 2, path
            faint += [(path, pair, round(ratio, 2)) for pair, ratio in pairs.items() if ratio < 4.5]
            faint += [(path, "a field", round(ratio, 2)) for ratio in borders if ratio < 3]
        assert faint == []

    def test_a_browser_asks_no_other_host(self, shown: Shown) -> None:
        for path, seen in shown.seen.items():
            here = f"http://127.0.0.1:{shown.site.port}{path}"
            # A browser may ask for the icon of a site by itself.
            others = [url for url in seen.asked if url != here and not url.endswith("/favicon.ico")]
            assert others == [], path


def test_a_site_without_a_web_door_has_one_script_the_search_s_own(tmp_path: Path) -> None:
    built = Built(tmp_path / "here", 30, web=False)
    scripts = {(path, str(s.get("src"))) for path, page in built.pages.items() for s in page.select("script")}
    assert {src for path, src in scripts if path != "search/index.html"} == {f"{URL}search/search.js"}
    assert {src for path, src in scripts if path == "search/index.html"} == {"search.js"}
    assert not [path for path, page in built.pages.items() if any(s.text for s in page.select("script"))]
    script = built.files["search/search.js"].decode()
    assert not re.search(
        r"https?://(?!www\.w3\.org)|\beval\b|innerHTML|document\.write|cookie|localStorage", script
    )


# ---------------------------------------------------------------- the command line

# A call of each command that ends well in a folder of a site, and whether it speaks JSON.
COMMANDS: dict[str, list[str]] = {
    "doctor": [],
    "parse": ["hub/day.json"],
    "preview": ["--out", "looked"],
    "rebuild": [],
    "run": ["--dry-run"],
    "search": ["moth"],
    "sources": ["list"],
    "status": [],
    "subscribers": ["list"],
    "why": ["2611.10000"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_of(30, "", tmp_path_factory).folder


def call(folder: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return called(args, cwd=folder, environ=environ)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_plain_in_a_pipe_and_speaks_json(folder: Path, name: str) -> None:
    plain = call(folder, name, *COMMANDS[name], NO_COLOR="1")
    # The doctor finds, and says so by its exit code, that a site of days long past is silent.
    assert plain.returncode in ((0, 1) if name == "doctor" else (0,)), plain.stderr
    assert plain.stdout
    spoken = call(folder, name, *COMMANDS[name], "--json")
    assert spoken.returncode == plain.returncode, spoken.stderr
    assert json.loads(spoken.stdout)["schema"] == 1
    for text in (plain.stdout, plain.stderr, spoken.stdout, spoken.stderr):
        assert "\x1b" not in text
        assert "Traceback" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_the_mend_of_a_wrong_call(folder: Path, name: str) -> None:
    without = [] if name in ("parse", "doctor") else [["--config", "none.toml", name, *COMMANDS[name]]]
    for args in ([name, "--no-such-option"], *without):
        done = call(folder, *args)
        assert done.returncode == 2, (args, done.stderr)
        assert done.stdout == ""
        assert re.match(r"error: .+\S", done.stderr), done.stderr
        assert len(re.split(r"[.:?] ", done.stderr)) >= 3, f"no remedy: {done.stderr}"
