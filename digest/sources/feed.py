"""Any RSS (0.9x, 1.0, 2.0), Atom (0.3, 1.0) or JSON Feed (1, 1.1): a journal's contents, a preprint server, a blog about papers."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _dates, _items, _names, _publishers, arxiv_feed, crossref
from digest.sources._bytes import refused
from digest.sources._item import Feed, Item, drained, join
from digest.sources._paper import MAX_ABSTRACT_CHARS, Raw, finish
from digest.text import clean

MAX_ID_CHARS = 400
MAX_WHOLE_CHARS = 6_000
MIN_BEGUN_CHARS = 15
MAX_SOURCE_CHARS = 600
_PMID = late(r"(?:pmid|pubmed):\s*([0-9]{1,12})", re.I)
_PMCID = late(r"PMC[0-9]{1,12}")
# NBER: "Ponds and Prices -- by Ada Okoye, Bo Lindal"
_BYLINE = late(r"\s+-- by ([^:;!?()\[\]]{3,2000})$")

# "[hal-01234567] Ponds", "[2611.00001] Kilns": the id that is in the link too
_OWN_ID = late(r"\[((?=[^\]]*\d)[\w./-]{5,40})\]\s+(?=\S)")
# ECCC: "TR26-164 |  Ponds and Prices | Ada Okoye, Bo Lindal"
_REPORT = late(r"(?:(?:Revision|Comment) #\d{1,2} to )?TR\d\d-\d{3}\s*\|(.{3,600})\|([^|]{3,2000})", re.S)
# "[Articles] Ponds" of The Lancet: the part of the journal, which the item names by itself too
_OWN_SECTION = late(r"\[([^\[\]]{2,60})\]\s+(?=\S)")
# "[3] [Hydrology] Ponds" of programs that weigh papers: a score and a topic; "[PDF] Ponds" of Google Scholar
_SCORED = late(r"(?:\[\d{1,3}\]\s+\[[^\[\]]{2,60}\]|\[(?:PDF|HTML)\])\s+(?=\S)")
# Words in the names of journals, and in none of a person who writes a blog under his own
_PERIODICAL = late(
    r"\b(?:journal|transactions|proceedings|letters|reviews?|annals|advances|bulletin|magazine|quarterly|acta|revista|zeitschrift)\b",
    re.I,
)
_PUBLISHER = late(
    r"\b(?:publications?|publishing|press|society|sciencedirect|elsevier|wiley|tandf|sage|springer)\b", re.I
)


def read(listing: Listing) -> Reading:
    """Items in document order; an item without a title is kept, with the title "". Empty only for a well-formed feed without items.

    Sound documents of plain texts are read by expat, other sound ones by lxml, the rest are mended first, and what then is still
    refused goes to feedparser.
    """
    notes: list[str] = []
    start = listing.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    feed = _json_feed(listing, notes) if start == b"{" else _items.read_items(listing, notes)
    _refuse_errors(feed, listing)
    has_items = bool(feed.items)
    by_journals = any(map(_is_by_journal, feed.items)) and all(len(item.authors) < 2 for item in feed.items)
    journal = None if by_journals else _journal(feed.title)
    read_item = partial(_read, alone=any(map(_stand_alone, feed.items)), journal=journal)
    papers = finish(map(read_item, drained(feed)), notes, trusted_ids=False)
    if not papers and (not feed.sound or has_items or feed.stated):
        why = "; ".join(notes) or "it states more than it holds"
        raise refused(listing, f"no item could be read from this feed ({why})", "Fetch it again.")
    return Reading(
        kind="feed",
        papers=papers,
        stated=feed.stated,
        listed_on=listing.listed_on,
        empty=not papers,
        notes=tuple(notes),
    )


def _refuse_errors(feed: Feed, listing: Listing) -> None:
    """arXiv's API says what is wrong in an entry titled Error."""
    for item in feed.items[:1]:
        if "arxiv.org/api/errors" in item.guid:
            raise refused(
                listing, f"arXiv answers with an error: {clean(item.summary)[:300]}", "Check the address."
            )


def _stand_alone(item: Item) -> bool:
    """Are the authors of this item written each by himself, family name first?"""
    names = item.authors
    return len(names) > 1 and "," in names[0] and _names.all_natural(names) is not names


