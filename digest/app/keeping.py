"""An installation as a whole: moved to another store, kept in a file, put back from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.app.edges import LEASE, LEASE_TTL_S
from digest.app.opening import store_file
from digest.app.post import receipts_of, settle_receipts, workers_alive
from digest.config import Config
from digest.errors import StoreBusy, StoreError, UsageError
from digest.journal import set_aside
from digest.paths import exists
from digest.process import is_dead, this_process

if TYPE_CHECKING:
    from digest.store import Store
    from digest.store.leaving import Heard

Done = Callable[[int], None]
_TOLD: tuple[str, ...] = ("editions", "papers", "subscribers", "runs")


class Restored(Struct, frozen=True, kw_only=True):
    """What a store holds after it was put back, where that which it held before is kept (None: it held nothing), and how many mails
    wait. Of what was there before is kept: what readers chose; who had left, or was erased or suppressed (`let_go` counts those
    of the backup); which mails that waited in the backup had gone out, or are not to any more (`ended` counts them). `newer` counts
    readers of what was there before who came after the backup: they are not in it. `damaged`: there may be more of all these, of
    which it could not tell."""

    editions: int
    subscribers: int
    waiting: int
    kept: Path | None
    let_go: int = 0
    newer: int = 0
    ended: int = 0
    damaged: bool = False


def copy_store(config: Config, source: str, target: str, *, now: datetime, done: Done) -> dict[str, int]:
    """Copies the installation in the store `source` into the empty store `target`, two addresses as in [store] url; how many rows
    of each table. While it does, no run begins on the source, and who would write there waits.

    Raises UsageError, also while workers are at work, LeaseHeld when a run is, and StoreError. The target is empty then.
    """
    from digest.store import open_store

    base = config.resolve(".")
    _check_addresses(source, target, base)
    with (
        _all_or_nothing("Nothing was copied: TO is as it was.") as finished,
        open_store(source, base=base, create=False) as old,
        _leased(old, now),
    ):
        if config.mail.in_doubt == "resend" and old.in_hand():
            raise UsageError(
                f"a run on {_told(source)} ended while mails were in flight, and what became of them is noted beside that store "
                "only. Run `digest send` on it first, so that none is sent twice"
            )
        with open_store(target, base=base) as new:
            if new.lease_holder(LEASE, now=now) == this_process():  # that we have taken in the other one
                raise UsageError(
                    f"FROM and TO are one store, {_told(source)}. Name another one as TO, an empty one."
                )
            if found := new.holds():
                raise UsageError(
                    f"the store {_told(target)} is not empty ({_said(found)}). {_how_to_empty(target)}"
                )
            rows = old.copy_into(new, done=done)
            finished()
    return rows


def _check_addresses(source: str, target: str, base: Path) -> None:
    from digest.store import sqlite_file

    for name, url in (("FROM", source), ("TO", target)):
        if not url.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise UsageError(
                f'{name} is {_told(url)!r}. Write "sqlite:///var/digest.db" or "postgresql://user@host/digest"'
            )
    file = sqlite_file(source, base)
    if file is not None and not exists(file):
        raise StoreError(
            f"There is no store at {file}. FROM is the one to copy, as [store] url has it until now; TO is the new one."
        )


def back_up(config: Config, file: Path, *, done: Done) -> int:
    """Writes the whole store into one file, while others use it; its size in bytes. Raises UsageError and StoreError."""
    from digest.store import open_store

    if config.publishes(file):
        raise UsageError(
            f"{file} would be published, and a backup holds the addresses of readers. Name another place"
        )
    with (
        _all_or_nothing("No backup was written.") as finished,
        open_store(config.store.url, base=config.resolve("."), create=False) as store,
    ):
        size = store.back_up(file, done=done)
        finished()
    return size


def restore(config: Config, file: Path, *, replace: bool, now: datetime, done: Done) -> Restored:
    """Puts a backup in place of what the store holds. With `replace` that may be an installation: it is kept in a file then.

    Raises UsageError, also while workers are at work, LeaseHeld when a run is, and StoreError; nothing is changed then.
    """
    from digest.store import check_backup, open_store

    base, url = config.resolve("."), config.store.url
    with _all_or_nothing("The store is as it was.") as finished:
        check_backup(file)
        with (
            open_store(url, base=base) as store,
            open_store(url, base=base) as beside,
            _leased(store, now),
        ):
            found = store.holds()
            if found and not replace:
                raise UsageError(
                    f"the store {config.store.shown} holds {_said(found)}. With --replace the backup takes their place, "
                    "and what is there now is kept in a file"
                )
            place = _keeping_place(config, now)
            kept = place if found else None
            if found:
                # The journal belongs to what is there now: who puts that back, or finds it still there since this was killed too,
                # sends none of those mails again.
                settle_receipts(store, config, now)
            with set_aside(receipts_of(config), place.suffix):
                heard, damaged = _put_back(store, beside, file, kept, now, done)
                finished()
    with open_store(url, base=base) as store:
        counts, held = store.delivery_counts(), store.holds()
    return Restored(
        editions=held.get("editions", 0),
        subscribers=held.get("subscribers", 0),
        kept=kept,
        waiting=counts["queued"] + counts["deferred"] + counts["sending"],
        let_go=heard.let_go,
        newer=heard.newer,
        ended=heard.ended,
        damaged=damaged,
    )


def _put_back(
    store: Store, beside: Store, file: Path, kept: Path | None, now: datetime, done: Done
) -> tuple[Heard, bool]:
    """What became of the readers of both, and whether what was there was damaged. `beside` is the same store by a
    connection of its own."""
    from digest.store.backups import with_wishes
    from digest.store.leaving import Heard

    if kept is None:
        store.restore(file, done=done, look=lambda: _check_ours(beside, now))
        return Heard(), False
    store.back_up(kept, done=done, whole=False)  # a store that is damaged is what backups are put back for
    # Nobody who has left since, or wants less, is mailed again because a disk broke.
    damaged = bool(store.check())
    wishes = store.wishes(damaged=damaged)

    def look() -> None:
        _check_ours(beside, now)
        if beside.wishes(damaged=damaged) != wishes:
            raise StoreBusy(
                "A reader left, or chose anew, while the backup was put back. Nothing was changed. Stop the service, then run "
                "again."
            )

    def ended(digest: str, day: str, part: int) -> dict[str, str]:
        try:
            return store.ended_mails(digest, day, part)
        except StoreError:
            if not damaged:
                raise
            return {}

    with with_wishes(file, kept.with_name(f"{kept.name}.part"), wishes, ended, now) as (clean, heard):
        store.restore(clean, done=done, look=look)
    return heard, damaged


@contextmanager
def _all_or_nothing(said: str) -> Iterator[Callable[[], None]]:
    """Who ends this block by Ctrl-C is told what is so then, unless the function that it gives was called: all is done."""
    reached: list[bool] = []
    try:
        yield lambda: reached.append(True)
    except KeyboardInterrupt:
        if reached:
            raise
        raise KeyboardInterrupt(said) from None


@contextmanager
def _leased(store: Store, now: datetime) -> Iterator[None]:
    holder = this_process()
    _check_workers(store)
    store.acquire_lease(LEASE, holder, now=now, ttl_s=LEASE_TTL_S, is_dead=is_dead)
    try:
        _check_workers(store)  # one that begins from here on waits for the lease
        yield
    finally:
        store.release_lease(LEASE, holder)


def _check_ours(store: Store, began: datetime) -> None:
    """The lease ends some time, and a large store takes longer."""
    if store.lease_holder(LEASE, now=began) != this_process():
        raise StoreBusy(
            "A run began while the backup was put back. Nothing was changed. Stop the service, then run again."
        )
    _check_workers(store)


def _check_workers(store: Store) -> None:
    """They send beside any run, and would go on with what was copied away or put back."""
    if workers_alive(store):
        raise UsageError("a `digest worker` is at work on this store. Stop all of them, then run again")


def _keeping_place(config: Config, now: datetime) -> Path:
    """A name of its own each time, also within one second: who puts back the wrong file and tries another one must not lose the
    first."""
    file = store_file(config) or config.resolve("var/digest.db")
    file.parent.mkdir(parents=True, exist_ok=True)
    ending = f".before-restore-{now:%Y%m%dT%H%M%SZ}"
    names = (f"{file.name}{ending}{f'-{n}' if n else ''}" for n in count())
    return next(place for name in names if not exists(place := file.with_name(name)))


def _said(found: dict[str, int]) -> str:
    told = [table for table in _TOLD if table in found] or list(found)
    return ", ".join(
        f"{found[table]:,} {table if found[table] != 1 else table.removesuffix('s')}" for table in told
    )


def _told(url: str) -> str:
    from digest.config import StoreConfig

    return StoreConfig(url=url).shown


def _how_to_empty(url: str) -> str:
    if url.startswith("sqlite:"):
        return "Name a file that is not there yet, or move this one away"
    return (
        "Name another database, or empty this one: "
        '`psql -c "DROP SCHEMA public CASCADE; CREATE SCHEMA public"` deletes all that it holds'
    )
