"""The web archive: counts that add up, links that lead somewhere, a frame that every page keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urldefrag

import feedparser
import pytest
from bs4 import BeautifulSoup
from lxml import etree
from msgspec.structs import replace

from digest.config import WebConfig
from digest.formats import sitemaps
from digest.labels import record_path
from digest.model import PAPER_FACTS
from editions import (
    DIGEST,
    EDITIONS,
    SITE,
    URL,
    copies_of,
    edition_of,
    head_of,
    pages_named,
    pages_of,
    paper_of,
    publication_of,
    rich,
    shipped,
)

DAY = "2026/11/19/"
PAGES = ["index.html", "feeds/index.html", "2026/index.html", "2026/11/index.html", f"{DAY}index.html"]
# Of an edition of any kind; which papers and topics it has differs.
KINDS = ["papers", "topics", "topics list"]


def pages_like(path: str, made: Mapping[str, bytes]) -> list[str]:
    """The pages of a kind, at most three, or the page of that path."""
    patterns = {
        "papers": r"papers/[^/]+/index\.html",
        "topics": r"topics/[^/]+/index\.html",
        "topics list": r"topics/index\.html",
    }
    return [name for name in made if re.fullmatch(patterns[path], name)][:3] if path in patterns else [path]


@cache
def soup(body: bytes) -> BeautifulSoup:
    """A page, read once for all tests, which leave it as it is."""
    return BeautifulSoup(body, "html.parser")


class Balance(HTMLParser):
    """Notes elements that are closed in the wrong order or not at all."""

    VOID = frozenset({"meta", "link", "br", "input", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at line {self.getpos()[0]}"


@pytest.mark.parametrize("name", EDITIONS)
@pytest.mark.parametrize("kind", [*PAGES, *KINDS])
def test_every_page_keeps_the_frame(name: str, kind: str) -> None:
    made = pages_named(name)
    paths = pages_like(kind, made)
    assert paths
    for path in paths:
        keeps_the_frame(path, made[path])


def keeps_the_frame(path: str, body: bytes) -> None:
    page = soup(body)
    address = URL + path.removesuffix("index.html")
    assert page.html is not None
    assert page.html["lang"] == "en"
    assert len(page.find_all("h1")) == 1
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [link["href"] for link in page.select("link[rel=canonical]")] == [address]
    folder = path.removesuffix("index.html") if re.match("topics/.+/", path) else ""
    assert [link["href"] for link in page.select("link[rel=alternate]")] == [
        f"{URL}{folder}{file}" for file in ("rss.xml", "atom.xml", "feed.json")
    ]
    assert page.select_one("a.skip[href='#main']") is not None
    assert page.select_one("main#main") is not None
    assert page.title is not None
    assert page.title.text.strip()
    assert not page.select("script, img, iframe, object, embed, link[rel=stylesheet]")
    assert [form["action"] for form in page.select("form")] == (
        [f"{URL}search/", "/subscribe/"] if path == "index.html" else []
    )
    assert not re.search(rb"@import|@font-face|url\(", body)
    balance = Balance()
    balance.feed(body.decode())
    assert not balance.open
    assert len(balance.ids) == len(set(balance.ids))


@pytest.mark.parametrize("name", EDITIONS)
def test_links_are_absolute_and_lead_to_pages_that_exist(name: str) -> None:
    edition = EDITIONS[name]()
    publication = publication_of(edition)
    made = {**copies_of(edition, shipped()), **pages_named(name)}
    known = {URL + path.removesuffix("index.html") for path in made} | {
        URL + head.path for head in publication.heads
    }
    # Pages of months before this edition's were written with their own editions.
    known |= {f"{URL}{head.date:%Y/%m}/" for head in publication.heads} | {
        f"{URL}{head.date:%Y}/" for head in publication.heads
    }
    for path in [name for kind in [*PAGES, *KINDS, "404.html"] for name in pages_like(kind, made)]:
        page = soup(made[path])
        ids = {tag["id"] for tag in page.find_all(id=True)}
        for link in page.find_all("a"):
            href = str(link["href"])
            if href.startswith("#"):
                assert href[1:] in ids
                continue
            assert re.match(r"https?://[^/]|mailto:[^?]+@", href), href
            target, fragment = urldefrag(href)
            if target.startswith(URL):
                assert unquote(target) in known, f"{path} links to {href}"
            if fragment and target == URL + DAY:
                assert f'id="{fragment}"'.encode() in made[f"{DAY}index.html"]


@pytest.mark.parametrize("name", EDITIONS)
def test_counts_add_up_everywhere(name: str) -> None:
    edition, made = EDITIONS[name](), pages_named(name)
    page = soup(made[f"{DAY}index.html"])
    data = json.loads(made[f"{DAY}papers.json"])
    listed = len(data["picks"]) + sum(len(topic["papers"]) for topic in data["topics"])
    assert f"Today: {edition.count} new paper" in page.text
    assert listed == data["count"] == edition.count == len(page.find_all("article"))
    assert sum(int(i.text) for i in page.select(".toc i")) == edition.count
    home = soup(made["index.html"])
    (today,) = home.select("td.now")
    assert today.text == f"19{edition.count}"
    (link,) = today.select("a")
    assert link["aria-label"] == f"19 November, {edition.count} paper{'' if edition.count == 1 else 's'}"


@pytest.mark.parametrize("name", EDITIONS)
def test_the_days_data_is_json_with_every_fact(name: str) -> None:
    edition = EDITIONS[name]()
    data = json.loads(pages_named(name)[f"{DAY}papers.json"])
    assert (data["schema"], data["edition"], data["date"], data["number"]) == (
        1,
        "2026-11-19",
        "2026-11-19",
        214,
    )
    papers = data["picks"] + [paper for topic in data["topics"] for paper in topic["papers"]]
    assert [paper["guid"] for paper in papers] == [entry.guid for entry in edition.entries]
    assert all({*PAPER_FACTS, "anchor", "gist"} <= set(paper) for paper in papers)


def test_papers_stand_in_the_order_of_the_edition_with_their_facts_in_order() -> None:
    page = soup(pages_named("rich")[f"{DAY}index.html"])
    assert [article["id"] for article in page.find_all("article")] == [
        entry.anchor for entry in rich().entries
    ]
    second = page.find_all("article")[1]
    assert (
        second.select_one("p.m").text
        == "Noémie Caron, Bao Tran, Sipho Zulu · Open Water Collective · 94\u00a0upvotes · datasets, oceans"
    )
    assert [link.text for link in second.select(".act > a")] == ["Abs", "PDF", "Code", "HF"]


def test_a_paper_with_title_and_abstract_only_looks_finished() -> None:
    page = soup(pages_named("bare")[f"{DAY}index.html"])
    first = page.find("article")
    assert first is not None
    assert [link.text for link in first.select("a")] == ["Cite it, and its history"]
    assert [tag.name for tag in first.find_all(True)] == [
        "h3",
        "p",
        "div",
        "details",
        "summary",
        "p",
        "p",
        "a",
    ]
    assert "·" not in first.text
    assert "Unknown" not in page.text
    assert "None" not in page.text


def test_hostile_titles_are_text() -> None:
    page = pages_named("odd")[f"{DAY}index.html"].decode()
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "49" not in soup(page.encode()).find_all("article")[9].h3.text
    assert "Tom &amp;amp;amp; Jerry &amp;lt;3" in page
    assert "javascript:" not in page
    assert "$20 or $30" in page
    assert "<code>$O(n)$</code>" in page
    assert '<span lang="zh" dir="auto">' in page
    assert '<span dir="auto">أين' in page
    assert "\u202e" not in page


def test_the_feeds_are_found_from_the_home_page() -> None:
    found = feedparser.parse(pages_named("rich")["index.html"])
    links = {(link["rel"], link["type"]) for link in found.feed.links}
    assert {("alternate", f"application/{kind}") for kind in ("rss+xml", "atom+xml", "feed+json")} <= links


def test_home_has_the_form_that_subscribes_to_its_digest_with_all_ticked() -> None:
    home = soup(pages_named("rich")["index.html"])
    form = home.select_one("form[action='/subscribe/'][method=post]")
    assert form is not None
    assert form.select_one("input[type=email][name=email][required]") is not None
    assert [box["value"] for box in form.select("input[name=digest]")] == ["daily"]
    boxes = form.select("input[name=topic]")
    assert [box["value"] for box in boxes] == [*(topic.slug for topic in DIGEST.topics), "other"]
    assert all(box.has_attr("checked") for box in boxes)
    for field in form.select("input:not([type=hidden]), select"):
        assert field.find_parent("label") or form.select_one(f"label[for='{field['id']}']"), field


def test_the_form_of_a_site_in_a_folder_is_posted_below_it() -> None:
    site = replace(SITE, url="https://example.org/papers/")
    home = soup(pages_of(publication_of(rich(), site=site, url=site.url), shipped())["index.html"])
    assert [form["action"] for form in home.select("form")] == [f"{site.url}search/", "/papers/subscribe/"]


def test_without_a_web_door_home_offers_subscription_by_mail_to_the_contact_or_the_sender() -> None:
    publication = publication_of(rich(), web=WebConfig(enabled=False))
    home = soup(pages_of(publication, shipped())["index.html"])
    assert home.select_one("a[href='mailto:digest@papers.example.org?subject=subscribe']") is not None
    assert not home.select("form[method=post]")
    asked = publication_of(
        rich(), web=WebConfig(enabled=False), site=replace(SITE, contact="ask@papers.example.org")
    )
    home = soup(pages_of(asked, shipped())["index.html"])
    assert home.select_one("a[href='mailto:ask@papers.example.org?subject=subscribe']") is not None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 7 * * mon-fri", "sorted by topic, every weekday at 07:00 (Europe/Berlin): by"),
        ("", "sorted by topic: by"),
    ],
)
def test_home_says_when_it_comes_where_that_is_known(schedule: str, said: str) -> None:
    made = pages_of(publication_of(rich(), digest=replace(DIGEST, schedule=schedule)), shipped())
    description = soup(made["index.html"]).find("meta", attrs={"name": "description"})
    assert said in description["content"]


def test_an_empty_archive_says_when_the_first_edition_is_due() -> None:
    made = pages_of(publication_of(rich(), heads=(), latest=(), editions=()), shipped())
    assert "No edition yet" in made["index.html"].decode()
    assert "The first one is due every weekday at 07:00 (Europe/Berlin)." in made["index.html"].decode()
    assert not [path for path in made if path.startswith("2026")]


def test_publisher_and_postal_address_leave_no_trace_when_not_given() -> None:
    site = replace(SITE, publisher="", postal_address="")
    made = pages_of(publication_of(rich(), site=site), shipped())
    footer = soup(made["index.html"]).footer
    assert footer is not None
    assert footer.text.split("JSON Feed")[1].strip().startswith("Titles, authors and abstracts")


def test_an_older_edition_is_untouched_by_a_newer_one() -> None:
    older = edition_of([paper_of(1, "T|A gist.|A|O|1|t")], day=date(2026, 11, 18), number=1, picks=0)
    newer = replace(rich(), number=2)
    alone = publication_of(older, heads=(head_of(older),))
    both = publication_of(
        newer, heads=(head_of(older), head_of(newer)), latest=(newer, older), editions=(newer, older)
    )
    before, after = pages_of(alone, shipped()), pages_of(both, shipped())
    for path in ("2026/11/18/index.html", "2026/11/18/papers.json"):
        assert before[path] == after[path]
    assert 'rel="prev" href="https://papers.example.org/2026/11/18/"' in after[f"{DAY}index.html"].decode()


def test_a_month_and_a_year_lead_to_the_one_before_and_show_no_other() -> None:
    newest = rich()
    first = edition_of([paper_of(40, "First|A gist.|A B|O|1|t")], day=date(2025, 11, 14), number=1)
    heads = (head_of(first), *publication_of(newest).heads[1:])
    made = pages_of(publication_of(newest, heads=heads, editions=(first, newest)), shipped())
    for path, before in {
        "2026/11/": "2026/10/",
        "2026/": "2025/",
        "2025/11/": "The first month",
        "2025/": "The first year",
    }.items():
        page = soup(made[f"{path}index.html"])
        links = [str(link["href"]).removeprefix(URL) for link in page.select("main .pn a[rel=prev]")]
        assert links == ([before] if before.endswith("/") else []), path
        assert before.endswith("/") or page.find("span", string=before), path
        addresses = [str(link["href"]).removeprefix(URL) for link in page.select("main a[href]:not(.pn a)")]
        months = {address[:8] for address in addresses if address[:1].isdigit()}
        assert months == {f"{head.date:%Y/%m}/" for head in heads if head.path.startswith(path)}, path


def test_a_second_part_of_a_date_is_reached_from_the_calendar() -> None:
    first = rich()
    second = edition_of([paper_of(40, "T|A gist.|A|O|1|t")], number=215, part=2, picks=0)
    publication = publication_of(second, heads=(head_of(first), head_of(second)), latest=(second, first))
    made = pages_of(publication, shipped())
    assert "2026/11/19/2/index.html" in made
    calendar = soup(made["2026/11/index.html"]).select("table.cal a")
    assert [(a["href"], a["aria-label"]) for a in calendar] == [
        (f"{URL}{DAY}", "19 November, 31 papers"),
        (f"{URL}{DAY}2/", "Part 2: 1 paper"),
    ]
    page = soup(made["2026/11/19/2/index.html"])
    assert "part 2" in page.h1.text
    assert page.title.text == "Paper Digest, Thursday, 19 November 2026, part 2"
    mail = soup(copies_of(second, shipped())["2026/11/19/2/email.html"])
    assert mail.title.text == "Paper Digest, 19 November 2026, part 2"


def test_a_digest_in_a_folder_publishes_below_it() -> None:
    digest = replace(DIGEST, name="weekly", path="weekly")
    made = pages_of(publication_of(rich(), digest=digest, url=f"{URL}weekly/"), shipped())
    assert all(path.startswith("weekly/") for path in made)
    assert "weekly/robots.txt" not in made
    assert b'href="https://papers.example.org/weekly/rss.xml"' in made["weekly/index.html"]


def test_topics_never_share_an_id_with_the_page(tmp_path: Any) -> None:
    edition = rich()
    names = ["picks", "main", "p-2611.10003", "", "词 义"]
    sections = tuple(replace(s, slug=slug) for s, slug in zip(edition.sections, names, strict=True))
    body = pages_of(publication_of(replace(edition, sections=sections)), shipped())[f"{DAY}index.html"]
    balance = Balance()
    balance.feed(body.decode())
    assert len(balance.ids) == len(set(balance.ids))


def locations(body: bytes) -> list[str]:
    return [str(loc.text) for loc in etree.fromstring(body).iter("{*}loc")]


def test_the_sitemaps_list_every_page_and_each_stands_where_the_protocol_lets_it() -> None:
    publication = publication_of(rich())
    made = pages_of(publication, shipped())
    parts = locations(made["sitemap.xml"])
    assert parts == [f"{URL}sitemap-1.xml"] + [
        f"{URL}papers/sitemap-{head.id}.xml" for head in publication.heads
    ]
    pages = locations(made["sitemap-1.xml"])
    assert len(pages) == len(set(pages))
    assert {URL, f"{URL}feeds/", f"{URL}2026/", f"{URL}2026/02/", f"{URL}2026/11/"} <= set(pages)
    assert {URL + head.path for head in publication.heads} <= set(pages)
    assert {URL + channel.path for channel in publication.catalogue} <= set(pages)
    assert {f"{URL}topics/", f"{URL}authors/", f"{URL}searches/"} <= set(pages)
    (own,) = [name for name in made if name.startswith("papers/sitemap-")]
    assert all(loc.startswith(f"{URL}papers/") for loc in locations(made[own]))
    robots = sitemaps.robots([URL, f"{URL}weekly/"])
    assert robots.path == "robots.txt"
    assert robots.body.decode().splitlines()[2:] == [
        f"Sitemap: {URL}sitemap.xml",
        f"Sitemap: {URL}weekly/sitemap.xml",
    ]


def test_a_sitemap_holds_no_more_addresses_than_the_protocol_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "MOST", 100)
    publication = publication_of(rich())
    made = pages_of(publication, shipped())
    parts = [locations(made[name]) for name in made if re.fullmatch(r"sitemap-\d+\.xml", name)]
    assert [len(part) for part in parts[:-1]] == [100] * (len(parts) - 1)
    assert {URL + head.path for head in publication.heads} <= {loc for part in parts for loc in part}
    assert len(locations(made["sitemap.xml"])) == 100


def test_the_page_for_an_unknown_address_searches_and_leads_to_the_newest_edition_from_anywhere() -> None:
    page = soup(pages_named("rich")["404.html"])
    assert len(page.find_all("h1")) == 1
    assert page.select_one("meta[name=robots][content=noindex]") is not None
    assert not page.select("link[rel=canonical]")
    assert page.find("a", href=f"{URL}{DAY}", string="Read the newest edition") is not None
    assert [form["action"] for form in page.select("form[role=search]")] == [f"{URL}search/"]
    for tag in page.find_all(["a", "link", "form"]):
        address = str(tag.get("href") or tag.get("action"))
        assert address.startswith(URL) or address == "#main"
    empty = soup(
        pages_of(publication_of(rich(), heads=(), latest=(), editions=(), records=()), shipped())["404.html"]
    )
    assert empty.find("a", string="Read the newest edition") is None


def test_a_static_host_gets_the_script_that_searches_and_a_web_door_none() -> None:
    for enabled in (True, False):
        made = pages_of(publication_of(rich(), web=WebConfig(enabled=enabled)), shipped())
        for path in [*PAGES, "404.html"]:
            scripts = [script["src"] for script in soup(made[path]).select("script")]
            assert scripts == ([] if enabled else [f"{URL}search/search.js"])


@pytest.mark.parametrize("name", EDITIONS)
def test_an_edition_links_each_paper_s_own_page_and_its_references(name: str) -> None:
    edition = EDITIONS[name]()
    page = soup(pages_named(name)[f"{DAY}index.html"])
    own = [
        str(link["href"])
        for link in page.select("article a")
        if str(link["href"]).startswith(f"{URL}papers/")
    ]
    assert own == [URL + record_path(entry.paper.key) for entry in edition.entries]
    assert {f"{URL}{DAY}papers.{kind}" for kind in ("json", "bib", "ris")} <= {
        str(link["href"]) for link in page.select("a")
    }
