"""Daily papers of Hugging Face: the page (hydration JSON, or its cards) and the answer of /api/daily_papers.

Layouts seen 2024-08 to 2026-07. A page carries its data as JSON in an attribute; the cards repeat it without abstract and authors.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any, cast

import msgspec

from digest import identity
from digest.errors import ListingChanged, ParseError
from digest.model import Listing, Reading
from digest.sources._bytes import guard_html, is_utf8, unicode_text
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw, finish
from digest.sources._sniff import is_daily_papers
from digest.text import MAX_GIST_CHARS, sentences

SITE = "https://huggingface.co"
Json = dict[str, Any]


def read(listing: Listing) -> Reading:
    """Papers of one day's list, in page order. Empty only for the API's answer `[]`.

    `listed_on`: file or URL date, else the date the page says, else the commonest day of `submittedOnDailyAt`; never the top-level
    `publishedAt`, which changed its meaning in 2025. Raises ListingChanged for a daily papers page with neither JSON nor cards.
    """
    start = listing.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"[", b"{") or b"\0" in listing.body[:4]:
        text = unicode_text(listing).lstrip()
        if text[:1] in ("[", "{"):
            return _read_api(listing, text)
    return _read_page(listing)


# --- the API's answer


def _read_api(listing: Listing, text: str) -> Reading:
    notes: list[str] = []
    data = _decoded(text, listing, notes)
    if isinstance(data, dict) and isinstance(data.get("dailyPapers"), list):
        return _reading(listing, data["dailyPapers"], notes, _day(data.get("date") or data.get("dateString")))
    if not isinstance(data, list):
        raise ParseError(
            f"{listing.location}: this JSON is not the list that /api/daily_papers answers.",
            url=listing.location,
        )
    if not data and not notes:
        return Reading(kind="huggingface", papers=(), empty=True, stated=0, listed_on=listing.listed_on)
    return _reading(listing, data, notes, None)


def _decoded(text: str, listing: Listing, notes: list[str]) -> object:
    """The JSON value; of a list that was cut off, its whole entries."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    try:
        return json.loads(text)  # takes lone surrogates, which msgspec refuses
    except RecursionError:
        raise ParseError(
            f"{listing.location}: the JSON is nested too deep to be an answer of /api/daily_papers.",
            url=listing.location,
        ) from None
    except ValueError as error:
        entries = list(_whole_entries(text))
        if not entries:
            raise ParseError(
                f"{listing.location}: broken JSON ({error}). Fetch it again.", url=listing.location
            ) from None
        notes.append(
            f"truncated: the JSON breaks off after {len(entries)} whole {'entry' if len(entries) == 1 else 'entries'}"
        )
        return entries


