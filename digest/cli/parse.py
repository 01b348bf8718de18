"""`digest parse`: what a listing holds, without a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from digest.cli.console import Console
from digest.config import SourceConfig
from digest.errors import DigestError, FetchError, UsageError
from digest.model import PAPER_FACTS, Paper, Reading
from digest.words import counted


@click.command()
@click.argument("places", metavar="PATH|URL…", nargs=-1, required=True)
@click.option("--kind", default="auto", help="Kind of the listing; default: recognised by content.")
@click.pass_obj
def parse(console: Console, places: tuple[str, ...], kind: str) -> int:
    """Read listings and print the papers; touches no store."""
    from digest.app import App, utc_now
    from digest.config import Config, SiteConfig
    from digest.sources import check_kind

    check_kind(kind)
    sources = {place: adhoc_source(place, kind=kind, cwd=Path.cwd()) for place in places}
    listings: list[dict[str, Any]] = []
    failed = 0
    with App(Config(site=SiteConfig(url="http://localhost/"))) as app:
        for place, source in sources.items():
            for found, reading in app.readings(source, now=utc_now()):
                location = found if source.url or Path(place).is_absolute() else os.path.relpath(found)
                failed += isinstance(reading, DigestError) or bool(reading.truncated)
                listings.append(listing_object(location, kind, reading))
                show_listing(console, location, reading)
    console.answer({"listings": listings})
    return 3 if failed else 0


def adhoc_source(place: str, *, kind: str, cwd: Path) -> SourceConfig:
    """A path or URL of the command line as a source; relative paths count from where the command was called."""
    if not place:
        raise UsageError("a PATH or URL is empty. Name a saved page, a folder of them, or an address.")
    try:
        scheme = urlsplit(place).scheme
    except ValueError as error:
        raise UsageError(f"{place}: not an address ({error}). Mend it, or give the path of a file.") from None
    if scheme in ("http", "https"):
        return SourceConfig(name=place, kind=kind, url=place, allow_private=True)
    if scheme and "://" in place:
        raise UsageError(
            f"{place}: only http:// and https:// addresses are read. Save the page, and give the path of the file."
        )
    try:
        path = cwd / Path(place).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{place}: {str(error).rstrip('.')}. Give the path in full.") from None
    name = os.fsencode(Path(place).name or place).decode("utf-8", "replace")
    return SourceConfig(name=name, kind=kind, path=str(path))


def paper_object(paper: Paper) -> dict[str, Any]:
    """A paper as docs/interface.md has it: `authors` as the listing gives them, one string for all where it has only
    that; `author_names` in parts, as mail, pages and feeds show them. `ids` has under `source` the id as the source writes it,
    where no other shows it."""
    said = paper.source_text
    return {name: getattr(paper, name) for name in PAPER_FACTS} | {
        "ids": paper.ids | ({"source": said["id"]} if "id" in said else {}),
        "authors": [paper.authors_raw] if paper.authors_joined else _as_written(paper),
        "author_names": list(paper.authors),
    }


def _as_written(paper: Paper) -> list[str]:
    """Names as the source writes them: some put the family first, which readers are spared."""
    written = paper.source_text.get("authors", "")
    return written.split("; ") if written else list(paper.authors)


def listing_object(location: str, kind: str, reading: Reading | DigestError) -> dict[str, Any]:
    """A listing as `digest parse --json` has it; one that failed has no papers, and its error."""
    if isinstance(reading, DigestError):
        return _failure(location, kind, reading)
    return {
        "location": location,
        "kind": reading.kind,
        "outcome": reading.outcome,
        "stated": reading.stated,
        "section_counts": reading.section_counts,
        "listed_on": reading.listed_on,
        "notes": list(reading.notes),
        "error": f"{reading.truncated}. Fetch or save the page again." if reading.truncated else None,
        "papers": [paper_object(paper) for paper in reading.papers],
    }


def _failure(location: str, kind: str, error: DigestError) -> dict[str, Any]:
    return {
        "location": location,
        "kind": kind,
        "outcome": error.outcome if isinstance(error, FetchError) else "parse-failed",
        "stated": None,
        "section_counts": {},
        "listed_on": None,
        "notes": [],
        "error": str(error),
        "papers": [],
    }


def show_listing(console: Console, location: str, reading: Reading | DigestError) -> None:
    """A listing and its papers for people."""
    if isinstance(reading, DigestError):
        console.fault(f"error: {reading}")
        return
    stated = f", the page says {reading.stated}" if reading.stated is not None else ""
    day = f", listed {reading.listed_on}" if reading.listed_on else ""
    console.result(
        console.paint(
            f"{location}: {counted(len(reading.papers), 'paper')} ({reading.kind}){stated}{day}", "bold"
        )
    )
    for number, paper in enumerate(reading.papers, 1):
        more = [
            ", ".join(paper.authors[:3]),
            paper.announce or "",
            f"{paper.upvotes} upvotes" if paper.upvotes is not None else "",
        ]
        console.result(f"{number:4}  {paper.title or '(no title)'}")
        console.result("      " + " · ".join([paper.key, *(word for word in more if word)]))
    for note in reading.notes:
        console.note(f"note: {note}")
