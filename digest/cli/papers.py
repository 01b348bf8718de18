"""`digest why`, `digest merge`, `digest split`: what is known of a paper, and corrections of it by hand."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from digest.cli.console import Console
from digest.errors import UsageError
from digest.words import counted

if TYPE_CHECKING:
    from digest.app import App
    from digest.store import Corrected, Head, Story
    from digest.store.stories import LookedUp, Offered, Seen

CANDIDATES = 10
SIGHTINGS = 12  # shown without -v: the first and the last of them
_PAPER = "PAPER is a key, an arXiv id, a DOI, an address, or words of the title."


@click.command(
    epilog=_PAPER + " Exit code 1: no paper is meant, or more than one.", short_help="Tell a paper's story."
)
@click.argument("words", metavar="PAPER", nargs=-1, required=True)
@click.pass_obj
def why(console: Console, words: tuple[str, ...]) -> int:
    """Tell everything known of a paper: sightings, keys, the rule that kept or dropped it, editions, deliveries."""
    with console.app() as app:
        head = _the_paper(console, app, " ".join(words))
        story = app.store.story(head.id) if head else None
    if story is None:
        return 1
    console.answer(asdict(story))
    if not console.json:
        _tell(console, story)
    return 0


@click.command(epilog=_PAPER)
@click.argument("keep", metavar="KEEP")
@click.argument("other", metavar="OTHER")
@click.pass_obj
def merge(console: Console, keep: str, other: str) -> int:
    """Say that two papers are one, for good. The words of KEEP are shown; nothing sent before is sent again."""
    from digest.app import utc_now

    with console.app() as app:
        # One after the other: where neither is known, one of them is said, in one object.
        kept = _the_paper(console, app, keep)
        lost = _the_paper(console, app, other) if kept else None
        if kept is None or lost is None:
            return 1
        with app.alone():
            done = app.store.merge(kept.id, lost.id, utc_now())
    console.answer({"merged": done})
    console.result(f'"{done.paper.title}" is one paper from now on:')
    console.result(f"  {done.paper.key}")
    console.result(f"  {done.other.key}")
    _say_taken_back(console, done, "split")
    for digest, state in done.offers.items():
        console.result(f"{digest}: {_FATE[state]}.")
    console.result("Every later run meets either as this paper. To take it back:")
    console.result(f"  {_command('split', done.paper, done.other)}")
    return 0


@click.command(epilog=_PAPER + " `digest why PAPER` shows its keys.")
@click.argument("paper", metavar="PAPER")
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@click.option("--silent", is_flag=True, help="Offer the paper that is split off to no digest.")
@click.pass_obj
def split(console: Console, paper: str, keys: tuple[str, ...], silent: bool) -> int:
    """Say that what has these keys is a paper of its own, for good. It waits as new where it was never sent itself."""
    from digest.app import utc_now

    with console.app() as app:
        head = _the_paper(console, app, paper)
        if head is None:
            return 1
        stored = [key for text in keys for key in _stored_keys(app, text)]
        with app.alone():
            done = app.store.split(head.id, stored, utc_now(), silent=silent)
    console.answer({"split": done})
    console.result("These are two papers from now on:")
    for one, offers in ((done.paper, done.offers), (done.other, done.other_offers)):
        console.result(f'  {one.key} "{one.title}"')
        for digest, state in offers.items():
            console.result(f"    {digest}: {_FATE[state]}.")
    _say_taken_back(console, done, "merge")
    console.result("No later run takes one for the other. To take it back:")
    console.result(f"  {_command('merge', done.paper, done.other)}")
    return 0


_FATE = {
    "waiting": "waits for the next edition",
    "issued": "was sent, and is not offered again",
    "dropped": "left out, and not offered again",
    "withheld": "not offered",
}


def _the_paper(console: Console, app: App, text: str) -> Head | None:
    """The one paper that is meant; where there is none or more than one, says so and what might be meant."""
    found = app.store.find_papers(text, limit=CANDIDATES + 1)
    if len(found) == 1:
        return found[0]
    if found:
        count = str(len(found)) if len(found) <= CANDIDATES else f"more than {CANDIDATES}"
        message = f'"{text}" may be {count} papers. Name one by its key.'
    else:
        found = app.store.nearest_papers(text)
        mend = "Nearest titles:" if found else "`digest search` looks for words in all that was shown."
        message = f'No paper is known as "{text}". {mend}'
    console.answer({"error": message, "exit_code": 1, "candidates": found[:CANDIDATES]})
    console.fault(f"error: {message}")
    for head in found[:CANDIDATES]:
        console.fault(f"  {head.key}  {head.title}")
    return None


def _stored_keys(app: App, text: str) -> Sequence[str]:
    found = app.store.find_keys(text)
    if not found:
        raise UsageError(f'no paper has the key "{text}". `digest why PAPER` shows the keys of a paper.')
    return found


def _say_taken_back(console: Console, done: Corrected, what: str) -> None:
    if done.taken_back:
        console.result(f"The earlier {what} by hand is taken back.")


def _command(name: str, paper: Head, other: Head) -> str:
    return shlex.join(["digest", name, paper.key, other.key])


# ---------------------------------------------------------------- the story


def _tell(console: Console, story: Story) -> None:
    from digest.text import wrap

    for line in wrap(story.paper.title, 80):
        console.result(console.paint(line, "bold"))
    for line in (*_identity(story), "", *_keys(story)):
        console.result(line)
    console.result()
    _show_sightings(console, story.sightings)
    console.result()
    for offer in story.offers:
        for line in _offer(offer):
            console.result(line)
    if not story.offers:
        console.result("No digest was offered it: none reads the sources that showed it.")
    for stood in story.editions:
        console.result(
            f"Edition {stood.edition} of {stood.digest} (No. {stood.number}), place {stood.position}: "
            f"{_counts(stood.deliveries) or 'no mail'}."
        )
    for lookup in story.lookups:
        console.result(_lookup(lookup))


def _identity(story: Story) -> Iterator[str]:
    paper = story.paper
    version = f", version {paper.version}" if paper.version else ""
    yield f"{paper.key}{version}"
    yield f"First seen {story.first_seen:%Y-%m-%d %H:%M} UTC."
    if paper.announce == "withdrawn":
        yield "Withdrawn."


def _keys(story: Story) -> Iterator[str]:
    yield "Known by"
    shown = [key for key in story.keys if key.startswith("shown:")]
    for key in story.keys:
        if key not in shown:
            yield f"  {key}"
    if shown:
        yield f"  and {counted(len(shown), 'exact appearance')} on pages"
    for head in story.joined:
        yield f'Joined to it: "{head.title}"'
        yield f"  {head.key}"
    for said in story.corrections:
        yield f"By hand, {said.made_at:%Y-%m-%d}: {'one with' if said.relation == 'one' else 'not the same as'}"
        yield f"  {said.left if said.right in story.keys and said.left != story.paper.key else said.right}"


def _show_sightings(console: Console, sightings: Sequence[Seen]) -> None:
    if not sightings:
        console.result("No listing has shown it since it was split off.")
        return
    half = SIGHTINGS // 2
    cut = len(sightings) - 2 * half if not console.verbose and len(sightings) > SIGHTINGS else 0
    shown = [*sightings[:half], *sightings[half + cut :]] if cut else sightings
    console.table(
        ["seen", "source", "listed", "as", "announced", "by"],
        [
            (s.seen_at, s.source, s.listed_on, s.status, s.announce, (s.matched_by or "").partition(":")[0])
            for s in shown
        ],
    )
    if cut:
        console.result(f"{cut} more between these; -v shows them.")


def _offer(offer: Offered) -> Iterator[str]:
    words = {
        "issued": f"sent as {offer.stream} in edition {offer.edition}",
        "waiting": f"waits as {offer.stream} for the next edition",
        "dropped": f"left out as {offer.stream}",
        "withheld": f"not offered, met first as {offer.stream}",
    }
    yield f"{offer.digest}: {words[offer.state]}"
    source = f" in {offer.source}" if offer.source else ""
    listed = f", listed on {offer.listed_on}" if offer.listed_on else ""
    yield f"  Found {offer.found_at:%Y-%m-%d %H:%M} UTC{source}{listed}"
    if offer.reason and offer.state != "waiting":
        yield f"  Reason: {offer.reason}"
    if offer.edition and offer.state != "issued":
        yield f"  It was sent before, last in edition {offer.edition}"


def _lookup(lookup: LookedUp) -> str:
    place = f" at {lookup.service}" if lookup.service else ""
    again = f"; again after {lookup.retry_at:%Y-%m-%d %H:%M} UTC" if lookup.retry_at else ""
    times = counted(lookup.attempts, "attempt")
    return f"Looked up {lookup.looked_up_at:%Y-%m-%d %H:%M} UTC{place}: {lookup.outcome}, {times}{again}."


def _counts(deliveries: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in Counter(deliveries).most_common())