def _whole_entries(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    at = text.find("[") + 1
    separator = re.compile(r"[\s,]*")
    while 0 < at < len(text):
        found = separator.match(text, at)
        try:
            entry, at = decoder.raw_decode(text, found.end() if found else at)
        except (ValueError, RecursionError):
            return
        yield entry


# --- the page


def _read_page(listing: Listing) -> Reading:
    from selectolax.lexbor import LexborHTMLParser

    guard_html(listing.body, listing.location)
    text = "" if is_utf8(listing.body) else unicode_text(listing)
    tree = LexborHTMLParser(text.encode("utf-8", "replace") if text else listing.body)
    notes: list[str] = []
    for element in tree.css("[data-target='DailyPapers'][data-props]"):
        props = _props(element.attributes.get("data-props"))
        if props is None:
            continue
        day = _day(props.get("date") or props.get("dateString"))
        if props["dailyPapers"]:
            return _reading(listing, cast("list[object]", props["dailyPapers"]), notes, day)
        if tree.css_first("article") is None:  # a day without papers: neither the JSON nor the page has one
            return Reading(
                kind="huggingface", papers=(), empty=True, stated=0, listed_on=listing.listed_on or day
            )
    if not is_daily_papers(text or listing.body.decode("utf-8", "replace")):
        raise ParseError(
            f"{listing.location}: no daily papers page of Hugging Face (a page of one paper?). Give https://huggingface.co/papers.",
            url=listing.location,
        )
    raws = list(islice(_cards(tree), MAX_ENTRIES + 1)) or list(
        _tolerant_cards(text or listing.body.decode("utf-8", "replace"))
    )
    if not raws:
        raise ListingChanged(
            f"{listing.location}: a daily papers page of Hugging Face without its JSON (data-target=DailyPapers) and without "
            "paper cards. The layout changed or the page was not saved whole: try https://huggingface.co/api/daily_papers.",
            url=listing.location,
        )
    notes.append("read from the cards: no abstracts and no authors there")
    return Reading(
        kind="huggingface",
        papers=finish(raws, notes),
        listed_on=listing.listed_on or _page_day(tree),
        notes=tuple(notes),
    )


def _props(value: str | None) -> Json | None:
    try:
        props = msgspec.json.decode(value or "")
    except (msgspec.DecodeError, RecursionError):
        try:
            props = json.loads(value or "")
        except (ValueError, RecursionError):
            return None
    return props if isinstance(props, dict) and isinstance(props.get("dailyPapers"), list) else None


def _cards(tree: Any) -> Iterator[Raw]:
    for card in tree.css("article"):
        link = card.css_first("h3 a[href*='/papers/']")
        arxiv = identity.arxiv_id(link.attributes.get("href") or "") if link else None
        if arxiv:
            votes = card.css_first(".leading-none")
            yield _card(arxiv[0], link.text(), votes.text() if votes else "")


def _tolerant_cards(text: str) -> Iterator[Raw]:
    """Any heading or long link that goes to /papers/ID, for a day when the cards are built otherwise."""
    from bs4 import BeautifulSoup

    for link in BeautifulSoup(text, "lxml").select("a[href*='/papers/']"):
        arxiv = identity.arxiv_id(str(link["href"]))
        title = link.get_text(" ", strip=True)
        if arxiv and (link.find_parent(re.compile("^h[1-6]$")) or len(title) > 30):
            yield _card(arxiv[0], title, "")


def _card(arxiv: str, title: str, votes: str) -> Raw:
    number = votes.strip()
    return Raw(
        title=title,
        ids={"arxiv": arxiv},
        links=_links(arxiv),
        upvotes=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None,
    )


def _page_day(tree: Any) -> date | None:
    found = tree.css_first("time[datetime]")
    return _day(found.attributes.get("datetime")) if found else None


# --- entries, the same in both


def _reading(listing: Listing, entries: list[object], notes: list[str], day: date | None) -> Reading:
    raws: list[Raw] = []
    days: Counter[date] = Counter()
    broken = 0
    for entry in entries[: MAX_ENTRIES + 1]:
        raw = _entry(entry) if isinstance(entry, dict) else None
        if raw is None:
            broken += 1
            continue
        raws.append(raw)
        paper = _mapping(cast(Json, entry), "paper")
        if listed := _day(paper.get("submittedOnDailyAt")):
            days[listed] += 1
    if broken:
        notes.append(f"{broken} of {len(entries)} entries could not be read: neither title nor id")
    next_url = ""
    if entries and len(entries) in (50, 100):
        notes.append(f"maybe cut: exactly {len(entries)} entries, ask for the next page")
        if "/api/" in listing.base_url:
            next_url = with_query(listing, p=str(number_in_query(listing, "p") + 1))
    if not raws:
        raise ParseError(
            f"{listing.location}: none of the {len(entries)} entries of the list has a title or an id. Try https://huggingface.co/api/daily_papers.",
            url=listing.location,
        )
    listed_on = listing.listed_on or day or (days.most_common(1)[0][0] if days else None)
    return Reading(
        kind="huggingface",
        papers=finish(raws, notes),
        listed_on=listed_on,
        next_url=next_url,
        notes=tuple(notes),
    )


def _entry(entry: Json) -> Raw | None:
    paper = _mapping(entry, "paper") or entry
    identifier = _text(paper, "id") or _text(entry, "id")
    title = _text(paper, "title") or _text(entry, "title")
    arxiv = identity.arxiv_id(identifier)
    if not title and not arxiv:
        return None
    summary = _text(paper, "ai_summary")
    upvotes = paper.get("upvotes")
    return Raw(
        title=title,
        abstract=_text(paper, "summary") or _text(entry, "summary"),
        gist=summary if _is_gist(summary) else "",
        ids={"arxiv": arxiv[0]} if arxiv else {},
        version=arxiv[1] if arxiv else None,
        authors=[name for name in map(_author, _list(paper, "authors")) if name],
        published=_text(paper, "publishedAt") if _day(paper.get("publishedAt")) else None,
        links=_links(arxiv[0] if arxiv else "") | _project_links(paper),
        upvotes=upvotes
        if isinstance(upvotes, int) and not isinstance(upvotes, bool) and upvotes >= 0
        else None,
        tags=[tag for tag in _list(paper, "ai_keywords") if isinstance(tag, str)],
        organization=_organization(paper) or _organization(entry) or None,
    )


def _is_gist(summary: str) -> bool:
    return bool(summary) and len(summary) <= 3 * MAX_GIST_CHARS and len(sentences(summary)) <= 2


def _author(author: object) -> str:
    """The name, also of those marked hidden: the mark is about a profile, the paper names them all the same."""
    if isinstance(author, str):
        return author
    return _text(author, "name") if isinstance(author, dict) else ""


def _organization(holder: Json) -> str:
    organization = holder.get("organization")
    if isinstance(organization, dict):
        return _text(organization, "fullname") or _text(organization, "name")
    return organization if isinstance(organization, str) else ""


def _links(arxiv: str) -> dict[str, str]:
    if not arxiv:
        return {}
    return {
        "abstract": f"https://arxiv.org/abs/{arxiv}",
        "pdf": f"https://arxiv.org/pdf/{arxiv}",
        "hf": f"{SITE}/papers/{arxiv}",
    }


def _project_links(paper: Json) -> dict[str, str]:
    links = {"code": _text(paper, "githubRepo"), "page": _text(paper, "projectPage")}
    return {name: url if "://" in url else f"https://{url}" for name, url in links.items() if url}


def _day(stamp: object) -> date | None:
    if not isinstance(stamp, str):
        return None
    try:
        return date.fromisoformat(stamp[:10])
    except ValueError:
        return None


# A field of another type than ever seen counts as absent: one odd entry costs itself at most.


def _text(holder: Mapping[str, object], name: str) -> str:
    value = holder.get(name)
    return value.strip() if isinstance(value, str) else ""


def _list(holder: Mapping[str, object], name: str) -> list[object]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _mapping(holder: Mapping[str, object], name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}
