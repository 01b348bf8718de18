"""Venue dumps: the papers of a conference as JSON, a list of objects with a title, authors and more under whatever key.

No standard: the makers of such dumps name keys as they like. Keys are compared without case, `_`, `-` and blanks.
"""

from __future__ import annotations

import re
from itertools import islice

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _dates, _folding, _following, _names, _publishers, arxiv_feed
from digest.sources._bytes import refused
from digest.sources._highwire import with_signs
from digest.sources._paging import query
from digest.sources._paper import MAX_ENTRIES, Raw, plural
from digest.sources._records import (
    Json,
    load,
    mapping,
    mappings,
    number,
    read_records,
    refuse_message,
    string,
    strings,
)
from digest.sources._records_xml import without_stop

# With "preprint" or "rel" before them: bioRxiv's preprints that were published, and its collections.
_TITLE = ("title", "papertitle", "articletitle", "preprinttitle", "reltitle", "headline", "name")
_AUTHORS = (
    "authors",
    "author",
    "authorlist",
    "authornames",
    "authorstring",
    "paperauthors",
    "preprintauthors",
    "relauthors",
    "creators",
    "authfullname",
)
_ABSTRACT = (
    "abstract",
    "summary",
    "paperabstract",
    "preprintabstract",
    "relabs",
    "abstracttext",
    "abstractnote",
)
_DOI = ("doi", "preprintdoi", "biorxivdoi", "reldoi", "doiid")
_PAGE = (
    "site",
    "url",
    "link",
    "paperurl",
    "paperlink",
    "forum",
    "openreview",
    "openreviewurl",
    "oa",
    "html",
    "virtualsiteurl",
    "paper",
    "absurl",
    "entryid",
    "arxivurl",
    "rellink",
    "uri",
    "selfhtml",
    "puburl",
)
_PDF = ("pdf", "pdfurl", "pdflink", "paperpdfurl", "paperpdf", "filemain", "eprinturl")
_CODE = ("github", "code", "codeurl", "githubrepo", "githuburl")
_PROJECT = ("project", "projectpage", "projecturl", "website")
_AREA = (
    "primaryarea",
    "subjectareas",
    "topics",
    "topic",
    "categories",
    "category",
    "preprintcategory",
    "relcategory",
)
_PUBLISHED = (
    "preprintdate",
    "published",
    "publishedat",
    "publisheddate",
    "publicationdate",
    "firstpublicationdate",
    "posteddate",
    "date",
    "reldate",
    "datepublished",
    "submitteddate",
    "earliestdate",
    "produceddate",
)
_PARTS_OF_NAMES = (
    ("firstname", "given", "first", "givenname", "givennames", "forename", "forenames"),
    ("middlename", "middle"),
    ("lastname", "family", "last", "familyname", "surname"),
)
# An arXiv id that is called no more than an id.
_ARXIV = late(r"\d{4}\.\d{4,5}(?:v\d{1,3})?|[a-z-]{2,10}(?:\.[A-Z]{2})?/\d{7}(?:v\d{1,3})?")
_BRACED = late(r"(?<![_^])\{([\w-]{1,40})\}")
_PMID = late(r"[0-9]{1,12}")
_PMCID = late(r"PMC[0-9]{1,12}")
_HIT = late(r"[A-Z]{3}/[A-Z0-9]{1,20}")
_CATEGORIES = late(r"(?:[a-z][a-z-]{1,9}(?:\.[A-Za-z-]{2,17})?(?:\s+|$)){2,50}")
_STATUS = ("status", "decision", "presentationtype", "eventtype")
_BARE = late(r"(?:[a-z0-9-]+\.)+[a-z]{2,}/\S", re.I)
_CITED = late(r"\bdoi\s*=\s*[{\"]+\s*([^{}\"\s]{1,300})", re.I)
# OpenReview's answers have ids of notes and paths (https://docs.openreview.net/reference/api-v2/entities/note).
_OPENREVIEW = "https://openreview.net"
_NOTE = late(r"[A-Za-z0-9_-]{8,14}")
# The keys of what a paper has, and the description of a program has not.
_FACT = late(
    r"(?:paper|preprint|rel(?=title|doi|abs|link))?"
    r"(?:abstract|abs|summary|doi|pdf|arxiv|pm[ci]|year|publi(?:shed|cation)|pub(?:date|year)|date|venue|journal|conference|booktitle|bibtex|forum"
    r"|openreview|session|status|decision|tldr|volume|externalids|eprint|topic|primaryarea)",
)
_LISTS = (
    "papers",
    "accepted",
    "results",
    "data",
    "items",
    "articles",
    "publications",
    "proceedings",
    "posters",
    "oral",
    "entries",
)
# Works beside the one that they stand in.
_OTHERS = late(r"reference|citation|cited|cites|related|recommend|similar|bibliograph|author|version")
# What says something of the papers beside it.
_ABOUT = frozenset(["metadata", "meta", "info", "header", "about", "source", "query", "feed"])
# Others under which an empty list says that there is no paper.
_EMPTY = frozenset(
    [
        *_LISTS,
        *(
            "notes",
            "acceptedpapers",
            "poster",
            "orals",
            "spotlight",
            "spotlights",
            "submissions",
            "events",
            "collection",
            "rels",
            "resultlist",
            "docs",
            "hits",
            "itemhits",
            "records",
        ),
    ]
)


