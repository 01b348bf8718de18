"""A paper as reference managers take it: BibTeX, RIS, CSL-JSON 1.0.2, COinS, and the meta elements of its page. Pure.

Nothing is guessed: what has a DOI of its own is an article, all else is a preprint, and no journal is named. Texts of sources are
text: nothing in a title is a command of TeX.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from digest.formats import Publication
from digest.formats.names import Name, name_of
from digest.model import Page, Paper
from digest.render import Renderer, clean, safe_url

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ARXIV_DOI = "10.48550/"
_DOI = re.compile(r"10\.[0-9]{4,9}/[!-~]+")
_ARXIV = re.compile(r"[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7}")


class Citation(Struct, frozen=True, kw_only=True, dict=True):
    """The facts of a paper that a reference holds, as plain text; those that a source does not tell are empty.

    `more` says that there are further authors, whom the source left out. `year`, `month` and `day` are of its publication, 0 where
    they are not known. `article` is true for what has a DOI of its own, false for a preprint. `url` is where to read it, never
    empty: at worst its page here.
    """

    key: str
    title: str
    authors: tuple[Name, ...]
    more: bool
    year: int
    month: int
    day: int
    article: bool
    doi: str
    arxiv: str
    category: str
    version: str
    url: str
    pdf: str
    abstract: str
    keywords: tuple[str, ...]

    @cached_property
    def sorted(self) -> tuple[str, ...]:
        """The authors as lists of references sort them."""
        return tuple(name.sorted for name in self.authors)

    @cached_property
    def bibtex(self) -> str:
        """The fields of its BibTeX entry but for the abstract."""
        return _bibtex_fields(self)

    @cached_property
    def ris(self) -> str:
        """The lines of its RIS record before the abstract."""
        return "".join(f"{tag}  - {value}\r\n" for tag, value in _ris(self))

    @property
    def date(self) -> str:
        """ "2026/11/19", "2026/11", "2026" or ""."""
        return "/".join(
            part for part in (f"{self.year:04}", f"{self.month:02}", f"{self.day:02}") if int(part)
        )


def citation_of(paper: Paper, page: str) -> Citation:
    """The facts of a paper; `page` is the address under which it is found here."""
    arxiv, doi = paper.ids.get("arxiv", ""), paper.ids.get("doi", "")
    arxiv = arxiv if _ARXIV.fullmatch(arxiv) else ""
    doi = doi if _DOI.fullmatch(doi) else ""
    authors = tuple(name for name in map(name_of, paper.authors) if name != Name())
    if not authors and clean(paper.authors_raw or ""):
        authors = (Name(literal=clean(paper.authors_raw or "")),)
    year, month, day = _day_of(paper.published, arxiv)
    title = clean(paper.title) or "(untitled)"
    return Citation(
        key=_key_of(authors, year, title, paper.key),
        title=title,
        authors=authors,
        more=paper.authors_cut,
        year=year,
        month=month,
        day=day,
        article=bool(doi) and not arxiv and not doi.startswith(_ARXIV_DOI),
        doi=doi,
        arxiv=arxiv,
        category=clean(paper.categories[0]) if paper.categories and arxiv else "",
        version=str(paper.version or ""),
        url=safe_url(paper.links.get("abstract", "")) or safe_url(paper.links.get("html", "")) or page,
        pdf=safe_url(paper.links.get("pdf", "")),
        abstract=clean(paper.abstract),
        keywords=tuple(dict.fromkeys(filter(None, map(clean, (*paper.tags, *paper.categories))))),
    )


def cited(publication: Publication, paper: Paper, page: str) -> Citation:
    """The same, made once for the files of a paper's edition and its own."""
    known = publication.citations.get(paper.key)
    if known is None or known[:2] != (paper, page):
        known = publication.citations[paper.key] = (paper, page, citation_of(paper, page))
    return known[2]


def _day_of(published: str | None, arxiv: str) -> tuple[int, int, int]:
    """Year, month and day of publication; of a paper that says none, what its arXiv id says: year and month."""
    try:
        day = date.fromisoformat((published or "")[:10])
        return day.year, day.month, day.day
    except ValueError:
        pass
    digits = arxiv.rpartition("/")[2][:4]
    if not digits or not 1 <= int(digits[2:]) <= 12:
        return 0, 0, 0
    # Two digits of the year: arXiv began in 1991.
    return (1900 if int(digits[:2]) > 90 else 2000) + int(digits[:2]), int(digits[2:]), 0


_BETWEEN_WORDS = re.compile(r"[\s–—-]+")
_NO_ASCII = re.compile(r"[^a-z0-9]+")
# Of titles, and said in no key.
_SMALL_WORDS = frozenset(
    ["a", "an", "and", "are", "as", "at", "by", "do", "does", "for", "from", "how", "in", "is", "of", "on", "or", "the", "to",
     "what", "when", "why", "with"]
)  # fmt: skip


