"""What changed between two texts, word by word, in a time that grows with their length. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal

from msgspec import Struct

# What is compared at most: units on each side, and pairs of equal ones. difflib looks at all of both again for each run of equal
# units that it finds; an abstract has some hundreds of words and two thousand pairs.
MOST_UNITS = 800
MOST_PAIRS = 8_000
# Of words that did not change, so many stand on each side of those that did.
CONTEXT = 12


class Piece(Struct, frozen=True):
    """A run of words: the same in both texts, added, gone, or left out since nothing changed there ("…")."""

    kind: Literal["same", "added", "gone", "cut"]
    text: str


def changed_words(before: str, after: str) -> tuple[Piece, ...]:
    """What `after` has and `before` had not, and the other way round, in the order of reading. Words are what white space divides.

    Texts that are too long or too uniform for that are compared by sentences, and where that is too much as wholes, beginning and
    end apart.
    """
    old, new = before.split(), after.split()
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = _compared(old[head : len(old) - tail], new[head : len(new) - tail])
    pieces = [("same", new[:head]), *middle, ("same", new[len(new) - tail :] if tail else [])]
    shown = [(kind, words) for kind, words in pieces if words]
    return tuple(
        piece
        for n, (kind, words) in enumerate(shown)
        for piece in (
            _shortened(words, first=n == 0, last=n == len(shown) - 1)
            if kind == "same"
            else [Piece("added" if kind == "added" else "gone", " ".join(words))]
        )
    )


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many units at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _compared(old: list[str], new: list[str]) -> Iterator[tuple[str, list[str]]]:
    if _is_too_much(old, new):
        old, new = _sentences(old), _sentences(new)
        if _is_too_much(old, new):
            old, new = [" ".join(old)], [" ".join(new)]
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield "same", " ".join(old[a:b]).split()
        else:
            yield "gone", old[a:b]
            yield "added", new[c:d]


def _is_too_much(old: Sequence[str], new: Sequence[str]) -> bool:
    if max(len(old), len(new)) > MOST_UNITS:
        return True
    ours, theirs = Counter(old), Counter(new)
    return sum(count * theirs[unit] for unit, count in ours.items()) > MOST_PAIRS


def _sentences(words: list[str]) -> list[str]:
    return re.split(r"(?<=[.!?;]) ", " ".join(words)) if words else []


def _shortened(words: list[str], *, first: bool, last: bool) -> list[Piece]:
    """Words that did not change, without the middle of a long run."""
    before, after = 0 if first else CONTEXT, 0 if last else CONTEXT
    if len(words) <= before + after + CONTEXT:
        return [Piece("same", " ".join(words))]
    runs = [
        Piece("same", " ".join(words[:before])),
        Piece("cut", "…"),
        Piece("same", " ".join(words[len(words) - after :] if after else [])),
    ]
    return [run for run in runs if run.text]
