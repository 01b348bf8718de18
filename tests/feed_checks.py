"""What the specifications say of a feed, down to what validators only warn of: RSS 2.0 with the RSS Board's profile, Atom
(RFC 4287), archives (RFC 5005), JSON Feed 1.1, OPML 2.0.

Each check returns complaints in words, an empty list for a good document. It shares no code with what writes our feeds. Two
warnings of public validators are left out, since the specifications do not make them: that two papers have the same `updated`
(they were published in the same moment), and that a plain title looks like HTML (it is about HTML).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _words(text: str, namespace: str = "") -> set[str]:
    return {namespace + word for word in text.split()}


_CHANNEL = _words(
    "title link description language copyright managingEditor webMaster pubDate lastBuildDate category generator docs cloud ttl"
    " image rating textInput skipHours skipDays item"
) | {f"{ATOM}link", f"{HISTORY}archive"}
_ITEM = _words("title link description author category comments enclosure guid pubDate source")
_ITEM |= {f"{DC}creator", f"{CONTENT}encoded"}
_FEED = _words(
    "author category contributor generator icon id link logo rights subtitle title updated entry", ATOM
)
_ENTRY = _words(
    "author category content contributor id link published rights source summary title updated", ATOM
)
# Registered with IANA (RFC 4287, 4.2.7.2), as far as a feed of ours may have them.
_RELS = {"alternate", "self", "hub", "current", "prev-archive", "next-archive", "related", "via", "enclosure"}
_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml"}

# RFC 822 as RSS has it: with the day of the week, four digits of the year, two of the day, and a zone in digits or GMT.
_RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) (\+0000|GMT)"
)
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# Characters of a URI (RFC 3986, 2); a percent sign has two digits.
_URI = re.compile(r"[a-z][a-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_TAG = re.compile(r"tag:[a-z0-9.-]+,[0-9]{4}(-[0-9]{2}){0,2}:[^\s#]+")
_BAD_LETTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


# ---------------------------------------------------------------- RSS


def rss_complaints(body: bytes) -> list[str]:
    """RSS 2.0, the RSS Board's profile 1.0, and archives as in RFC 5005, appendix B."""
    return list(_rss(body))


def _rss(body: bytes) -> Iterator[str]:
    root = yield from _xml(body)
    if root is None:
        return
    if root.tag != "rss" or root.get("version") != "2.0" or [child.tag for child in root] != ["channel"]:
        yield "the root is not <rss version='2.0'> with one channel"
        return
    channel = root[0]
    yield from _elements(channel, _CHANNEL, repeatable={"item", "category", f"{ATOM}link"})
    for name in ("title", "link", "description"):
        if not (channel.findtext(name) or "").strip():
            yield f"channel has no {name}"
    yield from _address("channel link", channel.findtext("link") or "")
    if not _LANGUAGE.fullmatch(channel.findtext("language") or "en"):
        yield "language is no language tag"
    built = yield from _rss_date("lastBuildDate", channel.findtext("lastBuildDate"))
    names = [child.tag for child in channel]
    if "item" in names and set(names[names.index("item") :]) != {"item"}:
        yield "an item stands before other elements of the channel"
    yield from _links("rss", channel)
    for title in re.findall(rb"<title>(.*?)</title>", body, re.DOTALL):
        if re.search(rb"&(?!#x)|[<>]", title):
            yield f"a title has < or & otherwise than as hexadecimal references: {title!r}"
    items = channel.findall("item")
    yield from _twice("guid", (item.findtext("guid") for item in items))
    for item in items:
        yield from _rss_item(item, built)