def _key_of(authors: Sequence[Name], year: int, title: str, key: str) -> str:
    """ "okonjo-2026-slow": the first author, the year, the first word of the title that says something."""
    first = authors[0] if authors else Name()
    words = (word for word in map(_ascii, _BETWEEN_WORDS.split(title[:200])) if word)
    word = next((word for word in words if word not in _SMALL_WORDS), "")
    parts = (_ascii(first.family or first.literal)[:30], f"{year}" if year else "", word[:30])
    return "-".join(filter(None, parts)) if parts[0] or parts[2] else _ascii(key)[:60] or "paper"


def _ascii(text: str) -> str:
    """Letters a to z and digits of a text, accents taken off; "" of other scripts."""
    return _NO_ASCII.sub("", unicodedata.normalize("NFKD", text.casefold()))


# ---------------------------------------------------------------- BibTeX

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
}  # fmt: skip
_SPECIAL = re.compile(r"[\\{}~^&%$#_]")
_AND = re.compile(r"\band\b", re.I)
_NOT_VERBATIM = re.compile(r"[\\{}\s]")
# A part of a word that a style in small letters would spoil: GPUs, iPhone, X, 3D.
_KEPT_CAPITALS = re.compile(r"(?<![^\W_])(?!A\b)(?:[^\W_]+[A-Z][^\W_]*|[A-Z])(?![^\W_])")


def bibtex(citations: Sequence[Citation]) -> str:
    """A .bib file: one entry for each, with keys of their own; two that would have the same get letters ("…b")."""
    return "\n".join(
        f"{_head(citation, key)}{citation.bibtex}{_abstract(citation)}}}\n"
        for citation, key in zip(citations, _keys(citations), strict=True)
    )


def short_bibtex(citation: Citation) -> str:
    """The entry without the abstract."""
    return f"{_head(citation, citation.key)}{citation.bibtex}}}\n"


def _keys(citations: Sequence[Citation]) -> list[str]:
    taken: set[str] = set()
    keys = []
    for citation in citations:
        key, n = citation.key, 1
        while key in taken:
            key, n = f"{citation.key}{_letters(n)}", n + 1
        taken.add(key)
        keys.append(key)
    return keys


