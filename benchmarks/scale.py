"""What grows with subscribers: two days' editions for readers of a thousand different choices, each at their own hour.

`python -m benchmarks.scale` fills a store with 1,000, 10,000 and 100,000 subscribers and lets one process run for each: it issues
and publishes on a Monday and a Tuesday, and sends at each hour at which a mail is due, to a server that takes all; readers who
get one mail a week get it at the end of their day. Every so many mails one is looked at: it must have exactly the papers that its
reader gets when the choice is made for that reader alone. Seconds are CPU seconds of that process; its peak is to be the same at
all sizes.

`python -m benchmarks.scale beside PAPERS SUBSCRIBERS FOLDER` is `digest run` over 1,000 papers, of which 100 are new, beside so
many that were seen and so many readers; the next day one of another process tells what each step costs. The folder is left as it is
then: with ten million papers it holds several GB.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from binascii import a2b_qp
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from benchmarks import pages
from benchmarks.costs import Cost, answer_of, compile_ours
from benchmarks.daily import START, Digest, announced
from benchmarks.report import Check, Found, Growth, Row, figure, run_alone
from benchmarks.sink import running
from digest.model import Delivery, Edition, Entry, Message, Preferences

if TYPE_CHECKING:
    from digest.app import App

MONDAY = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)
HOURLY = MONDAY + timedelta(days=2)
SIZES = (1_000, 10_000, 100_000)
CHOICES = 1_000
LISTED, NEW = 1_000, 100
PAPERS = 40  # of each day: a mail with all of them stays below the budget of its bytes
SAMPLE = 1_000
SAMPLES = "sampled.jsonl"
Sample = tuple[int, list[str], list[str]]
TOPICS = {"language": "language", "vision": "visual", "policy": "agent", "sparse": "sparse"}
CONFIG = """
[site]
url = "https://papers.example.org/"
output = "site"
[store]
url = "sqlite:///digest.db"
[[source]]
name = "papers"
path = "feed.xml"
[[digest]]
name = "daily"
path = ""
topics = [{topics}]
[mail]
transport = "smtp"
from = "Paper Digest <digest@papers.example.org>"
smtp = {{ host = "127.0.0.1", port = {port}, security = "none" }}
"""


@cache
def choice(number: int) -> Preferences:
    """The n-th of a thousand: topics, words followed and muted, at most so many, and 25 hours of which one is none."""
    dice = random.Random(number)  # noqa: S311
    words = dice.sample(
        ("kernel", "reward", "matrix", "prompt", "metric", "retrieval", "topology", "token"), 2
    )
    topics = tuple(slug for slug in (*TOPICS, "other") if dice.random() < 0.5)
    return Preferences(
        topics=topics if topics and number % 4 else None,
        follow=(words[0],) if number % 3 == 0 else (),
        mute=(words[1],) if number % 5 == 0 else (),
        most=dice.choice((0, 0, 5, 10)),
        hour=number % 25 if number % 25 < 24 else None,
        frequency=dice.choice(("daily", "daily", "daily", "weekdays", "weekly")),
        weekly_on=number % 7,
        text_only=number % 50 == 0,
    )


# ---------------------------------------------------------------- what is there before


def fill(folder: Path, subscribers: int, port: int, choices: int = CHOICES) -> None:
    """A configuration, and so many confirmed subscribers."""
    configure(folder, port)
    add_subscribers(folder / "digest.db", subscribers, choices)


def configure(folder: Path, port: int) -> None:
    """A configuration for a mail server at this port."""
    topics = ", ".join(
        f'{{ name = "{word}", slug = "{slug}", any = ["{word}"] }}' for slug, word in TOPICS.items()
    )
    (folder / "config.toml").write_text(CONFIG.format(topics=topics, port=port), encoding="utf-8")


def add_subscribers(file: Path, count: int, choices: int = CHOICES) -> None:
    """The first is added by the program; the others are rows like that one."""
    from digest.store import open_store

    with open_store(f"sqlite:///{file}") as store:
        store.add_subscriber("reader1@example.org", digests=[], now=MONDAY, preferences=choice(1 % choices))
    with closing(sqlite3.connect(file)) as database, database:
        database.row_factory = sqlite3.Row
        first = dict(database.execute("SELECT * FROM subscribers").fetchone())
        names = ", ".join(first)
        marks = ", ".join(f":{name}" for name in first)
        database.executemany(
            f"INSERT INTO subscribers ({names}) VALUES ({marks})",  # noqa: S608 - names of columns
            (first | _row(number, choices) for number in range(2, count + 1)),
        )


def _row(number: int, choices: int) -> dict[str, Any]:
    address = f"reader{number}@example.org"
    chosen = msgspec.json.encode(choice(number % choices)).decode()
    return {
        "id": number,
        "folded": address,
        "address": address,
        "nonce": f"{number:016x}",
        "preferences": chosen,
    }


# ---------------------------------------------------------------- the process that is measured


class Sampled:
    """What was mailed to some of the readers, a line in a file for each mail: whose, of which editions, the papers in it."""

    def __init__(self, every: int, file: TextIO) -> None:
        self.every, self.file, self.spent = every, file, 0.0

    def around(self, compose: Callable[[Delivery], Message | None]) -> Callable[[Delivery], Message | None]:
        def composed(delivery: Delivery) -> Message | None:
            message = compose(delivery)
            if delivery.subscriber.id % self.every == 0:
                began = time.process_time()
                found = ids_in(message.data) if message else []
                self.file.write(json.dumps([delivery.subscriber.id, delivery.editions, found]) + "\n")
                self.spent += time.process_time() - began
            return message

        return composed


def ids_in(mail: bytes) -> list[str]:
    """The papers that a mail links: their arXiv ids, each once, ascending."""
    return sorted({found.decode() for found in re.findall(rb"abs/(2611\.\d{5})", a2b_qp(mail))})


def end_of_day(moment: datetime) -> datetime:
    """The last moment before the next run."""
    return MONDAY + timedelta(days=(moment - MONDAY).days + 1, microseconds=-1)


def week(folder: Path, every: int, *, hourly: bool = True) -> dict[str, Any]:
    """Two editions, and every mail of them: those of two days at their hours (`hourly`; or else at the end of each day), those
    of readers who get one a week at the ends of the days that follow. What each step cost, and what was sampled."""
    from digest.app import open_app
    from digest.configfile import load_config

    now, spent, counts, moments = [MONDAY], Counter[str](), Counter[str](), 0
    with (
        (folder / SAMPLES).open("w") as file,
        open_app(load_config(folder / "config.toml", {}), clock=lambda: now[0]) as app,
    ):
        sampled = Sampled(every, file)
        compose, app._composer = app._composer, lambda: sampled.around(compose())  # type: ignore[method-assign]
        _watch(app, spent)
        for day in range(2):
            now[0] = MONDAY + timedelta(days=day)
            (folder / "feed.xml").write_bytes(
                pages.atom_feed(pages.invented(2 * PAPERS)[day * PAPERS :][:PAPERS])
            )
            began = time.process_time()
            counts.update(_told(app.daily(now[0]).deliveries))
            until = MONDAY + timedelta(days=1 if day == 0 else 9)
            while (due := app.store.next_due()) is not None and due < until:
                now[0] = max(now[0], due if hourly and due < HOURLY else end_of_day(due))
                counts.update(_told(app.send()))
                moments += 1
            spent["all"] += time.process_time() - began
    spent["deliver"] -= sampled.spent
    return {"spent": spent, "counts": counts, "moments": moments}


def sample_of(folder: Path) -> list[Sample]:
    """What `week` sampled."""
    lines = (folder / SAMPLES).read_text(encoding="ascii").splitlines()
    return [tuple(json.loads(line)) for line in lines]  # type: ignore[misc]


def _told(report: Any) -> dict[str, int]:
    if report.error:
        raise SystemExit(report.error)
    return {
        name: getattr(report, name) for name in ("accepted", "skipped", "deferred", "rejected", "expired")
    }


def _watch(app: App, spent: Counter[str]) -> None:
    """CPU seconds of the steps, in all threads: delivery alone has more than one."""
    for name in ("issue_edition", "publish", "deliver"):
        setattr(app, name, _timed(getattr(app, name), name, spent))


def _timed(step: Callable[..., Any], name: str, spent: Counter[str]) -> Callable[..., Any]:
    def timed(*given: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return step(*given, **named)
        finally:
            spent[name] += time.process_time() - began

    return timed


# ---------------------------------------------------------------- the same choice, made for one reader alone


def wrong(folder: Path, sampled: Sequence[Sample], choices: int = CHOICES) -> list[str]:
    """Which of the sampled mails have other papers than their readers are to get."""
    from digest.store import open_store

    with open_store(f"sqlite:///{folder / 'digest.db'}") as store:
        editions = {edition.id: edition for edition in store.all_editions("daily")}
    faults = []
    for reader, shown, found in sampled:
        wanted = sorted(alone([editions[each] for each in shown], choice(reader % choices)))
        if wanted != found:
            faults.append(f"reader {reader} of {shown}: {len(found)} papers, not {len(wanted)}")
    return faults


def alone(editions: Sequence[Edition], wants: Preferences) -> set[str]:
    """The ids of the papers that this reader gets, without anything that is shared with others."""
    every = [entry for edition in editions for entry in edition.entries]
    kept = [e for e in every if not _says(e, wants.mute)]
    kept = [e for e in kept if wants.topics is None or _slug(e) in wants.topics or _says(e, wants.follow)]
    if wants.most:
        kept.sort(key=lambda e: (not _says(e, wants.follow), e.pick or 10**9, -(e.paper.upvotes or 0)))
        kept = kept[: wants.most]
    return {e.paper.ids["arxiv"] for e in kept}


def _says(entry: Entry, words: Sequence[str]) -> bool:
    text = f"{entry.paper.title} {entry.paper.abstract}".casefold()
    return any(re.search(rf"\b{word}\b", text) for word in words)


def _slug(entry: Entry) -> str:
    return next((slug for slug, word in TOPICS.items() if word == entry.topic), "other")


# ---------------------------------------------------------------- a run beside much that was seen


def beside(
    folder: Path, seen: int, subscribers: int, choices: int = CHOICES
) -> tuple[Cost, dict[str, float]]:
    """What `digest run` costs over 1,000 papers listed, 100 of them new, where so many were seen before and so many read it; and,
    of the next day's, the CPU seconds of its steps."""
    program = Digest(folder / "here", announced(LISTED, 2, NEW), seen=seen, subscribers=0)
    with running() as port:
        program.prepare(port)
        add_subscribers(program.folder / "digest.db", subscribers, choices)
        program.show(1)
        cost = program.run(1)
        program.show(2)
        return cost, answer_of("scale", "steps", program.folder, START + timedelta(days=2))[0]