def _journal(title: str) -> str:
    """The journal that a feed is of, as its title tells it (`ScienceDirect Publication: Ponds`, `Journal of Ponds`), folded; empty
    where it may be the name of a person."""
    publisher, _, name = clean(title[:MAX_ID_CHARS]).rpartition(": ")
    return name.casefold() if _PUBLISHER.search(publisher) or _PERIODICAL.search(name) else ""


def _is_by_journal(item: Item) -> bool:
    """Does ScienceDirect's description name what stands in the author's place as the journal? A feed of many journals has
    theirs there in all items, also where a description is empty."""
    return (
        len(item.authors) == 1
        and "Source:" in item.summary[:MAX_SOURCE_CHARS]
        and f"Source: {item.authors[0].strip()}" in clean(item.summary[:MAX_SOURCE_CHARS])
    )


def _read(item: Item, *, alone: bool, journal: str | None) -> Raw:
    return arxiv_feed.of_arxiv(item) or _raw(item, alone=alone, journal=journal)


def _raw(item: Item, *, alone: bool, journal: str | None) -> Raw:
    """`alone`: does the feed write each author by himself, family name first? `journal`: whose name is no author's, None where all
    stand there for journals."""
    abstract, labelled = _abstract(item)
    title, written = item.title, item.authors
    if len(written) == 1 and journal != "" and (journal is None or clean(written[0]).casefold() == journal):
        written = []
    if labelled:
        item.doi = item.doi or labelled.get("doi", "")
        written = _named(written, labelled.get("authors", ""), item.summary)
    ids, version, named = _ids(item)
    if not written and " -- by " in title and (byline := _BYLINE.search(title)):
        title, written = title[: byline.start()], [byline[1]]
    if not written and "|" in title and (report := _REPORT.fullmatch(title.strip())):
        title, written = report[1], [" ".join(report[2].split())]
    if title.startswith("[") and (own := _OWN_ID.match(title)) and f"/{own[1]}" in item.link:
        title = title[own.end() :]
    if title.startswith("[") and (part := _OWN_SECTION.match(title)) and _is_of(item, part[1]):
        title = title[part.end() :]
    if title.startswith("[") and (scored := _SCORED.match(title)):
        title = title[scored.end() :]
    authors, authors_raw, cut = _authors(written, alone=alone)
    source = _origin(item, ids, named)
    if authors_raw is None and authors != written:
        source |= _names.inverted(written)
    upvotes = labelled.get("upvotes", "")
    return Raw(
        title=title,
        abstract=abstract,
        ids=ids,
        version=version,
        authors=authors,
        authors_raw=authors_raw,
        authors_cut=cut,
        authors_joined=authors_raw is not None,
        categories=item.categories,
        published=item.published or item.cover or _dates.rfc3339(_publishers.day_of(item.summary)),
        updated=item.updated,
        links={"abstract": item.link, "pdf": item.pdf},
        upvotes=int(upvotes) if upvotes.isascii() and upvotes.isdigit() and len(upvotes) < 10 else None,
        comment=item.comment or None,
        source=source,
    )


def _is_of(item: Item, section: str) -> bool:
    """Does the item name this as its section, or as a category?"""
    return section.casefold() in {name.strip().casefold() for name in (item.section, *item.categories)}


def _origin(item: Item, ids: dict[str, str], named: str) -> dict[str, str]:
    """The id as the feed writes it, where no id and no link shows it: a guid is no name that two sources would share."""
    doi, pmid = ids.get("doi", ""), ids.get("pmid", "")
    shown = {
        "",
        named,
        item.link,
        item.pdf,
        doi,
        f"doi:{doi}",
        f"https://doi.org/{doi}",
        f"pmid:{pmid}",
        f"pubmed:{pmid}",
        f"pmc:{ids.get('pmcid', '')}".casefold(),
    }
    for text in (item.guid, *item.identifiers):
        if text.casefold() not in shown and text not in shown and not identity.arxiv_id(text):
            return {"id": text[:MAX_ID_CHARS]}
    return {}


