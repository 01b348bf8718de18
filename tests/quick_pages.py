"""A page read without a tree and by the parser alone, side by side, and pages changed anywhere."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from digest.errors import ParseError
from digest.model import Listing, Reading

Outcome = Callable[[bytes], Reading | str]


def outcome_of(read: Callable[[Listing], Reading], location: str) -> Outcome:
    """What is read of a page, or the error in words."""

    def outcome(body: bytes) -> Reading | str:
        try:
            return read(Listing(location=location, body=body))
        except ParseError as error:
            return f"{type(error).__name__}: {error}"

    return outcome


def by_parser(outcome: Outcome, quick: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The same, while nothing is taken out of the page before."""

    def read(body: bytes) -> Reading | str:
        with monkeypatch.context() as patched:
            patched.setattr(quick, "divided", lambda page: (page, []))
            return outcome(body)

    return read


def within(page: str, first: str, last: str, before: str, behind: str) -> bytes:
    """The page with `before` ahead of `first`, and `behind` ahead of the next `last`."""
    at = page.index(first)
    end = page.index(last, at)
    return f"{page[:at]}{before}{page[at:end]}{behind}{page[end:]}".encode()


def changed(rnd: random.Random, page: str, pieces: Sequence[str]) -> str:
    """The page with one to three places changed: something put in, replaced or taken away. A tab in a piece is a space."""
    for _ in range(rnd.choice([1, 1, 1, 2, 3])):
        at = rnd.randrange(len(page))
        if rnd.random() < 0.6:  # where tags meet text, and values tags
            at = max(page.find(rnd.choice('<>""'), at), 0) + rnd.randint(0, 1)
        length = rnd.choice([0, 0, 1, 2, 8, 40])
        if rnd.random() < 0.15:
            start = rnd.randrange(len(page))
            piece = page[start : start + rnd.choice([5, 30, 300, 1500])]
        elif rnd.random() < 0.2:  # a tag or a value less
            found = re.compile(r'<[^<>]*>| [a-z]+="[^"]*"').search(page, at)
            at, length, piece = (found.start(), len(found[0]), "") if found else (at, length, "")
        else:
            piece = rnd.choice(pieces).replace("\t", " ") if rnd.random() < 0.85 else ""
        page = page[:at] + piece + page[at + length :]
    return page
