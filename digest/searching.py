"""The language of searches: words → a Query, and whether it finds a paper. Pure.

Words stand for themselves, all of them must match: `attention "machine translation" transform* -survey author:"Ada Fenwick"
title:chart category:cs.CL topic:vision date:2026-11..`. The databases (store/search.py) and the script of a static archive
(templates/archive/search.js) give the same answers as `matches`, since all of them see the same `tokens`.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from digest.config import OTHER_SLUG
from digest.errors import UsageError
from digest.labels import SLUG_CHARS, slug_of
from digest.model import Hit, Paper
from digest.patterns import late

MAX_CHARS = 500
MAX_TERMS = 32

Field = Literal["", "title", "author", "category", "topic"]


class Term(Struct, frozen=True, kw_only=True):
    """One thing that a paper must have, or must not have (`negated`).

    `words` are tokens: one for a word, several for a phrase (with field author: words of one name, in any order). `prefix`: of
    the last word the beginning is enough. `slug` (labels.slug_of) is set for category and topic, and decides there, or its
    beginning does, which may end in a dot ("math.*").
    """

    field: Field = ""
    words: tuple[str, ...]
    prefix: bool = False
    negated: bool = False
    slug: str = ""


class Query(Struct, frozen=True, kw_only=True):
    """A search: all `terms`, shown from `since` until `until`, both included. `text` says the same in one way only: two searches
    with the same text are the same, and parse_query(text) gives this query again."""

    terms: tuple[Term, ...]
    since: date | None = None
    until: date | None = None
    text: str


# ---------------------------------------------------------------- letters

# Letters whose stroke or bond is no accent to Unicode, and is to people who type a name.
_BARE = str.maketrans({"ς": "σ", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"})
_VOICED = "\u3099\u309a"  # marks of kana, which make other letters
# Han, kana, bopomofo and hangul: written without spaces, so each is a token of its own.
_FIRST_SINGLE = "\u1100"
_SINGLE = late(
    "[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_ASCII_FOLDS = bytes(ord(chr(c).lower()) if c < 128 and chr(c).isalnum() else 32 for c in range(256))
_RUN = late("[A-Za-z0-9\u0080-\U0010ffff]+")


class _Folds(dict[int, str]):
    """What a character is to a search: letters without case and accents, spaces for what is none; filled as they are met."""

    def __missing__(self, code: int) -> str:
        bare = _without_marks(unicodedata.normalize("NFKD", chr(code)), _VOICED)
        folded = unicodedata.normalize("NFC", bare.lower().upper().lower().translate(_BARE))
        self[code] = "".join(map(_spaced, _without_marks(folded, "")))
        return self[code]


def _without_marks(text: str, kept: str) -> str:
    return "".join(c for c in text if c in kept or unicodedata.category(c)[0] != "M")


def _spaced(c: str) -> str:
    if unicodedata.category(c)[0] not in "LN":
        return " "
    return f" {c} " if c >= _FIRST_SINGLE and _SINGLE.match(c) else c


_FOLDS = _Folds()


def tokens(text: str) -> list[str]:
    """The words of a text as searches see them: without case, accents and width, of letters and digits only. "Žáček's GPT‑4" →
    zacek, s, gpt, 4. Each Han, kana and hangul letter is a token of its own. Tokens of tokens are the same tokens."""
    if text.isascii():
        return text.encode().translate(_ASCII_FOLDS).decode().split()  # in a third of an expression's time
    return unicodedata.normalize("NFKC", text).translate(_FOLDS).split()


class _Span(Struct, frozen=True):
    """A token, and where it stands in the text as it was written."""

    token: str
    start: int
    end: int


def _spans(text: str) -> list[_Span]:
    """The tokens of a text, each with its place."""
    spans: list[_Span] = []
    for run in _RUN.finditer(text):
        if run[0].isascii():
            spans.append(_Span(run[0].lower(), run.start(), run.end()))
        else:
            spans += _other_spans(run[0], run.start())
    return spans


def _other_spans(text: str, offset: int) -> Iterator[_Span]:
    """The tokens of a text, letter by letter; `offset` is where it begins."""
    word, start, end = "", 0, 0
    for begin, stop in _letters(text):
        folded = unicodedata.normalize("NFKC", text[begin:stop]).translate(_FOLDS)
        for part in re.findall(" +|[^ ]+", folded):
            if part[0] != " ":
                start = start if word else begin
                word, end = word + part, stop
            elif word:
                yield _Span(word, offset + start, offset + end)
                word = ""
    if word:
        yield _Span(word, offset + start, offset + end)


def _letters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each letter with the marks (and parts of a hangul syllable) that belong to it."""
    start = 0
    for at in range(1, len(text)):
        if not _joins(text[at]):
            yield start, at
            start = at
    if text:
        yield start, len(text)


@lru_cache(maxsize=4096)
def _joins(c: str) -> bool:
    first = unicodedata.normalize("NFKD", c)[0]
    return unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"


# ---------------------------------------------------------------- the language

