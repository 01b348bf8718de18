"""How fast mail goes out, beside what others do it with: Postfix's smtp-source, which keeps no receipts, and smtplib.

Run by `make bench`; needs smtp-sink and smtp-source (Debian: postfix). P9: 10,000 mails of 100 kB over eight connections, ours
with each receipt in the journal and in SQLite; to smtp-sink, which is what limits good senders, and to a sink that limits none.
P10: one connection behind a proxy that holds each reply for 10 ms. The senders take turns, wall time, medians: on a machine
that others use too, only the ratios within one table count.
"""

from __future__ import annotations

import argparse
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

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
def lean_sink() -> Iterator[int]:
    """A server that is faster than any sender (benchmarks/sink.py)."""
    command = [sys.executable, "-m", "benchmarks.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.terminate()


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


def digest_seconds(port: int, mails: int, size: int, lanes: int) -> float:
    """The whole of deliver(): claims, messages, wire, journal, receipts in SQLite."""
    body = parts(size)

    def compose(delivery: Delivery) -> Message:
        head = f"From: {SENDER}\r\nTo: {delivery.subscriber.address}\r\nMessage-ID: {delivery.message_id}\r\n\r\n"
        return Message(pieces=(head.encode(), *body))

    smtp = SmtpConfig(host="127.0.0.1", port=port, security="none", connections=lanes)
    mail = MailConfig(transport="smtp", from_=SENDER, smtp=smtp)
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/digest.db") as store:
        for n in range(mails):
            store.add_subscriber(f"reader{n}@example.org", digests=[], now=NOW, preferences=Preferences())
        edition = Edition(
            id="2026-11-19",
            digest="daily",
            title="T",
            date=date(2026, 11, 19),
            part=1,
            number=1,
            issued_at=NOW,
            guid="g",
        )
        store.issue(
            edition, [], lambda s: Planned(message_id=f"<{s.id}@papers.example.org>", date=NOW, due_at=NOW)
        )
        started = time.perf_counter()
        report = deliver(
            store,
            open_transport(mail, base=Path),
            compose,
            mail,
            holder="bench",
            clock=lambda: NOW,
            journal=Path(folder, "receipts"),
        )
        taken = time.perf_counter() - started
    if report.accepted != mails:
        raise SystemExit(f"of {mails} mails {report.accepted} were accepted: {report.error}")
    return taken


def source_seconds(port: int, mails: int, size: int, lanes: int) -> float:
    started = time.perf_counter()
    options = ["-d", "-s", str(lanes), "-m", str(mails), "-l", str(size), "-f", SENDER]
    command = [str(SOURCE), *options, "-t", "reader@example.org", f"127.0.0.1:{port}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def smtplib_seconds(port: int, mails: int, size: int, lanes: int) -> float:
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


Sender = Callable[[int, int, int, int], float]
SENDERS: dict[str, Sender] = {
    "digest": digest_seconds,
    "smtp-source": source_seconds,
    "smtplib": smtplib_seconds,
}


# ------------------------------------------------------------------ the tables


def table(
    name: str, port: int, goals: dict[str, float], *, mails: int, size: int, lanes: int, rounds: int
) -> list[str]:
    """`goals` say how many times as fast as each of the others we want to be (0: it is shown, no more). smtplib, slow, sends
    a tenth."""
    rates: dict[str, list[float]] = {sender: [] for sender in ("digest", *goals)}
    for _ in range(rounds):
        for sender in rates:
            count = max(1, mails // 10) if sender == "smtplib" else mails
            rates[sender].append(count / SENDERS[sender](port, count, size, lanes))
    ours = median(rates["digest"])
    lines = [
        f"{name}, {mails:,} mails of {size // 1000} kB, connections: {lanes}, medians of {rounds}",
        "",
        "| sender | mails per second | digest is | goal |",
        "|---|---|---|---|",
    ]
    for sender, each in rates.items():
        goal = f"≥ {goals[sender]:g}×" if goals.get(sender) else ""
        ratio = f"{ours / median(each):.2f}×" if sender in goals else ""
        lines.append(f"| {sender} | {median(each):,.0f} | {ratio} | {goal} |")
    return [*lines, ""]


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=10_000)
    options = parser.parse_args(None if arguments is None else list(arguments))
    if not (SINK.exists() and SOURCE.exists()):
        sys.exit("smtp-sink and smtp-source are missing (Debian: apt-get install postfix)")
    big = {"mails": options.mails, "size": 100_000, "lanes": 8, "rounds": options.rounds}
    far = {"mails": max(10, options.mails // 25), "size": 100_000, "lanes": 1, "rounds": options.rounds}
    with sink() as port:
        # smtp-sink is busier than its senders: beside smtplib it would show itself.
        show(table("P9 to smtp-sink", port, {"smtp-source": 0.8, "smtplib": 0}, **big))
    with lean_sink() as port:
        show(table("P9 to a lean sink", port, {"smtplib": 5.0, "smtp-source": 0}, **big))
        with slow(port) as distant:
            show(table("P10 10 ms for each reply", distant, {"smtplib": 3.5}, **far))


def show(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
