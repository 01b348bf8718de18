"""A paper known by its title alone, and records found elsewhere: which address to ask, and is a record the same paper?

Pure: pipeline/lookup.py asks. A wrong id is worse than none, so whatever is in doubt is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from urllib.parse import urlencode

from msgspec.structs import replace

from digest import identity
from digest.model import Paper
from digest.patterns import late

# Where each service is asked: what `[lookup] services` may name. The names are also the kinds that read their answers.
BASES: dict[str, str] = {
    "arxiv": "https://export.arxiv.org/api/query",
    "crossref": "https://api.crossref.org/works",
    "semanticscholar": "https://api.semanticscholar.org/graph/v1/paper/search",
}

RESULTS = 5  # the right one stands among the first, or is not there
MAX_PHRASE_WORDS = 16
STRONG_WORDS = 8
MAX_TITLE_CHARS = 300
# Abstracts that have so much of their content words in common are one text, a little revised perhaps.
LIKE = 0.6
# Below that an editor's touch is half of the text, and a beginning says little of the rest.
MIN_ABSTRACT_WORDS = 20
# What is shorter is no abstract ("No abstract available.").
MIN_SAID_WORDS = 5
# Titles without an abstract: fewer words are a heading ("Editorial", "A Survey") that many papers have.
MIN_TITLE_WORDS = 5

_CROSSREF_FIELDS = "DOI,URL,title,subtitle,author,abstract,issued,link,relation"
_SEMANTICSCHOLAR_FIELDS = "title,abstract,externalIds,url,authors,fieldsOfStudy,publicationDate,openAccessPdf"

_MARKUP = late(r"<[a-zA-Z/][^<>]*>|[$\\{}]")
_FORMULA = late(r"\$[^$]*\$|\\\(.*?\\\)|\\[a-zA-Z]+\*?|<[a-zA-Z/][^<>]*>")
_HYPHENS = late("[-\u2010-\u2015\u2212/]+")
_EDGES = "\"'()[]{}<>.,:;!?*+~^`|&=\u2018\u2019\u201c\u201d\u2026"


def question(service: str, paper: Paper, *, bases: Mapping[str, str] = BASES, contact: str = "") -> str:
    """The address that asks a service (a name in BASES) for records of a paper's title; "" where it cannot be asked for it.

    arXiv API User's Manual, 3.1.1 and 5.1; Crossref REST API, /works; Semantic Scholar Academic Graph API, /paper/search.
    `contact` is the mail address that Crossref wants to know of polite programs.
    """
    title = paper.title
    if len(title) > MAX_TITLE_CHARS:
        title = title[:MAX_TITLE_CHARS].rpartition(" ")[0]
    if service == "arxiv":
        asked = _arxiv_query(title)
        values = {"search_query": asked, "max_results": str(RESULTS)}
    elif service == "crossref":
        asked = " ".join(_MARKUP.sub(" ", title).split())
        values = {"query.bibliographic": asked, "rows": str(RESULTS), "select": _CROSSREF_FIELDS}
        values |= {"mailto": contact} if contact else {}
    else:
        # A plain text; terms with a hyphen find nothing there.
        asked = " ".join(_HYPHENS.sub(" ", _MARKUP.sub(" ", title)).split())
        values = {"query": asked, "limit": str(RESULTS), "fields": _SEMANTICSCHOLAR_FIELDS}
    if not asked:
        return ""
    return f"{bases[service]}?{urlencode(values, errors='replace')}"


def _arxiv_query(title: str) -> str:
    """A phrase in the field of titles, or all of its strongest words where the title is long or was not written as it is shown.

    A formula stands in arXiv's index in its TeX, and a phrase that has it in another spelling finds nothing.
    """
    words: list[str] = []
    whole = True
    for word in _HYPHENS.sub(" ", _FORMULA.sub(" \ufffd ", title)).split():
        bare = word.strip(_EDGES).lower()
        if bare.isascii() and bare.isalnum():
            words.append(bare)
        else:
            whole = whole and not bare
    if whole and len(words) <= MAX_PHRASE_WORDS:
        return f'ti:"{" ".join(words)}"' if words else ""
    telling = [word for word in dict.fromkeys(words) if len(word) > 2 and word not in identity.COMMON_WORDS]
    return " AND ".join(f"ti:{word}" for word in sorted(telling, key=len, reverse=True)[:STRONG_WORDS])


# --- is it the same paper?


def agrees(known: Paper, found: Paper) -> bool:
    """Is a record the paper, beyond doubt? The titles must be equal but for spelling, and the abstracts one text.

    Where one side has no abstract: a title of at least five words, and the same authors on both sides. The same whichever of the
    two is asked about the other.
    """
    if not known.title or identity.title_key(known.title) != identity.title_key(found.title):
        return False
    if identity.ids_conflict(_strong_ids(known), _strong_ids(found)):
        return False
    if _says(known) and _says(found):
        return _one_text(known.abstract, found.abstract)
    words = min(len(paper.title.split()) for paper in (known, found))
    return words >= MIN_TITLE_WORDS and _same_authors(known.authors, found.authors)


def _says(paper: Paper) -> bool:
    return len(paper.abstract.split()) >= MIN_SAID_WORDS


def _one_text(a: str, b: str) -> bool:
    if identity.likeness(a, b) >= LIKE:
        return True
    # One of them is cut, perhaps.
    return min(len(a.split()), len(b.split())) >= MIN_ABSTRACT_WORDS and not identity.is_revised(a, b)


def _same_authors(some: Sequence[str], others: Sequence[str]) -> bool:
    """At least half of the shorter list stand in the other one, full names beside initials."""
    left, right = [identity.name_words(name) for name in some], [identity.name_words(name) for name in others]
    shorter, longer = sorted((left, right), key=len)
    there = sum(
        any(name and other and (name <= other or other <= name) for other in longer) for name in shorter
    )
    return there > 0 and 2 * there >= len(shorter)


def _strong_ids(paper: Paper) -> dict[str, str]:
    ids = identity.known_ids(paper.ids, paper.links)
    return {kind: ids[kind] for kind in identity.STRONG_RUNGS if kind in ids}


def choose(known: Paper, found: Sequence[Paper]) -> list[Paper]:
    """The records of one answer that are the paper and bring an id: all that agree, where no two of them contradict each other
    in an id (a preprint and its journal's DOI); else the one whose abstract is nearest. Empty for none, and for a tie."""
    agreeing = [
        record for record in found if identity.known_ids(record.ids, record.links) and agrees(known, record)
    ]
    pairs = combinations(agreeing, 2)
    if not any(identity.ids_conflict(_strong_ids(one), _strong_ids(other)) for one, other in pairs):
        return agreeing
    by_nearness = sorted(
        ((identity.likeness(known.abstract, r.abstract), n) for n, r in enumerate(agreeing)), reverse=True
    )
    if by_nearness[0][0] == by_nearness[1][0]:
        return []
    return [agreeing[by_nearness[0][1]]]


def merged(known: Paper, records: Sequence[Paper]) -> Paper:
    """The paper with what the records add: ids, version, links, and authors, categories and date where it has none.

    Its own title, abstract and announcement stay, so that nothing about it looks new or revised.
    """
    paper = known
    for record in records:
        paper = replace(
            paper,
            ids=identity.known_ids(record.ids, record.links) | paper.ids,
            version=paper.version or record.version,
            categories=paper.categories or record.categories,
            published=paper.published or record.published,
            links=record.links | paper.links,
        )
        if not paper.authors and record.authors:
            paper = with_authors(paper, record)
    return paper


def with_authors(paper: Paper, record: Paper) -> Paper:
    """The paper with the authors of a record of it."""
    return replace(
        paper,
        authors=record.authors,
        authors_raw=record.authors_raw,
        authors_cut=record.authors_cut,
        authors_joined=record.authors_joined,
    )


def completed(shown: Paper, found: Paper) -> Paper:
    """A paper as an edition shows it, with the ids, links and (where it has none) authors that were found since. Its key and its
    dates stay: they decide what feeds call new."""
    paper = replace(shown, ids=found.ids | shown.ids, links=found.links | shown.links)
    return with_authors(paper, found) if found.authors and not shown.authors else paper
