"""Editions → the web archive: home, edition, month and year pages, each edition's data, and the page for an unknown address.

A page shows what was known when its edition was issued (it links back, never forward), so that a new edition leaves the
pages before it untouched.
"""

from __future__ import annotations

from calendar import Calendar
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from digest.formats import Publication
from digest.formats.channels import links_of, lists_of
from digest.formats.frame import archive_page
from digest.formats.subscribing import Option, frequency_options, topic_options, topics_of
from digest.model import PAPER_FACTS, EditionHead, Entry, Page
from digest.render import Renderer
from digest.utf8 import plain_json
from digest.words import counted, day_month, edition_words, month_words, schedule_words


def editions(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`YYYY/MM/DD/index.html` of each edition to be written."""
    before = dict(zip((head.id for head in publication.heads[1:]), publication.heads, strict=False))
    for edition in publication.editions:
        view = publication.view(edition)
        previous = before.get(edition.id)
        yield archive_page(
            publication,
            renderer,
            "edition",
            edition.path,
            title=f"{view.title}, {edition_words(edition.date, edition.part)}",
            description=view.teaser,
            edition=view,
            previous=previous and {"url": publication.url + previous.path, "date": previous.date},
            month=edition.date.replace(day=1),
            month_url=f"{publication.url}{edition.date:%Y/%m}/",
        )


def months(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`YYYY/MM/index.html` and `YYYY/index.html` of the editions to be written."""
    touched = {edition.date.replace(day=1) for edition in publication.editions}
    by_month = _by_month(publication.heads)
    firsts = list(by_month)
    for first in sorted(touched & by_month.keys()):
        earlier = firsts[firsts.index(first) - 1] if firsts.index(first) else None
        yield archive_page(
            publication,
            renderer,
            "month",
            f"{first:%Y/%m}/",
            title=f"{month_words(first)}: {publication.title}",
            description=f"All editions of {month_words(first)}.",
            month=view_month(by_month[first], url=publication.url),
            editions=[_link(publication, head) for head in reversed(by_month[first])],
            earlier=earlier and {"first": earlier, "url": f"{publication.url}{earlier:%Y/%m}/"},
            year_url=f"{publication.url}{first:%Y}/",
        )
    for year in sorted({first.year for first in touched & by_month.keys()}):
        yield _year(publication, renderer, year)


def _year(publication: Publication, renderer: Renderer, year: int) -> Page:
    by_month = _by_month(publication.heads)
    years = sorted({first.year for first in by_month})
    earlier = years[years.index(year) - 1] if years.index(year) else None
    return archive_page(
        publication,
        renderer,
        "year",
        f"{year:04}/",
        title=f"{year}: {publication.title}",
        description=f"All editions of {year}.",
        year=year,
        months=[
            view_month(heads, url=publication.url) for first, heads in by_month.items() if first.year == year
        ],
        earlier=earlier and {"year": earlier, "url": f"{publication.url}{earlier:04}/"},
    )


def home(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`index.html`: the newest edition with its picks, the newest month, feeds, and how to get it by mail (a form, or where there
    is no web door, an address)."""
    site, heads = publication.site, publication.heads
    month = list(_by_month(heads).values())[-1] if heads else []
    schedule = schedule_words(publication.digest.schedule, site.timezone)
    yield archive_page(
        publication,
        renderer,
        "home",
        "",
        title=publication.title,
        description=f"New research papers, sorted by topic{f', {schedule}' if schedule else ''}: "
        "by email, as a feed or on the web.",
        edition=publication.newest,
        month=view_month(month, url=publication.url, newest=heads[-1]) if heads else None,
        editions=len(heads),
        papers=sum(head.papers for head in heads),
        since=heads[0].date if heads else None,
        schedule=schedule,
        topics=links_of(publication, "topic"),
        lists=lists_of(publication),
        form=_form(publication) if publication.config.web.enabled else None,
        subscribe_url=_mailto(publication.config.contact),
        subscribe_address=publication.config.contact,
        year_url=f"{publication.url}{heads[-1].date:%Y}/" if heads else "",
    )


class FormView(Struct, frozen=True):
    """The form that subscribes: where it is posted to (a path of this site), to which digest, and what there is to tick."""

    action: str
    digest: str
    topics: list[Option]
    frequencies: list[Option]


def _form(publication: Publication) -> FormView:
    digest = publication.digest
    return FormView(
        action=f"{urlsplit(publication.site.url).path}subscribe/",
        digest=digest.name,
        topics=topic_options([topic.slug for topic in topics_of([digest])], [digest]),
        frequencies=frequency_options(["daily"]),
    )


def data(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`YYYY/MM/DD/papers.json` of each edition to be written: schema 1, every fact of every paper."""
    for edition in publication.editions:
        document = {
            "schema": 1,
            "edition": edition.id,
            "digest": edition.digest,
            "title": edition.title,
            "date": edition.date,
            "number": edition.number,
            "url": f"{publication.url}{edition.path}",
            "count": edition.count,
            "picks": [_paper(entry) for entry in edition.picks],
            "topics": [
                {"name": s.name, "slug": s.slug, "papers": [_paper(entry) for entry in s.entries]}
                for s in edition.sections
            ],
        }
        yield publication.page(
            f"{edition.path}papers.json", msgspec.json.format(plain_json(document), indent=1) + b"\n"
        )


def _paper(entry: Entry) -> dict[str, Any]:
    facts = {name: getattr(entry.paper, name) for name in PAPER_FACTS}
    return {**facts, "guid": entry.guid, "anchor": entry.anchor, "gist": entry.gist, "change": entry.change}


def not_found(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`404.html`: search, and the way to the newest edition. All its addresses are absolute, since it stands in for any page."""
    yield archive_page(
        publication,
        renderer,
        "notfound",
        "404.html",
        title=f"No such page: {publication.title}",
        description="There is no page at this address.",
        newest_url=publication.url + publication.latest[0].path if publication.latest else "",
    )


class DayView(Struct, frozen=True):
    """A day of a month: its number, and its editions with their addresses and counts (usually one or none)."""

    day: int
    editions: tuple[tuple[str, int], ...]
    label: str
    newest: bool


class MonthView(Struct, frozen=True):
    """A month with editions: its weeks from Monday to Sunday (None outside the month), and its sums."""

    first: date
    url: str
    weeks: tuple[tuple[DayView | None, ...], ...]
    editions: int
    papers: int


def view_month(heads: Sequence[EditionHead], *, url: str, newest: EditionHead | None = None) -> MonthView:
    """The calendar of one month's editions (`heads`, not empty, oldest first)."""
    first = heads[0].date.replace(day=1)

    def view(day: date) -> DayView | None:
        if day.month != first.month:
            return None
        todays = [head for head in heads if head.date == day]
        count = counted(sum(head.papers for head in todays), "paper")
        is_newest = newest is not None and newest.date == day
        links = tuple((f"{url}{head.path}", head.papers) for head in todays)
        return DayView(day.day, links, f"{day_month(day)}, {count}", is_newest)

    weeks = Calendar().monthdatescalendar(first.year, first.month)
    return MonthView(
        first=first,
        url=f"{url}{first:%Y/%m}/",
        weeks=tuple(tuple(view(day) for day in week) for week in weeks),
        editions=len(heads),
        papers=sum(head.papers for head in heads),
    )


def _by_month(heads: Sequence[EditionHead]) -> dict[Any, list[EditionHead]]:
    return {first: list(group) for first, group in groupby(heads, key=lambda head: head.date.replace(day=1))}


def _link(publication: Publication, head: EditionHead) -> dict[str, Any]:
    return {
        "url": publication.url + head.path,
        "date": head.date,
        "part": head.part,
        "number": head.number,
        "papers": head.papers,
    }


def _mailto(address: str) -> str:
    return f"mailto:{quote(address, safe='@+')}?subject=subscribe"