def _letters(number: int) -> str:
    """1 → b, 25 → z, 26 → ba: a place in base 26."""
    return (_letters(number // 26) if number >= 26 else "") + chr(ord("a") + number % 26)


def _head(citation: Citation, key: str) -> str:
    """Of no entry a journal is known, without which @article is none: styles complain, and some programs stop."""
    return f"@misc{{{key},\n"


def _bibtex_fields(citation: Citation) -> str:
    eprint = citation.arxiv
    fields = {
        "author": " and ".join([*map(_tex_name, citation.authors), *(["others"] if citation.more else [])]),
        "title": _tex_title(citation.title),
        "year": f"{citation.year:04}" if citation.year else "",
        "month": _MONTHS[citation.month - 1] if citation.month else "",
        "doi": _verbatim(citation.doi),
        "eprint": eprint,
        "archivePrefix": "arXiv" if eprint else "",
        "primaryClass": _verbatim(citation.category),
        "url": _verbatim(citation.url),
    }
    return "".join(
        [
            f"  {name} = {value if name == 'month' else f'{{{value}}}'},\n"
            for name, value in fields.items()
            if value
        ]
    )


def _abstract(citation: Citation) -> str:
    return f"  abstract = {{{_tex(citation.abstract)}}},\n" if citation.abstract else ""


def _tex(text: str) -> str:
    """Text that TeX prints as it is. Braces always balance, since BibTeX counts them even behind a backslash; a letter and its
    accent are one sign (NFC), since pdfTeX stops at an accent that stands alone."""
    return _SPECIAL.sub(lambda sign: _TEX[sign[0]], unicodedata.normalize("NFC", text))


def _tex_title(title: str) -> str:
    """With braces around what keeps its capitals: {GPUs}, {X}-ray."""
    title, pieces, end = unicodedata.normalize("NFC", title), [], 0
    for word in _KEPT_CAPITALS.finditer(title):
        pieces += [_tex(title[end : word.start()]), f"{{{word[0]}}}"]
        end = word.end()
    return "".join([*pieces, _tex(title[end:])])


@lru_cache(maxsize=4096)
def _tex_name(name: Name) -> str:
    """In braces where it is whole, or where BibTeX would see two names or other parts in it."""
    if name.literal:
        return f"{{{_tex(name.literal)}}}"
    last = " ".join(filter(None, (name.particle, _tex_part(name.family))))
    return ", ".join(filter(None, (last, _tex_part(name.suffix), _tex_part(name.given))))


def _tex_part(text: str) -> str:
    return f"{{{_tex(text)}}}" if _AND.search(text) else _tex(text)


def _verbatim(text: str) -> str:
    """For fields that TeX prints letter by letter: an address or a DOI, without what would end the field."""
    return _NOT_VERBATIM.sub(lambda sign: quote(sign[0]), text)


# ---------------------------------------------------------------- RIS


def ris(citations: Sequence[Citation]) -> str:
    """A .ris file. Lines end in CRLF, as its specification wants; records are apart by an empty line."""
    return "\r\n".join([f"{citation.ris}{_ris_end(citation)}" for citation in citations])


def _ris_end(citation: Citation) -> str:
    return f"AB  - {citation.abstract}\r\nER  - \r\n" if citation.abstract else "ER  - \r\n"


def _ris(citation: Citation) -> Iterator[tuple[str, str]]:
    yield "TY", "JOUR" if citation.article else "UNPB"
    for tag, values in (
        ("TI", (citation.title,)),
        ("AU", citation.sorted),
        ("PY", (f"{citation.year:04}" if citation.year else "",)),
        # Year/month/day/other: its specification wants all three slashes.
        ("DA", (f"{citation.date}{'/' * (3 - citation.date.count('/'))}" if citation.year else "",)),
        ("DO", (citation.doi,)),
        ("AN", (f"arXiv:{citation.arxiv}" if citation.arxiv else "",)),
        ("UR", (citation.url,)),
        ("L1", (citation.pdf,)),
        ("KW", citation.keywords),
    ):
        yield from ((tag, value) for value in values if value)


# ---------------------------------------------------------------- CSL-JSON


def csl_json(citations: Sequence[Citation]) -> bytes:
    """A list of items of CSL-JSON 1.0.2."""
    items = [_csl(citation, key) for citation, key in zip(citations, _keys(citations), strict=True)]
    return msgspec.json.format(msgspec.json.encode(items), indent=1) + b"\n"


def _csl(citation: Citation, key: str) -> dict[str, Any]:
    day = [part for part in (citation.year, citation.month, citation.day) if part]
    item = {
        "id": key,
        "type": "article-journal" if citation.article else "article",
        "title": citation.title,
        "author": [_csl_name(name) for name in citation.authors],
        "issued": {"date-parts": [day]} if day else None,
        "DOI": citation.doi,
        "number": f"arXiv:{citation.arxiv}" if citation.arxiv else "",
        "publisher": "arXiv" if citation.arxiv else "",
        "version": citation.version,
        "URL": citation.url,
        "keyword": ", ".join(citation.keywords),
        "abstract": citation.abstract,
    }
    return {name: value for name, value in item.items() if value}


def _csl_name(name: Name) -> dict[str, str]:
    if name.literal:
        return {"literal": name.literal}
    parts = {
        "family": name.family,
        "given": name.given,
        "non-dropping-particle": name.particle,
        "suffix": name.suffix,
    }
    return {part: text for part, text in parts.items() if text}


# ---------------------------------------------------------------- in pages


def coins(citation: Citation) -> str:
    """The title of a COinS span (OpenURL 1.0 in KEV form, Z39.88-2004), not escaped for HTML yet."""
    first = citation.authors[0] if citation.authors else Name()
    pairs = [
        ("ctx_ver", "Z39.88-2004"),
        ("rft_val_fmt", "info:ofi/fmt:kev:mtx:journal"),
        ("rft.genre", "article" if citation.article else "preprint"),
        ("rft.atitle", citation.title),
        ("rft.date", citation.date.replace("/", "-")),
        ("rft.aulast", " ".join(filter(None, (first.particle, first.family)))),
        ("rft.aufirst", first.given),
        *(("rft.au", name) for name in citation.sorted),
        ("rft_id", f"info:doi/{citation.doi}" if citation.doi else ""),
        ("rft_id", f"info:arxiv/{citation.arxiv}" if citation.arxiv else ""),
        ("rft_id", citation.url),
    ]
    said = [(name, value) for name, value in pairs if value]
    return "&".join([f"{name}={value.translate(_QUOTED)}" for name, value in said])


class _Quoted(dict[int, str]):
    """A table for str.translate, filled as characters are met: each as an address writes it (RFC 3986, 2.1)."""

    def __missing__(self, code: int) -> str:
        quoted = self[code] = quote(chr(code), safe="")
        return quoted


_QUOTED = _Quoted()


def meta(citation: Citation, page: str) -> list[tuple[str, str]]:
    """Name and content of the meta elements that reference managers and scholarly search engines read; `page` is its own."""
    pairs = [
        ("citation_title", citation.title),
        *(("citation_author", name) for name in citation.sorted),
        ("citation_publication_date", citation.date),
        ("citation_doi", citation.doi),
        ("citation_arxiv_id", citation.arxiv),
        ("citation_pdf_url", citation.pdf),
        ("citation_abstract_html_url", page),
    ]
    return [(name, value) for name, value in pairs if value]


def editions(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`YYYY/MM/DD/papers.bib` and `papers.ris` of each edition to be written, papers in the order of its page."""
    for edition in publication.editions:
        page = publication.url + edition.path
        found = [
            cited(
                publication,
                entry.paper,
                publication.record_url(entry.paper.key) or f"{page}#{quote(entry.anchor)}",
            )
            for entry in edition.entries
        ]
        yield publication.page(f"{edition.path}papers.bib", bibtex(found))
        yield publication.page(f"{edition.path}papers.ris", ris(found))
