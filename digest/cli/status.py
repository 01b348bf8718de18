"""`digest status`: what the last runs did, and what waits."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from digest.cli.console import Console, plural


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
        }
    )
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
    mail = ", ".join(f"{count:,} {state}" for state, count in deliveries.items() if count)
    console.result(f"Deliveries: {mail or 'none yet'}.")


def _head(head: Any) -> dict[str, Any]:
    return {"id": head.id, "date": head.date, "part": head.part, "number": head.number, "papers": head.papers}
