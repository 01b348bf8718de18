"""Which index service is this the answer of? By the keys and elements that only its records have."""

from __future__ import annotations

import json
import re

from digest.patterns import late

SEEN_CHARS = 200_000


def _key(name: str, value: str = "") -> str:
    return rf'"(?:{name})"\s*:\s*{value}'


# In this order: a work of OpenAlex names Crossref, a paper of Semantic Scholar its DOI.
_JSON: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pubmed", (_key("type", '"esummary"'), _key("uids", r"\["))),
    ("pubmed", (_key("esearchresult", r"\{"),)),
    ("doaj", (_key("bibjson", r"\{"),)),
    ("doaj", (_key("pageSize"), _key("query"), _key("results", r"\["))),
    ("openalex", (_key("authorships|abstract_inverted_index", r"[\[{n]"),)),
    (
        "openalex",
        (_key("meta", r"\{"), _key("results", r"\["), _key("per_page|next_cursor|db_response_time_ms")),
    ),
    ("openalex", (_key("id", r'"https://openalex\.org/W\d'),)),
    ("semanticscholar", (_key("recommendedPapers", r"\["),)),
    ("semanticscholar", (_key("paperId"),)),
    ("datacite", (_key("type", '"dois"'),)),
    ("datacite", (_key("creators", r"[\[{n]"), _key("titles"), _key("doi|publicationYear|identifiers"))),
    ("datacite", (_key("data", r"\[\s*\]"), _key("meta", r"\{"), _key("totalPages"))),
    ("dblp", (_key("result", r"\{"), _key("hits", r"\{"), _key("@total"))),
    ("crossref", (_key("message-type"),)),
    ("crossref", (_key("DOI"), _key("date-parts|container-title|reference-count|is-referenced-by-count"))),
)
# What records of these services have beside their title. Programs that collect papers keep the services' answers within theirs.
_OWN = {
    "crossref": ("DOI",),
    "openalex": ("authorships", "abstract_inverted_index", "ids"),
    "semanticscholar": ("paperId", "externalIds"),
}
_FIRST = late(r"\[\s*(?=\{)")
_NOT_FOUND = late(r'\{\s*(?:"(?:total|offset|next|token)"\s*:\s*(?:\d+|null)\s*,\s*)*"data"\s*:\s*\[\s*\]')
_NONE_AT_ALL = late(r'\{\s*"total"\s*:\s*0\s*,\s*"(?:offset|token|next)"\s*:')
_PAPER = late(
    _key(
        r"(?:(?:paper|preprint|rel|article)[_ -]?)?titles?(?:_s|_display)?|headline",
        r'(?:["{]|\[\s*["{])',
    )
    + "|"
    + _key("paper", r'"(?!https?:)'),
    re.I,
)
# Programmes of conferences call a paper by its name: `"name": "Ponds", "authors": [{"fullname":`; packages of programs have both
# too, without full names.
_NAMED = late(_key("name", r'"(?:[^"\\]|\\.){3,1000}"\s*,\s*"authors"\s*:\s*\[\s*\{[^{}]{0,300}"full_?name"'))
_SAID = late(
    _key(
        r"(?:preprint_|rel_)?authors?|auth(?:or[_ -]?(?:list|names|string|display)|FullName_s)|creators"
        "|abstract(?:s|_?text|_s|Note)?|preprint_doi"
        "|pdf(?:[_ -]?(?:url|link))?|paper[_ -]?(?:url|link)|openreview",
        r'["\[{]',
    ),
    re.I,
)
_DAILY_PAPER = late(_key("submittedOnDaily(?:At|By)|discussionId", r'["{]'))
_DBLP_RECORD = late(
    r"<(?:article|inproceedings|proceedings|book|incollection|phdthesis|mastersthesis|www)\s(?:[^<>]*\s)?key\s*=\s*[\"'][\w-]+/"
)
_MEDLINE = late(r"(?<![^\r\n])PMID- ?\d+[ \t]*(?![^\r\n])")

