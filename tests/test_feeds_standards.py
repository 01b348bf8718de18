"""Every feed keeps to its specification, warnings too: of known editions and of generated ones. And the checks see faults."""

from __future__ import annotations

import json
import random
import re
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from digest.config import SiteConfig
from digest.editions import paper_guid
from digest.formats import Channel, Publication, Shown
from digest.formats.feeds import channels as channel_feeds
from digest.formats.feeds import documents
from digest.formats.feeds import editions as edition_feeds
from digest.formats.items import Feed, feed_urls
from digest.formats.jsonfeed import feed as jsonfeed
from digest.formats.opml import subscriptions
from digest.formats.syndication import feeds as syndication
from digest.model import Edition, Paper
from editions import EDITIONS, SITE, URL, edition_of, odd, publication_of, rich, shipped
from feed_checks import atom_complaints, json_complaints, opml_complaints, rss_complaints

HUB = replace(SITE, hub="https://hub.example.org/?a=1&b=2")
CHECKS = {"rss.xml": rss_complaints, "editions.xml": rss_complaints, "atom.xml": atom_complaints}
CHECKS |= {
    "editions-atom.xml": atom_complaints,
    "feed.json": json_complaints,
    "editions.json": json_complaints,
}
CHECKS |= {"feeds.opml": opml_complaints}


def full(edition: Edition, **changes: Any) -> Publication:
    """Everything there can be of an edition: its archive, and a feed of each kind of channel with its papers."""
    shown = tuple(Shown(entry, edition) for entry in edition.entries)
    names = {"topic": 'T & "t" <b>', "category": "cs.CL", "author": "李 明", "search": "Big words"}
    channels = tuple(
        Channel(kind=kind, slug=slug, name=name, papers=len(shown), shown=shown, query='"a b" -c')  # type: ignore[arg-type]
        for (kind, name), slug in zip(names.items(), ("t-t", "cs.cl", "李-明", "big-words"), strict=True)
    )
    catalogue = tuple(replace(channel, shown=()) for channel in channels)
    return publication_of(
        edition, **({"issued": (edition,), "channels": channels, "catalogue": catalogue} | changes)
    )


def feeds_of(publication: Publication) -> dict[str, bytes]:
    """All feeds by path, and the list of them; no other pages."""
    made = [
        make(publication, shipped())
        for make in (subscriptions, edition_feeds, channel_feeds, syndication, jsonfeed)
    ]
    return {page.path: page.body for pages in made for page in pages}


def complaints_of(publication: Publication) -> list[str]:
    found, checked = [], 0
    for path, body in feeds_of(publication).items():
        if check := CHECKS.get(path.rpartition("/")[2]):
            found += [f"{path}: {complaint}" for complaint in check(body)]
            checked += 1
    assert checked == 3 * 7 + 1
    return found


@pytest.mark.parametrize("name", ["rich", "bare", "odd", "single"])
@pytest.mark.parametrize("site", [SITE, HUB], ids=["plain", "hub"])
def test_no_feed_of_a_known_edition_has_a_warning(name: str, site: SiteConfig) -> None:
    assert complaints_of(full(EDITIONS[name](), site=site)) == []


# ---------------------------------------------------------------- generated editions


_TITLES = [entry.paper.title for name in ("odd", "rich") for entry in EDITIONS[name]().entries]
_DATES = (
    "",
    "2026-11-01",
    "2026-11-18T23:00:00Z",
    "2026-11-18T23:00:00+05:30",
    "1999-12-31",
    "2031-01-01",
    "nonsense",
    "0001-01-01",
)
_URLS = (
    "https://papers.example/a?b=1&c=2",
    "http://papers.example/ü/<x>",
    "javascript:alert(1)",
    "//x.example",
    "",
    "https://x.example/'\"",
)


