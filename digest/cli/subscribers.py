"""`digest subscribers`: who gets mail, from the shell."""

from __future__ import annotations

import click

from digest.cli.console import Console, plural
from digest.errors import UsageError


@click.group()
def subscribers() -> None:
    """List, add and remove subscribers."""


@subscribers.command("list")
@click.option(
    "--status",
    type=click.Choice(["pending", "confirmed", "paused", "unsubscribed", "suppressed"]),
    help="Only those.",
)
@click.pass_obj
def list_(console: Console, status: str | None) -> None:
    """Show every subscriber with status, digests and the day they were added."""
    with console.app() as app:
        found = app.store.subscribers(status)
    console.answer(
        {
            "subscribers": [
                {
                    "address": s.address,
                    "status": s.status,
                    "digests": list(s.digests),
                    "preferences": s.preferences,
                    "since": s.since,
                }
                for s in found
            ]
        }
    )
    if found:
        console.table(
            ["address", "status", "digests", "since"],
            [(s.address, s.status, ", ".join(s.digests) or "all", f"{s.since:%Y-%m-%d}") for s in found],
        )
        console.result()
    console.result(f"{plural(len(found), 'subscriber')}.")


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.option("--digest", "digests", multiple=True, metavar="NAME", help="Only this digest; may be repeated.")
@click.pass_obj
def add(console: Console, addresses: tuple[str, ...], digests: tuple[str, ...]) -> None:
    """Add addresses whose owners asked for it; this counts as confirmed by the operator."""
    from digest.app import utc_now
    from digest.subscriptions import add as add_all

    with console.app() as app:
        known = [digest.name for digest in app.config.digest]
        for name in digests:
            if name not in known:
                raise UsageError(f'no digest "{name}". Known: {", ".join(known)}.')
        results = add_all(app.store, addresses, digests=digests, now=utc_now())
    console.answer(
        {
            "added": [s.address for s, new in results if new],
            "known": [s.address for s, new in results if not new],
        }
    )
    for subscriber, new in results:
        console.result(f"{subscriber.address}: {'added' if new else 'was subscribed already'}.")


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.pass_obj
def remove(console: Console, addresses: tuple[str, ...]) -> int:
    """Take addresses off; what is queued for them is not sent any more."""
    from digest.app import utc_now
    from digest.subscriptions import remove as remove_all

    with console.app() as app:
        results = remove_all(app.store, addresses, now=utc_now())
    unknown = [address for address, was in results if not was]
    console.answer({"removed": [address for address, was in results if was], "unknown": unknown})
    for address, was in results:
        if was:
            console.result(f"{address}: removed; gets no more mail.")
        else:
            console.fault(f"{address}: not subscribed. See `digest subscribers list`.")
    return 1 if unknown else 0