def read(listing: Listing) -> Reading:
    """Papers in the order of the dump. Lists may stand under any key of an object, several of them one after the other."""
    notes: list[str] = []
    data = load(listing, notes, *_LISTS)
    total, next_url = None, ""
    if isinstance(data, dict):
        values = _lists(data)
        total = _following.total_of(data)
        next_url = _following.next_url(data, listing, total, notes)
        if not values:  # beside an empty list a "message" may say that all is well
            errors = data if values is None else {name: data.get(name) for name in ("error", "errors")}
            refuse_message(errors, listing, "the site")
            _refuse_status(data, listing)
        if values is None:
            raise refused(listing, "this JSON holds no list of papers", "Is this the right file?")
        data = _latest(values, notes) if "messages" in data else values
    if not isinstance(data, list):
        raise refused(listing, "this JSON is no list of papers", "Is this the right file?")
    behind = query(listing.base_url).get("cursorMark", "*") != "*"
    return read_records("venue", listing, data, _raw, notes, total=total, next_url=next_url, last=behind)


def _refuse_status(data: Json, listing: Listing) -> None:
    """Without posts, bioRxiv says "no posts found"; what else stands there is why it could not look, or that these are all."""
    said = next(iter(mappings(data.get("messages"))), {})
    status = string(said.get("status")).strip()
    if status and not status.lower().startswith(("no ", "ok")):
        raise refused(listing, f"the site answers with an error: {status[:300]}", "Ask again later.")
    if total := number(said.get("total")):
        raise refused(
            listing,
            f"this answer states {total} posts and holds none",
            "Is it a page beyond the end of the list?",
        )


def _latest(values: list[object], notes: list[str]) -> list[object]:
    """Posts of which bioRxiv has several versions in these days, each under one DOI: the last version alone."""
    last: dict[str, Json] = {}
    for post in filter(None, map(mapping, values)):
        doi = string(post.get("doi"))
        if (number(post.get("version")) or 0) >= (number(last.get(doi, {}).get("version")) or 0):
            last[doi] = post
    found = [post for post in values if not (doi := string(mapping(post).get("doi"))) or last[doi] is post]
    if earlier := len(values) - len(found):
        notes.append(f"{plural(earlier, 'earlier version', 'earlier versions')} left out")
    return found


def _lists(data: Json, depth: int = 0, *, is_named: bool = False) -> list[object] | None:
    """What lists and objects of an object hold as papers; None where it holds neither, nor an empty list under, or within, a name
    that lists of papers have."""
    if not depth and (rows := _rows(data)):
        return rows
    if _is_paper(data, wrapped=False) and not any(_lists_papers(name, data[name]) for name in data):
        return None if _is_program(data) else [data]
    found: list[object] | None = None
    has_lists = any(map(_has_papers, data.values()))
    for name, value in data.items():
        if has_lists and isinstance(value, dict) and _folding.fold(name) in _ABOUT:
            continue
        is_list = is_named or _folding.fold(name) in _EMPTY
        inner = _within(name, value, depth, is_list=is_list)
        if inner is not None and (_has_papers(inner) or (not inner and (is_list or isinstance(value, dict)))):
            found = [] if found is None else found
            found += islice(inner, MAX_ENTRIES + 1)
        if found and len(found) > MAX_ENTRIES:
            break
    return found


def _within(name: str, value: object, depth: int, *, is_list: bool) -> list[object] | None:
    """A list, or what an object lists; a paper that is named by its arXiv id has it."""
    if isinstance(value, list):
        return value
    inner = _lists(value, depth + 1, is_named=is_list) if isinstance(value, dict) and depth < 3 else None
    if isinstance(value, dict) and inner == [value] and _ARXIV.fullmatch(name):
        return [{"id": name} | value]
    return inner


def _lists_papers(name: str, value: object) -> bool:
    """Does a list within an object that has a title hold papers, and not what a paper has: links, files, other works?"""
    if not _has_papers(value):
        return False
    return name in _LISTS or (
        not _OTHERS.search(name.lower())
        and isinstance(value, list)
        and any(
            _first(_folding.folded(item), (*_AUTHORS, *_ABSTRACT))
            for item in value[:100]
            if isinstance(item, dict)
        )
    )