def generated(seed: int) -> Edition:
    """An edition of a few papers, of facts that are missing, odd, hostile, long, or as they should be."""
    rnd = random.Random(seed)

    def words() -> str:
        text = rnd.choice(_TITLES)
        cut = rnd.randrange(len(text) + 1)
        return rnd.choice(
            (
                text,
                text[:cut],
                text[cut:],
                text + rnd.choice(_TITLES),
                "".join(map(chr, rnd.choices(range(0x3000), k=9))),
                "",
            )
        )

    def paper(n: int) -> Paper:
        key = rnd.choice(
            (
                f"arxiv:26{rnd.randrange(10, 13)}.{n:05}",
                f"doi:10.5555/{n}<a>#%é",
                f"title:{n}{words()[:30]}",
                f"url:https://x.example/{n}",
            )
        )
        return Paper(
            key=key, title=words(), abstract=rnd.choice(("", words(), words() * 3)), gist=words()[:200],
            authors=tuple(words()[:60] for _ in range(rnd.randrange(6))),
            categories=tuple(rnd.sample(("cs.CL", "cs.CL ", "math.ST"), rnd.randrange(3))),
            tags=tuple(words()[:40] for _ in range(rnd.randrange(4))),
            published=rnd.choice(_DATES) or None, updated=rnd.choice(_DATES) or None,
            links={kind: rnd.choice(_URLS) for kind in rnd.sample(("abstract", "pdf", "code", "hf", "page"), rnd.randrange(5))},
            organization=rnd.choice((None, words()[:90])), comment=rnd.choice((None, words())), upvotes=rnd.choice((None, 0, 7)),
        )  # fmt: skip

    made = edition_of(
        [paper(n) for n in range(rnd.randrange(1, 12))],
        day=date(2026, 11, 19) - timedelta(days=rnd.randrange(400)),
        picks=rnd.randrange(3), shares=(rnd.randrange(4), rnd.randrange(4)),
        change=rnd.choice(("new", "cross", "updated", "withdrawn")), part=rnd.choice((1, 1, 2)),
    )  # fmt: skip

    def named(entry: Any) -> Any:
        return replace(entry, guid=paper_guid("papers.example.org,2026", entry.paper.key))

    return replace(
        made,
        picks=tuple(map(named, made.picks)),
        sections=tuple(
            replace(section, entries=tuple(map(named, section.entries))) for section in made.sections
        ),
    )


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(500), marks=pytest.mark.torture), range(1000, 1015)], ids=["500", "15"]
)
def test_no_feed_of_a_generated_edition_has_a_warning(seeds: range) -> None:
    for seed in seeds:
        site = HUB if seed % 2 else SITE
        assert complaints_of(full(generated(seed), site=site)) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(12))
def test_the_three_formats_have_the_same_ids_in_the_same_order(seed: int) -> None:
    made = feeds_of(full(generated(seed)))
    for folder in {path.rpartition("/")[0] + "/" for path in made if path.endswith("/feed.json")} | {""}:
        ids = [item["id"] for item in json.loads(made[f"{folder}feed.json"])["items"]]
        assert ids
        assert (
            re.findall(r"<guid [^>]*>([^<]*)", made[f"{folder}rss.xml"].decode().replace("&amp;", "&")) == ids
        )
        assert (
            re.findall(r"<entry>\s*<id>([^<]*)", made[f"{folder}atom.xml"].decode().replace("&amp;", "&"))
            == ids
        )


# ---------------------------------------------------------------- the checks see what is wrong

