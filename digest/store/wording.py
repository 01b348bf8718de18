"""The words by which what is shown is found, as both databases index them: the plain tokens of searching.py, nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, starmap

from msgspec import Struct

from digest.model import Paper
from digest.store.database import Database
from digest.store.packing import packed

PAIRED = 12  # tokens: of a longer name, which is a collaboration's, no pairs are indexed
MAX_TOKEN = 200  # characters; PostgreSQL takes 2,046 bytes
_MAX_FIELD = 100_000  # characters of one field; PostgreSQL takes a million bytes for all of them


class Words(Struct, frozen=True):
    """The tokens of a title, an abstract and each name, with a space between; `labels` as `label` writes them.

    A token is letters and digits: the colons of a label are in none."""

    title: str
    abstract: str
    labels: str
    names: tuple[str, ...]

    def pack(self) -> bytes:
        return packed("\n".join((self.title, self.abstract, self.labels, *self.names)).encode())

    def columns(self) -> dict[str, str]:
        """What SQLite indexes."""
        return {
            "title": self.title,
            "authors": " ".join(self.names),
            "abstract": self.abstract,
            "labels": " ".join((self.labels, *self.pairs())),
        }

    def pairs(self) -> Iterator[str]:
        """A label for every two words of one name, so that a name is found without a look at each that has its words; of a long
        name one label for all."""
        found: dict[str, None] = {}
        for name in self.names:
            tokens = sorted(set(name.split()))
            if len(tokens) > PAIRED:
                found[LONG] = None
            else:
                found.update(dict.fromkeys(starmap(pair, combinations(tokens, 2))))
        yield from found

    def lexemes(self) -> str:
        """What PostgreSQL indexes: each token as it stands and, of titles and names, under its field too, with its places. Between
        fields a place is left out, so that no phrase goes beyond one."""
        places: dict[str, list[str]] = {}
        place = 1
        for field, text in (("title", self.title), ("author", " ".join(self.names)), ("", self.abstract)):
            for token in text.split():
                for lexeme in (token, label(field, token)) if field else (token,):
                    places.setdefault(lexeme, []).append(str(place))
                place += 1
            place += 1
        labels = [quoted(one) for one in (*self.labels.split(), *self.pairs())]
        return " ".join([*(f"{quoted(one)}:{','.join(at)}" for one, at in places.items()), *labels])


def unpack(kept: bytes) -> Words:
    title, abstract, labels, *names = zlib.decompress(kept).decode().split("\n")
    return Words(title, abstract, labels, tuple(names))


def quoted(lexeme: str) -> str:
    """A lexeme in the syntax of tsvector and tsquery."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def label(kind: str, value: str) -> str:
    """The token of a label: ":topic:vision", ":category:cs.cl", of a digest ":in:" and its name in hexadecimal digits. It begins
    with a colon, so that no word is the beginning of one."""
    return f":{kind}:{value}"


LONG = label("name", "")


def pair(one: str, other: str) -> str:
    """The token that says that two words, in the order of the alphabet, stand in one name."""
    return label("name", f"{one}.{other}")


def of_digest(digest: str) -> str:
    return label("in", digest.encode().hex())


def words_of(paper: Paper, digest: str, labels: Iterable[tuple[str, str]]) -> Words:
    """The words of a paper, with its topic and categories as labels; authors are found by their names."""
    from digest import searching  # a run that only reads listings does without its expressions

    def plain(text: str) -> str:
        tokens = searching.tokens(text[:_MAX_FIELD])
        if max(map(len, tokens), default=0) > MAX_TOKEN:
            tokens = [token[:MAX_TOKEN] for token in tokens]
        return " ".join(tokens)

    tokens = dict.fromkeys(label(kind, slug) for kind, slug in labels if kind != "author")
    return Words(
        plain(paper.title),
        plain(paper.abstract),
        " ".join((of_digest(digest), *tokens)),
        tuple(name for name in map(plain, searching.author_names(paper)) if name),
    )


def put(db: Database, words: Mapping[int, Words]) -> None:
    """Indexes the words of new places, by their ids."""
    db.many("insert_words", [{"id": row, "words": found.pack()} for row, found in words.items()])
    index(db, words)


def index(db: Database, words: Mapping[int, Words]) -> None:
    """Indexes words that are kept already, by rising ids: SQLite writes and merges what it has so far wherever one is lower."""
    db.many("insert_text", [_text(db, row, words[row]) for row in sorted(words)])


def forget(db: Database, ids: Sequence[int]) -> None:
    found = stored(db, ids)
    db.many("delete_text", [_text(db, row, found[row]) for row in sorted(found)])
    db.many("delete_words", [{"id": row} for row in found])


def replace(db: Database, papers: Mapping[int, Paper]) -> None:
    """Indexes other words of these papers, under the labels that they have."""
    before = stored(db, list(papers))
    after = {
        row: Words(new.title, new.abstract, before[row].labels, new.names)
        for row, paper in papers.items()
        if (new := words_of(paper, "", ())) and row in before
    }
    changed = {row: words for row, words in after.items() if words != before[row]}
    forget(db, list(changed))
    put(db, changed)


def stored(db: Database, ids: Sequence[int]) -> dict[int, Words]:
    return {row: unpack(packed) for row, packed in db.rows("words_by_id", ids=db.array(ids))}


def _text(db: Database, row: int, words: Words) -> dict[str, object]:
    if db.dialect == "postgres":
        return {"id": row, "lexemes": words.lexemes()}
    return {"id": row, **words.columns()}
