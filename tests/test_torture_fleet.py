"""Three `digest worker` processes on one PostgreSQL, killed again and again while they send: nobody is left out, and a mail that
comes twice is told by its Message-ID."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from digest.app import open_app
from digest.configfile import load_config
from digest.model import Paper
from digest.pipeline.issue import issue
from digest.store import Store, open_store
from fleets import start
from store_contract import start_postgres, stop_postgres

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks.fleet import CONFIG, add_readers

pytestmark = pytest.mark.postgres

SINK = str(Path(__file__).with_name("counting_sink.py"))
CONNECTIONS, JOBS = 2, 2


@contextmanager
def sink(log: Path) -> Iterator[int]:
    """A counting server in a process of its own; its port."""
    with subprocess.Popen([sys.executable, SINK, str(log)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Fleet:
    """Workers of one configuration, each started again when it was killed."""

    def __init__(self, config: Path, workers: int) -> None:
        self._config = config
        self.workers = [self._start() for _ in range(workers)]
        self.kills = 0

    def _start(self) -> BaseProcess:
        return start(self._config, "--queues", "deliver", "--jobs", str(JOBS))

    def kill(self, which: int) -> None:
        """Ends one with SIGKILL and starts another in its place."""
        self.workers[which].kill()
        self.workers[which].join(60)
        assert self.workers[which].exitcode == -signal.SIGKILL
        self.kills += 1
        self.workers[which] = self._start()

    def stop(self) -> None:
        """Ends all as an operator does; each must end well."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.join(60)
        assert [worker.exitcode for worker in self.workers] == [0] * len(self.workers)


def set_up(folder: Path, url: str, port: int, *, readers: int, batch: int) -> Path:
    """An installation with an edition that is issued and published, and jobs for so many mails; its configuration."""
    from digest.worker.engine import install

    file = folder / "config.toml"
    file.write_text(CONFIG.format(store=url, port=port, batch=batch, connections=CONNECTIONS))
    config, now = load_config(file, {}), datetime.now(UTC)
    with open_app(config) as app:
        store = app.store
        install(store)
        add_readers(url, readers, now)
        paper = Paper(key="title:a", title="A Paper on Many Mails", abstract="It says how they are sent.")
        store.record_sightings("s", [paper], now=now, listed_on=None, followers=["daily"], updates_for=set())
        issued = issue(config.digest[0], config, store, day=now.date(), now=now, batch=batch)
        assert issued.edition is not None
        assert issued.queued == readers
        store.release_deliveries(("daily", issued.edition.id), now=now)
    return file


def sent(store: Store) -> int:
    return store.delivery_counts().get("accepted", 0)


def until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def check(log: Path, readers: int) -> tuple[int, int]:
    """That each reader got the mail, under one Message-ID, and of each connection at most one mail came again; how many came
    again, and how many connections there were."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    last: dict[str, int] = {}
    lines = [line.split() for line in log.read_text().splitlines()]
    mails = [(int(number), who, what) for number, who, what in (x for x in lines if x[0] != "end")]
    for nth, (_, who, message_id) in enumerate(mails):
        ids[who].add(message_id)
        last[who] = nth
    assert len(ids) == readers, f"{readers - len(ids)} readers got nothing"
    assert all(len(each) == 1 for each in ids.values()), "a mail came again under another Message-ID"
    assert len({next(iter(each)) for each in ids.values()}) == readers
    outdone = Counter(number for nth, (number, who, _) in enumerate(mails) if last[who] != nth)
    well = {int(x[1]) for x in lines if x[0] == "end" and x[-1] == "quit"}
    assert not well & set(outdone), "what came over a connection that ended well came again"
    assert max(outdone.values(), default=0) <= 1
    return outdone.total(), max(number for number, *_ in mails)


def prove(
    folder: Path,
    server: Any,
    url: str,
    *,
    readers: int,
    batch: int,
    between: Callable[[Fleet, Store, int], bool],
) -> str:
    """Lets three workers send to so many readers, while `between(fleet, store, sent)` is called until it has done its worst."""
    log = folder / "taken"
    with ExitStack() as stack:
        port = stack.enter_context(sink(log))
        config = set_up(folder, url, port, readers=readers, batch=batch)
        store = stack.enter_context(open_store(url))
        started = time.monotonic()
        fleet = Fleet(config, 3)
        stack.callback(lambda: [worker.kill() for worker in fleet.workers])
        while between(fleet, store, sent(store)):
            time.sleep(0.02)
        until(lambda: sent(store) == readers, 300)
        seconds = time.monotonic() - started
        fleet.stop()
        assert store.delivery_counts() == {"accepted": readers}
        assert store.job_counts()["deliver"].keys() <= {"succeeded"}
        # A journal that was being made when its worker was killed has nothing in it, and is forgotten later.
        assert list((folder / "var").glob("receipts.d/*.receipts")) == []
    again, connections = check(log, readers)
    assert again <= fleet.kills * CONNECTIONS * JOBS
    return (
        f"{readers} mails, {fleet.kills} kills in {seconds:.0f} s, {connections} connections: none lost, "
        f"{again} repeated, at most 1 for each connection that was cut"
    )


@pytest.mark.torture
def test_200000_mails_of_three_workers_that_are_killed_every_second(
    tmp_path: Path,
    postgres_server: Any,
    new_database: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    readers, rng, restarted = 200_000, random.Random(2026), []

    def between(fleet: Fleet, store: Store, count: int) -> bool:
        time.sleep(1)
        if count > readers * 0.95:
            return False
        fleet.kill(rng.randrange(3))
        if count > readers // 2 and not restarted:
            restarted.append(count)
            stop_postgres(postgres_server)
            start_postgres(postgres_server)
        return True

    figures = prove(tmp_path, postgres_server, new_database(), readers=readers, batch=400, between=between)
    assert restarted
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


def test_mails_of_three_workers_that_are_killed_reach_everybody_once(
    tmp_path: Path, postgres_server: Any, new_database: Callable[[], str]
) -> None:
    killed: list[int] = []

    def between(fleet: Fleet, store: Store, count: int) -> bool:
        if count >= 200 * (len(killed) + 1):
            fleet.kill(len(killed) % 3)
            killed.append(count)
        return len(killed) < 3

    prove(tmp_path, postgres_server, new_database(), readers=1000, batch=70, between=between)