_FAULTS_RSS = {
    "no link to itself": (b' rel="self"', b' rel="via"'),
    "hexadecimal references": (b"<title>Borrowed", b"<title>&amp; Borrowed"),
    "RFC 822": (b"<pubDate>Tue, 10 Nov 2026", b"<pubDate>Tue, 10 Nov 26"),
    "day of the week": (b"<pubDate>Tue, 10 Nov", b"<pubDate>Wed, 10 Nov"),
    "does not exist": (b"<pubDate>Tue, 10 Nov", b"<pubDate>Tue, 31 Nov"),
    "later than the feed": (b"<pubDate>Tue, 10 Nov 2026", b"<pubDate>Mon, 10 Nov 2036"),
    "no guid": (b'<guid isPermaLink="false">tag:papers.example.org,2026:arxiv:2611.10000</guid>', b""),
    "permalink": (b'<guid isPermaLink="false">', b"<guid>"),
    "stands 2 times": (b"arxiv:2611.10001</guid>", b"arxiv:2611.10000</guid>"),
    "no tag URI": (b"tag:papers.example.org,2026:arxiv:2611.10001</guid>", b"tag:nonsense</guid>"),
    "no absolute address": (b"<link>https://arxiv.example/abs/2611.10000", b"<link>/abs/2611.10000"),
    "description before it": (b"    <item>\n", b"<item><title>x</title><content:encoded>x</content:encoded></item><item>\n"),
    "not well-formed HTML": (b"&lt;em&gt;", b"&lt;b&gt;"),
    "has <img": (b"&lt;em&gt;", b'&lt;img src="x"/&gt;&lt;em&gt;'),
    "href is no absolute": (b'href="https://arxiv.example', b'href="//arxiv.example'),
    "is blank": (b"<dc:creator>Marit Solheim", b"<dc:creator>"),
    "unknown element": (b"<language>", b"<dc:author>x</dc:author><language>"),
    "not registered": (b'rel="self"', b'rel="me"'),
    "2 links self": (b'rel="prev-archive"', b'rel="self"'),
    "leads to the document itself": (b"2026/11/18/rss.xml", b"rss.xml"),
    "channel has no description": (b"<description>New research papers, one item for each.</description>", b""),
    "stands before other elements": (b"<language>en</language>", b"<item><title>x</title></item><language>en</language>"),
    "declaration": (b"encoding='UTF-8'", b"encoding='latin-1'"),
    "not well-formed: ": (b"</channel>", b""),
    "stray text": (b"<item>\n", b"<item>x\n"),
    "language": (b"<language>en", b"<language>English (US)"),
}  # fmt: skip
_FAULTS_ATOM = {
    "RFC 3339": (b"<updated>2026-11-10T09:00:00+00:00", b"<updated>2026-11-10 09:00"),
    "no absolute IRI": (b"<id>tag:papers.example.org,2026:arxiv:2611.10001", b"<id>2611 10001"),
    "updated before": (b"<published>2026-11-10", b"<published>2026-11-11"),
    "newer than its feed": (b"<updated>2026-11-10", b"<updated>2036-11-10"),
    "without term": (b'term="speech"', b'label="speech"'),
    "without exactly one name": (b"<name>Marit Solheim</name>", b"<uri>https://x.example/</uri>"),
    "neither text nor html": (b'<content type="html"', b'<content type="image/png"'),
    "entry has no id": (b"<id>tag:papers.example.org,2026:arxiv:2611.10001</id>", b""),
    "2 times": (b"</published>", b"</published><published>2026-11-10T09:00:00Z</published>"),
    "is not of type": (b'rel="self" type="application/atom+xml"', b'rel="self" type="text/xml"'),
    "stands in an entry": (b'<link href="https://arxiv.example/abs/2611.10000"/>', b'<link rel="current" href="https://x.example/"/>'),
    "archive without a link": (b"<generator>", b'<fh:archive xmlns:fh="http://purl.org/syndication/history/1.0"/><generator>'),
    "no archive": (b'rel="prev-archive"', b'rel="current"'),
    "when there is a next": (b'rel="prev-archive"', b'rel="next-archive"'),
    "not atom:feed": (b"2005/Atom", b"2005/Atoms"),
}  # fmt: skip
_FAULTS_JSON = {
    "version": (b"version/1.1", b"version/1"),
    "home_page_url": (b'"home_page_url"', b'"home"'),
    "date_published": (b"2026-11-10T09:00:00Z", b"10 Nov 2026"),
    "modified before": (b'"date_published": "2026-11-10', b'"date_published": "2026-11-19'),
    "does not exist": (b'"date_published": "2026-11-10', b'"date_published": "2026-02-30'),
    "stands 2 times": (b"arxiv:2611.10001", b"arxiv:2611.10000"),
    "next_url is the feed": (b"2026/11/18/feed.json", b"feed.json"),
    "authors": (b'"name": "Marit Solheim"', b'"avatar_name": "x"'),
    "schema: items/0": (b'"content_html"', b'"content"'),
    "tag stands twice": (b'"noise"', b'"speech"'),
    "no JSON": (b"]", b""),
}  # fmt: skip


