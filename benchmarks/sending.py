"""How fast mail goes out, beside what others do it with: Postfix's smtp-source, which keeps no receipts, and smtplib.

Needs smtp-sink and smtp-source (Debian: postfix). P9: 10,000 mails of 100 kB over eight connections, ours with each receipt in the
journal and in SQLite, to a server that looks for the end of each mail and does no more (benchmarks/sink.py); beside it smtp-sink,
which is what limits good senders, and a server that hardly looks. P10: one connection behind a proxy that holds each reply for
10 ms. Each sender is a process of its own, in turns; wall time of the sending alone, medians:
on a machine that others use too, only the ratios within one table count.
"""

from __future__ import annotations

import json
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.costs import Cost, answer_of, compile_ours, cost_of
from benchmarks.report import Check, Found, Growth, Row, figure, run_alone
from benchmarks.sink import running
from digest.config import MailConfig, SmtpConfig
from digest.model import Delivery, Edition, Message, Preferences
from digest.pipeline.deliver import deliver
from digest.smtp import open_transport
from digest.store import Planned, open_store

SINK, SOURCE = Path("/usr/sbin/smtp-sink"), Path("/usr/sbin/smtp-source")
NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
SENDER = "digest@papers.example.org"
DELAY_S = 0.01
# The parts that all readers share, about as many as an edition of thirty papers has.
SHARED_PARTS = 6


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def sink() -> Iterator[int]:
    """An smtp-sink on a port of its own, which takes everything and keeps nothing."""
    port = free_port()
    command = [str(SINK), "-u", "nobody", "-m", "256", f"127.0.0.1:{port}", "1024"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, cwd=folder) as process:
        try:
            _until_it_listens(port)
            yield port
        finally:
            process.terminate()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise SystemExit("smtp-sink did not start")


