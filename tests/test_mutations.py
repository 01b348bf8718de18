"""Thirty ways in which a good page goes bad: each is called broken or suspect, and none passes for news or a quiet day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.calendar import ArxivCalendar, Calendar, HuggingFaceCalendar, arxiv_days
from digest.outcomes import Past, Verdict
from listing_pages import arxiv_feed, arxiv_page, daily_page, daily_papers, dump, facts_of, run
from pages import invented, rss

FIXTURES = Path(__file__).parent / "listings"
NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
DAYS = arxiv_days(date(2026, 11, 6), date(2026, 11, 20))

Page = Callable[[date, int], str]


def _listing(day: date, count: int) -> str:
    return arxiv_page(day, new=count, cross=count // 2, replace=count // 2)


def _journal(day: date, count: int) -> str:
    return rss(invented(day.toordinal() % 1000, count)).decode()


# Kind of source → its page of a day, the kind that the configuration names, its calendar.
SOURCES: dict[str, tuple[Page, str, Calendar | None]] = {
    "arxiv": (_listing, "auto", ArxivCalendar()),
    "arxiv feed": (arxiv_feed, "auto", ArxivCalendar(24)),
    "hf page": (daily_page, "auto", HuggingFaceCalendar()),
    "hf api": (daily_papers, "auto", HuggingFaceCalendar()),
    "feed": (_journal, "feed", None),
    "dump": (lambda day, count: dump(count, day.toordinal() % 1000), "saved", None),
}

LOGIN = "<html><head><title>Sign in</title></head><body><form><input name=user><input type=password></form></body></html>"
CAPTCHA = (
    "<html><head><title>Just a moment...</title></head><body><h1>Verify you are human</h1><div class=g-recaptcha></div>"
    "</body></html>"
)
SCRIPT_SHELL = (
    '<!DOCTYPE html><html><head><title>Listing</title><script src="/app.js"></script></head><body><div id="root"></div>'
    "<noscript>You need to enable JavaScript to run this app.</noscript></body></html>"
)
CONSENT = (
    "<html><head><title>Before you continue</title></head><body><h1>We value your privacy</h1><button>Accept all</button>"
    "</body></html>"
)
CONSENT_IN_GERMAN = (
    "<html lang=de><head><title>Bevor Sie fortfahren</title></head><body><h1>Ihre Daten</h1>"
    "<button>Alle annehmen</button></body></html>"
)
MAINTENANCE = (
    "<html><head><title>Down for maintenance</title></head><body><h1>We will be back soon.</h1></body></html>"
)
HOME = (
    '<html><head><title>Welcome</title></head><body><h1>Welcome</h1><p><a href="/list/cs/new">new</a> <a href="/papers">papers</a>'
    "</p></body></html>"
)
XML_ERROR = (
    "<?xml version='1.0'?><rss version=\"2.0\"><channel><title>Feed error for query: cs.DB</title><link>https://rss.arxiv.org/rss/cs.DB</link>"
    "<description>Bad archive 'cs.DB'. Valid archive names are few.</description></channel></rss>"
)


def instead(page: str) -> Callable[[str], str]:
    return lambda good: page


def without(pattern: str, put: str = "") -> Callable[[str], str]:
    def mutate(good: str) -> str:
        bad = re.sub(pattern, put, good, flags=re.S)
        assert bad != good
        return bad

    return mutate


def cut(part: float) -> Callable[[str], str]:
    return lambda good: good[: int(len(good) * part)]


def teaser(good: str) -> str:
    """Three papers of all, on a page that is whole otherwise and states nothing."""
    start = good.index("<item>")
    parts = good[start:].split("</item>")
    return good[:start] + "</item>".join(parts[:3]) + "</item>" + parts[-1]


def otherwise_built(good: str) -> str:
    """Neither the JSON nor the cards of daily papers are where they were."""
    bad = good.replace("DailyPapers", "PaperFeed").replace("article", "section").replace("/papers/", "/p/")
    assert bad != good
    return bad


def half_of_the_entries(good: str) -> str:
    """The headings and the total stay as they were."""
    entries = re.findall(r"<dt>.*?</dd>", good, re.S)
    for entry in entries[::2]:
        good = good.replace(entry, "")
    return good


MUTATIONS: list[tuple[str, str, Callable[[str], str]]] = [
    ("arxiv", "the title's class renamed", without("list-title", "entry-title")),
    ("arxiv", "the list's elements renamed", without(r"<(/?)d[ltd]\b", r"<\1div")),
    ("arxiv", "cut in its middle", cut(0.5)),
    ("arxiv", "cut before its end", cut(0.97)),
    ("arxiv", "cut in its head", cut(0.01)),
    ("arxiv", "half of the entries", half_of_the_entries),
    ("arxiv", "all abstracts gone", without(r"<p class='mathjax'>.*?</p>")),
    ("arxiv", "all authors gone", without(r"<div class='list-authors'>.*?</div>")),
    ("arxiv", "a login page", instead(LOGIN)),
    ("arxiv", "an error text with status 200", instead("503 Service temporarily unavailable. Try again later.")),
    ("arxiv", "the words of an empty day, with the total left", without("<dl.*</dl>", "<p>No updates today.</p>")),
    ("arxiv", "an empty day where there were 64 papers", lambda good: arxiv_page(DAYS[-1], new=0)),
    ("arxiv feed", "an error in XML with status 200", instead(XML_ERROR)),
    ("arxiv feed", "cut in its middle", cut(0.5)),
    ("arxiv feed", "all titles emptied", without(r"(?<=<item>)<title>.*?</title>", "<title></title>")),
    ("arxiv feed", "a page where a feed was", instead(MAINTENANCE)),
    ("arxiv feed", "all descriptions gone", without(r"(?<=</link>)<description>arXiv.*?</description>")),
    ("hf page", "target and cards renamed", otherwise_built),
    ("hf page", "only the cards left", without(r'<div class="SVELTE_HYDRATER.*?</div>')),
    ("hf page", "a captcha", instead(CAPTCHA)),
    ("hf page", "a script shell", instead(SCRIPT_SHELL)),
    ("hf page", "a consent page", instead(CONSENT)),
    ("hf page", "a consent page in another language", instead(CONSENT_IN_GERMAN)),
    ("hf page", "a teaser of three", lambda good: daily_page(DAYS[-1], 3)),
    ("hf api", "the key of titles renamed", without('"title"', '"name"')),
    ("hf api", "the key of papers renamed", without('"paper"', '"item"')),
    ("hf api", "a page where JSON was", instead(HOME)),
    ("hf api", "an error object with status 200", instead('{"error": "Too many requests"}')),
    ("hf api", "cut in its middle", cut(0.5)),
    ("hf api", "the key of abstracts renamed", without('"summary"', '"text"')),
    ("hf api", "nothing late on a working day", instead("[]")),
    ("feed", "no body at all", instead("")),
    ("feed", "a teaser of three", teaser),
    ("feed", "the home page", instead(HOME)),
    ("feed", "an empty channel", without("<item>.*</item>")),
    ("feed", "elements in another language", without(r"<(/?)item>", r"<\1eintrag>")),
    ("dump", "cut in its last abstract", cut(0.5)),
    ("dump", "titles only", without(r"Caches are filled once.*?(?=\n\n|$)")),
    ("dump", "a consent page as text", instead("Before you continue\n\nWe value your privacy\n\nAccept all\n\nReject all\n")),
]  # fmt: skip


def history(source: str) -> list[Past]:
    """Ten good runs: none of them alarms."""
    page, kind, calendar = SOURCES[source]
    past: list[Past] = []
    for n, day in enumerate(DAYS[-11:-1]):
        now = datetime(day.year, day.month, day.day, 20, 0, tzinfo=UTC)
        verdict, past = run(facts_of(page(day, 30 + n % 4).encode(), kind), past, calendar, now)
        assert verdict.outcome == "new", verdict.why
    return past


def verdict_on(source: str, body: str) -> Verdict:
    _, kind, calendar = SOURCES[source]
    return run(facts_of(body.encode(), kind), history(source), calendar, NOW)[0]


@pytest.mark.parametrize(
    ("source", "mutate"), [(s, m) for s, _, m in MUTATIONS], ids=[f"{s}: {name}" for s, name, _ in MUTATIONS]
)
def test_a_page_gone_bad_is_flagged(source: str, mutate: Callable[[str], str]) -> None:
    verdict = verdict_on(source, mutate(SOURCES[source][0](DAYS[-1], 32)))
    assert verdict.outcome in ("parse-failed", "suspect"), verdict
    assert len(verdict.why) > 20


def test_there_are_thirty_of_them_at_least_over_every_kind() -> None:
    assert len(MUTATIONS) >= 30
    assert {source for source, _, _ in MUTATIONS} == {*SOURCES}


@pytest.mark.parametrize("source", SOURCES)
def test_the_page_they_are_made_of_is_good(source: str) -> None:
    assert verdict_on(source, SOURCES[source][0](DAYS[-1], 32)).outcome == "new"


@pytest.mark.parametrize(
    ("name", "old", "put"),
    [
        ("arxiv/new.html", b"list-title", b"entry-title"),
        ("huggingface/page-2026.html", b"dailyPapers", b"papersOfTheDay"),
    ],
)
def test_landmarks_renamed_on_the_pages_of_the_parsers_are_flagged_without_any_history(
    name: str, old: bytes, put: bytes
) -> None:
    body = (FIXTURES / name).read_bytes()
    assert old in body
    facts = facts_of(body.replace(old, put))
    verdict, _ = run(facts, [], None, NOW - timedelta(days=1))
    assert verdict.outcome in ("parse-failed", "suspect"), verdict
