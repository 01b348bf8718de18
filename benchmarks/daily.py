"""Programs that do a daily run: each in a folder of its own, on the same feeds, a mail to the same sink.

What they leave out: rss2email mails what is new and keeps what was seen; no page, no feed. feed2exec writes each new paper into a
Maildir; it sends no mail. urlwatch keeps the page itself and mails the lines by which it differs. The bare yardstick is bare.py.
"""

from __future__ import annotations

import email
import json
import random
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import pages
from benchmarks.costs import ROOT, Cost, cost_of
from benchmarks.seen import add_seen, drop_waiting

START = date(2026, 8, 3)
NEW = 100
EDITIONS = 10  # that the archive holds before day 0, as far as the feed reaches back
_FILE = "feed.xml"


class Papers(NamedTuple):
    """What is announced: on day 0 `listed` papers behind `past` ones, each day from then on a hundred new ones, and as many
    fall off."""

    all_of: list[pages.Invented]
    listed: int
    new: int
    past: int = 0

    def of(self, day: int) -> list[pages.Invented]:
        first = self.past + self.new * day
        return self.all_of[first : first + self.listed]

    def until(self, day: int) -> list[pages.Invented]:
        """All that were announced up to this day."""
        return self.all_of[: self.past + self.new * day + self.listed]

    def new_of(self, day: int) -> list[pages.Invented]:
        return self.of(day)[-self.new :]


def announced(listed: int, days: int, new: int = NEW, past: int = 0) -> Papers:
    """Papers of authors of whom some write often and most once."""
    rnd = random.Random(7)  # noqa: S311
    papers = pages.invented(past + listed + new * days)
    often = [int(rnd.paretovariate(0.6)) % 20_000 for _ in range(12 * len(papers))]
    return Papers(
        [p._replace(authors=[f"{name} {often[12 * n + k]}" for k, name in enumerate(p.authors)]) for n, p in enumerate(papers)],
        listed, new, past,
    )  # fmt: skip


class Program:
    """One program in a folder. `day` shows it the feed of a day and runs it; `mailed` says which papers it told of then."""

    name = ""
    command: tuple[str | Path, ...] = ()

    def __init__(self, folder: Path, papers: Papers, *, seen: int = 0, subscribers: int = 1) -> None:
        self.folder, self.papers, self.seen, self.subscribers = folder, papers, seen, subscribers
        self.kept = folder.with_suffix(".mails")
        folder.mkdir(parents=True)

    @property
    def feed(self) -> Path:
        return self.folder / _FILE

    def show(self, day: int) -> None:
        self.feed.write_bytes(pages.atom_feed(self.papers.of(day)))
        self.kept.write_bytes(b"")

    def day(self, day: int) -> Cost:
        """What the run of one day costs. Raises SystemExit when it does not tell of exactly the new papers."""
        self.show(day)
        cost = self.run(day)
        wanted = {paper.id for paper in self.papers.new_of(day)}
        told = self.told()
        if not wanted <= told or len(told) > self.most(wanted):
            raise SystemExit(
                f"{self.name}: of {len(wanted)} new papers {len(told & wanted)} are in the mail, and {len(told - wanted)} others"
            )
        return cost

    def most(self, wanted: set[str]) -> int:
        return len(wanted)

    def run(self, day: int) -> Cost:
        return cost_of(self.command, cwd=self.folder, env=self.env())

    def env(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,
            "XDG_CONFIG_HOME": folder,
            "XDG_DATA_HOME": folder,
            "XDG_CACHE_HOME": folder,
            "PYTHONPATH": str(ROOT),
        }

    def told(self) -> set[str]:
        """The arXiv ids in what was mailed."""
        return ids_in(b"".join(map(text_of, self.mails())))

    def mails(self) -> list[bytes]:
        """What stood between DATA and the final dot."""
        parts = re.split(rb"\r\n(?:DATA|data)\r\n", self.kept.read_bytes())
        return [part.partition(b"\r\n.\r\n")[0] for part in parts[1:]]

    def prepare(self, port: int) -> None:
        """Day 0 lies behind it."""

    def close(self) -> None:
        """No day is to come."""


def text_of(mail: bytes) -> bytes:
    """The parts of a mail, decoded."""
    parts = [part.get_payload(decode=True) for part in email.message_from_bytes(mail).walk()]
    return b"\n".join(part for part in parts if isinstance(part, bytes))


def ids_in(text: bytes) -> set[str]:
    """The arXiv ids of the papers whose pages are linked."""
    return {found.decode() for found in re.findall(rb"abs/(2611\.\d{5})", text)}


