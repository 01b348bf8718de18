"""Texts on which an expression may take long: what it repeats, many times over, behind what has to stand before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any

SIGNS = 'a A1\t,-.<é"\\'
OTHERS = "".join(map(chr, range(33, 0x2100)))
PAIRS = (" \t", "\n ", "a ", "a, ")
MANY = 100  # what may stand no more often than this costs little
ENDS = ("", "\x00", "<")
LENGTHS = (*range(12, 54, 6), 1_000)  # what takes exponential time shows it before it takes for ever
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_SIGN = (sre.IN, sre.ANY, sre.NOT_LITERAL)


def attacks(pattern: str, flags: int) -> Iterator[tuple[str, ...]]:
    """Texts of one sort each, of these lengths."""
    parsed = _parser.parse(pattern, flags)
    for before, one in sorted(set(_Walk(parsed.state).over(parsed, ""))):
        for start, each in {(before, one), ("", before + one)}:
            for end in ENDS:
                yield tuple(start + each * (length // len(each) + 1) + end for length in LENGTHS)


class _Walk:
    """Through the parts of an expression: for each that is repeated a text that may stand before it, and one that it may be."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._groups: dict[int, str] = {}  # the last text of each
        self._signs: dict[str, Any] = {}  # a compiled expression for each part that is a sign

    def over(self, parts: Any, before: str) -> Iterator[tuple[str, str]]:
        for kind, inside in parts:
            for part in _within(kind, inside):
                yield from self.over(part, before)
            if kind in _REPEATS and inside[1] >= MANY:
                for one in self._rounds(inside[2]):
                    yield before, one
            before += self._text([(kind, inside)])

    def _rounds(self, parts: Any) -> set[str]:
        """What one round of a repetition may be."""
        single = len(parts) == 1 and parts[0][0] in _SIGN
        found = {self._text(parts, liked) for liked in (SIGNS if single else "a <")}
        for kind, inside in parts:
            for part in _within(kind, inside):
                found |= {self._text(part), self._text(part, " ")}
        if single:
            found |= {pair for pair in PAIRS if all(self._fits(sign, *parts[0]) for sign in pair)}
        return found - {""}

    def _text(self, parts: Any, liked: str = "a") -> str:
        """A text that these may match, of this sign where they leave the choice."""
        return "".join(self._one(kind, inside, liked) for kind, inside in parts)

    def _one(self, kind: Any, inside: Any, liked: str) -> str:
        if kind is sre.LITERAL:
            return chr(inside)
        if kind in _SIGN:
            return next((sign for sign in chain(liked, SIGNS, OTHERS) if self._fits(sign, kind, inside)), "")
        if kind is sre.GROUPREF:
            return self._groups.get(inside, "")
        if kind in _REPEATS:
            return self._text(inside[2], liked) * min(inside[0], MANY)
        if kind in (sre.ASSERT, sre.ASSERT_NOT):
            return ""
        text = next((self._text(part, liked) for part in _within(kind, inside)), "")
        if kind is sre.SUBPATTERN and inside[0]:
            self._groups[inside[0]] = text
        return text

    def _fits(self, sign: str, kind: Any, inside: Any) -> bool:
        name = f"{kind} {inside}"
        if name not in self._signs:
            part = _parser.SubPattern(self._state, [(kind, inside)])
            self._signs[name] = _compiler.compile(part, self._state.flags)
        return self._signs[name].fullmatch(sign) is not None


def _within(kind: Any, inside: Any) -> list[Any]:
    """The parts that a part is made of."""
    if kind in _REPEATS:
        return [inside[2]]
    if kind is sre.SUBPATTERN:
        return [inside[3]]
    if kind is sre.ATOMIC_GROUP:
        return [inside]
    if kind is sre.BRANCH:
        return list(inside[1])
    return [inside[1]] if kind in (sre.ASSERT, sre.ASSERT_NOT) else []
