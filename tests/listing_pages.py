"""Listing pages of invented papers, of any day and size, in the layouts of arXiv and Hugging Face; and runs over them."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from datetime import date, datetime
from email.utils import format_datetime

from digest import sources
from digest.calendar import EASTERN, Calendar
from digest.errors import ParseError
from digest.model import Listing
from digest.outcomes import Facts, Past, Verdict, judge, missing_of

NAMES = ("Ada Lindqvist", "Bo Okafor", "Chidi Holm", "Dana Roth", "Edda Ito")
HEADINGS = {"new": "New submissions", "cross": "Cross submissions", "replace": "Replacement submissions"}


def title(n: int) -> str:
    return f"Slow Caches for {n} Fast Readers"


def abstract(n: int) -> str:
    return (
        f"Caches are filled once and read {n} times. We fill them twice, and measure what that costs the reader "
        f"who comes last. In {n + 3} invented workloads slow readers are served in half the time. Fast ones do not notice it."
    )


def arxiv_page(day: date, *, new: int, cross: int = 0, replace: int = 0, first: int = 1) -> str:
    """A `new` page as rendered since 2024: a list for each section that has entries, its heading inside."""
    sections, n = [], first
    for name, count in (("new", new), ("cross", cross), ("replace", replace)):
        if count:
            entries = "".join(_entry(n + k, name) for k in range(count))
            heading = f"<h3>{HEADINGS[name]} (showing {count} of {count} entries)</h3>"
            sections.append(f"<dl id='articles'>\n{heading}\n{entries}</dl>\n")
            n += count
    total = new + cross + replace
    body = (
        f"<div class='paging'>Total of {total} entries</div>\n{''.join(sections)}"
        if total
        else "<p>No updates today.</p>"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><title>Caches</title></head><body><main><div id=\'content\'><div id=\'dlpage\'>\n'
        f"<h1>Caches</h1><h3>Showing new listings for {day:%A}, {day.day} {day:%B %Y}</h3>\n{body}"
        "</div></div></main>\n<footer>Help</footer></body></html>\n"
    )  # fmt: skip


def _entry(n: int, section: str) -> str:
    mark = {"new": "", "cross": "(cross-list from math.PR)", "replace": "(replaced)"}[section]
    identifier = f"26{10 + n // 90000:02}.{n % 90000 + 10000:05}"
    names = ", ".join(f'<a href="https://arxiv.org/a/{k}">{NAMES[(n + k) % 5]}</a>' for k in range(2))
    return (
        f"<dt><a name='item{n}'>[{n}]</a> <a href =\"/abs/{identifier}\" title=\"Abstract\" id=\"{identifier}\">"
        f"arXiv:{identifier}</a> {mark} [<a href=\"/pdf/{identifier}\">pdf</a>]</dt>\n<dd><div class='meta'>"
        f"<div class='list-title mathjax'><span class='descriptor'>Title:</span>\n {title(n)}</div>\n"
        f"<div class='list-authors'>{names}</div>\n"
        "<div class='list-subjects'><span class='descriptor'>Subjects:</span> "
        '<span class="primary-subject">Databases (cs.DB)</span></div>\n'
        f"<p class='mathjax'>{abstract(n)}</p></div></dd>\n"
    )  # fmt: skip


def arxiv_feed(day: date, count: int, first: int = 1) -> str:
    """rss.arxiv.org of a day; without items it is what a weekend's looks like."""
    stamp = format_datetime(datetime(day.year, day.month, day.day, tzinfo=EASTERN))
    items = "".join(
        f"<item><title>{title(n)}</title><link>https://arxiv.org/abs/2611.{10000 + n}</link>"
        f"<description>arXiv:2611.{10000 + n}v1 Announce Type: new \nAbstract: {abstract(n)}</description>"
        f'<guid isPermaLink="false">oai:arXiv.org:2611.{10000 + n}v1</guid><category>cs.DB</category>'
        f"<pubDate>{stamp}</pubDate><arxiv:announce_type>new</arxiv:announce_type>"
        f"<dc:creator>{NAMES[n % 5]}, {NAMES[(n + 1) % 5]}</dc:creator></item>\n"
        for n in range(first, first + count)
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>'
        "<title>cs.DB updates on arXiv.org</title><link>https://rss.arxiv.org/rss/cs.DB</link><description>New</description>"
        f"<pubDate>{stamp}</pubDate><skipDays><day>Sunday</day><day>Saturday</day></skipDays>\n{items}</channel></rss>\n"
    )  # fmt: skip


def daily_papers(day: date, count: int, first: int = 1) -> str:
    """The answer of /api/daily_papers."""
    return json.dumps(_daily_entries(day, count, first))


def daily_page(day: date, count: int, first: int = 1) -> str:
    """The page: its JSON in an attribute, and a card for each paper."""
    props = json.dumps({"date": f"{day}T00:00:00.000Z", "dailyPapers": _daily_entries(day, count, first)})
    cards = "".join(
        f'<article><h3><a href="/papers/2611.{10000 + n}">{title(n)}</a></h3><div class="leading-none">{n % 50}</div></article>\n'
        for n in range(first, first + count)
    )
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"/><title>Daily Papers - Hugging Face</title></head><body>\n'
        f'<h1>Daily Papers</h1><div class="SVELTE_HYDRATER contents" data-target="DailyPapers" '
        f'data-props="{html.escape(props)}"></div>'
        f"\n{cards}</body></html>\n"
    )


def _daily_entries(day: date, count: int, first: int) -> list[dict[str, object]]:
    return [
        {
            "paper": {
                "id": f"2611.{10000 + n}",
                "title": title(n),
                "summary": abstract(n),
                "authors": [{"name": NAMES[n % 5]}, {"name": NAMES[(n + 2) % 5]}],
                "publishedAt": f"{day}T01:00:00.000Z",
                "submittedOnDailyAt": f"{day}T02:00:00.000Z",
                "upvotes": n % 50,
            },
            "title": title(n),
        }
        for n in range(first, first + count)
    ]


def dump(count: int, first: int = 1) -> str:
    """A text dump of the page, blocks with blank lines between them."""
    head = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nNov 19\n\n"
    return head + "\n\n".join(
        f"{title(n)}\n\n{abstract(n)} {abstract(n + 1)}" for n in range(first, first + count)
    )


# --- runs over pages


def facts_of(body: bytes, kind: str = "auto") -> Facts:
    """What a run over one page finds: all its papers are new."""
    listing = Listing(location="page", body=body)
    try:
        reading = sources.read(listing, kind)
    except ParseError as error:
        return Facts(kind=kind, failures=(("parse-failed", str(error)),))
    return Facts(
        kind=reading.kind,
        listed_on=reading.listed_on,
        empty=reading.empty,
        parsed=len(reading.papers),
        stated=reading.stated,
        section_counts=reading.section_counts,
        section_stated=reading.section_stated,
        new=len(reading.papers),
        missing=missing_of(reading.papers),
        truncated=reading.truncated,
    )


def run(
    facts: Facts, past: Sequence[Past], calendar: Calendar | None, now: datetime
) -> tuple[Verdict, list[Past]]:
    """The verdict, and the past that the next run has."""
    verdict = judge(facts, past, calendar, now=now)
    kept = Past(
        outcome=verdict.outcome,
        parsed=facts.parsed,
        missing=facts.missing,
        listed_on=facts.listed_on,
        run_at=now,
        partial=facts.not_modified > 0,
    )
    return verdict, [kept, *past][:30]
