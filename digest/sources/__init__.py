"""Listing → Reading: which kind of page this is, and the papers it holds. Pure; one module per kind (docs/sources.md)."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol, cast

from msgspec import structs

from digest.errors import ParseError, UsageError
from digest.model import Listing, Reading
from digest.sources import _bytes, _sniff, _wrapped
from digest.text import strip_controls

log = logging.getLogger(__name__)


class Parser(Protocol):
    """Reads a listing of its kind.

    Papers in page order, unique by key; `empty` only for a page that says so. Raises ParseError, and ListingChanged when a
    landmark that every such page has is missing.
    """

    def __call__(self, listing: Listing) -> Reading: ...


# Name → module with `read`. A module is imported when it is first used: the libraries behind it decide the time of a run.
KINDS: dict[str, str] = {
    "huggingface": "digest.sources.huggingface",
    "arxiv": "digest.sources.arxiv",
    "arxiv-search": "digest.sources.arxiv_search",
    "arxiv-mail": "digest.sources.arxiv_text",
    "arxiv-dump": "digest.sources.arxiv_dump",
    "oai": "digest.sources.oai",
    "feed": "digest.sources.feed",
    "saved": "digest.sources.saved",
    "crossref": "digest.sources.crossref",
    "openalex": "digest.sources.openalex",
    "semanticscholar": "digest.sources.semanticscholar",
    "datacite": "digest.sources.datacite",
    "doaj": "digest.sources.doaj",
    "dblp": "digest.sources.dblp",
    "pubmed": "digest.sources.pubmed",
    "proceedings": "digest.sources.proceedings",
    "venue": "digest.sources.venue",
    "selectors": "digest.sources.selectors",
}

# Of what a page brings into a message or a note: a whole page may stand where a word is expected.
MAX_NOTES = 50
MAX_SAID_CHARS = 1_000

# What a third party's kind cannot be called.
BUILT_IN = frozenset(["auto", *KINDS])


def recognise(listing: Listing) -> str:
    """The kind of a page, by its content: a name in KINDS (never "selectors"), else one of a third party.

    Raises ParseError that says what it looks like and what to do.
    """
    try:
        with _whatever_it_is(listing, "what recognises pages"):
            listing = _wrapped.unwrapped(listing)
            return _sniff.kind_of(listing)
    except ParseError as error:
        error.args = (_said(str(error)),)
        from digest.sources import plugins

        kind, faults = plugins.recognise(listing, built_in=BUILT_IN)
        if not kind:
            told = "".join(f" Not asked: {fault}" for fault in faults)
            raise (ParseError(f"{error}{told}", url=listing.location) if told else error) from None
        return kind


def read(listing: Listing, kind: str = "auto", *, selectors: Mapping[str, str] = {}) -> Reading:
    """The papers of a listing, at most 5,000, by the parser of `kind` (a name in KINDS, or one of a third party) or, with
    `auto`, of the recognised one. `selectors` are for kind "selectors".

    Without papers only where the page itself says that it is empty. Raises ParseError, ListingChanged.
    """
    try:
        reading = _read(listing, kind, selectors)
    except ParseError as error:
        error.args = (_said(str(error)),)
        raise
    return structs.replace(
        reading,
        listed_on=reading.listed_on or listing.listed_on,
        notes=_bounded(reading.notes),
    )


def _bounded(notes: Sequence[str]) -> tuple[str, ...]:
    """Each note once, and no more than a page can need; never without the one that says that it breaks off."""
    said = list(dict.fromkeys(map(_said, notes)))
    more = said[MAX_NOTES:]
    kept = [*said[:MAX_NOTES], *(note for note in more if note.startswith("truncated"))]
    return (*kept, f"{len(said) - len(kept)} further notes") if more else tuple(kept)


def _said(text: str) -> str:
    """A message that may hold words of the page: without what cannot be shown, and of bounded length."""
    text = strip_controls(text[: 100 * MAX_SAID_CHARS])
    if len(text) <= MAX_SAID_CHARS:
        return text
    return f"{text[: MAX_SAID_CHARS - 250]} … {text[-200:]}"


def _read(listing: Listing, kind: str, selectors: Mapping[str, str]) -> Reading:
    with _whatever_it_is(listing, "what takes a page out of what is round it"):
        listing = _wrapped.unwrapped(listing)
    if kind == "auto":
        kind = recognise(listing)
    if kind in KINDS:
        reading = _read_known(listing, kind, selectors)
    else:
        from digest.sources import plugins

        reading = plugins.read(listing, kind)
    if not reading.papers and not reading.empty:
        raise _bytes.refused(
            listing,
            f"read as {kind}, and no paper found on a page that does not say it is empty",
            "Open it in a browser: is this the listing?",
        )
    return reading


def _read_known(listing: Listing, kind: str, selectors: Mapping[str, str]) -> Reading:
    with _whatever_it_is(listing, f"the parser of {kind}"):
        _sniff.refuse_binary(listing)
        _bytes.guard_json(listing)
        return _parser(kind, selectors)(listing)


@contextmanager
def _whatever_it_is(listing: Listing, who: str) -> Iterator[None]:
    """Pages are the outside world: one that was not foreseen must not keep the other sources from being read."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        log.debug("%s", listing.location, exc_info=True)
        raise _bytes.refused(
            listing,
            f"{who} failed ({type(error).__name__}: {str(error)[:200]})",
            "This is a fault of the program: report it with the page.",
        ) from error


def _parser(kind: str, selectors: Mapping[str, str]) -> Parser:
    read = importlib.import_module(KINDS[kind]).read
    return cast(Parser, partial(read, selectors=selectors) if kind == "selectors" else read)


def check_kind(kind: str) -> None:
    """Raises UsageError, with the nearest known name, for a kind of source that does not exist."""
    if kind not in BUILT_IN:
        from digest.config import nearest
        from digest.sources import plugins

        known = ["auto", *KINDS, *(name for name in plugins.kinds() if name not in BUILT_IN)]
        if kind in known:
            return
        raise UsageError(f'unknown kind "{kind}". {nearest(kind, known)}')
