"""`digest status`: what the last runs did, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from digest.cli.console import Console
from digest.words import counted

if TYPE_CHECKING:
    from digest.app.fleet import FleetState
    from digest.model import EditionHead
    from digest.store import RunRow
    from digest.store.days import Day


@click.command()
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many runs to show."
)
@click.pass_obj
def status(console: Console, runs: int) -> None:
    """Show last runs and outcomes per source, editions, deliveries, and what waits."""
    import msgspec

    with console.app() as app:
        state = State(
            runs=app.store.last_runs(runs),
            heads={digest.name: app.store.edition_heads(digest.name) for digest in app.config.digest},
            waiting={digest.name: app.store.count_waiting(digest.name) for digest in app.config.digest},
            deliveries=app.store.delivery_counts(),
            letters=app.store.letters_waiting(),
            open_days=app.store.open_days(),
            fleet=app.fleet_state(app.clock()),
        )
        is_shared = app.is_shared
    last = next((msgspec.json.decode(row.report) for row in state.runs if row.report), None)
    console.answer(_answer(state, last))
    if is_shared or state.fleet.workers:
        _show_fleet(console, state.fleet)
        console.result()
    if not state.runs:
        console.result("No run yet. Make the first one with `digest run`.")
    else:
        _show_all(console, state, last)
    if words := letters_words(state.letters):
        console.result(words)


def letters_words(waiting: int, ended: int = 0) -> str:
    """Letters that wait, and those that a call has ended, as a line for people; "" where there are none."""
    words = [f"{n:,} {what}" for n, what in ((ended, "sent or given up"), (waiting, "waiting")) if n > 0]
    return f"Other mails, confirmations and notices: {', '.join(words)}." if words else ""


def _show_all(console: Console, state: State, last: Mapping[str, Any] | None) -> None:
    _show_runs(console, state.runs)
    if last and last.get("error"):
        console.result(console.paint(f"The last run ended early: {last['error']}", "bad"))
    if last and last.get("sources"):
        _show_sources(console, last["sources"])
    console.result()
    _show_editions(console, state)
    console.result(f"Deliveries: {_each_counted(state.deliveries) or 'none yet'}.")


class State(NamedTuple):
    """What the store says: newest runs first, editions and papers that wait by digest, deliveries by status, and how many letters
    wait."""

    runs: Sequence[RunRow]
    heads: Mapping[str, Sequence[EditionHead]]
    waiting: Mapping[str, int]
    deliveries: Mapping[str, int]
    letters: int
    open_days: Sequence[Day]
    fleet: FleetState


def _answer(state: State, last: Mapping[str, Any] | None) -> dict[str, Any]:
    """The same as an object; `last` is the report of the newest run that has one."""
    return {
        "last_run": last,
        "runs": [_facts(row, "digest", "date", "started_at", "finished_at", "status") for row in state.runs],
        "editions": {
            name: [_facts(head, "id", "date", "part", "number", "papers") for head in reversed(found[-10:])]
            for name, found in state.heads.items()
        },
        "deliveries": state.deliveries,
        "letters": {"waiting": state.letters},
        "waiting": state.waiting,
        "open_days": [
            _facts(day, "source", "day", "papers", "asked_at", "changed_at") for day in state.open_days
        ],
        "fleet": _as_object(state.fleet),
    }


def _facts(row: object, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


# ---------------------------------------------------------------- runs, sources and editions


def _show_runs(console: Console, rows: Sequence[RunRow]) -> None:
    console.table(
        ["digest", "date", "started", "status"],
        [(row.digest or "(by hand)", row.date.isoformat(), row.started_at, row.status) for row in rows],
    )


def _show_sources(console: Console, sources: Sequence[Mapping[str, Any]]) -> None:
    console.result()
    columns = ("name", "outcome", "read", "new", "updated", "seen", "failed")
    console.table(columns, [[source[column] for column in columns] for source in sources])
    for source in sources:
        if source["error"] or source.get("why"):
            console.result(f"{source['name']}: {source['error'] or source['why']}")


def _show_editions(console: Console, state: State) -> None:
    for name, found in state.heads.items():
        newest = f"newest {found[-1].id} with {counted(found[-1].papers, 'paper')}" if found else "none yet"
        console.result(
            f"{name}: {counted(len(found), 'edition')}, {newest}; {counted(state.waiting[name], 'paper')} waiting."
        )
    for source, days in groupby(state.open_days, key=lambda day: day.source):
        names = ", ".join(f"{day.day:%d %b} ({day.papers})" for day in days)
        console.result(f"{source}: days that may still grow, with the papers so far: {names}.")


def _each_counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)


# ---------------------------------------------------------------- workers


def _as_object(fleet: FleetState) -> dict[str, Any]:
    return {
        "leader": fleet.leader or None,
        "workers": [
            {
                **_facts(worker, "id", "version", "queues", "doing", "started_at", "seen_at"),
                "silent": worker.id in fleet.silent,
            }
            for worker in fleet.workers
        ],
        "jobs": fleet.jobs,
        "failed": [_facts(job, "id", "task", "args", "attempts") for job in fleet.failed],
    }


def _show_fleet(console: Console, fleet: FleetState) -> None:
    if fleet.workers:
        _show_workers(console, fleet)
    else:
        console.result("No worker is at work. Start one: `digest worker`.")
    for task, counts in sorted(fleet.jobs.items()):
        console.result(f"Jobs {task}: {_each_counted(counts)}.")
    if fleet.silent:
        console.result(
            console.paint("Silent workers: others take their jobs. Stop them, and start them again.", "warn")
        )
    for job in fleet.failed:
        tried = counted(job.attempts, "time")
        said = f"Job {job.id} ({job.task} {job.args}) failed {tried} by a fault of the program: "
        console.result(console.paint(f"{said}the log of the worker says where. Please report it.", "bad"))
    if fleet.failed:
        console.result(
            "Mails of failed jobs get a new one in a minute, and a day's run is begun anew in a quarter of an hour."
        )


def _show_workers(console: Console, fleet: FleetState) -> None:
    rows = [
        (
            w.id,
            " ".join(w.queues),
            w.doing or "nothing",
            w.started_at,
            _heard(w.id in fleet.silent, w.seen_at),
        )
        for w in fleet.workers
    ]
    console.table(["worker", "queues", "does", "since", "heard of"], rows)
    console.result(f"Leader: {fleet.leader}." if fleet.leader else "Leader: none at this moment.")


def _heard(silent: bool, seen_at: datetime) -> str:
    return f"{seen_at:%H:%M:%S} UTC" + (", silent since" if silent else "")
