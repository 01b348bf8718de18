"""What is the store's own on PostgreSQL: threads side by side, transactions that the server ends, a server that comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from digest.errors import StoreBusy, StoreError, StoreSlow, StoreUndone
from digest.store import Store, open_store
from digest.store.database import TRIES
from digest.store.postgres import MOST_CONNECTIONS, Postgres
from store_contract import empty_postgres, start_postgres, stop_postgres

LONG_S = 30.0  # for what comes at once, on a machine however slow


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Store]:
    """A store that threads share, with deadlocks found at once."""
    empty_postgres(postgres_url)
    with open_store(f"{postgres_url}&options=-cdeadlock_timeout%3D20ms") as opened:
        yield opened


def note(store: Store, key: str, value: str = "") -> None:
    store._db.run("set_meta", key=key, value=value)


def noted(store: Store, key: str) -> str | None:
    with store._db.reading():
        found: str | None = store._db.value("meta_value", key=key)
    return found


class Others:
    """Threads of a test, which are waited for at its end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2 * MOST_CONNECTIONS)
        self._begun: list[Any] = []

    def start(self, work: Callable[[], object]) -> Any:
        self._begun.append(self._pool.submit(work))
        return self._begun[-1]

    def __enter__(self) -> Others:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            for one in self._begun:
                one.result()


# --- threads


@pytest.mark.postgres
def test_threads_read_side_by_side(shared: Store) -> None:
    together = threading.Barrier(4)

    def read() -> None:
        with shared._db.reading():
            assert shared._db.value("meta_value", key="schema")
            together.wait(LONG_S)  # none gets here while another one must wait for its turn

    with Others() as others:
        for _ in range(4):
            others.start(read)


@pytest.mark.postgres
def test_threads_that_write_take_turns(shared: Store) -> None:
    inside, most = 0, 0

    def write() -> None:
        nonlocal inside, most
        for _ in range(5):
            with shared._db.writing():
                inside += 1
                most = max(most, inside)
                number = int(shared._db.value("meta_value", key="count") or 0)
                note(shared, "count", str(number + 1))
                inside -= 1

    with Others() as others:
        for _ in range(6):
            others.start(write)
    assert most == 1
    assert noted(shared, "count") == "30"


@pytest.mark.postgres
def test_who_need_not_be_alone_goes_beside_a_writer(shared: Store) -> None:
    with shared._db.writing(), Others() as others:
        note(shared, "one")

        def beside() -> None:
            with shared.together(alone=False):
                note(shared, "other")

        others.start(beside).result(LONG_S)
        assert shared._db.value("meta_value", key="other") == ""
    assert noted(shared, "one") == ""


def test_who_must_be_alone_is_not_begun_inside_of_who_is_not(store: Store) -> None:
    with (
        store._db.writing(alone=False),
        pytest.raises(RuntimeError, match="must be alone"),
        store._db.writing(),
    ):
        pass
    with store._db.writing(), store._db.writing(alone=False), store._db.writing():
        note(store, "nested")
    assert noted(store, "nested") == ""


@pytest.mark.postgres
def test_a_rehearsal_is_that_of_one_thread(shared: Store) -> None:
    with shared.rehearsal(), Others() as others:
        with shared._db.writing():
            note(shared, "rehearsed")
        assert noted(shared, "rehearsed") == ""
        assert others.start(lambda: noted(shared, "rehearsed")).result(LONG_S) is None
    assert noted(shared, "rehearsed") is None


@pytest.mark.postgres
def test_the_time_of_one_thread_does_not_run_out_for_another(shared: Store) -> None:
    late = threading.Event()

    def hurried() -> None:
        with shared.within(0.02), pytest.raises(StoreSlow), shared._db.reading():
            shared._db.execute("SELECT pg_sleep(60)", {})
        late.set()

    def patient() -> None:
        while not late.is_set():
            with shared._db.reading():
                shared._db.execute("SELECT pg_sleep(0.03)", {})

    with Others() as others:
        others.start(patient)
        others.start(hurried)
    with shared._db.reading():  # the connection of the hurried one has no limit any more
        shared._db.execute("SELECT pg_sleep(0.03)", {})