class Digest(Program):
    """Ours; with `lean` without pages of papers, authors and categories."""

    name = "digest"
    schedule = ""

    def __init__(
        self, folder: Path, papers: Papers, *, seen: int = 0, subscribers: int = 1, lean: bool = False
    ) -> None:
        super().__init__(folder, papers, seen=seen, subscribers=subscribers)
        self._pages = "pages = []" if lean else ""

    def prepare(self, port: int) -> None:
        config = _CONFIG.format(port=port, pages=self._pages, schedule=self.schedule)
        (self.folder / "config.toml").write_text(config, encoding="utf-8")
        store = self.folder / "digest.db"
        if self.seen > self.papers.listed:
            add_seen(store, self.seen - self.papers.listed)
        _history(self.folder, self.papers)
        _subscribe(store, self.subscribers)
        self._ours("-q", "rebuild")

    def run(self, day: int) -> Cost:
        return self._ours("-q", "run", "--date", str(START + timedelta(days=day)))

    def day(self, day: int) -> Cost:
        self.today = START + timedelta(days=day)
        cost = super().day(day)
        if (mails := len(self.mails())) != self.subscribers:
            raise SystemExit(f"digest: {mails} mails for {self.subscribers} subscribers")
        return cost

    def told(self) -> set[str]:
        """The papers of the page that was written: a mail names as many as fit into 100 kB, and then the page."""
        return ids_in((self.folder / "site" / f"{self.today:%Y/%m/%d}" / "index.html").read_bytes())

    def _ours(self, *arguments: str) -> Cost:
        program = Path(sys.executable).parent / "digest"
        start = [program] if program.exists() else [sys.executable, "-m", "digest"]
        return cost_of(
            [*start, "--config", self.folder / "config.toml", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(ROOT)},
        )


class Resident(Digest):
    """Ours in a process that stays, as `digest serve` is (benchmarks.resident)."""

    schedule = 'schedule = "0 6 * * *"'

    def prepare(self, port: int) -> None:
        super().prepare(port)
        self._said = self.folder.with_suffix(".said")
        command = [sys.executable, "-m", "benchmarks.resident", str(self.folder / "config.toml")]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, cwd=ROOT
            )  # fmt: skip

    def run(self, day: int) -> Cost:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{self.today}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"benchmarks.resident ended:\n{self._said.read_text(encoding='utf-8')[-2000:]}")
        return msgspec.json.decode(answer, type=Cost)

    def close(self) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()


def _subscribe(file: Path, count: int) -> None:
    from digest.model import Preferences
    from digest.store import open_store

    with open_store(f"sqlite:///{file}") as store:
        for number in range(count):
            now = datetime(START.year, START.month, START.day, tzinfo=UTC)
            store.add_subscriber(
                f"reader{number}@example.org", digests=[], now=now, preferences=Preferences()
            )


def _history(folder: Path, papers: Papers) -> None:
    """What the days before day 0 left in the store: the papers of its feed and those of before, the last of them in editions of a
    hundred: as many as there are papers behind the feed, or ten."""
    from digest import sources
    from digest.config import slugs_of
    from digest.configfile import load_config
    from digest.editions import make_edition
    from digest.model import Listing
    from digest.selection import select
    from digest.store import open_store

    config = load_config(folder / "config.toml", {})
    digest = config.digest[0]
    # As the run will read it: papers of another parser would be completed and compared closely every day.
    until = papers.until(0)
    parts = [until[at : at + papers.new] for at in range(0, len(until), papers.new)]
    quiet = 0 if papers.past else max(len(parts) - EDITIONS, 0)
    with open_store(f"sqlite:///{folder / 'digest.db'}") as store:
        for number, announced in enumerate(parts, 1):
            part = sources.read(Listing(location=str(folder / _FILE), body=pages.atom_feed(announced))).papers
            today = START - timedelta(days=len(parts) - number + 1)
            now = datetime(today.year, today.month, today.day, 6, tzinfo=UTC)
            if number == quiet + 1:
                drop_waiting(folder / "digest.db")
            store.record_sightings(
                "papers", part, now=now, listed_on=None, followers=[digest.name], updates_for=set()
            )
            if number <= quiet:
                continue
            chosen = select(store.waiting(digest.name), digest)
            edition = make_edition(
                digest, today, part=1, number=number, issued_at=now, chosen=chosen.kept, authority="papers.example.org,2026"
            )  # fmt: skip
            store.issue(edition, chosen.decisions, lambda subscriber: None)
        store.index_editions(lambda name: slugs_of(digest.topics))


