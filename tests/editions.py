"""Invented editions for the tests of pages, feeds and mail: rich, bare, odd, of one paper, of five hundred."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from digest.config import Config, DigestConfig, MailConfig, SiteConfig, TopicConfig, WebConfig, slugs_of
from digest.formats import Channel, Publication, Shown, pages
from digest.labels import labels_of
from digest.mail.compose import Composed, Composer, composer, web_copies
from digest.mail.letters import letter
from digest.model import (
    Delivery,
    Edition,
    EditionHead,
    Entry,
    Letter,
    Mention,
    Message,
    Paper,
    PaperRecord,
    Said,
    Section,
    Subscriber,
    Version,
)
from digest.render import Renderer
from digest.tokens import Tokens

SITE = SiteConfig(
    title="Paper Digest",
    url="https://papers.example.org/",
    timezone="Europe/Berlin",
    publisher="Example Reading Group",
    postal_address="1 Library Lane, 1000 Exampleton",
)
WEB = WebConfig()
MAIL = MailConfig(from_="Paper Digest <digest@papers.example.org>")
TOPICS = (
    ("Speech and sound", "ss"),
    ("Maps and satellites", "ms"),
    ("Chemistry", "ch"),
    ("Teaching", "te"),
    ("Numerics", "nu"),
)
DIGEST = DigestConfig(
    name="daily",
    title="Paper Digest",
    path="",
    schedule="0 7 * * mon-fri",
    topics=tuple(TopicConfig(name=name, slug=slug, any=(name,)) for name, slug in TOPICS),
)
URL = SITE.url
DAY = date(2026, 11, 19)

# title | gist | authors | organization | votes | tags
_RICH = Path(__file__).with_name("golden").joinpath("papers.txt").read_text(encoding="utf-8")
_SHARES = (7, 6, 4, 5, 5)


def paper_of(number: int, line: str) -> Paper:
    title, gist, authors, organization, votes, tags = line.split("|")
    arxiv = f"2611.{10000 + number:05}"
    links = {"abstract": f"https://arxiv.example/abs/{arxiv}", "pdf": f"https://arxiv.example/pdf/{arxiv}"}
    if number % 4:
        links["code"] = f"https://code.example/{arxiv}"
    links["hf"] = f"https://hub.example/papers/{arxiv}"
    return Paper(
        key=f"arxiv:{arxiv}",
        title=title,
        abstract=f"{gist} We say how it was measured, on what, and where it fails. "
        "The data, the code and a list of all that did not work are public.",
        gist=gist,
        ids={"arxiv": arxiv},
        version=1,
        authors=tuple(authors.split(", ")),
        published=f"2026-11-1{number % 9}T09:{number:02}:00Z",
        links=links,
        upvotes=int(votes),
        tags=tuple(tags.split(", ")),
        organization=organization,
    )


def entry_of(paper: Paper, **facts: Any) -> Entry:
    key = paper.key.partition(":")[2]
    return Entry(
        paper=paper,
        guid=f"tag:papers.example.org,2026:{paper.key}",
        anchor=f"p-{key}",
        gist=paper.gist,
        **facts,
    )


def edition_of(
    papers: list[Paper],
    *,
    day: date = DAY,
    number: int = 214,
    part: int = 1,
    picks: int = 3,
    shares: tuple[int, ...] = (),
    change: Any = "new",
) -> Edition:
    """Papers as an edition: the first are picks, the rest fill the topics in shares; what is left goes under Other."""
    sections, rest = [], papers[picks:]
    for (name, slug), share in zip(TOPICS, shares, strict=False):
        entries = tuple(entry_of(p, topic=name, change=change) for p in rest[:share])
        rest = rest[share:]
        sections += [Section(name=name, slug=slug, entries=entries)] if entries else []
    if rest:
        sections.append(
            Section(name="Other", slug="other", entries=tuple(entry_of(p, change=change) for p in rest))
        )
    edition_id = day.isoformat() if part == 1 else f"{day.isoformat()}/{part}"
    return Edition(
        id=edition_id,
        digest="daily",
        title="Paper Digest",
        date=day,
        part=part,
        number=number,
        issued_at=datetime(day.year, day.month, day.day, 6, 0, tzinfo=UTC) + timedelta(hours=part - 1),
        guid=f"tag:papers.example.org,2026:edition/daily/{edition_id}",
        picks=tuple(entry_of(p, pick=n, change=change) for n, p in enumerate(papers[:picks], 1)),
        sections=tuple(sections),
    )


def rich() -> Edition:
    papers = [paper_of(n, line) for n, line in enumerate(_RICH.splitlines())]
    return edition_of(papers, shares=_SHARES)


def bare() -> Edition:
    """Title and abstract only, as a text dump gives them."""
    papers = [
        Paper(
            key=f"title:bare-{n}",
            title=line.split("|")[0],
            abstract=f"{line.split('|')[1]} More is said in the paper.",
            gist=line.split("|")[1],
        )
        for n, line in enumerate(_RICH.splitlines()[:12])
    ]
    return edition_of(papers, shares=(4, 5))


def odd() -> Edition:
    """What people and machines put into titles."""
    titles = [
        "أين ذهبت الحركات؟ تشكيل النص العربي",
        "一个没有空格的很长的标题用来测试换行和显示宽度是否正确处理以及截断是否发生在字符边界上",
        "Emoji 🦉👩‍🔬 in the wild",
        "Training for $20 or $30 an hour",
        r"90\% of the time, $\mathcal{O}(n)$ is enough",
        "Sorting in $O(n)$ without tears",
        "<b>Bold</b> claims about x < y && z > w",
        "Tom &amp;amp; Jerry &lt;3",
        "<script>alert('x')</script><img src=x onerror=alert(1)>",
        "{{ 7*7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
        "word " * 2000,
        "W" * 142,
        "control \x00\x08\x1b characters, a lone \ud800 surrogate, \ufffe and \u202e turned text",
        "Subject: injected\r\nBcc: everyone@example.org",
        "]]> --> */ ' \" ` ; \\ \u2028 \u2029 end",
        "",
        "From here on\n.\nFrom there",
        "\ufdd0address\ufdd1 and =_boundary",
    ]
    papers = [
        Paper(
            key=f"title:odd-{n}",
            title=title,
            abstract=f"Abstract of {title}",
            gist=title[:200],
            authors=(title[:80], "ليلى, منصور", "O'Neil <o@example.org>", "D & E"),
            organization=title[:90],
            tags=(title[:50], "a,b"),
            upvotes=n,
            links={
                "abstract": "javascript:alert(1)"
                if n % 3 == 0
                else f"https://papers.example/abs/{n}?a=1&b=<x>\"'",
                "pdf": f"http://papers.example/{'ü' if n % 2 else ''}{n}.pdf",
                "code": "data:text/html,x",
                "hf": "//no-scheme.example/",
            },
            published="2026-13-45" if n % 2 else "2031-01-01",
        )
        for n, title in enumerate(titles)
    ]
    return edition_of(papers, shares=(5, 5))


def single() -> Edition:
    return edition_of([paper_of(0, _RICH.splitlines()[0])], picks=0, shares=(1,))


def many(count: int = 500) -> Edition:
    lines = _RICH.splitlines()
    papers = [paper_of(n, lines[n % len(lines)].replace("|", f" ({n})|", 1)) for n in range(count)]
    return edition_of(papers, shares=(150, 120, 100, 80))


EDITIONS = {"rich": rich, "bare": bare, "odd": odd, "single": single, "many": many}


def head_of(edition: Edition) -> EditionHead:
    return EditionHead(
        id=edition.id,
        digest="daily",
        date=edition.date,
        part=edition.part,
        number=edition.number,
        papers=edition.count,
    )


def record_of(entry: Entry, edition: Edition) -> PaperRecord:
    """A paper that stands in one edition, as it was seen on the day before; of every fourth there was a version before that."""
    seen = edition.issued_at - timedelta(hours=9)
    versions = [Version(seen_at=seen, paper=entry.paper)]
    if entry.paper.upvotes and entry.paper.upvotes % 4 == 0:
        first = replace(
            entry.paper,
            title=f"Towards {entry.paper.title}",
            abstract=entry.paper.abstract.replace("We say", "It is said"),
            authors=(*entry.paper.authors[1:], "Ada Fenwick"),
        )
        versions.insert(0, Version(seen_at=seen - timedelta(days=3), paper=first))
    return PaperRecord(
        key=entry.paper.key,
        canonical=entry.paper.key,
        guid=entry.guid,
        versions=tuple(versions),
        mentions=(
            Mention(source="daily list", announce="new", listed_on=edition.date, seen_at=seen),
            Mention(source="community", announce=None, listed_on=None, seen_at=seen + timedelta(hours=1)),
        ),
        editions=(head_of(edition),),
        topic=entry.topic,
    )


def channels_of(edition: Edition, *kinds: str) -> list[Channel]:
    """The channels of these kinds that the papers of an edition belong to, of one edition."""
    head = replace(edition, picks=(), sections=())
    found: dict[tuple[str, str], Channel] = {}
    for entry in edition.entries:
        for kind, slug, name in labels_of(entry, slugs_of(DIGEST.topics)):
            if kind in kinds:
                known = found.get((kind, slug)) or Channel(kind=kind, slug=slug, name=name, papers=0)
                found[kind, slug] = replace(
                    known, papers=known.papers + 1, shown=(*known.shown, Shown(entry, head))
                )
    return list(found.values())


def sample_channels(edition: Edition) -> tuple[Channel, ...]:
    """All topics and categories of an edition, an author who is followed and one who is not, and a saved search."""
    authors = channels_of(edition, "author")[:2]
    order = [*slugs_of(DIGEST.topics).values(), "other"]
    found = sorted(channels_of(edition, "topic"), key=lambda channel: order.index(channel.slug))
    found += channels_of(edition, "category")
    found += [replace(authors[0], papers=214)] if authors else []
    found += [replace(authors[1], feeds=False)] if authors[1:] else []
    search = Channel(
        kind="search",
        slug="oceans",
        name="Oceans",
        papers=2,
        shown=found[0].shown[:2],
        query='"deep sea" or*',
    )
    return (*found, search)


def publication_of(
    edition: Edition,
    *,
    site: SiteConfig = SITE,
    web: WebConfig = WEB,
    digest: DigestConfig = DIGEST,
    **changes: Any,
) -> Publication:
    """An archive of a year of weekdays that ends with this edition; only it has its own page written, with those of its papers and
    of some of its channels."""
    heads, day, number = [head_of(edition)], edition.date, edition.number
    while number > 1 and len(heads) < 300:
        day, number = day - timedelta(days=1), number - 1
        while day.weekday() > 4:
            day -= timedelta(days=1)
        heads.append(
            EditionHead(
                id=day.isoformat(),
                digest="daily",
                date=day,
                part=1,
                number=number,
                papers=24 + number * 7 % 23,
            )
        )
    channels = sample_channels(edition)
    facts: dict[str, Any] = {
        "config": config_of(site=site, web=web, digest=digest),
        "digest": digest,
        "url": URL,
        "heads": tuple(reversed(heads)),
        "latest": (edition,),
        "editions": (edition,),
        "records": tuple(record_of(entry, edition) for entry in edition.entries),
        "channels": channels,
        "catalogue": tuple(replace(channel, shown=()) for channel in channels if channel.feeds),
        "author_pages": frozenset(channel.slug for channel in channels if channel.kind == "author"),
    }
    return Publication(**(facts | changes))


def delivery_to(address: str = "reader@mail.example", edition: str = "2026-11-19") -> Delivery:
    since = datetime(2026, 9, 3, 12, tzinfo=UTC)
    return Delivery(
        id=1,
        edition_id=1,
        digest="daily",
        edition=edition,
        subscriber=Subscriber(id=1, address=address, status="confirmed", since=since, nonce="5f0c2a9e"),
        message_id="<daily.2026-11-19.1@papers.example.org>",
        date=datetime(2026, 11, 19, 6, 0, 5, tzinfo=UTC),
        attempt=1,
    )


GOLDEN = Path(__file__).with_name("golden")


def assert_golden(name: str, body: bytes) -> None:
    """`body` is what tests/golden/ holds under `name`. DIGEST_REFRESH_GOLDEN=1 writes it anew: read the diff then."""
    file = GOLDEN / name
    if os.environ.get("DIGEST_REFRESH_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    assert file.read_bytes() == body, (
        f"{name} differs; if you meant it: DIGEST_REFRESH_GOLDEN=1 pytest tests/test_formats_golden.py"
    )


KEY = b"a key of the tests, which no store has"


def config_of(**changes: Any) -> Config:
    """The configuration that the invented editions belong to; `digest` is its only one."""
    facts: dict[str, Any] = {"site": SITE, "digest": DIGEST, "mail": MAIL} | changes
    return Config(**facts | {"digest": (facts["digest"],)})


def composed_of(edition: Edition, renderer: Renderer, **changes: Any) -> Composed:
    made = Composer(config_of(**changes), renderer, Tokens(KEY), lambda digest, edition_id: edition)
    composed = made.composed(delivery_to(edition=edition.id))
    assert composed is not None
    return composed


def message_to(delivery: Delivery, *editions: Edition, **changes: Any) -> Message | None:
    """What a reader gets, as a run makes it."""
    known = {edition.id: edition for edition in editions}
    return composer(
        config_of(**changes), shipped(), Tokens(KEY), lambda digest, edition_id: known[edition_id]
    )(delivery)


def letter_of(kind: Any, *, renderer: Renderer | None = None, **changes: Any) -> Message:
    """A letter to the reader of `delivery_to`."""
    delivery = delivery_to()
    asked = Letter(
        id=1, kind=kind, subscriber=delivery.subscriber, message_id="<20261119.letter.1@papers.example.org>",
        date=delivery.date, attempt=1,
    )  # fmt: skip
    return letter(asked, config_of(**changes), renderer or shipped(), Tokens(KEY))


def nothing_of(renderer: Renderer, *said: Said) -> Composed:
    """A notice of a day without an edition, before anything personal."""
    made = Composer(config_of(), renderer, Tokens(KEY), lambda digest, edition_id: rich())
    return made.notice("daily", DAY, said, weekly=False, text_only=False)


def copies_of(edition: Edition, renderer: Renderer, **changes: Any) -> dict[str, bytes]:
    """The web copies of the mail by path."""
    return {page.path: page.body for page in web_copies(edition, config_of(**changes), renderer)}


@cache
def pages_named(name: str) -> Mapping[str, bytes]:
    """All pages of one of EDITIONS, as the shipped templates make them: made once, not to be changed."""
    return MappingProxyType(pages_of(publication_of(EDITIONS[name]()), shipped()))


def pages_of(publication: Publication, renderer: Renderer) -> dict[str, bytes]:
    """All pages by path."""
    return {page.path: page.body for page in pages(publication, renderer)}


@cache
def shipped() -> Renderer:
    """A renderer of the templates that come with the program."""
    return Renderer([Path(__file__).parent.parent / "templates"])
