"""Installations for many workers: sources that share papers, two digests, and `digest worker` processes to start and kill."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from digest.app import App, open_app
from digest.cli import main
from digest.config import Config
from digest.configfile import load_config
from digest.worker import Worker
from pages import invented, rss

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
SOURCES = 6

_DIGESTS = """
[[digest]]
name = "daily"
path = ""
[[digest.topics]]
name = "Moths"
any = ["moth"]
[[digest.topics]]
name = "Water"
any = ["otter", "heron", "carp"]

[[digest]]
name = "coast"
title = "The coast"
sources = ["s1", "s3", "s4"]
exclude = ["quarries"]
"""


def installation(folder: Path, store: str = "sqlite:///digest.db", *, more: str = "") -> Path:
    """A configuration with six folders of pages as sources; its file."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = ""
    for n in range(SOURCES):
        (folder / f"in{n}").mkdir(exist_ok=True)
        sources += f'[[source]]\nname = "s{n}"\npath = "in{n}"\n'
    engine = '[engine]\nkind = "procrastinate"\nbatch = 3\n' if store.startswith("postgres") else ""
    file = folder / "config.toml"
    file.write_text(
        '[site]\nurl = "https://papers.example.org/"\ntimezone = "Europe/Berlin"\n'
        f'[store]\nurl = "{store}"\n{engine}[lookup]\nenabled = false\n'
        '[mail]\nfrom = "Paper Digest <digest@papers.example.org>"\nfolder = "outbox"\n'
        f"{more}{sources}{_DIGESTS}"
    )
    return file


def write_pages(folder: Path, day: int, *, papers: int = 8) -> None:
    """The pages of a day: each source shares half of its papers with the next one, and some with the day before."""
    for n in range(SOURCES):
        first = day * papers * 3 + n * papers // 2
        (folder / f"in{n}" / "page.xml").write_bytes(rss(invented(first, papers)))


def config_of(file: Path) -> Config:
    return load_config(file, {})


def in_one_process(file: Path, days: int, *, papers: int = 8) -> None:
    """The days one after the other, each done by one process."""
    config = config_of(file)
    for day in range(days):
        write_pages(file.parent, day, papers=papers)
        now = NOW + timedelta(days=day)
        with open_app(config, clock=lambda now=now: now) as app:  # type: ignore[misc]
            app.daily(now)


def begin(file: Path, day: int) -> int:
    """Begins the run of a day that workers share; its number."""
    now = NOW + timedelta(days=day)
    with open_app(config_of(file)) as app:
        run = app.begin_shared_run(app.config.digest, day=app.today(now), now=now)
        assert run is not None
        return run


def wait_for(what: Callable[[], bool], *, seconds: float = 120, alive: Sequence[BaseProcess] = ()) -> None:
    """Until it is so; a worker that ended meanwhile is a failure."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        assert all(worker.exitcode is None for worker in alive), "a worker ended by itself"
        time.sleep(0.2)


def status_of(file: Path, run: int) -> str:
    with open_app(config_of(file)) as app:
        return app.store.shared_run(run)[0].status


def are_at_work(file: Path, made: Sequence[BaseProcess]) -> bool:
    """Does the engine know all of these workers?"""
    with open_app(config_of(file)) as app:
        known = {row.id.split("/")[-2] for row in app.store.workers() if row.engine_id is not None}
    return {str(worker.pid) for worker in made} <= known


@cache
def _nursery() -> ForkServerContext:
    """Workers come from a process that has everything loaded: a second each is saved. test_worker.py starts one as a shell does."""
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["digest.cli.worker", "digest.worker", "digest.store.postgres", "digest.app.daily"]
    )
    return context


def start(file: Path, *options: str, opened: Callable[[App], None] | None = None) -> BaseProcess:
    """`digest worker` in a process of its own. `opened` changes each App that it opens."""
    worker = _nursery().Process(target=_work, args=(str(file), options, opened), daemon=True)
    worker.start()
    return worker


def _work(file: str, options: Sequence[str], opened: Callable[[App], None] | None) -> None:
    log = os.open(Path(file).with_name("workers.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    if opened is not None:
        worker = Worker(config_of(Path(file)), once="--once" in options, opened=opened)
        worker.handle_signals()
        worker.work()
    else:
        main(["--config", file, "worker", *options])


@contextmanager
def workers(
    file: Path, count: int, *options: str, opened: Callable[[App], None] | None = None
) -> Iterator[list[BaseProcess]]:
    """So many worker processes; at the end each is told to stop, and must do so well."""
    made = [start(file, *options, opened=opened) for _ in range(count)]
    try:
        wait_for(lambda: are_at_work(file, made), alive=made)
        yield made
        wait_for(
            lambda: are_at_work(file, made), alive=made
        )  # one that was started last is told when it can hear it
        for worker in made:
            worker.terminate()
        for worker in made:
            worker.join(60)
        assert [worker.exitcode for worker in made] == [0] * len(made)
    finally:
        for worker in made:
            worker.kill()
            worker.join()


def published(file: Path) -> dict[str, bytes]:
    root = file.parent / "feeds"
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