def _ids(item: Item) -> tuple[dict[str, str], int | None, str]:
    """The ids, the version of the arXiv id, and what this was read from."""
    ids: dict[str, str] = {}
    version, named = None, ""
    for text in (item.guid, item.link):
        if text and version is None and (found := identity.arxiv_id(text)):
            ids.setdefault("arxiv", found[0])
            version = found[1]
            named = named or text
    for text in (item.guid, *item.identifiers):
        if text[:5].lower() in ("pmid:", "pubme") and (pubmed := _PMID.fullmatch(text)):
            ids["pmid"] = pubmed[1]
        elif text[:4].lower() == "pmc:" and _PMCID.fullmatch(text[4:]):
            ids["pmcid"] = text[4:]
    for text in (item.doi, *item.identifiers, item.guid, item.link):
        if text and "10." in text and (doi := identity.doi(text)):
            ids["doi"] = doi
            break
    return ids, version, named


# --- texts

_LABELLED = late(
    r"<(?:b|strong)>[^\w<>]{0,9}(authors?|upvotes|summary|abstract|published|links?)\s*:?\s*</(?:b|strong)>\s*:?(?:\s*<br\s*/?>|\s*</p>\s*<p\b[^<>]*>)?(.*?)(?=</p>|<p\b|<br\b|<(?:b|strong)>|$)",
    re.I | re.S,
)
_ELLIPSIS = late(r"\s*(?:\[?(?:…|&#8230;|&hellip;|\.\.\.)\]?)(?:\s*</p>)?\s*$")
_BOLD = late(r"</(?:b|strong)>")


def _abstract(item: Item) -> tuple[str, dict[str, str]]:
    """Summary before content, without what is no abstract. Some feeds put authors and votes into it, as labelled paragraphs."""
    first, other = item.summary, item.content
    if other and _publishers.ends_with_pmid(other):  # beside it PubMed has no more than the conclusions
        first, other = other, first
    elif other and _is_cut(first, other):
        first = other
    first = first[:MAX_ABSTRACT_CHARS]
    text, authors, doi = _publishers.abstract_of(crossref.jats(first) if "<st>" in first else first)
    if not text or text.isspace():
        text, named, stated = _publishers.abstract_of(other[:MAX_ABSTRACT_CHARS])
        authors, doi = authors or named, doi or stated
    if item.categories and text[:1] != "<":
        text = _unlisted(text, ", ".join(item.categories))
    text = _publishers.without_repetition(_publishers.without_foot(text), item.title, item.authors)
    whole, text = text, _publishers.without_heading(text)
    found = {"authors": clean(authors)} if authors else {}
    if doi:
        found["doi"] = doi
    if authors or "<" not in whole or not _BOLD.search(whole):
        return text, found
    labelled: dict[str, str] = {name.lower(): value.strip() for name, value in _LABELLED.findall(whole)}
    abstract = labelled.get("abstract") or labelled.get("summary") or (text if text is not whole else "")
    if not abstract:
        return text, found
    if names := labelled.get("authors") or labelled.get("author"):
        found["authors"] = clean(names)
    return abstract, found | ({"upvotes": clean(labelled["upvotes"])} if "upvotes" in labelled else {})


def _is_cut(summary: str, content: str) -> bool:
    """Is this the beginning, with an ellipsis behind it, of what is no longer than an abstract may well be?"""
    if not _ELLIPSIS.search(summary[-20:]) or len(content) > MAX_WHOLE_CHARS:
        return False
    begun = _ELLIPSIS.sub("", clean(summary)).rstrip()
    return len(begun) >= MIN_BEGUN_CHARS and clean(content).startswith(begun)


def _unlisted(text: str, categories: str) -> str:
    """Without the lines before the abstract that repeat the item's categories, as OJS has them: `Keywords: sheep, goat<br />`."""
    at = 0
    while (line := _LISTED.match(text, at)) and " ".join(line[1].split()) in categories:
        at = line.end()
    return _BREAKS.sub("", text[at:], count=1) if at else text


def _named(authors: list[str], described: str, description: str) -> list[str]:
    """The authors of an item; those that its description names where it has none, only the first of them, or the journal."""
    if not described or len(authors) > 1:
        return authors
    name = authors[0].strip() if authors else ""
    if (
        not name
        or described.startswith(f"{name},")
        or f"Source: {name}" in clean(description[:MAX_SOURCE_CHARS])
    ):
        return [described]
    return authors


_LISTED = late(r"\s*[^\s<>:][^<>:]{0,80}:\s++([^<>]{1,4000}+)<br\s*/?>")
_BREAKS = late(r"^(?:\s*<br\s*/?>){1,9}")
# Before the last of several, or all that is left of the sign for it.
_AND = late(r"(?:and|&)\s+|(?:and|amp|&)$")