@pytest.mark.postgres
def test_more_threads_than_connections_wait_for_one(shared: Store) -> None:
    def work(number: int) -> None:
        for turn in range(3):
            with shared.together(alone=False):
                note(shared, f"{number}/{turn}")

    with Others() as others:
        for number in range(2 * MOST_CONNECTIONS):
            others.start(lambda number=number: work(number))  # type: ignore[misc]
    assert all(noted(shared, f"{n}/{t}") == "" for n in range(2 * MOST_CONNECTIONS) for t in range(3))
    assert isinstance(shared._db, Postgres)
    assert 1 < len(shared._db._pool._idle) <= MOST_CONNECTIONS


@pytest.mark.postgres
def test_a_thread_that_gets_no_connection_says_so(postgres_url: str) -> None:
    empty_postgres(postgres_url)
    with open_store(postgres_url, busy_timeout_s=0.05) as store, Others() as others:
        over, inside = threading.Event(), threading.Barrier(MOST_CONNECTIONS + 1)

        def hold() -> None:
            with store._db.reading():
                inside.wait(LONG_S)
                over.wait(LONG_S)

        for _ in range(MOST_CONNECTIONS):
            others.start(hold)
        inside.wait(LONG_S)
        with pytest.raises(StoreBusy, match="connections"):
            store.copies() or store.count_waiting("daily")
        over.set()


@pytest.mark.postgres
def test_a_closed_store_leaves_no_thread_and_no_connection(postgres_url: str) -> None:
    import psycopg

    empty_postgres(postgres_url)
    before = threading.active_count()
    url = f"{postgres_url}&application_name=closing"
    with open_store(url) as store, Others() as others:
        others.start(lambda: store.count_waiting("daily"))
    assert threading.active_count() == before
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.count_waiting("daily")
    with psycopg.connect(postgres_url) as admin:
        end = time.monotonic() + LONG_S
        while admin.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'closing'").fetchone():
            assert time.monotonic() < end
            admin.execute("SELECT pg_sleep(0.01)")


# --- transactions that the server ends


def cut(postgres_url: str) -> None:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'digest'"
        )


@pytest.mark.postgres
def test_two_that_are_in_each_others_way_both_get_there(shared: Store) -> None:
    """A deadlock: the server ends one of the two, and it is done again."""
    with shared._db.writing():
        note(shared, "left")
        note(shared, "right")
    met, tries = threading.Barrier(2), {"left": 0, "right": 0}

    def change(first: str, then: str, alone: bool) -> None:
        tries[first] += 1
        with shared._db.writing(alone=alone):
            note(shared, first, f"by {first}")
            with suppress(threading.BrokenBarrierError):
                met.wait(LONG_S)
            met.abort()  # who is done again meets nobody
            note(shared, then, f"by {first}")

    with Others() as others:
        others.start(lambda: shared._db.repeated(lambda: change("left", "right", True)))
        others.start(lambda: shared._db.repeated(lambda: change("right", "left", False)))
    assert sum(tries.values()) == 3
    assert noted(shared, "left") == noted(shared, "right") != ""


@pytest.mark.postgres
def test_what_the_server_ended_in_its_midst_is_done_again_once(shared: Store, postgres_url: str) -> None:
    tried = 0

    def count() -> None:
        nonlocal tried
        tried += 1
        with shared._db.writing():
            number = int(shared._db.value("meta_value", key="count") or 0)
            note(shared, "count", str(number + 1))
            if tried == 1:
                cut(postgres_url)
                note(shared, "count", "lost")

    shared._db.repeated(count)
    assert tried == 2
    assert noted(shared, "count") == "1"


@pytest.mark.postgres
def test_what_is_lost_each_time_is_given_up_with_the_reason(shared: Store, postgres_url: str) -> None:
    tried = 0

    def count() -> None:
        nonlocal tried
        tried += 1
        with shared._db.writing():
            cut(postgres_url)
            note(shared, "count")

    with pytest.raises(StoreUndone, match=r"connection .* was lost .* Nothing was changed"):
        shared._db.repeated(count)
    assert tried == TRIES
    assert noted(shared, "count") is None


