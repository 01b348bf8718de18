"""`digest search WORDS`: what the archive has about something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from digest.cli.console import Console
from digest.words import counted

if TYPE_CHECKING:
    from digest.config import Config
    from digest.model import Hit

TITLE, NAMES = 70, 24  # columns of the table


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many papers to show."
)
@click.option("--digest", "digests", multiple=True, metavar="NAME", help="Only what this digest has shown.")
@click.pass_obj
def search(console: Console, words: Sequence[str], limit: int, digests: Sequence[str]) -> None:
    """Search everything that was shown: words, "phrases", begin*, -without, author:, title:, category:, topic:, date:.

    Quotes are for the shell too: digest search 'author:"Ada Fenwick" chart* date:2026-11..'
    """
    from digest.app import search as searching

    with console.app() as app:
        searching.refresh(app)
        found = searching.search(app, " ".join(words), digests=digests, limit=limit)
        papers = [_paper(hit, app.config) for hit in found.hits]
    console.answer({"query": found.query.text, "total": found.total, "papers": papers})
    if not papers:
        console.result("No paper found. Try fewer words, or a beginning with a star: 'transform*'")
        return
    _show(console, papers)
    more = f", {len(papers)} shown; --limit shows more." if found.total > len(papers) else "."
    console.result(f"{counted(found.total, 'paper')} found{more}")


def _paper(hit: Hit, config: Config) -> dict[str, Any]:
    """A paper as --json has it: its address at its source, and that of its own page, or else of its place in its edition's; ""
    where its digest is none any more."""
    from digest.formats.search import place_path, source_url
    from digest.labels import record_path
    from digest.model import edition_id

    place, paper = hit.place, hit.paper
    day = place.date.isoformat()
    digest = next((digest for digest in config.digest if digest.name == hit.digest), None)
    path = record_path(place.key) if digest and digest.has_records else place_path(place)
    return {
        "key": place.key,
        "title": paper.title,
        "authors": paper.authors,
        "date": day,
        "edition": edition_id(day, place.part),
        "digest": hit.digest,
        "topic": hit.topic,
        "url": source_url(hit),
        "page": config.digest_url(hit.digest) + path if digest else "",
    }


def _show(console: Console, papers: Sequence[dict[str, Any]]) -> None:
    from digest.text import truncate

    def names(authors: Sequence[str]) -> str:
        return f"{authors[0]} and {len(authors) - 1} more" if len(authors) > 1 else "".join(authors)

    console.table(
        ["shown", "title", "authors", "page"],
        [
            (p["edition"], truncate(p["title"], TITLE), truncate(names(p["authors"]), NAMES), p["page"])
            for p in papers
        ],
    )