# The American Physical Society: "Ada Okoye et al. (Pond Collaboration)"
_GROUP_BEHIND = late(
    r"(?:,\s*|\s+)et\.?\s+al\b\.?,?\s*\(([^()]*\b(?:Collaborations?|Consortium|Group|Team)\b[^()]*)\)$", re.I
)
_MAX_GROUP_CHARS = 300


def _authors(authors: list[str], *, alone: bool) -> tuple[list[str], str | None, bool]:
    """Names; of one string that holds several, the names in it and the string itself; and whether there are more ("et al.")."""
    authors = [
        _names.called(name) if name[0] in "fFoObB" else name
        for name in authors
        if name and not name.isspace()
    ]
    last = authors[-1] if authors else ""
    cut = ("al" in last[-20:].lower() or "others" in last[-20:]) and _names.without_et_al(last) != last
    if len(authors) != 1:
        return _names.all_natural(list(map(_names.without_et_al, authors)) if cut else authors), None, cut
    whole = clean(authors[0])
    if glued := _names.unglued(whole):
        return glued, whole, cut
    if group := _GROUP_BEHIND.search(whole[-_MAX_GROUP_CHARS:]):
        names = _authors([whole[: -len(group[0])]], alone=False)[0]
        return [*names, group[1]], whole, True
    text = _names.without_et_al(whole) if cut else whole
    if ";" in text:
        names = [
            name for part in text.split(";") for name in _of_one_role(_AND.sub("", part.strip())) if name
        ]
        return _names.all_natural(list(map(_names.called, names))), whole, cut
    if text.count(",") == 1 and (alone or _names.with_initials(text)):
        return [_names.natural(text)], None, cut
    names = _names.split(text)
    several = len(names) > 1 and (
        sum(" " in name for name in names) * 2 > len(names) or all(name[0] >= _names.WIDE for name in names)
    )
    return (names, whole, cut) if several else ([text], None, cut)


def _of_one_role(text: str) -> list[str]:
    """`Okoye, Ada` is one name, `Ada Okoye, Bo Lindal` are two, and `Ada Okoye, MD` is Ada Okoye."""
    names = _names.split(text) if "," in text else []
    if len(names) == 1:
        return names
    return names if len(names) > 1 and all(" " in name for name in names) else [text]


# --- JSON Feed

_HOME = late(rb'"home_page_url"\s*:\s*"([^"\\]{1,2000})"')


def _json_feed(listing: Listing, notes: list[str]) -> Feed:
    """https://www.jsonfeed.org/version/1.1/ — with ids of any type, as the standard asks of readers."""
    from digest.sources import _records

    data: Any = _records.load(listing, notes, "items")
    if isinstance(data, list):  # what is whole of a document that breaks off
        home = _HOME.search(listing.body)
        data = {"items": data, "home_page_url": home[1].decode("utf-8", "replace") if home else ""}
    feed = _records.mapping(data)
    items = feed.get("items")
    if not isinstance(items, list):
        raise refused(listing, "JSON without a list of items, so no JSON Feed", "Is this the right address?")
    base = listing.base_url or _string(feed, "home_page_url")
    return Feed(
        title=_string(feed, "title"),
        items=[_json_item(item, base) for item in items if isinstance(item, dict)],
        sound="version" in feed,
    )


def _json_item(item: dict[str, Any], base: str) -> Item:
    persons = item.get("authors") if isinstance(item.get("authors"), list) else [item.get("author")]
    tags = item.get("tags")
    link = _string(item, "url") or _string(item, "external_url")
    guid = _string(item, "id")
    return Item(
        title=_string(item, "title"),
        link=join(base, link) or (guid if guid.startswith("http") else ""),
        guid=guid,
        identifiers=[_string(item, "external_url")],
        summary=_string(item, "summary"),
        content=_string(item, "content_html") or _string(item, "content_text"),
        authors=[
            name for person in persons or [] if isinstance(person, dict) and (name := _string(person, "name"))
        ],
        categories=[tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
        published=_dates.rfc3339(_string(item, "date_published")),
        updated=_dates.rfc3339(_string(item, "date_modified")),
    )


def _string(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
