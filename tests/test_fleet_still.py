"""Who stands still, or begins beside another: nothing is mailed twice, and nobody waits for what nobody has."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec.structs import replace

from digest.app import App, open_app
from digest.app.post import workers_alive
from digest.config import EngineConfig, SmtpConfig
from digest.errors import StoreError
from digest.store import Store, open_store
from digest.worker import Worker
from fleets import config_of, installation, start, wait_for, write_pages
from smtp_servers import serving
from store_contract import empty_postgres, stand_still
from test_store_postgres import cutter
from test_torture_fleet import CONNECTIONS, JOBS, sent, set_up

pytestmark = pytest.mark.postgres


# ---------------------------------------------------------------- a lease of which nobody knows


@pytest.mark.parametrize("when", ["before it is heard", "before it is answered"])
@pytest.mark.parametrize("which", ["taken", "given back"])
def test_nobody_waits_for_a_lease_whose_taking_or_end_was_not_answered(
    tmp_path: Path, postgres_url: str, when: str, which: str
) -> None:
    """The connection is lost while it is saved: whether it was is not known, and for nobody else it is held."""
    empty_postgres(postgres_url)
    with (
        TemporaryDirectory(prefix="cut-") as folder,  # a short path: the name of a socket has 100 bytes
        cutter(postgres_url, Path(folder)) as (between, url),
        open_app(config_of(installation(tmp_path, url))) as app,
        open_store(postgres_url) as another,
    ):
        assert not workers_alive(app.store)  # the connection is there
        between.once, between.cut = True, when if which == "taken" else ""
        lost = pytest.raises(StoreError, match="is not known") if which == "taken" else nullcontext()
        with lost, app.alone("issue"):
            between.cut = when
        assert between.cut == ""
        another.acquire_lease("run", "elsewhere/1/1", now=app.clock(), ttl_s=9, is_dead=lambda who: False)


# ---------------------------------------------------------------- beside a run of one process


def test_a_worker_that_begins_beside_a_run_of_one_process_lets_it_end(
    tmp_path: Path, new_database: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its mails are claimed by no mark: who began would take them for left behind, and send them again."""
    file = installation(tmp_path, new_database())
    write_pages(tmp_path, 0)
    addresses = [f"reader{n}@example.org" for n in range(6)]
    with serving() as server, open_app(config_of(file)) as app:
        on_its_way, let_go = threading.Event(), threading.Event()

        def answer(verb: str, line: str) -> None:
            if verb == "DOT":
                on_its_way.set()
                assert let_go.wait(120)

        server.answer = answer
        smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none", connections=2)
        shared = replace(app.config, mail=replace(app.config.mail, transport="smtp", smtp=smtp))
        app.config = replace(shared, engine=EngineConfig())
        for address in addresses:
            app.store.add_subscriber(address, digests=("daily",), now=app.clock())
        run = threading.Thread(target=app.daily, args=(app.clock(),))
        worker = threading.Thread(target=Worker(shared, once=True).work)
        run.start()
        assert on_its_way.wait(60)
        with caplog.at_level(logging.WARNING, logger="digest.worker"):
            worker.start()
            wait_for(lambda: "A run of one process is at work" in caplog.text)
        let_go.set()
        run.join(120)
        worker.join(120)
        assert not run.is_alive() and not worker.is_alive()
        assert app.store.delivery_counts()["accepted"] == 6
    assert sorted(server.recipients()) == addresses


# ---------------------------------------------------------------- a worker that stands still


def hurried(app: App) -> None:
    """Leases of seconds, for a test that cannot wait a minute."""
    from digest.pipeline import spans
    from digest.worker import duties

    spans.LEASE_S, spans.MARGIN_S, spans.RENEW_S = 1.6, 0.4, 0.2
    duties.SILENT, duties._BEAT_S = timedelta(seconds=2), 0.3


@pytest.mark.torture  # ten seconds; test_spans.py has one call of it
def test_a_worker_that_stood_still_mails_nothing_that_another_has_taken_over(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """A whole process is stopped in the midst of its mails, for longer than its leases. Where mail in doubt is held none comes
    twice, and what was on its way is known when it goes on."""
    readers, url = 120, new_database()
    with ExitStack() as stack:
        server, slow = stack.enter_context(serving()), [True]
        server.answer = lambda verb, line: time.sleep(0.03 * slow[0]) if verb == "DOT" else None
        file = set_up(tmp_path, url, server.port, readers=readers, batch=40)
        file.write_text(file.read_text().replace("[mail]\n", '[mail]\nin_doubt = "hold"\n'))
        app = stack.enter_context(open_app(config_of(file)))
        store = app.store
        with app.alone("issue"):
            app.publish()
        first = start(file, opened=hurried)
        stack.callback(first.kill)
        assert server.wait_for(8, timeout=60)
        pid = first.pid
        assert pid is not None
        wait_for(lambda: stand_still(pid, url))
        slow[0] = False
        second = start(file, opened=hurried)
        stack.callback(second.kill)
        wait_for(lambda: is_over(store, readers), alive=[second])
        taken, before = len(server.taken), sent(store)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: len(store.workers()) == 2 and is_over(store, readers), alive=[first, second])
        for worker in (first, second):
            worker.terminate()
            worker.join(60)
        assert [first.exitcode, second.exitcode] == [0, 0]
        server.settle()
        app.take_up_receipts()  # as the next worker does
        assert store.delivery_counts() == {"accepted": readers}
    assert Counter(server.recipients()).most_common(1)[0][1] == 1, "a mail came twice"
    assert len(server.taken) == readers
    assert max(readers - before, readers - taken) <= CONNECTIONS * JOBS, "what was on its way, and no more"
    assert list((tmp_path / "var").glob("receipts.d/*")) == []


def is_over(store: Store, readers: int) -> bool:
    """Is nothing left but what is held, and nobody at it?"""
    counts = store.delivery_counts()
    waits = store.job_counts()["deliver"].keys() & {"todo", "doing"}
    return counts.get("accepted", 0) + counts.get("sending", 0) == readers and not waits