@contextmanager
def slow(port: int) -> Iterator[int]:
    """A proxy before a server that holds back whatever the server says for DELAY_S: a server so far away."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pass_on, args=(near, far, 0.0), daemon=True).start()
            threading.Thread(target=_pass_on, args=(far, near, DELAY_S), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _pass_on(source: socket.socket, target: socket.socket, delay: float) -> None:
    try:
        while data := source.recv(262144):
            if delay:
                time.sleep(delay)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


# ------------------------------------------------------------------ the senders


def parts(size: int) -> tuple[bytes, ...]:
    """The body of a mail of about so many bytes, in pieces that all mails share."""
    line = b"A paper on the sending of mail, with its authors and a line of its abstract.\r\n"
    each = size // SHARED_PARTS // len(line)
    return (line * each,) * SHARED_PARTS


def queue(file: Path, mails: int) -> None:
    """A store with one edition, due to so many readers."""
    with open_store(f"sqlite:///{file}") as store:
        for n in range(mails):
            store.add_subscriber(f"reader{n}@example.org", digests=[], now=NOW, preferences=Preferences())
        edition = Edition(
            id="2026-11-19", digest="daily", title="T", date=date(2026, 11, 19), part=1, number=1, issued_at=NOW, guid="g"
        )  # fmt: skip
        store.issue(
            edition, [], lambda s: Planned(message_id=f"<{s.id}@papers.example.org>", date=NOW, due_at=NOW)
        )


def digest_seconds(port: int, mails: int, size: int, lanes: int, file: Path) -> float:
    """The whole of deliver(): claims, messages, wire, journal, receipts in SQLite. Raises SystemExit for a mail not taken."""
    body = parts(size)

    def compose(delivery: Delivery) -> Message:
        head = f"From: {SENDER}\r\nTo: {delivery.subscriber.address}\r\nMessage-ID: {delivery.message_id}\r\n\r\n"
        return Message(pieces=(head.encode(), *body))

    smtp = SmtpConfig(host="127.0.0.1", port=port, security="none", connections=lanes)
    mail = MailConfig(transport="smtp", from_=SENDER, smtp=smtp)
    with open_store(f"sqlite:///{file}") as store:
        transport = open_transport(mail, base=Path)
        started = time.perf_counter()
        report = deliver(
            store, transport, compose, mail, holder="bench", clock=lambda: NOW, journal=file.with_name("receipts")
        )  # fmt: skip
        taken = time.perf_counter() - started
    if report.accepted != mails:
        raise SystemExit(f"of {mails} mails {report.accepted} were accepted: {report.error}")
    return taken


def smtplib_seconds(port: int, mails: int, size: int, lanes: int) -> float:
    """A thread for each connection."""
    body = b"".join(parts(size))

    def send(numbers: range) -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            for n in numbers:
                head = f"From: {SENDER}\r\nTo: reader{n}@example.org\r\nMessage-ID: <{n}@papers.example.org>\r\n\r\n"
                smtp.sendmail(SENDER, [f"reader{n}@example.org"], head.encode() + body)

    threads = [threading.Thread(target=send, args=(range(k, mails, lanes),)) for k in range(lanes)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def send_again(sender: str, numbers: list[str], out: str) -> None:
    """A sender in a process of its own: the seconds it took."""
    port, mails, size, lanes = map(int, numbers[:4])
    if sender == "digest":
        seconds = digest_seconds(port, mails, size, lanes, Path(numbers[4]))
    else:
        seconds = smtplib_seconds(port, mails, size, lanes)
    Path(out).write_text(json.dumps(seconds))


class Load(NamedTuple):
    mails: int
    size: int
    lanes: int


def send(sender: str, port: int, load: Load, queued: Path) -> tuple[float, Cost]:
    """Mails per second, and what the process cost. smtplib, slow, sends a tenth."""
    mails = max(1, load.mails // 10) if sender == "smtplib" else load.mails
    if sender == "smtp-source":
        options = [
            "-d",
            "-s",
            load.lanes,
            "-m",
            mails,
            "-l",
            load.size,
            "-f",
            SENDER,
            "-t",
            "reader@example.org",
        ]
        cost = cost_of([str(SOURCE), *map(str, options), f"127.0.0.1:{port}"])
        return mails / cost.wall, cost
    arguments = ["--again", sender, port, mails, load.size, load.lanes]
    if sender == "smtplib":
        seconds, cost = answer_of("sending", *arguments)
        return mails / seconds, cost
    with tempfile.TemporaryDirectory() as folder:
        file = shutil.copyfile(queued, Path(folder, "digest.db"))
        seconds, cost = answer_of("sending", *arguments, file)
    return mails / seconds, cost


# ------------------------------------------------------------------ the tables


class Rate(NamedTuple):
    """Mails per second, CPU seconds of a thousand mails, the peak of the process."""

    rate: float
    cpu: float
    peak_mib: float


def contest(port: int, senders: tuple[str, ...], load: Load, rounds: int) -> dict[str, Rate]:
    """The medians of each sender."""
    rates: dict[str, list[float]] = {sender: [] for sender in senders}
    costs: dict[str, list[Cost]] = {sender: [] for sender in senders}
    with tempfile.TemporaryDirectory() as folder:
        queued = Path(folder, "queued.db")
        queue(queued, load.mails)
        for _ in range(rounds):
            for sender in senders:
                rate, cost = send(sender, port, load, queued)
                rates[sender].append(rate)
                costs[sender].append(cost)
    return {
        sender: Rate(
            median(rates[sender]),
            1000 * median(cost.cpu for cost in costs[sender]) / load.mails,
            max(cost.peak_mib for cost in costs[sender]),
        )
        for sender in senders
    }


def row(
    name: str, what: str, found: dict[str, Rate], goals: dict[str, tuple[float, float]], missing: str = ""
) -> Row:
    """`goals`: how many times as fast as each of the others we want to be, and how many would be finer still."""
    mine = found["digest"]
    beside = [f"{sender} {figure(each.rate)} mails/s" for sender, each in found.items() if sender != "digest"]
    checks = [
        Check(sender, mine.rate / found[sender].rate, limit, stretch=stretch)
        for sender, (limit, stretch) in goals.items()
        if sender in found
    ]
    return Row(
        name, what, f"{figure(mine.rate)} mails/s", "; ".join(beside), tuple(checks), mine.peak_mib, missing
    )


def measure(quick: bool = False) -> Found:
    if not quick:
        compile_ours()
    rounds, fewer, big, far = 5, 3, Load(10_000, 100_000, 8), Load(400, 100_000, 1)
    sizes = (1_000, 3_000, 10_000)
    if quick:
        rounds, fewer, big, far, sizes = 1, 1, Load(40, 20_000, 3), Load(10, 2_000, 1), (10, 20, 40)
    goals = {"smtp-source": (0.8, 1.3), "smtplib": (5.0, 5.0)}
    what = f"{big.mails:,} mails of {big.size // 1000} kB, {big.lanes} connections, receipts kept"
    have = [tool for tool in (SINK, SOURCE) if tool.exists()]
    missing = "" if len(have) == 2 else "smtp-sink and smtp-source (Debian: apt-get install postfix)"
    by_sink: dict[str, dict[str, Rate]] = {}
    with running() as port:
        others = ("digest", "smtplib") if missing else ("digest", "smtp-source", "smtplib")
        lean = contest(port, others, big, rounds)
        growth = {
            size: contest(port, ("digest",), big._replace(mails=size), rounds)["digest"]
            for size in sizes[:-1]
        }
        growth[sizes[-1]] = lean["digest"]
        with slow(port) as distant:
            distance = contest(distant, ("digest", "smtplib"), far, rounds)
        by_sink["looks for the end of each mail"] = lean
    with running("--blind") as port:
        by_sink["looks at the end of what arrives only"] = contest(port, others, big, fewer)
    if not missing:
        with sink() as port:
            by_sink["smtp-sink"] = contest(port, others, big, fewer)
    rows = (
        row("P9", what, lean, goals, missing),
        row("P10", "the same, 10 ms for each reply, 1 connection", distance, {"smtplib": (3.5, 3.5)}),
    )
    limit = distance["digest"].rate * DELAY_S
    notes = (
        "Of a mail a server has to find the end, wherever it stands. One that looks where it mostly is limits no sender; smtp-sink "
        "looks at each byte by itself, and takes longer than a good sender needs. smtp-source makes one mail up and keeps nothing.",
        f"P10: {limit:.0%} of the {1 / DELAY_S:.0f} mails a second that one reply for each mail allows.",
    )
    lines = [
        (f"{size:,}", figure(each.rate), f"{each.cpu:.2f}", f"{each.peak_mib:.0f}")
        for size, each in growth.items()
    ]
    heads = ("mails", "mails/s", "cpu s for 1,000", "peak MiB")
    return Found(
        "sending",
        rows,
        (
            Growth("Mails per second, by what the server does", ("it", *others), _rates(by_sink, others)),
            Growth("Sending, by mails", heads, tuple(lines)),
        ),
        notes,
    )


def _rates(by_sink: dict[str, dict[str, Rate]], senders: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Of each sender, and how many times as fast digest is."""
    return tuple(
        (
            sink,
            figure(found["digest"].rate),
            *(
                f"{figure(found[other].rate)} ({found['digest'].rate / found[other].rate:.2f}×)"
                for other in senders[1:]
            ),
        )
        for sink, found in by_sink.items()
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--again"]:
        send_again(sys.argv[2], sys.argv[3:-1], sys.argv[-1])
    else:
        run_alone("sending", __doc__, measure)
