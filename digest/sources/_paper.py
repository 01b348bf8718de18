"""The one finishing step of all parsers: raw strings as a page shows them → papers, cleaned, linked, keyed, unique."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct, structs

from digest import identity
from digest.identity import is_web_address
from digest.model import Announce, Paper
from digest.patterns import late
from digest.sources._highwire import with_signs, without_marks, without_review
from digest.text import (
    are_clean,
    clean,
    decode_entities,
    line_and_clean,
    links_in,
    one_line,
    strip_controls,
)

MAX_PAPERS = 5_000
MAX_ENTRIES = MAX_PAPERS + 1_000  # repeats included
MAX_TITLE_CHARS = 1_000
MAX_ABSTRACT_CHARS = 20_000
MAX_MARKUP = 5_000  # elements in one text; written out again each has its namespaces
MAX_AUTHORS = 5_000
MAX_FIELD_CHARS = 2_000
MAX_KEPT_CHARS = 200_000  # the names of 5,000 authors, as the source writes them
MAX_STAMP_CHARS = 50
MAX_VOTES = 10**9
MAX_ID_CHARS = 500  # what is longer is no id, and no address: it is left out, since a part would be another's
_UNREADABLE = "\ufffd"
LINK_NAMES = frozenset(["abstract", "pdf", "code", "hf", "page", "model", "data", "html"])


class Raw(Struct, kw_only=True, gc=False):
    """A paper as a page has it: nothing cleaned yet. The fields are those of model.Paper. It holds nothing that could hold it."""

    title: str = ""
    abstract: str = ""
    gist: str = ""
    ids: dict[str, str] = {}
    version: int | None = None
    authors: list[str] = []
    authors_raw: str | None = None
    authors_cut: bool = False
    authors_joined: bool = False
    categories: list[str] = []
    announce: Announce | None = None
    published: str | None = None
    updated: str | None = None
    links: dict[str, str] = {}
    upvotes: int | None = None
    tags: list[str] = []
    organization: str | None = None
    comment: str | None = None
    source: dict[str, str] = {}  # goes into `source_text`: an id or authors as the source writes them


def finish(raws: Iterable[Raw], notes: list[str], *, trusted_ids: bool = True) -> tuple[Paper, ...]:
    """Papers in page order, unique by key, at most 5,000. What was left out or cut is said in `notes`.

    With `trusted_ids` an id alone makes two entries one paper (arXiv lists aliases twice). Otherwise entries of one key
    are one only if their titles agree too: feeds give two items one guid, and both are kept.
    """
    papers: dict[str, Paper] = {}
    repeated = nothing = 0
    for entry, raw in enumerate(raws):
        if len(papers) == MAX_PAPERS or entry == MAX_ENTRIES:
            notes.append(f"cut: only the first {len(papers)} papers of this listing were read")
            break
        paper = _finished(raw)
        if not paper.key and (paper.abstract or paper.links):
            paper = structs.replace(paper, key=_last_resort(paper))
        known = papers.get(paper.key)
        if known is not None and not trusted_ids and not _is_same(known, paper):
            paper = _told_apart(paper)
            known = papers.get(paper.key)
        if not paper.key:
            nothing += 1
        elif known is None:
            papers[paper.key] = paper
        else:
            repeated += 1
    if repeated:
        notes.append(f"{plural(repeated, 'repeated entry', 'repeated entries')} left out")
    if torn := sum(_UNREADABLE in paper.title or _UNREADABLE in paper.abstract for paper in papers.values()):
        notes.append(f"{plural(torn, 'paper', 'papers')} with characters that could not be read (U+FFFD)")
    if nothing:
        notes.append(f"{plural(nothing, 'entry', 'entries')} without title, abstract or address left out")
    return tuple(papers.values())


def plural(count: int, one: str, many: str) -> str:
    """1 entry, 30 entries"""
    return f"{count} {one if count == 1 else many}"


def _last_resort(paper: Paper) -> str:
    """A key for an entry without title, id and page: it is shown to the operator, never to readers."""
    return f"text:{blake2b(f'{paper.abstract} {sorted(paper.links.items())}'.encode(), digest_size=10).hexdigest()}"


def _is_same(one: Paper, other: Paper) -> bool:
    """Two items of one key: by their titles, and where these are all that they share by what the source calls them."""
    if identity.title_key(one.title) != identity.title_key(other.title):
        return False
    named = one.source_text.get("id"), other.source_text.get("id")
    if identity.rung(one.key) != "title" or named[0] == named[1] or not all(named):
        return True
    return not (one.abstract and other.abstract) or one.abstract == other.abstract


def _told_apart(paper: Paper) -> Paper:
    """The second of two papers that a page gives one id or address: it falls to the next rung of the ladder."""
    kind = identity.rung(paper.key)
    if kind == "title":
        return structs.replace(paper, key=identity.primary_key({}, {}, "", paper.abstract) or paper.key)
    if kind == "url":
        return structs.replace(paper, key=identity.primary_key(paper.ids, {}, paper.title, paper.abstract))
    ids = {name: value for name, value in paper.ids.items() if name != kind}
    links = dict(paper.links)
    if "abstract" in links and identity.rung(identity.primary_key(ids, links, "")) == kind:
        links.setdefault("page", links.pop("abstract"))
        links.pop("pdf", None)
    return structs.replace(
        paper, key=identity.primary_key(ids, links, paper.title, paper.abstract), ids=ids, links=links
    )


def _finished(raw: Raw) -> Paper:
    raw_title, title = line_and_clean(raw.title[:MAX_TITLE_CHARS])
    raw_abstract, abstract = line_and_clean(raw.abstract[:MAX_ABSTRACT_CHARS]) if raw.abstract else ("", "")
    if "_" in abstract or "_" in title:
        title, abstract = without_marks(title), without_marks(abstract)
    if ("{" in abstract or "{" in title) and "arxiv" not in raw.ids:
        title, abstract = with_signs(title), with_signs(abstract)
    title = without_review(title)
    ids = identity.normalise_ids(_bounded(raw.ids, MAX_ID_CHARS)) if raw.ids else {}
    links = _links(raw, raw_abstract, ids)
    is_clean = _is_clean(raw)
    names, field = (_distinct, _given) if is_clean else (_names, _cleaned)
    return Paper(
        # The ids have their one spelling here, and an arXiv id is the strongest key: nothing else has to be looked at.
        key=f"arxiv:{ids['arxiv']}" if "arxiv" in ids else identity.primary_key(ids, links, title, abstract),
        title=title,
        abstract=abstract,
        gist=field(raw.gist, MAX_FIELD_CHARS) if raw.gist else "",
        ids=ids,
        version=raw.version,
        authors=names(raw.authors),
        authors_raw=field(raw.authors_raw, MAX_ABSTRACT_CHARS) if raw.authors_raw else None,
        authors_cut=raw.authors_cut or len(raw.authors) > MAX_AUTHORS,
        authors_joined=raw.authors_joined and bool(raw.authors_raw),
        categories=names(raw.categories),
        announce=raw.announce,
        published=_stamp(raw.published),
        updated=_stamp(raw.updated),
        links=links,
        upvotes=raw.upvotes if raw.upvotes is None or 0 <= raw.upvotes <= MAX_VOTES else None,
        tags=names(raw.tags),
        organization=field(raw.organization, MAX_FIELD_CHARS) or None if raw.organization else None,
        comment=field(raw.comment, MAX_FIELD_CHARS) or None if raw.comment else None,
        source_text=_source_text(title=(raw_title, title), abstract=(raw_abstract, abstract))
        | _kept(raw.source)
        if raw.source or title is not raw_title or abstract is not raw_abstract
        else {},
    )


_STAMP = late(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,12})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def _stamp(text: str | None) -> str | None:
    """A date or date-time as it was given; None for what only begins like one."""
    return text if text and len(text) <= MAX_STAMP_CHARS and _is_stamp(text) else None


@lru_cache(maxsize=1024)  # a day has one date for most of what it brings
def _is_stamp(text: str) -> bool:
    return _STAMP.fullmatch(text) is not None


def _bounded(values: dict[str, str], chars: int) -> dict[str, str]:
    for value in values.values():
        if len(value) > chars:
            break
    else:
        return values
    return {name: value for name, value in values.items() if len(value) <= chars}


def _is_clean(raw: Raw) -> bool:
    """Is there nothing to clean in any text but title and abstract, as in most papers? Asked of all at once."""
    texts = [*raw.authors, *raw.categories, *raw.tags]
    texts += filter(None, (raw.gist, raw.authors_raw, raw.organization, raw.comment))
    return not texts or (len(texts) <= MAX_AUTHORS and are_clean(texts, MAX_FIELD_CHARS))


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names)) if names else ()


def _names(raw: list[str]) -> tuple[str, ...]:
    if not raw or (len(raw) <= MAX_AUTHORS and are_clean(raw, MAX_FIELD_CHARS)):
        return _distinct(raw)
    names = (clean(name[:MAX_FIELD_CHARS]) for name in raw[:MAX_AUTHORS])
    return _distinct([name for name in names if name])


def _given(text: str, _chars: int) -> str:
    return text


def _cleaned(text: str, chars: int) -> str:
    return clean(text[:chars])


def _links(raw: Raw, abstract: str, ids: dict[str, str]) -> dict[str, str]:
    """The page's own links, then those of the arXiv id or DOI, then those that stand in the abstract."""
    arxiv = ids.get("arxiv")
    page, pdf = (f"https://arxiv.org/abs/{arxiv}", f"https://arxiv.org/pdf/{arxiv}") if arxiv else ("", "")
    links = {
        name: url
        for name, url in raw.links.items()
        if url
        and name in LINK_NAMES
        and (url in (page, pdf) or (len(url) <= MAX_FIELD_CHARS and is_web_address(url)))
    }
    if arxiv:
        links.setdefault("abstract", page)
        links.setdefault("pdf", pdf)
    elif doi := ids.get("doi"):
        links.setdefault("abstract", f"https://doi.org/{doi}")
    for name, url in _links_in(abstract).items() if abstract else ():
        if len(url) <= MAX_FIELD_CHARS and is_web_address(url):
            links.setdefault(name, url)
    return links