def steps(folder: Path, day: date) -> dict[str, float]:
    """The CPU seconds of a run of that day: of its steps, and of all that is around them."""
    from digest.app import open_app
    from digest.app.daily import DayRun
    from digest.configfile import load_config

    spent = Counter[str]()
    with open_app(load_config(folder / "config.toml", {})) as app:
        _watch(app, spent)
        DayRun._collect = _timed(DayRun._collect, "collect", spent)  # type: ignore[method-assign]
        app.daily(app.clock(), day=day)
    return {**spent, "all": time.process_time()}


# ---------------------------------------------------------------- the table


def at(size: int, choices: int = CHOICES, *, hourly: bool = True) -> tuple[dict[str, Any], Cost, list[str]]:
    """What a store of so many subscribers gives: its figures, what its process cost, and what was wrong."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with running() as port:
            fill(folder, size, port, choices)
            found, cost = answer_of("scale", "week", folder, max(size // SAMPLE, 1), hourly)
        found["sampled"] = len(sample_of(folder))
        return found, cost, wrong(folder, sample_of(folder), choices)


def measure(quick: bool = False) -> Found:
    compile_ours()
    sizes = (20, 40) if quick else SIZES
    lines, peaks, rates, looked = [], [], [], 0
    for size in sizes:
        found, cost, faults = at(size)
        if faults:
            raise SystemExit("\n".join(faults[:20]))
        counts, spent = found["counts"], found["spent"]
        mails, looked = counts["accepted"], looked + found["sampled"]
        peaks.append(cost.peak_mib)
        rates.append(mails / spent["deliver"])
        lines.append(
            (
                f"{size:,}", f"{mails:,}", f"{counts['skipped']:,}", str(found["moments"]),
                *(figure(spent[step]) for step in ("issue_edition", "publish", "deliver")),
                f"{rates[-1]:,.0f}", f"{cost.wall:.1f}", f"{cost.peak_mib:.0f}",
            )
        )  # fmt: skip
    headings = (
        "subscribers", "mails", "nothing chosen", "moments", "issue cpu s", "publish cpu s", "deliver cpu s", "mails per cpu s",
        "wall s", "peak MiB",
    )  # fmt: skip
    row = Row(
        "S1", f"{sizes[-1]:,} subscribers, {CHOICES:,} choices", f"{rates[-1]:,.0f} mails per cpu s",
        checks=(Check(f"of the peak at {sizes[0]:,}", peaks[-1] / peaks[0], 1.1, more=False),), peak_mib=peaks[-1],
    )  # fmt: skip
    growth = Growth("Personal mails, by subscribers", headings, tuple(lines))
    return Found("scale", (row,), (growth,), (f"{looked:,} mails had the papers of a choice made alone.",))


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["week"]:
        folder, every, hourly, out = arguments[1:]
        Path(out).write_text(json.dumps(week(Path(folder), int(every), hourly=hourly == "True")))
    elif arguments[:1] == ["beside"]:
        cost, spent = beside(Path(arguments[3]), int(arguments[1]), int(arguments[2]))
        print(f"{cost.wall:.2f} s, {cost.cpu:.2f} cpu, peak {cost.peak_mib:.0f} MiB")
        print(*(f"{step} {seconds:.2f} cpu" for step, seconds in spent.items()), sep="\n")
    elif arguments[:1] == ["steps"]:
        folder, day, out = arguments[1:]
        Path(out).write_text(json.dumps(steps(Path(folder), date.fromisoformat(day))))
    else:
        run_alone("scale", __doc__, measure, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