_CONFIG = """
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
updates = false
{pages}
{schedule}
topics = [
  {{ name = "Language", any = ["language", "token"], categories = ["cs.CL"] }},
  {{ name = "Vision", any = ["visual", "image"] }},
  {{ name = "Policy", any = ["policy", "agent"] }},
]
[mail]
transport = "smtp"
from = "Paper Digest <digest@papers.example.org>"
smtp = {{ host = "127.0.0.1", port = {port}, security = "none" }}
"""


class Bare(Program):
    name = "bare yardstick"

    def prepare(self, port: int) -> None:
        self.command = (
            sys.executable,
            "-m",
            "benchmarks.bare",
            self.feed,
            self.folder / "seen.db",
            self.folder / "site",
            str(port),
        )
        self.show(0)
        self.run(0)


class Rss2email(Program):
    name = "rss2email"

    def __init__(self, folder: Path, papers: Papers, *, bin_: Path, seen: int = 0) -> None:
        super().__init__(folder, papers, seen=seen)
        self.command = (bin_ / "r2e", "run")

    def prepare(self, port: int) -> None:
        config = self.folder / "rss2email.cfg"
        config.write_text(_R2E.format(port=port, url=self.feed.as_uri()), encoding="utf-8")
        known = {
            f"http://arxiv.org/abs/2001.{number:07}v1": {
                "hash": sha1(b"%d" % number, usedforsecurity=False).hexdigest()
            }
            for number in range(self.seen - self.papers.listed)
        }
        feed = {"name": "papers", "etag": None, "modified": None, "seen": known}
        (self.folder / "rss2email.json").write_text(json.dumps({"version": 2, "feeds": [feed]}))
        self.show(0)
        self.run(0)


_R2E = """[DEFAULT]
to = reader@example.org
from = digest@papers.example.org
digest = True
email-protocol = smtp
smtp-server = 127.0.0.1
smtp-port = {port}
smtp-ssl = False
smtp-auth = False
[feed.papers]
url = {url}
"""


class Feed2exec(Program):
    name = "feed2exec"

    def __init__(self, folder: Path, papers: Papers, *, bin_: Path) -> None:
        super().__init__(folder, papers)
        self.command = (
            bin_ / "feed2exec",
            "-q",
            "--config",
            folder / "feeds.ini",
            "--database",
            folder / "feeds.db",
            "fetch",
        )

    def prepare(self, port: int) -> None:
        ini = f"[papers]\nurl = {self.feed.as_uri()}\noutput = feed2exec.plugins.maildir\nmailbox = {self.folder / 'mail'}\n"
        (self.folder / "feeds.ini").write_text(ini + "args = reader@example.org\n")
        self.show(0)
        cost_of([*self.command, "--catchup"], cwd=self.folder, env=self.env())

    def show(self, day: int) -> None:
        super().show(day)
        for file in (self.folder / "mail").glob("papers/new/*"):
            file.unlink()

    def told(self) -> set[str]:
        return ids_in(b"".join(file.read_bytes() for file in (self.folder / "mail").glob("papers/new/*")))


class Urlwatch(Program):
    name = "urlwatch"

    def __init__(self, folder: Path, papers: Papers, *, bin_: Path) -> None:
        super().__init__(folder, papers)
        self.command = (
            bin_ / "urlwatch", "--urls", folder / "urls.yaml", "--config", folder / "urlwatch.yaml", "--cache", folder / "cache.db",
            "--hooks", folder / "hooks.py",
        )  # fmt: skip

    def prepare(self, port: int) -> None:
        (self.folder / "urls.yaml").write_text(f"name: papers\nurl: {self.feed.as_uri()}\n")
        (self.folder / "urlwatch.yaml").write_text(_URLWATCH.format(port=port))
        self.show(0)
        self.run(0)

    def most(self, wanted: set[str]) -> int:
        return 3 * len(wanted)  # the lines of those that fell off, and what surrounds them


_URLWATCH = """display: {{new: true, error: true, unchanged: false, empty-diff: true}}
report:
  text: {{line_length: 75, details: true, footer: true, minimal: false, separate: false}}
  stdout: {{enabled: false, color: false}}
  email:
    enabled: true
    html: false
    to: reader@example.org
    from: digest@papers.example.org
    subject: papers
    method: smtp
    smtp: {{host: 127.0.0.1, port: {port}, starttls: false, auth: false, user: ''}}
"""
