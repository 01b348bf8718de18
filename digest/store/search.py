"""Searches among what was shown: a Query in the language of each database. Both find the same papers, those of searching.matches.

No word of a query gets into an expression without quotes, so none of it is ever read as an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from digest.model import Hit
from digest.store import wording
from digest.store.database import Database
from digest.store.shown import hits_of, id_range
from digest.utf8 import plain

if TYPE_CHECKING:
    from digest.searching import Query, Term


class Language(Struct, frozen=True):
    """How a database writes an expression: `phrase` takes a field ("", title or author), words that stand in a row, and whether of
    the last the beginning is enough."""

    phrase: Callable[[str, Sequence[str], bool], str]
    label: Callable[[str, bool], str]
    both: str
    either: str
    but_not: str

    def all_of(self, parts: Iterable[str]) -> str:
        return "(" + self.both.join(parts) + ")"

    def without(self, found: str, left_out: Sequence[str]) -> str:
        return f"({found}{self.but_not}({self.either.join(left_out)}))" if left_out else found

    def term(self, term: Term, field: str) -> str:
        """A term, looked for in a field."""
        if term.slug:
            return self.label(wording.label(term.field, plain(term.slug)), term.prefix)
        words = [word[: wording.MAX_TOKEN] for word in term.words]
        if term.field != "author":
            return self.phrase(field, words, term.prefix)
        together = self.words_of_names(words, field, term.prefix)
        if term.prefix or not _names_one(term):
            return together
        return f"({self.pairs(words)}{self.either}{self.all_of([self.label(wording.LONG, False), together])})"

    def pairs(self, words: Sequence[str]) -> str:
        """Each two of these words stand in one name: for two words that is exact, but for long names (wording.LONG)."""
        two = combinations(sorted({word[: wording.MAX_TOKEN] for word in words}), 2)
        return self.all_of(self.label(wording.pair(one, other), False) for one, other in two)

    def words_of_names(self, words: Sequence[str], field: str, prefix: bool) -> str:
        """All of these words, in whatever names."""
        *whole, last = (word[: wording.MAX_TOKEN] for word in words)
        return self.all_of(
            [*(self.phrase(field, [w], False) for w in whole), self.phrase(field, [last], prefix)]
        )


def _fts5_string(token: str, prefix: bool) -> str:
    return '"' + token.replace('"', '""') + '"' + " *" * prefix


def _fts5_phrase(field: str, words: Sequence[str], prefix: bool) -> str:
    column = {"title": "title : ", "author": "authors : "}.get(field, "")
    return column + _fts5_string(" ".join(words), prefix)


def _tsquery_string(lexeme: str, prefix: bool) -> str:
    return wording.quoted(lexeme) + ":*" * prefix


def _tsquery_phrase(field: str, words: Sequence[str], prefix: bool) -> str:
    lexemes = [wording.label(field, word) if field else word for word in words]
    parts = [_tsquery_string(lexeme, False) for lexeme in lexemes[:-1]]
    return "(" + " <-> ".join([*parts, _tsquery_string(lexemes[-1], prefix)]) + ")"


LANGUAGES = {
    "sqlite": Language(_fts5_phrase, _fts5_string, " AND ", " OR ", " NOT "),
    "postgres": Language(_tsquery_phrase, _tsquery_string, " & ", " | ", " & !"),
}


class Search:
    """The part of the store that finds papers by their words."""

    _db: Database

    def search(
        self,
        query: Query,
        *,
        digests: Sequence[str] = (),
        limit: int,
        offset: int = 0,
        order: Literal["rank", "newest"] = "rank",
    ) -> tuple[int, list[Hit]]:
        """How many papers a search finds among what these digests show (none named: all of them), and some of them.

        Each counts once, at its newest place there. In the order "newest" they come by their places, the newest first, and in
        the order "rank" those before the others that have all words in their titles.
        """
        with self._db.reading():
            return _Searching(self._db, query, tuple(dict.fromkeys(digests))).page(limit, offset, order)


class _Searching:
    """One search, within a transaction."""

    def __init__(self, db: Database, query: Query, digests: tuple[str, ...]) -> None:
        self._db, self._query, self._language = db, query, LANGUAGES[db.dialect]
        self._first, self._last = id_range(query.since, query.until)
        self._only: set[int] | None = None
        self._but: set[int] = set()
        self._digests = digests
        self._words = self._expression(digests)
        if digests:
            self._but.update(row for (row,) in db.rows("outdone_within", digests=db.array(digests)))
        self._heed_names()

    def _expression(self, digests: tuple[str, ...], field: str = "") -> str:
        """Everything but that the words of an author are of one name. What has no field of its own is looked for in `field`."""
        language, terms = self._language, self._query.terms
        found = [language.term(term, term.field or field) for term in terms if not term.negated]
        if digests and (len(digests) > 1 or self._db.value("shows_others", digest=digests[0])):
            among = language.either.join(language.label(wording.of_digest(one), False) for one in digests)
            found.append(f"({among})")
        if not found:
            found.append(language.label(wording.label("in", ""), True))
        left_out = [
            language.pairs(term.words) if _names_one(term) else language.term(term, term.field)
            for term in terms
            if term.negated and (_is_pair(term) or not _names_one(term))
        ]
        return language.without(language.all_of(found), left_out)

    def _heed_names(self) -> None:
        """Several words of an author must be of one name. Of two, the index knows that; of more, of beginnings and of long names
        it is looked up in the words themselves."""
        for term in (term for term in self._query.terms if _names_one(term)):
            language = self._language
            asked = [self._words, language.words_of_names(term.words, term.field, term.prefix)]
            if _is_pair(term):
                asked.append(language.label(wording.LONG, False))
            found = self._stored(language.all_of(asked))
            true = {row for row, words in found.items() if _of_one_name(words, term)}
            if term.negated:
                self._but |= true
            elif _is_pair(term):
                self._but |= found.keys() - true
            else:
                self._only = true if self._only is None else self._only & true

    def _stored(self, words: str) -> dict[int, wording.Words]:
        return wording.stored(self._db, self._ids(words, -1, 0))

    def page(self, limit: int, offset: int, order: str) -> tuple[int, list[Hit]]:
        total = self._count(self._words)
        if order == "rank" and any(not (term.negated or term.field) for term in self._query.terms):
            ids = self._ranked(limit, offset)
        else:
            ids = self._ids(self._words, limit, offset)
        return total, self._hits(ids)

    def _ranked(self, limit: int, offset: int) -> list[int]:
        in_titles = self._expression(self._digests, "title")
        ids = self._ids(in_titles, limit, offset)
        if len(ids) < limit:
            skipped = max(0, offset - self._count(in_titles)) if offset else 0
            ids += self._ids(self._language.without(self._words, [in_titles]), limit - len(ids), skipped)
        return ids

    def _count(self, words: str) -> int:
        return int(self._db.value("count_found", **self._asked(words)))

    def _ids(self, words: str, limit: int, offset: int) -> list[int]:
        """Ids, the newest first; all of them for a limit below 0."""
        rows = self._db.rows(
            "found", **self._asked(words), limit=limit if limit >= 0 else 1 << 62, offset=offset
        )
        return [row for (row,) in rows]

    def _asked(self, words: str) -> dict[str, object]:
        return {
            "words": words,
            "first": self._first,
            "last": self._last,
            "only": None if self._only is None else self._db.array(list(self._only)),
            "but": self._db.array(list(self._but)) if self._but else None,
            "twice": int(bool(self._digests)),
        }

    def _hits(self, ids: Sequence[int]) -> list[Hit]:
        rows = {row[0]: row for row in self._db.rows("shown_by_id", ids=self._db.array(ids))}
        return hits_of(self._db, [rows[row] for row in ids])


def _names_one(term: Term) -> bool:
    return term.field == "author" and len(set(term.words)) > 1


def _is_pair(term: Term) -> bool:
    return _names_one(term) and len(set(term.words)) == 2 and not term.prefix


def _of_one_name(words: wording.Words, term: Term) -> bool:
    *whole, last = (word[: wording.MAX_TOKEN] for word in term.words)

    def has_all(name: Sequence[str]) -> bool:
        ends = any(token.startswith(last) for token in name) if term.prefix else last in name
        return ends and all(word in name for word in whole)

    return any(has_all(name.split()) for name in words.names)