@pytest.mark.postgres
def test_a_part_of_a_transaction_is_not_done_again_by_itself(shared: Store, postgres_url: str) -> None:
    tried = 0

    def inner() -> None:
        nonlocal tried
        tried += 1
        cut(postgres_url)
        note(shared, "inner")

    with pytest.raises(StoreUndone), shared._db.writing():
        note(shared, "outer")
        shared._db.repeated(inner)
    assert tried == 1
    assert noted(shared, "outer") is None


class Cutter:
    """Stands between a client and the server, and cuts the line at COMMIT: before the server hears it, or before it answers."""

    def __init__(self, folder: Path, server: str) -> None:
        self._server, self.cut, self.once = server, "", False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            lost = threading.Event()
            up = threading.Thread(target=self._up, args=(client, server, lost))
            up.start()
            self._down(client, server, lost)
            up.join()

    def _up(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self.cut:  # not READ COMMITTED
                    lost.set()
                    cut, self.cut = self.cut, "" if self.once else self.cut
                    if cut == "before it is heard":
                        break
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():
                    break
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for it
        self._listener.close()


@contextmanager
def cutter(postgres_url: str, folder: Path) -> Iterator[tuple[Cutter, str]]:
    address = postgres_url.rpartition("host=")[2]
    between = Cutter(folder, f"{address}/.s.PGSQL.5432")
    try:
        yield between, postgres_url.replace(address, str(folder))
    finally:
        between.close()


@pytest.mark.postgres
@pytest.mark.parametrize("when", ["before it is heard", "before it is answered"])
def test_a_commit_without_an_answer_is_not_done_again(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    import tempfile

    empty_postgres(postgres_url)
    # A short path: the name of a socket has 100 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="cut-") as folder,
        cutter(postgres_url, Path(folder)) as (between, url),
        open_store(url) as store,
    ):
        tried = 0

        def work() -> None:
            nonlocal tried
            tried += 1
            with store._db.writing():
                note(store, "kept")
                between.cut = when

        with pytest.raises(StoreError, match="whether it is kept is not known") as error:
            store._db.repeated(work)
        assert not isinstance(error.value, StoreUndone)
        assert tried == 1
        between.cut = ""
        expected = "" if when == "before it is answered" else None
        end = time.monotonic() + LONG_S
        while noted(store, "kept") != expected:  # the server may be at it still
            assert time.monotonic() < end


# --- a server that goes and comes back


@pytest.mark.postgres
def test_a_restart_between_transactions_is_not_noticed(shared: Store, postgres_server: Any) -> None:
    with Others() as others:  # several connections, all of them lost
        together = threading.Barrier(3)

        def read() -> None:
            with shared._db.reading():
                together.wait(LONG_S)

        for _ in range(3):
            others.start(read)
    stop_postgres(postgres_server)
    start_postgres(postgres_server)
    with Others() as others:
        for number in range(3):
            others.start(lambda number=number: shared.count_waiting(f"digest{number}"))  # type: ignore[misc]
    with shared._db.writing():
        note(shared, "after")
    assert noted(shared, "after") == ""


@pytest.mark.postgres
def test_a_server_that_is_being_restarted_is_waited_for(shared: Store, postgres_server: Any) -> None:
    stop_postgres(postgres_server)
    with Others() as others:
        asked = others.start(lambda: shared.count_waiting("daily"))
        assert not asked.done()
        start_postgres(postgres_server)
        assert asked.result(LONG_S) == 0


@pytest.mark.postgres
def test_a_server_that_stays_away_is_named_and_not_waited_for_twice(
    shared: Store, postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest.store import postgres

    monkeypatch.setattr(postgres, "RESTART_S", 0.2)
    stop_postgres(postgres_server)
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            shared.count_waiting("daily")
        monkeypatch.setattr(postgres, "RETRY_CONNECT_S", LONG_S)  # who waits again, waits too long
        begun = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached"):
            shared.count_waiting("daily")
        assert time.monotonic() - begun < LONG_S
    finally:
        start_postgres(postgres_server)
    assert shared.count_waiting("daily") == 0