def _rss_item(item: Any, built: datetime | None) -> Iterator[str]:
    yield from _elements(item, _ITEM, repeatable={"category", f"{DC}creator"})
    names = [child.tag for child in item]
    if not {"title", "description"} & set(names):
        yield "an item has neither title nor description"
    guid = item.find("guid")
    if guid is None or not (guid.text or "").strip():
        yield "an item has no guid"
    elif guid.get("isPermaLink", "true") != "false":
        yield from _address("guid that is a permalink", guid.text or "")
    elif (guid.text or "").startswith("tag:") and not _TAG.fullmatch(guid.text or ""):
        yield f"no tag URI: {guid.text!r}"
    yield from _address("item link", item.findtext("link") or "")
    if f"{CONTENT}encoded" in names and "description" not in names[: names.index(f"{CONTENT}encoded")]:
        yield "content:encoded without a description before it"
    for name in ("description", f"{CONTENT}encoded"):
        if name in names:
            yield from _html(f"item {name}", item.findtext(name) or "")
    dated = yield from _rss_date("pubDate", item.findtext("pubDate"))
    if dated and built and dated > built:
        yield f"pubDate {dated} is later than the feed"
    if (author := item.findtext("author")) is not None and not re.fullmatch(r"\S+@\S+ \(.+\)", author):
        yield "author is no address with a name in parentheses"


def _rss_date(name: str, text: str | None) -> Iterator[str]:
    """Complaints; gives back the moment."""
    if text is None:
        return None
    match = _RFC822.fullmatch(text)
    if not match:
        yield f"{name} is no date of RFC 822 with four digits of the year: {text!r}"
        return None
    try:
        found = datetime.strptime(text.replace("GMT", "+0000"), "%a, %d %b %Y %H:%M:%S %z")
    except ValueError:
        yield f"{name} does not exist: {text!r}"
        return None
    if found.strftime("%a") != match[1]:
        yield f"{name} has the wrong day of the week: {text!r}"
    return found


# ---------------------------------------------------------------- Atom


def atom_complaints(body: bytes) -> list[str]:
    """RFC 4287, and archives as in RFC 5005."""
    return list(_atom(body))


def _atom(body: bytes) -> Iterator[str]:
    root = yield from _xml(body)
    if root is None:
        return
    if root.tag != f"{ATOM}feed":
        yield "the root is not atom:feed"
        return
    many = {ATOM + name for name in ("author", "category", "contributor", "link", "entry")}
    yield from _elements(root, _FEED | {f"{HISTORY}archive"}, repeatable=many)
    updated = yield from _atom_facts("feed", root)
    if not _LANGUAGE.fullmatch(root.get(XML_LANG, "en")):
        yield "xml:lang is no language tag"
    yield from _links("atom", root)
    entries = root.findall(f"{ATOM}entry")
    if root.find(f"{ATOM}author") is None and any(entry.find(f"{ATOM}author") is None for entry in entries):
        yield "neither the feed nor each entry has an author"
    yield from _twice("id", (entry.findtext(f"{ATOM}id") for entry in entries))
    for entry in entries:
        yield from _elements(entry, _ENTRY, repeatable=many)
        yield from _atom_entry(entry, updated)


def _atom_facts(name: str, element: Any) -> Iterator[str]:
    """What feed and entries have alike; gives back when it was updated."""
    for child in ("id", "title", "updated"):
        if not (element.findtext(ATOM + child) or "").strip():
            yield f"{name} has no {child}"
    if not _URI.fullmatch(element.findtext(f"{ATOM}id") or ""):
        yield f"{name} id is no absolute IRI: {element.findtext(f'{ATOM}id')!r}"
    for author in element.findall(f"{ATOM}author"):
        if [child.tag for child in author if child.tag == f"{ATOM}name"] != [f"{ATOM}name"]:
            yield f"{name} has an author without exactly one name"
    for category in element.findall(f"{ATOM}category"):
        if not (category.get("term") or "").strip():
            yield f"{name} has a category without term"
    for text in ("title", "subtitle", "summary", "content", "rights"):
        for body in element.findall(ATOM + text):
            if body.get("type", "text") not in ("text", "html"):
                yield f"{name} {text} has a type that is neither text nor html"
            if body.get("type") == "html":
                yield from _html(f"{name} {text}", body.text or "")
    return (yield from _atom_date(f"{name} updated", element.findtext(f"{ATOM}updated")))


