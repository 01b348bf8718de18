"""Daily papers of Hugging Face: the page (hydration JSON, or its cards) and the answer of /api/daily_papers.

Layouts seen 2024-08 to 2026-07. A page carries its data as JSON in an attribute; the cards repeat it without abstract and authors.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from itertools import chain, islice
from typing import Any, cast

import msgspec

from digest import identity
from digest.errors import ListingChanged, ParseError
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _cards_quick, _records
from digest.sources._bytes import (
    MAX_SOUP_CHARS,
    MAX_SOUP_TAGS,
    MAX_TAGS,
    QUOTED_MARK,
    guard_html,
    guard_nesting,
    refused,
    soup_of,
    tags_in,
    unicode_text,
)
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural
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
            return _read_api(listing)
    return _read_page(listing)


# --- the API's answer


def _read_api(listing: Listing) -> Reading:
    notes: list[str] = []
    data = _records.load(listing, notes, "dailyPapers")
    entries = data if isinstance(data, list) else _listed(data)
    if entries is None:
        raise refused(listing, "this JSON is not the list that /api/daily_papers answers")
    if not data and not notes:
        return Reading(kind="huggingface", papers=(), empty=True, stated=0, listed_on=listing.listed_on)
    stated = data if isinstance(data, dict) else {}
    return _reading(listing, entries, notes, _day(stated.get("date") or stated.get("dateString")))


def _listed(data: object) -> list[object] | None:
    """The entries that an object holds under whatever names (days, say), as programs save them; an object that is an entry is the
    only one."""
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("dailyPapers"), list):
        return cast(list[object], data["dailyPapers"])
    if _nested(data) or _is_paper(data):
        return [data]
    lists = [value for value in data.values() if isinstance(value, list) and value]
    held = [each for each in lists if isinstance(each[0], dict) and (_nested(each[0]) or _is_paper(each[0]))]
    return list(chain.from_iterable(held)) if held else None


def _is_paper(entry: Json) -> bool:
    return isinstance(entry.get("id"), str) and isinstance(entry.get("title"), str)


# --- the page


def _read_page(listing: Listing) -> Reading:
    if (props := _plain_props(listing.body)) and props["dailyPapers"]:
        return _reading_of_props(listing, props)
    try:
        body, text = listing.body, listing.body.decode()
    except UnicodeDecodeError:
        text = unicode_text(listing)
        body = text.encode("utf-8", "replace")
    tree, frame, rows = _parsed(body, listing.location)
    notes: list[str] = []
    hydrated = tree.css("[data-target='DailyPapers'][data-props]") if b"DailyPapers" in frame else []
    for element in hydrated:
        props = _props(element.attributes.get("data-props"))
        if props is None:
            continue
        if props["dailyPapers"]:
            return _reading_of_props(listing, props)
        if tree.css_first("article") is None:  # a day without papers: neither the JSON nor the page has one
            day = listing.listed_on or _day(props.get("date") or props.get("dateString"))
            return Reading(kind="huggingface", papers=(), empty=True, stated=0, listed_on=day)
    if not is_daily_papers(text):
        raise refused(
            listing,
            "no daily papers page of Hugging Face (a page of one paper?)",
            "Give https://huggingface.co/papers.",
        )
    raws = list(islice(_cards(tree, rows), MAX_ENTRIES + 1)) or list(_tolerant_cards(text, listing.location))
    if not raws:
        raise refused(
            listing,
            "a daily papers page of Hugging Face without its JSON (data-target=DailyPapers) and without paper cards",
            "The layout changed or the page was not saved whole: try https://huggingface.co/api/daily_papers.",
            kind=ListingChanged,
        )
    bare = not any(raw.abstract for raw in raws)
    notes.append(f"read from the cards: {'no abstracts and ' if bare else ''}no authors there")
    return Reading(
        kind="huggingface",
        papers=finish(raws, notes),
        listed_on=listing.listed_on or _page_day(tree),
        notes=tuple(notes),
    )


def _parsed(body: bytes, location: str) -> tuple[Any, bytes, list[_cards_quick.Row]]:
    """A tree, what it is the tree of, and the rows of cards that were taken out of it before: each has left a stub."""
    from selectolax.lexbor import LexborHTMLParser

    if tags_in(body) <= MAX_TAGS:
        rest, rows = _cards_quick.divided(body)
        if rows:
            with suppress(ParseError):  # the whole page has the last word
                guard_html(rest, location)
                tree = LexborHTMLParser(rest)
                if _cards_quick.hold(tree, rows):
                    return tree, rest, rows
    guard_html(body, location)
    return LexborHTMLParser(body), body, []


def _reading_of_props(listing: Listing, props: Json) -> Reading:
    day = _day(props.get("date") or props.get("dateString"))
    return _reading(listing, cast("list[object]", props["dailyPapers"]), [], day)


def _props(value: str | bytes | None) -> Json | None:
    try:
        props = msgspec.json.decode(value or "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            props = json.loads(value or "")
        except (ValueError, RecursionError):
            return None
    if not isinstance(props, dict):
        return None
    lists = [props[name] for name in _lists_of(props) if isinstance(props.get(name), list)]
    return {**props, "dailyPapers": next(filter(None, lists), [])} if lists else None


def _lists_of(props: Json) -> tuple[str, ...]:
    """Under which names the papers stand that the page shows: what a search for words found, and not the papers of the day that may
    stand beside."""
    query = props.get("query")
    searched = isinstance(query, dict) and query.get("q") and props.get("searchResults")
    return ("searchResults",) if searched else ("dailyPapers", "searchResults")


_MARK = b'data-target="DailyPapers"'
_EARLIER_MARK = late(rb"=\s*[\"']?dailypapers(?![\w-])")  # asked of the page in lower case
_PLAIN_TAG = late(rb'<div((?>(?:\s+[a-zA-Z-]+="[^"]*+"){1,100}))\s*+>')
_REFERENCES = ((b"&quot;", b'"'), (b"&lt;", b"<"), (b"&gt;", b">"), (b"&#39;", b"'"), (b"&#x27;", b"'"))
_PLAIN_ATTRIBUTE = late(rb'\s([a-zA-Z-]+)="([^"]*+)"')
# What stands in these is no element of the page, or not where it seems to stand.
_HOLDERS = (b"<!--", b"<script", b"<style", b"<textarea", b"<title", b"<template", b"<noscript", b"<iframe", b"<select",
            b"<xmp", b"<noembed", b"<noframes", b"<frameset", b"<plaintext")  # fmt: skip


def _plain_props(body: bytes) -> Json | None:
    """The JSON in the page's attribute without a parse of the whole page, for a tag written as Hugging Face writes it.

    None wherever a parser might see it otherwise: a tag of another form, one that may not be the first, or a place where
    what looks like a tag is none.
    """
    at = body.find(_MARK)
    start = body.rfind(b"<", 0, max(at, 0))
    tag = _PLAIN_TAG.match(body, start) if start >= 0 else None
    if not tag:
        return None
    before = body[:start].lower()
    if QUOTED_MARK.search(before) or _EARLIER_MARK.search(before):
        return None
    for opening in _HOLDERS:
        closing = b"-->" if opening == b"<!--" else b"</" + opening[1:]
        if before.rfind(opening) > before.rfind(closing):
            return None
    attributes = _PLAIN_ATTRIBUTE.findall(tag[1])
    values = [value for name, value in attributes if name == b"data-props"]
    if len(values) != 1 or (b"data-target", b"DailyPapers") not in attributes:
        return None
    value = values[0]
    for reference, sign in _REFERENCES:
        value = value.replace(reference, sign)
    if value.count(b"&") != value.count(b"&amp;"):
        return None
    return _props(value.replace(b"&amp;", b"&"))


def _cards(tree: Any, rows: list[_cards_quick.Row]) -> Iterator[Raw]:
    """Of each card the first link in its heading, the first number beside it, and the longest paragraph: what is searched for or
    trending has its abstract there. One search of the page for all cards."""
    href = title = votes = None
    abstract = ""
    left = iter(rows)
    for node in tree.css("article, article h3 a[href*='/papers/'], article p, article .leading-none"):
        if node.tag == "article":
            yield from _card(href, title, votes, abstract)
            href = title = votes = None
            abstract = ""
            if rows and node.attrs.get("class") == _cards_quick.MARK:
                for card in next(left).cards:
                    yield from _card(card.href, card.title, card.votes)
            continue
        attributes = node.attrs
        if node.tag == "p":
            abstract = max(abstract, node.text().strip(), key=len)
        elif votes is None and "leading-none" in (attributes.get("class") or "").split():
            # The same class is used for words, such as who submitted the paper.
            votes = said if (said := node.text().strip())[:1].isdigit() else None
        elif href is None and "/papers/" in (attributes.get("href") or ""):
            href, title = attributes.get("href"), node.text()
    yield from _card(href, title, votes, abstract)


MIN_ABSTRACT_WORDS = 8

# Words of a link to a paper that are no title: "View paper", "2611.01001", "12 authors".
_FRAME = late(
    r"(?:view|read|open|see|show)(?: (?:the|this|full|more|paper|pdf|abstract|page|on|arxiv))*"
    r"|(?:pdf|arxiv|abs|html|upvote)(?: page)?|(?:arxiv:)?\d{4}\.\d{4,5}(?:v\d{1,3})?|[\W\d_]*(?:author|comment)s?|[\W\d_]*",
    re.I,
)


def _tolerant_cards(text: str, location: str) -> Iterator[Raw]:
    """Each paper that links go to, for a day when the cards are built otherwise: by the heading that a link stands in or holds,
    else by its first long text, else by the longest that no link to another paper has."""
    if text.count("<") > MAX_SOUP_TAGS or len(text) > MAX_SOUP_CHARS:
        return
    headed: set[int] = set()
    links: dict[str, list[tuple[bool, str]]] = {}
    tags = soup_of(text).find_all(True)
    guard_nesting(tags, location)
    for tag in tags:
        if re.fullmatch("h[1-6]", tag.name) or id(tag.parent) in headed:
            headed.add(id(tag))
        if tag.name == "a" and (arxiv := identity.arxiv_id(_paper_link(str(tag.get("href") or "")))):
            heading = tag.find(re.compile("^h[1-6]$"))
            words = (heading or tag).get_text(" ", strip=True)
            links.setdefault(arxiv[0], []).append((heading is not None or id(tag) in headed, words))
    used = Counter(words for found in links.values() for words in {words for _, words in found})
    for arxiv_id, found in links.items():
        own = (words for _, words in found if used[words] == 1 and not _FRAME.fullmatch(words))
        title = next((words for is_headed, words in found if words and (is_headed or len(words) > 30)), "")
        if title := title or max(own, key=len, default=""):
            yield from _card(f"/papers/{arxiv_id}", title, None)


def _paper_link(href: str) -> str:
    return href if "/papers/" in href else ""


def _card(href: str | None, title: str | None, votes: str | None, abstract: str = "") -> Iterator[Raw]:
    """One paper, or none where the link is not one to a paper. A paragraph of a few words is no abstract."""
    if arxiv := identity.arxiv_id(href or ""):
        number = votes or ""
        yield Raw(
            title=title or "",
            abstract=abstract if len(abstract.split()) >= MIN_ABSTRACT_WORDS else "",
            ids={"arxiv": arxiv[0]},
            links=_links(arxiv[0]),
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
        paper = _nested(cast(Json, entry)) or cast(Json, entry)
        if listed := _day(paper.get("submittedOnDailyAt")):
            days[listed] += 1
    if broken:
        notes.append(
            f"{broken} of {plural(len(entries), 'entry', 'entries')} could not be read: neither title nor id"
        )
    next_url = ""
    if entries and len(entries) in (50, 100, number_in_query(listing.base_url, "limit")):
        notes.append(f"maybe cut: exactly {len(entries)} entries, ask for the next page")
        if "/api/" in listing.base_url:
            next_url = with_query(listing.base_url, p=str(number_in_query(listing.base_url, "p") + 1))
    if not raws:
        raise refused(
            listing,
            f"none of the {len(entries)} entries of the list has a title or an id",
            "Try https://huggingface.co/api/daily_papers.",
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
    paper = _nested(entry) or entry
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


def _nested(entry: Mapping[str, object]) -> Json:
    value = entry.get("paper")
    return value if isinstance(value, dict) else {}