def _rows(data: Json) -> list[object]:
    """The papers of a table that is written column by column, as pandas does: `{"title": [...], "authors": [...]}`, or with an
    object of rows for each column. Empty for any other object."""
    columns = list(data.values())
    if len(columns) < 2 or not any(_folding.fold(name) in _TITLE for name in data):
        return []
    if all(isinstance(column, dict) and column.keys() == columns[0].keys() for column in columns):
        columns = [list(column.values()) for column in columns]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return []
    return [dict(zip(data, row, strict=True)) for row in zip(*columns, strict=True)]


def _is_program(record: Json) -> bool:
    """Does this describe a program (`package.json`, `plugin.json`)? It has a title and who wrote it too, and neither a fact nor an
    id of a paper."""
    folded = _folding.folded(record)
    if {"description", "version"}.isdisjoint(folded) or any(map(_FACT.match, folded)):
        return False
    raw = _raw(record)
    return raw is None or not any(raw.ids.values())


def _has_papers(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) and _is_paper(item) for item in value[:100])


def _is_paper(record: Json, *, wrapped: bool = True) -> bool:
    folded = _folding.folded(record, wrapped=wrapped)
    return (
        bool(_title(folded))
        and not _is_reply(folded)
        and any(name in folded for name in (*_AUTHORS, *_ABSTRACT, *_PAGE, *_PDF))
    )


def _title(folded: Json) -> str:
    """The title; that of a paper may stand as the paper, where others have its address."""
    title = string(_first(folded, _TITLE)) or string(folded.get("paper"))
    return "" if title.startswith(("http://", "https://")) else _unbraced(title)


def _unbraced(title: str) -> str:
    """A title without the braces by which BibTeX keeps letters as they are: `{C}arps and {DNA}`. Those of TeX, and of
    signs (`{beta}`), stand."""
    if "{" not in title or "\\" in title or "$" in title or with_signs(title) != title:
        return title
    return _BRACED.sub(r"\1", title)


def _is_reply(folded: Json) -> bool:
    """A review or a comment in OpenReview: a note in the forum of another."""
    forum, own = folded.get("forum"), folded.get("id")
    return isinstance(forum, str) and isinstance(own, str) and bool(_NOTE.fullmatch(forum)) and forum != own


def _first(folded: Json, names: tuple[str, ...]) -> object:
    return next((folded[name] for name in names if name in folded), None)


def _raw(record: Json) -> Raw | None:
    folded = _folding.folded(record)
    title = _title(folded)
    if _is_reply(folded):
        return None
    forum = string(folded.get("forum"))
    if is_note := bool(_NOTE.fullmatch(forum)):
        folded["forum"] = f"{_OPENREVIEW}/forum?id={forum}"
    pages = [url for name in _PAGE if (url := _address(folded.get(name)))]
    pdf = next((url for name in _PDF if (url := _address(folded.get(name)))), "")
    if is_note and not pdf and (path := string(_first(folded, _PDF))).startswith("/"):
        pdf = _address(f"{_OPENREVIEW}{path}")
    if not (title or pages or pdf):
        return None
    if "pubyear" in folded and (there := _page_there(folded)):
        title, folded["authorstring"] = without_stop(title), string(folded.get("authorstring")).rstrip(". ")
        pages = pages if folded.get("doi") else pages or [there]
    authors, authors_raw, source = _authors(_first(folded, _AUTHORS))
    ids, version = _ids(folded, pages)
    created, revised = _versions(folded.get("versions"))
    page = next(iter(pages), "")
    return arxiv_feed.without_announcement(
        Raw(
            title=title,
            abstract=_publishers.without_heading(string(_first(folded, (*_ABSTRACT, "description")))),
            gist=string(folded.get("tldr")),
            ids=ids,
            version=version,
            published=next(
                (day for name in _PUBLISHED if (day := _dates.rfc3339(string(folded.get(name))))), created
            ),
            updated=_dates.rfc3339(string(folded.get("updated"))) or revised,
            authors=authors,
            authors_raw=authors_raw,
            authors_joined=authors_raw is not None,
            tags=_split(folded.get("keywords")),
            categories=_categories(_first(folded, _AREA)),
            links={
                "abstract": "" if identity.arxiv_id(page) else page,
                "pdf": pdf,
                "code": _address(_first(folded, _CODE)),
                "page": _address(_first(folded, _PROJECT)),
            },
            comment=_comment(folded),
            source=source,
        )
    )


def _comment(folded: Json) -> str | None:
    """How a paper is presented, or its comment. That it was published says nothing of it."""
    said = string(_first(folded, (*_STATUS, "comment", "comments")))
    return said if said and said.lower() != "published" else None