def _atom_entry(entry: Any, feed_updated: datetime | None) -> Iterator[str]:
    updated = yield from _atom_facts("entry", entry)
    published = yield from _atom_date("published", entry.findtext(f"{ATOM}published"))
    if updated and published and published > updated:
        yield "an entry was updated before it was published"
    if updated and feed_updated and updated > feed_updated:
        yield "an entry is newer than its feed"
    links = entry.findall(f"{ATOM}link")
    alternates = [
        (link.get("type"), link.get("hreflang"))
        for link in links
        if link.get("rel", "alternate") == "alternate"
    ]
    if len(alternates) != len(set(alternates)):
        yield "two alternate links of the same type and language"
    if not alternates and entry.find(f"{ATOM}content") is None:
        yield "an entry has neither content nor an alternate link"
    for link in links:
        yield from _address("entry link", link.get("href") or "")
        if link.get("rel") in ("current", "prev-archive", "next-archive", "self", "hub"):
            yield "a link of the feed stands in an entry"


def _atom_date(name: str, text: str | None) -> Iterator[str]:
    if text is None:
        return None
    if not _RFC3339.fullmatch(text):
        yield f"{name} is no date-time of RFC 3339: {text!r}"
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        yield f"{name} does not exist: {text!r}"
        return None


# ---------------------------------------------------------------- JSON Feed


def json_complaints(body: bytes) -> list[str]:
    """JSON Feed 1.1: its schema (feed_schemas/), and what no schema can say."""
    return list(_json(body))


