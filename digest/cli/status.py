"""`digest status`: what the last runs did, and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from digest.cli.console import Console, plural

if TYPE_CHECKING:
    from digest.app.fleet import FleetState


@click.command()
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many runs to show."
)
@click.pass_obj
def status(console: Console, runs: int) -> None:
    """Show last runs and outcomes per source, editions, deliveries, and what waits."""
    import msgspec

    with console.app() as app:
        rows = app.store.last_runs(runs)
        heads = {digest.name: app.store.edition_heads(digest.name) for digest in app.config.digest}
        waiting = {digest.name: app.store.count_waiting(digest.name) for digest in app.config.digest}
        deliveries = app.store.delivery_counts()
        open_days = app.store.open_days()
        fleet = app.fleet_state(app.clock())
        is_shared = app.is_shared
    reports = [msgspec.json.decode(row.report) if row.report else None for row in rows]
    last = next((report for report in reports if report), None)
    console.answer(
        {
            "last_run": last,
            "runs": [
                {
                    "digest": r.digest,
                    "date": r.date,
                    "started_at": r.started_at,
                    "finished_at": r.finished_at,
                    "status": r.status,
                }
                for r in rows
            ],
            "editions": {
                name: [_head(head) for head in reversed(found[-10:])] for name, found in heads.items()
            },
            "deliveries": deliveries,
            "waiting": waiting,
            "open_days": [
                {
                    "source": d.source,
                    "day": d.day,
                    "papers": d.papers,
                    "asked_at": d.asked_at,
                    "changed_at": d.changed_at,
                }
                for d in open_days
            ],
            "fleet": _as_object(fleet),
        }
    )
    if is_shared or fleet.workers:
        _show_fleet(console, fleet)
        console.result()
    if not rows:
        console.result("No run yet. Make the first one with `digest run`.")
        return
    console.table(
        ["digest", "date", "started", "status"],
        [(r.digest or "(by hand)", r.date.isoformat(), r.started_at, r.status) for r in rows],
    )
    if last and last.get("sources"):
        console.result()
        columns = ("name", "outcome", "read", "new", "updated", "seen", "failed")
        console.table(columns, [[source[column] for column in columns] for source in last["sources"]])
        for source in last["sources"]:
            if source["error"] or source.get("why"):
                console.result(f"{source['name']}: {source['error'] or source['why']}")
    console.result()
    for name, found in heads.items():
        newest = f"newest {found[-1].id} with {plural(found[-1].papers, 'paper')}" if found else "none yet"
        console.result(
            f"{name}: {plural(len(found), 'edition')}, {newest}; {plural(waiting[name], 'paper')} waiting."
        )
    for source, days in groupby(open_days, key=lambda day: day.source):
        names = ", ".join(f"{d.day:%d %b} ({d.papers})" for d in days)
        console.result(f"{source}: days that may still grow, with the papers so far: {names}.")
    mail = _counted(deliveries)
    console.result(f"Deliveries: {mail or 'none yet'}.")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)


# ---------------------------------------------------------------- workers


def _as_object(fleet: FleetState) -> dict[str, Any]:
    return {
        "leader": fleet.leader or None,
        "workers": [
            {
                "id": worker.id,
                "version": worker.version,
                "queues": list(worker.queues),
                "doing": worker.doing,
                "started_at": worker.started_at,
                "seen_at": worker.seen_at,
                "silent": worker.id in fleet.silent,
            }
            for worker in fleet.workers
        ],
        "jobs": fleet.jobs,
        "failed": [
            {"id": job.id, "task": job.task, "args": job.args, "attempts": job.attempts}
            for job in fleet.failed
        ],
    }


def _show_fleet(console: Console, fleet: FleetState) -> None:
    if not fleet.workers:
        console.result("No worker is at work. Start one: `digest worker`.")
    else:
        console.table(
            ["worker", "queues", "does", "since", "heard of"],
            [
                (
                    w.id,
                    " ".join(w.queues),
                    w.doing or "nothing",
                    w.started_at,
                    _heard(w.id in fleet.silent, w.seen_at),
                )
                for w in fleet.workers
            ],
        )
        console.result(f"Leader: {fleet.leader}." if fleet.leader else "Leader: none at this moment.")
    for task, counts in sorted(fleet.jobs.items()):
        console.result(f"Jobs {task}: {_counted(counts)}.")
    if fleet.silent:
        console.result(
            console.paint("Silent workers: others take their jobs. Stop them, and start them again.", "warn")
        )
    for job in fleet.failed:
        tried = plural(job.attempts, "time")
        console.result(
            console.paint(
                f"Job {job.id} ({job.task} {job.args}) failed {tried} by a fault of the program: "
                "the log of the worker says where. Please report it.",
                "bad",
            )
        )
    if fleet.failed:
        console.result(
            "Mails of failed jobs get a new one in a minute, and a day's run is begun anew in a quarter of an hour."
        )


def _heard(silent: bool, seen_at: datetime) -> str:
    return f"{seen_at:%H:%M:%S} UTC" + (", silent since" if silent else "")


def _head(head: Any) -> dict[str, Any]:
    return {"id": head.id, "date": head.date, "part": head.part, "number": head.number, "papers": head.papers}