_FAULTS = [("rss.xml", *fault) for fault in _FAULTS_RSS.items()]
_FAULTS += [("atom.xml", *fault) for fault in _FAULTS_ATOM.items()]
_FAULTS += [("feed.json", *fault) for fault in _FAULTS_JSON.items()]


@pytest.mark.parametrize(
    ("path", "fault", "change"), _FAULTS, ids=[f"{path}-{fault}" for path, fault, _ in _FAULTS]
)
def test_the_checks_name_what_is_wrong(path: str, fault: str, change: tuple[bytes, bytes]) -> None:
    good = feeds_of(publication_of(rich()))[path]
    assert CHECKS[path](good) == []
    assert change[0] in good
    found = CHECKS[path](good.replace(*change, 1))
    assert any(fault in complaint for complaint in found), found


def test_the_check_of_atom_wants_an_author_for_every_entry() -> None:
    good = feeds_of(publication_of(EDITIONS["bare"]()))["atom.xml"]
    faulty = re.sub(rb"<author>.*?</author>", b"", good, flags=re.DOTALL)
    assert atom_complaints(faulty) == ["neither the feed nor each entry has an author"]


def test_a_feed_of_five_hundred_papers_has_no_warning() -> None:
    made = feeds_of(publication_of(EDITIONS["many"]()))
    for path in ("rss.xml", "atom.xml", "feed.json"):
        assert CHECKS[path](made[path]) == []


def test_the_check_of_opml_names_what_is_wrong() -> None:
    good = feeds_of(full(odd()))["feeds.opml"]
    for fault, before, after in (
        ("no text", b'text="Topics"', b'text=""'),
        ("xmlUrl is no absolute", b'xmlUrl="https://papers.example.org/rss.xml"', b'xmlUrl="rss.xml"'),
        ("neither a feed nor a group", b'type="rss"', b'type="link"'),
        ("version", b'version="RSS2"', b'version="Atom"'),
        ("stands 2 times", b"org/editions.xml", b"org/rss.xml"),
        ("the root", b'<opml version="2.0"', b'<opml version="3.0"'),
    ):
        assert before in good
        assert any(fault in complaint for complaint in opml_complaints(good.replace(before, after, 1))), fault


def test_a_feed_of_any_items_keeps_to_the_specifications() -> None:
    """As a search makes them: addresses with a query, titles with anything."""
    items = publication_of(odd()).items
    query = "q=%22a%20b%22&sort=newest"
    rss, atom, feed = feed_urls(f"{URL}search/")
    made = documents(
        Feed(
            site=SITE,
            root=URL,
            id=f"{URL}search/?{query}",
            title='Search: "a b" <&>',
            description="New papers that match a search.",
            home=f"{URL}search/?{query}",
            urls=(f"{rss}?{query}", f"{atom}?{query}", f"{feed}?{query}"),
            items=items,
        )
    )
    assert list(made) == ["rss.xml", "atom.xml", "feed.json"]
    for path, body in made.items():
        assert CHECKS[path](body) == []
    assert json.loads(made["feed.json"])["feed_url"] == f"{feed}?{query}"