@cache
def _schema() -> Draft202012Validator:
    text = Path(__file__).with_name("feed_schemas").joinpath("jsonfeed-1.1.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text))


def _json(body: bytes) -> Iterator[str]:
    try:
        feed = json.loads(body.decode("utf-8"))
    except ValueError as error:
        yield f"no JSON in UTF-8: {error}"
        return
    for error in _schema().iter_errors(feed):
        yield f"schema: {'/'.join(map(str, error.path))}: {error.message[:200]}"
        return
    for name in ("home_page_url", "feed_url", "next_url"):
        if name in feed:
            yield from _address(name, feed[name])
    if feed.get("next_url") == feed["feed_url"]:
        yield "next_url is the feed itself"
    yield from _twice("id", (item["id"] for item in feed["items"]))
    for item in feed["items"]:
        yield from _html("content_html", item.get("content_html", ""))
        yield from _address("item url", item.get("url", ""))
        if len(item.get("tags", [])) != len(set(item.get("tags", []))):
            yield "a tag stands twice"
        dates = []
        for name in ("date_published", "date_modified"):
            dates.append((yield from _atom_date(name, item.get(name))))
        if all(dates) and dates[0] > dates[1]:
            yield "an item was modified before it was published"


# ---------------------------------------------------------------- OPML


def opml_complaints(body: bytes) -> list[str]:
    """OPML 2.0 as a list of subscriptions."""
    return list(_opml(body))


def _opml(body: bytes) -> Iterator[str]:
    root = yield from _xml(body)
    if root is None:
        return
    if (
        root.tag != "opml"
        or root.get("version") != "2.0"
        or [child.tag for child in root] != ["head", "body"]
    ):
        yield "the root is not <opml version='2.0'> with head and body"
        return
    if not root[1].findall("outline"):
        yield "the body has no outline"
    for outline in root[1].iter("outline"):
        if not (outline.get("text") or "").strip():
            yield "an outline has no text"
        if outline.get("type") == "rss":
            for name in ("xmlUrl", "htmlUrl"):
                yield from _address(name, outline.get(name) or "")
            if outline.get("version") not in ("RSS", "RSS1", "RSS2", "scriptingNews"):
                yield "a feed has no version that the specification knows"
        elif not len(outline):
            yield "an outline is neither a feed nor a group"
    yield from _twice(
        "xmlUrl", (outline.get("xmlUrl") for outline in root[1].iter("outline") if outline.get("xmlUrl"))
    )


# ---------------------------------------------------------------- of all


def _xml(body: bytes) -> Iterator[str]:
    """Complaints; gives back the root, or None."""
    if not re.match(rb"""<\?xml version=['"]1\.0['"] encoding=['"]UTF-8['"]\?>\n""", body):
        yield "no XML declaration with encoding UTF-8"
    if b"<!DOCTYPE" in body or b"<![CDATA[" in body:
        yield "a doctype or a CDATA section"
    try:
        text = body.decode("utf-8")
        root = etree.fromstring(
            body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        )
    except (ValueError, etree.XMLSyntaxError) as error:
        yield f"not well-formed: {error}"
        return None
    if found := _BAD_LETTERS.search(text):
        yield f"a character that is none: {found[0]!r}"
    return root


def _elements(parent: Any, known: set[str], *, repeatable: set[str]) -> Iterator[str]:
    """Only known elements, each once unless it may repeat, none blank, no text beside them."""
    counts = Counter(child.tag for child in parent if isinstance(child.tag, str))
    for tag, count in counts.items():
        if tag not in known:
            yield f"unknown element {tag} in {parent.tag}"
        if count > 1 and tag not in repeatable:
            yield f"{count} times {tag} in {parent.tag}"
    for child in parent:
        if (
            not len(child)
            and not (child.text or "").strip()
            and not child.attrib
            and child.tag != f"{HISTORY}archive"
        ):
            yield f"{child.tag} is blank"
        if (child.tail or "").strip():
            yield f"stray text in {parent.tag}"
    if len(parent) and (parent.text or "").strip():
        yield f"stray text in {parent.tag}"


def _links(kind: str, head: Any) -> Iterator[str]:
    """Links of a feed: one to itself, known relations, an archive with its head (RFC 5005, 4)."""
    links = head.findall(f"{ATOM}link")
    found: dict[str, list[str]] = {}
    for link in links:
        rel, href = link.get("rel", "alternate"), link.get("href") or ""
        found.setdefault(rel, []).append(href)
        yield from _address(f"link {rel}", href)
        if rel not in _RELS:
            yield f"relation {rel!r} is not registered"
        if rel in ("self", "current", "prev-archive") and link.get("type") != _TYPES[kind]:
            yield f"link {rel} is not of type {_TYPES[kind]}"
        if len(link) or (link.text or "").strip():
            yield "a link is not empty"
    for rel, hrefs in found.items():
        if len(hrefs) > 1 and rel != "hub":
            yield f"{len(hrefs)} links {rel}"
    if "self" not in found:
        yield "no link to itself"
    own = found.get("self", [""])[0]
    for rel in ("current", "prev-archive"):
        if found.get(rel, [""])[0] == own and own:
            yield f"link {rel} leads to the document itself"
    if head.find(f"{HISTORY}archive") is not None and "current" not in found:
        yield "an archive without a link to its head"
    if "current" in found and head.find(f"{HISTORY}archive") is None:
        yield "a link to the head in a document that is no archive"
    if "next-archive" in found:
        yield "an archive that will change when there is a next one"


def _address(name: str, url: str) -> Iterator[str]:
    """An absolute http or https address, in the characters of a URI."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _URI.fullmatch(url):
        yield f"{name} is no absolute address: {url!r}"


_TAGS = {"p": set(), "em": set(), "code": set(), "a": {"href"}}


def _html(name: str, text: str) -> Iterator[str]:
    """Closed, nested HTML of p, em, code and a, with absolute addresses: no relative one, no script, nothing that loads."""
    try:
        root = etree.fromstring(f"<div>{text}</div>", etree.XMLParser(resolve_entities=False, huge_tree=True))
    except etree.XMLSyntaxError as error:
        yield f"{name} is not well-formed HTML: {error}"
        return
    for element in root.iterdescendants():
        if element.tag not in _TAGS or set(element.attrib) != _TAGS[element.tag]:
            yield f"{name} has <{element.tag} {dict(element.attrib)}>"
        if element.tag == "a":
            yield from _address(f"{name} href", element.get("href") or "")
        if element.tag == "p" and element.getparent() is not root:
            yield f"{name} has a paragraph within another element"


def _twice(name: str, values: Iterable[str | None]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{name} {value!r} stands {count} times"