def _page_there(folded: Json) -> str:
    """The page at Europe PMC of a record of theirs; "" for others."""
    name = f"{string(folded.get('source'))}/{string(folded.get('id'))}"
    return f"https://europepmc.org/article/{name}" if _HIT.fullmatch(name) else ""


def _address(value: object) -> str:
    """The first address of a value; dumps put several into one string."""
    text = re.split(r"[;\s]", string(value).strip(), maxsplit=1)[0]
    if _BARE.match(text):
        text = f"https://{text}"
    return identity.led_to(text) if text.startswith(("http://", "https://")) else ""


def _ids(folded: Json, pages: list[str]) -> tuple[dict[str, str], int | None]:
    """The ids, and the version of that of arXiv."""
    version = None
    cited = _CITED.search(string(folded.get("bibtex")))
    known = _folding.folded(mapping(folded.get("externalids"))) | folded
    ids = {"doi": string(_first(known, _DOI)) or (cited[1] if cited else "")}
    if _PMCID.fullmatch(pmcid := string(known.get("pmcid"))):
        ids["pmcid"] = pmcid
    if _PMID.fullmatch(pmid := string(known.get("pmid")) or string(known.get("pubmed"))):
        ids["pmid"] = pmid
    for text in (*(string(known.get(name)) for name in ("arxiv", "arxivid", "arxivurl", "eprint")), *pages):
        if text and (found := identity.arxiv_id(text)):
            ids["arxiv"], version = found
            break
    for text in filter(None, map(string, map(folded.get, ("id", "paperid", "pid")))):
        if "arxiv" not in ids and (text.startswith("http") or _ARXIV.fullmatch(text)):
            if found := identity.arxiv_id(text):
                ids["arxiv"], version = found
        elif text.startswith("10.") and not ids["doi"]:
            ids["doi"] = text
    for text in strings(folded.get("identifier")):
        if "arxiv" not in ids and text[:6].lower() == "arxiv:" and (found := identity.arxiv_id(text)):
            ids["arxiv"], version = found
    for url in pages:
        if "openreview" in identity.known_ids({}, {"abstract": url}):
            ids |= identity.known_ids({}, {"abstract": url})
            break
    return ids, version


def _versions(value: object) -> tuple[str | None, str | None]:
    """The dates of the first version and, where there are more, of the last, as the metadata of all of arXiv have them."""
    days = [_dates.rfc3339(string(each.get("created"))) for each in mappings(value)]
    return (days[0], days[-1] if len(days) > 1 else None) if days else (None, None)


def _categories(value: object) -> list[str]:
    """Areas of a venue; those of arXiv may stand in one string with blanks between them."""
    if isinstance(value, str) and _CATEGORIES.fullmatch(value.strip()) and "." in value:
        return value.split()
    return _split(value)


def _split(value: object) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(";" if ";" in value else ",") if part.strip()]
    return strings(value)


def _authors(value: object) -> tuple[list[str], str | None, dict[str, str]]:
    """Names, given name first; of one string the string itself; of a list with family names first how it is written."""
    if isinstance(value, dict):  # `{"author": [...]}`, as XML becomes JSON
        value = next((inner for inner in value.values() if isinstance(inner, list)), None)
    if isinstance(value, list) and len(value) == 1 and len(_several(string(value))) > 1:
        value = value[0]
    if isinstance(value, list):
        written = [name for author in value[:10_000] if (name := _name(author))]
        names = _names.all_natural(written)
        return names, None, _names.inverted(written) if names != written else {}
    if not (text := string(value).strip()):
        return [], None, {}
    for sign in ";", "|", " · ", "\n":
        if sign in text and (sign != "\n" or "," not in text):
            names = list(filter(None, map(_names.bare, text.split(sign))))
            return _names.all_natural(names), text if "," in text else None, {}
    names = _names.split(_names.without_et_al(text))
    return names or [text], text if names and names != [text] else None, {}


def _several(text: str) -> list[str]:
    """The names in a text that holds several, each of more than a word: `Okoye, Ada and Lindal, Bo`."""
    names = _names.split(text) if " and " in text or text.count(",") > 1 else []
    return names if all(" " in name for name in names) else []


def _name(author: object) -> str:
    if not isinstance(author, dict):
        return _names.bare(string(author))
    parts = _folding.folded(author)
    whole = string(
        _first(
            parts, ("name", "fullname", "author", "authorname", "creator", "displayname", "collectivename")
        )
    )
    given, *_, family = spoken = [string(_first(parts, names)) for names in _PARTS_OF_NAMES]
    # "Okoye A" beside all that it is short for
    is_short = given and family and len(whole) < len(f"{family} {given}") and whole.startswith(f"{family} ")
    return " ".join(filter(None, spoken)) if is_short or not whole else whole