_HREF = late(r"<a\b[^<>]*?href\s*=\s*[\"']?(https?://[^\"'\s<>]+)", re.I)
_TAG = late(r"<(?:[a-zA-Z/]|!(?!\[CDATA\[))[^<>]*>")


def _links_in(abstract: str) -> dict[str, str]:
    """Links that stand in an abstract, in its words or, in HTML, behind them (only those plainly of the paper)."""
    if "<" not in abstract:
        return links_in(abstract)
    links = links_in(_TAG.sub(" ", abstract))
    for name, url in links_in(" ".join(_HREF.findall(abstract))).items():
        if name != "page" or ".github.io" in url:
            links.setdefault(name, url)
    return links


def _kept(source: dict[str, str]) -> dict[str, str]:
    return {
        name: one_line(strip_controls(text)) for name, text in source.items() if len(text) <= MAX_KEPT_CHARS
    }


def _source_text(**texts: tuple[str, str]) -> dict[str, str]:
    """Raw texts where cleaning changed more than white space, entities and what cannot be shown."""
    kept = {}
    for name, (raw, cleaned) in texts.items():
        if raw is cleaned or raw == cleaned:
            continue
        shown = strip_controls(raw)
        if shown is not raw:  # which has its white space collapsed
            shown = one_line(shown)
        if (one_line(strip_controls(decode_entities(raw))) if "&" in raw else shown) != cleaned:
            kept[name] = shown
    return kept