# Root element → kind.
ROOTS = {
    "pubmedarticleset": "pubmed",
    "pubmedbookarticleset": "pubmed",
    "pubmedarticle": "pubmed",
    "pubmedbookarticle": "pubmed",
    "medlinecitationset": "pubmed",
    "efetchresult": "pubmed",
    "esummaryresult": "pubmed",
    "esearchresult": "pubmed",
    "dblp": "dblp",
    "dblpperson": "dblp",
}


# What the interface of bioRxiv and medRxiv answers for days without preprints.
_NO_POSTS = late(r'\{\s*"messages"\s*:\s*\[[^\[\]]*\]\s*,\s*"collection"\s*:\s*\[\s*\]\s*\}')
# Europe PMC's search without results; behind the last page it still says how many there are.
_HITS = late(_key("hitCount", r"\d"))
_NO_RESULT = late(_key("resultList", r'\{\s*(?:"result"\s*:\s*\[\s*\]\s*)?\}'))


# Of Solr (HAL, PLOS), Zenodo, INSPIRE, ChemRxiv and IEEE Xplore.
_NONE_HELD = late(_key("docs|hits|itemHits|records|articles", r"\[\s*\]"))
_NONE_STATED = late(_key("numFound|total|totalCount|totalRecords|total_records", r"0\b"))


def json_kind(text: str) -> str:
    """The kind of a JSON document that index services answer; "" for none of them."""
    text = text[:SEEN_CHARS]
    for kind, patterns in _JSON:
        if all(re.search(pattern, text) for pattern in patterns):
            return "" if kind in _OWN and _is_about(text, _OWN[kind]) else kind
    head = text[:2_000]
    return "semanticscholar" if _NOT_FOUND.match(head) or _NONE_AT_ALL.match(head) else ""


def _is_about(text: str, own: tuple[str, ...]) -> bool:
    """Is the first record a paper in another's words, with its title and authors, and none of these keys?"""
    if not (opening := _FIRST.search(text)):
        return False
    try:
        first, _ = json.JSONDecoder().raw_decode(text, opening.end())
    except (ValueError, RecursionError):
        return False
    return "title" in first and "authors" in first and not any(name in first for name in own)


def is_of_hugging_face(text: str) -> str:
    """ "huggingface" for papers with the keys that only its interface has, in whatever list or lines; else ""."""
    return "huggingface" if _DAILY_PAPER.search(text, 0, SEEN_CHARS) else ""


_ABSTRACT = late(_key("abstract", '"'))
_CONTENT = late(_key("content_(?:html|text)"))


def is_list_of_items(text: str) -> bool:
    """Does this hold papers with abstracts under `items`, which no JSON Feed has?"""
    text = text[:SEEN_CHARS]
    return bool(_ABSTRACT.search(text)) and not _CONTENT.search(text)


def is_venue(text: str) -> str:
    """ "venue" for JSON that holds objects with a title and authors, an abstract or a PDF, and for what says that there are
    none; else ""."""
    text = text[:SEEN_CHARS]
    if _NONE_HELD.search(text) and _NONE_STATED.search(text):
        return "venue"
    if _NO_POSTS.fullmatch(text[:2_000].strip()) or (_HITS.search(text) and _NO_RESULT.search(text)):
        return "venue"
    return "venue" if _NAMED.search(text) or (_PAPER.search(text) and _SAID.search(text)) else ""


def xml_kind(root: str, head: str) -> str:
    """The kind of an XML document by its root (lower case) and its beginning; "" for none of these."""
    if root == "result":
        return "dblp" if re.search(r"<hits\b", head) else ""
    return ROOTS.get(root, "") or ("dblp" if _DBLP_RECORD.search(head[:4_000]) else "")


def is_fragment(head: str) -> bool:
    """Is this a record of DBLP without declaration and root?"""
    return bool(_DBLP_RECORD.match(head))


def is_medline(text: str) -> bool:
    """Is this PubMed's text: MEDLINE, Abstract or Summary?"""
    if "PMID-" in text and _MEDLINE.search(text):
        return True
    if "PMID: " not in text:
        return False
    from digest.sources._pubmed_found import reader_of

    return reader_of(text) is not None


def is_proceedings(text: str) -> bool:
    return "contrib_title" in text and bool(re.search(r"class\s*=\s*[\"']?[^\"'<>]*\bcontrib_title\b", text))