# Space, controls and marks that nobody sees.
_BLANK = late("[\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")
_QUOTES = str.maketrans(dict.fromkeys("“”„‟″«»", '"'))
_TERM = late(
    r'(-?)(?:(author|category|topic|title|date):)?(?:"([^"]*)(?:"(\*?)|$)|([^ "]*))', re.IGNORECASE | re.ASCII
)
_FIELDS: dict[str, Field] = {
    "": "",
    "title": "title",
    "author": "author",
    "category": "category",
    "topic": "topic",
}
_TOO_LONG = f"the search is longer than {MAX_CHARS} characters. Leave some words out."
_DATE = late("([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


def parse_query(text: str) -> Query:
    """What a search looks for. Raises UsageError, with the mend, for one that is too long, looks for nothing, or names a date
    that is none. Whatever is no operator is a word."""
    if len(text) > MAX_CHARS:
        raise UsageError(_TOO_LONG)
    plain = _BLANK.sub(" ", unicodedata.normalize("NFKC", text).translate(_QUOTES))
    terms: dict[Term, str] = {}
    since: date | None = None
    until: date | None = None
    at = 0
    while at < len(plain):
        found = _TERM.match(plain, at)
        assert found is not None
        at = max(found.end(), at + 1)
        minus, field, phrase, star, word = (group or "" for group in found.groups())
        value = phrase if found[3] is not None else word
        field = field.lower()
        if field and not value.strip():
            raise UsageError(f'"{field}:" has nothing after it. {_EXAMPLES[field]}')
        if field == "date":
            first, last = _days(value, negated=bool(minus))
            since = max(filter(None, (since, first)), default=None)
            until = min(filter(None, (until, last)), default=None)
            continue
        prefix = bool(star) or (found[3] is None and word.endswith("*"))
        term = _term(_FIELDS[field], value, prefix=prefix, negated=bool(minus))
        if term is not None:
            terms.setdefault(term, _said(term, value))
    return _checked(terms, since, until)


_EXAMPLES = {
    "author": 'Write author:fenwick or author:"Ada Fenwick".',
    "category": "Write category:cs.CL.",
    "topic": 'Write topic:vision or topic:"Language models".',
    "title": "Write title:charts.",
    "date": "Write date:2026, date:2026-11-19 or date:2026-11-01..2026-11-19.",
}


def _term(field: Field, value: str, *, prefix: bool, negated: bool) -> Term | None:
    words = tuple(tokens(value))
    if field in ("category", "topic"):
        slug = slug_of(value.rstrip("*"))
        prefix = prefix and len(slug) <= SLUG_CHARS  # a longer one ends in a hash
        slug += "." * (prefix and bool(slug) and value.rstrip("*").endswith("."))
        return (
            Term(field=field, words=words, prefix=prefix, negated=negated, slug=slug)
            if slug and words
            else None
        )
    return Term(field=field, words=words, prefix=prefix, negated=negated) if words else None


def _said(term: Term, value: str) -> str:
    """A term as it stands in Query.text."""
    if term.slug:
        known = slug_of(term.slug.rstrip(".")) == term.slug.rstrip(".")
        bare = term.slug if known else " ".join(value.casefold().rstrip("*").split())
        said = f'"{bare}"'
    else:
        said = f'"{" ".join(term.words)}"' if len(term.words) > 1 else term.words[0]
    field = f"{term.field}:" if term.field else ""
    return f"{'-' * term.negated}{field}{said}{'*' * term.prefix}"


def _checked(terms: Mapping[Term, str], since: date | None, until: date | None) -> Query:
    if len(terms) > MAX_TERMS:
        raise UsageError(f"the search has more than {MAX_TERMS} words and phrases. Leave some out.")
    if since and until and since > until:
        raise UsageError(f"the search ends on {until}, before it begins on {since}. Turn the dates around.")
    if not (since or until) and all(term.negated for term in terms):
        raise UsageError(
            "the search only says what to leave out. Add a word to look for."
            if terms
            else "the search has no word to look for. Write one, such as a name or a word of a title."
        )
    dates = f"{since or ''}..{until or ''}" if since != until else f"{since}"
    said = " ".join([*terms.values(), *([f"date:{dates}"] if since or until else [])])
    if len(said) > MAX_CHARS:
        raise UsageError(_TOO_LONG)
    return Query(terms=tuple(terms), since=since, until=until, text=said)


def _days(value: str, *, negated: bool) -> tuple[date | None, date | None]:
    """First and last day of "2026", "2026-11", "2026-11-19", "2026-11..2026-12", "..2026" or "2026.."."""
    if negated:
        raise UsageError(
            "dates cannot be left out. Name those to look at, such as date:..2025 or date:2026-11-01..."
        )
    first, dots, last = value.strip().partition("..")
    if not (first or last):
        raise UsageError(f'"date:{value}" names no date. {_EXAMPLES["date"]}')
    return (
        _day(first, last=False) if first else None,
        _day(last if dots else first, last=True) if last or not dots else None,
    )


def _day(text: str, *, last: bool) -> date:
    """The first or the last day of a year, a month, or a day."""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month = int(found[1]), int(found[2] or (12 if last else 1))
        return date(year, month, int(found[3] or (monthrange(year, month)[1] if last else 1)))
    except ValueError:
        raise UsageError(f'"{text}" is no date. {_EXAMPLES["date"]}') from None


# ---------------------------------------------------------------- papers


def author_names(paper: Paper) -> tuple[str, ...]:
    """The names that searches look in: the authors, or the one string that a listing gave for all of them."""
    return paper.authors or ((paper.authors_raw,) if paper.authors_raw else ())


def matches(query: Query, hit: Hit, *, topics: Mapping[str, str] | None = None) -> bool:
    """Does the search find this paper? `topics` are slugs by topic name (config.slugs_of), where they may differ from the names."""
    day = hit.place.date
    if (query.since and day < query.since) or (query.until and day > query.until):
        return False
    found = _Found(hit, topics or {})
    return all(found.has(term) != term.negated for term in query.terms)


class _Found:
    """A paper's texts as tokens."""

    def __init__(self, hit: Hit, topics: Mapping[str, str]) -> None:
        paper = hit.paper
        self._names = [tokens(name) for name in author_names(paper)]
        self._title = tokens(paper.title)
        self._texts = [self._title, tokens(paper.abstract), [token for name in self._names for token in name]]
        self._slugs = {
            "category": {slug_of(name) for name in paper.categories},
            "topic": {topics.get(hit.topic, ""), slug_of(hit.topic) or OTHER_SLUG},
        }

    def has(self, term: Term) -> bool:
        if term.field in self._slugs:
            slugs = self._slugs[term.field]
            return any(slug.startswith(term.slug) for slug in slugs) if term.prefix else term.slug in slugs
        if term.field == "author":
            return any(all(_word_in(name, term, n) for n in range(len(term.words))) for name in self._names)
        texts = [self._title] if term.field == "title" else self._texts
        return any(next(_places(text, term), None) is not None for text in texts)


def _word_in(name: Sequence[str], term: Term, number: int) -> bool:
    word = term.words[number]
    if term.prefix and number == len(term.words) - 1:
        return any(token.startswith(word) for token in name)
    return word in name


def _places(text: Sequence[str], term: Term) -> Iterator[int]:
    """Where the words of a term stand in a row."""
    *before, last = term.words
    length = len(term.words)
    for at in range(len(text) - length + 1):
        end = text[at + length - 1]
        if (end.startswith(last) if term.prefix else end == last) and list(
            text[at : at + length - 1]
        ) == before:
            yield at


# ---------------------------------------------------------------- marks


def pieces(text: str, query: Query, *, width: int = 0, field: Field = "") -> tuple[tuple[str, bool], ...]:
    """`text` in pieces, True for those that the search found. Joined they are the text; or, where that is longer than `width`,
    about that many characters of it around the first find, with `…` where it is cut. `field` says what the text is (title,
    author), so that its terms are marked too."""
    spans = _spans(text)
    marks = _marks(spans, query, field)
    start, end = _window(text, spans, marks, width) if width and len(text) > width else (0, len(text))
    found: list[tuple[str, bool]] = [("…", False)] if start else []
    at = start
    for first, last in marks:
        if first >= start and last <= end:
            found += [(text[at:first], False), (text[first:last], True)]
            at = last
    found += [(text[at:end], False), ("…" if end < len(text) else "", False)]
    return tuple(_joined(found))


def _marks(spans: Sequence[_Span], query: Query, field: Field) -> list[tuple[int, int]]:
    """Start and end of what was found, from left to right, apart from each other."""
    words = [span.token for span in spans]
    found: list[tuple[int, int]] = []
    for term in query.terms:
        if term.negated or term.field not in ("", field):
            continue
        if term.field == "author":
            wanted = [Term(words=(word,)) for word in term.words[:-1]]
            wanted.append(Term(words=term.words[-1:], prefix=term.prefix))
        else:
            wanted = [term]
        for one in wanted:
            found += [(spans[at].start, spans[at + len(one.words) - 1].end) for at in _places(words, one)]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _window(
    text: str, spans: Sequence[_Span], marks: Sequence[tuple[int, int]], width: int
) -> tuple[int, int]:
    """The part of a text that is shown: it begins at a word a third of the width before the first find, and ends after one."""
    first, last = marks[0] if marks else (0, 0)
    wanted = 0 if last <= width else min(first - width // 3, len(text) - width)
    start = next((span.start for span in spans if span.start >= wanted), 0) if wanted > 0 else 0
    if start + width >= len(text):
        return start, len(text)
    ends = [span.end for span in spans if start < span.end <= max(start + width, last)]
    return start, ends[-1] if ends else _cut(text, start + width)


def _cut(text: str, at: int) -> int:
    """A place near `at` that splits no letter from its marks."""
    while at > 0 and _joins(text[at]):
        at -= 1
    return at


def _joined(found: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """Without empty pieces, and neighbours of one kind as one."""
    text, kind = "", False
    for piece, marked in found:
        if marked != kind and piece:
            if text:
                yield text, kind
            text, kind = "", marked
        text += piece
    if text:
        yield text, kind
