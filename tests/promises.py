"""A whole installation in the hands of a test: its sources, its clock, its mail server, and the model of what it promises.

Papers are numbers: paper 7 is the same one in whatever spelling a source lists it. Readers are addresses.
"""

from __future__ import annotations

import csv
import email
import email.policy
import io
import os
import re
import sqlite3
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from digest.app import App, open_app
from digest.app.keeping import back_up, restore
from digest.config import Config, DigestConfig, MailConfig, SmtpConfig, SourceConfig, StoreConfig, TopicConfig
from digest.fetch import Fetcher
from digest.model import FAILED_OUTCOMES, Preferences, RunReport
from digest.pipeline.replay import replay
from digest.store import open_store
from digest.store.subscribers import ON_THE_LIST
from digest.subscriptions import export_rows, import_rows
from pages import installation
from promise_pages import Page, PageSite
from promised import Got, Link, Model, Reader, numbers
from smtp_servers import DROP, SmtpServer

T = TypeVar("T")
Fate = (
    tuple[str, int] | None
)  # it comes to its end, or is killed when it is for the n-th time at a place of PLACES
SOURCES = ("journal", "archive", "inbox")
MOTHS, WATER = (
    TopicConfig(name="Moths", any=("moth",)),
    TopicConfig(name="Water", any=("otter", "heron", "carp")),
)
FLYING = TopicConfig(name="Moths", any=("moth", "wren"))


class World:
    """The program's configuration, clock, sources and mail server, with the model beside them."""

    def __init__(self, folder: Path, readers: tuple[str, ...], now: datetime, *, store: str = "") -> None:
        (folder / "inbox").mkdir()
        self.store_url = store or f"sqlite:///{folder}/digest.db"
        self.folder, self.now = folder, now
        self.server = SmtpServer(self._answers)
        self.model = Model({address: Reader(address) for address in readers})
        # The journal and the archive show a page each; in the inbox each page is read once, and they stay.
        self.pages = {name: Page() for name in SOURCES[:2]}
        self.inbox: list[Page] = []
        self.site: PageSite | None = None
        # What the mail server does: to one address, to all, or once behind the n-th mail.
        self.refused: dict[str, bytes] = {}
        self.mood = ""
        self.breaks: tuple[int, str, bytes] | None = None
        self.one_at_a_time = Lock()  # its connections have a thread each
        self.taken = 0
        self.backup: Model | None = None
        # A list of readers, at first one of another program that knows nothing but addresses.
        self.listed = {address: Reader(address) for address in readers}
        self.exported = "\n".join(
            ["address,consented_at", *(f"{address},{now:%Y-%m-%d}" for address in readers)]
        )
        self.config = self._config()

    def close(self) -> None:
        self.server.close()
        if self.site is not None:
            self.site.close()

    def _config(self) -> Config:
        smtp = SmtpConfig(host="127.0.0.1", port=self.server.port, security="none")
        mail = MailConfig(
            transport="smtp",
            from_="Paper Digest <digest@papers.example.org>",
            bounces="bounces@papers.example.org",
            smtp=smtp,
        )
        digests = (
            DigestConfig(
                name="daily", title="Paper Digest", path="", topics=(MOTHS, WATER), picks=2, pages=("papers",)
            ),
            DigestConfig(name="print", title="In print", path="print", sources=("journal",), pages=()),
        )
        sources = (
            SourceConfig(name="journal", path="journal.xml"),
            SourceConfig(name="archive", path="archive.xml"),
            SourceConfig(name="inbox", path="inbox", watch=True),
        )
        store = StoreConfig(url=self.store_url, keep_pages_days=3650)
        made = installation(self.folder, mail=mail, digest=digests, source=sources)
        return replace(made, store=store)

    def expire_after(self, hours: float) -> None:
        self.config = replace(self.config, mail=replace(self.config.mail, expire_after_h=hours))

    def send_by(self, connections: int, *, hold: bool) -> None:
        smtp = replace(self.config.mail.smtp, connections=connections)
        mail = replace(self.config.mail, smtp=smtp, in_doubt="hold" if hold else "resend")
        self.config, self.model.held = replace(self.config, mail=mail), hold

    def serve_pages(self, validator: str) -> None:
        """The journal and the archive stand at addresses from now on."""
        self.site = PageSite(validator)
        journal, archive, inbox = self.config.source
        served = (
            replace(one, path="", url=self.site.url(f"/{one.path}"), allow_private=True)
            for one in (journal, archive)
        )
        self.config = replace(self.config, source=(*served, inbox))

    def configure(self, **changes: Any) -> None:
        """The operator writes something else into the first digest."""
        first, second = self.config.digest
        first = replace(first, **{name: value for name, value in changes.items() if name != "print_sources"})
        second = replace(second, sources=changes.get("print_sources", second.sources))
        self.config = replace(self.config, digest=(first, second))

    @property
    def today(self) -> date:
        return self.now.astimezone(self.config.site.zone).date()

    # --- the program

    def act(self, what: Callable[[App], T]) -> T:
        self.now += timedelta(minutes=1)
        with open_app(self.config, clock=lambda: self.now) as app:
            return what(app)

    def ends(self, what: Callable[[App], object], fate: Fate) -> bool:
        """The same, with a fate in a child that dies, as by SIGKILL, when it comes to a place for the n-th time. Did it come to its
        end?"""
        if fate is None:
            self.act(what)
            return True
        self.server.settle()
        said = self.folder / "child"
        if (child := os.fork()) == 0:
            try:
                _die_at(*fate)
                self.act(what)
            except BaseException:  # noqa: BLE001 - the parent tells
                said.write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.now += timedelta(minutes=1)
        self.server.settle()
        assert code in (0, 9), said.read_text()
        return code == 0

    def mail(self, what: Callable[[App], object], fate: Fate) -> None:
        """The same of what sends mail, of which some may be in flight."""
        if not self.ends(what, fate):
            self.model.doubt.kills += self.config.mail.smtp.connections

    def run(self, fate: Fate, *, again: bool = False, off: int = 0) -> None:
        """A run, with `off` for the day so many days from today; where `fate` says so, it is killed."""
        for name, page in self.pages.items():
            if self.site is not None:
                self.site.show(name, page, self.today, self.now)
            else:
                page.write(self.folder / f"{name}.xml", name, self.today)
            self.model.withdrawn |= {n for n, form in page.listed.items() if form == "withdrawn"}
        for n, page in enumerate(self.inbox):
            file = self.folder / "inbox" / f"{n:03}.xml"
            if not file.exists():
                page.write(file, "journal", self.today)
            if not page.is_read:
                page.heard = self.followers("inbox") & (page.heard or self.followers("inbox"))

        def daily(app: App) -> RunReport:
            day = self.today + timedelta(days=off) if off else None
            ask_again_at_once(app)
            report = app.daily(self.now, day=day, again=again, wait=False)
            held = app.store.delivery_counts()["sending"]
            assert report.deliveries.held == held, "mail in doubt is told of"
            assert report.degraded or not held
            return report

        if fate is not None:
            self.mail(daily, fate)
        else:
            self._check_report(self.act(daily))

    def _check_report(self, report: RunReport) -> None:
        """A run came to its end: what it read is told of, and what failed is said."""
        for source in report.sources:
            pages = self.inbox if source.name == "inbox" else [self.pages[source.name]]
            for page in pages:
                for digest in self.followers(source.name) if page.heard is None else page.heard:
                    self.model.told[digest] |= page.told_as_new
                page.is_read = True
            failed = any(page.has_failed for page in pages)
            assert not failed or source.outcome in FAILED_OUTCOMES, (pages, source)
            assert not failed or report.degraded
            fine = all(page.state == "whole" for page in pages)
            assert not fine or source.outcome not in ("unreachable", "parse-failed", "refused"), (
                pages,
                source,
            )

    def followers(self, source: str) -> frozenset[str]:
        return frozenset(digest.name for digest in self.config.followers(source))

    def rehearse(self) -> None:
        """A dry run leaves all as it is, but for when a host was asked last."""

        def all_there_is(app: App) -> object:
            store = app.store
            waiting = [store.count_waiting(digest.name) for digest in app.config.digest]
            held = {table: rows for table, rows in store.holds().items() if table != "hosts"}
            return held, waiting, store.delivery_counts(), len(self.server.taken)

        before = self.act(all_there_is)

        def dry(app: App) -> None:
            ask_again_at_once(app)
            app.daily(self.now, dry_run=True, wait=False)

        self.act(dry)
        self.server.settle()
        assert self.act(all_there_is) == before

    def paper_keys(self, app: App) -> dict[int, str]:
        """A key of each paper that is known, by its number."""
        waiting = (each.paper for digest in self.config.digest for each in app.store.waiting(digest.name))
        issued = (entry.paper for edition in self.model.editions.values() for entry in edition.entries)
        return {n: paper.key for paper in (*issued, *waiting) for n in numbers(paper.title)}

    def replay_newest(self) -> None:
        """The day of the newest edition, done again from the pages that were kept, comes out the same; but for what an operator
        said of papers that had been shown before, which is not done again."""
        day = max((edition.date for edition in self.model.editions.values()), default=None)
        if day is None or self.model.corrected:
            return
        file = self.folder / "fresh.db"
        with open_store(f"sqlite:///{file}") as fresh:
            found = self.act(lambda app: replay(day, app.store, fresh, app.config))
        for each in self.folder.glob("fresh.db*"):
            each.unlink()
        others = [(one.digest, one.edition, one.differences) for one in found if not one.same]
        assert not others, others

    def back_up(self, fate: Fate) -> None:
        """The backup before stays whole until there is a new one."""
        file = self.folder / "backup.db"
        before = file.stat().st_ino if file.exists() else None
        if not self.model.editions:
            return
        whole = self.ends(lambda app: back_up(self.config, file, done=lambda rows: None), fate)
        if whole or (file.exists() and file.stat().st_ino != before):
            self.backup = self.model.copy()

    def restore(self, fate: Fate) -> None:
        """All of it is put back, or nothing."""
        if self.backup is None:
            return
        mark, file = f"before {self.now}", self.folder / "backup.db"
        self.act(lambda app: app.store.put_wait(mark, self.now, 0, ""))

        def put_back(app: App) -> None:
            restore(self.config, file, replace=True, now=self.now, done=lambda rows: None)

        if self.ends(put_back, fate) or self.act(lambda app: app.store.wait(mark)) is None:
            self.model.put_back(self.backup.copy())
            self.act(lambda app: app.rebuild())

    # --- lists

    def export(self) -> None:
        """Who gets mail, with what they chose: no more, no fewer."""
        found = [s for s in self.act(lambda app: app.store.subscribers()) if s.status in ON_THE_LIST]
        self.exported = export_rows(found)
        said = {row["address"]: row for row in csv.DictReader(io.StringIO(self.exported, newline=""))}
        assert said.keys() == {r.address for r in self.model.readers.values() if r.state == "reader"}
        self.listed = {}
        for address, row in said.items():
            reader = self.model.readers[address]
            assert set(filter(None, row["digests"].split(";"))) == set(reader.digests)
            assert row["paused_until"] == str(reader.paused_until or "")
            assert msgspec.json.decode(row["preferences"] or "{}", type=Preferences) == reader.chosen
            self.listed[address] = deepcopy(reader)

    def import_list(self, fate: Fate) -> None:
        """Those of the list who may come are added, or on a kill none of them."""
        coming = {a for a in self.listed if self.model.readers[a].may_come_by_a_list}

        def take(app: App) -> None:
            done = import_rows(app.store, self.exported, digests=self.config.digest, now=self.now)
            assert done.added == len(coming), done

        whole = self.ends(take, fate)
        there = {s.address for s in self.act(lambda app: app.store.subscribers()) if s.status in ON_THE_LIST}
        assert there & coming == coming if whole else there & coming in (set(), coming)
        for address in there & coming:
            self.model.readers[address].come_by_a_list(self.listed[address])

    # --- the mail server

    def _answers(self, verb: str, line: str) -> bytes | None:
        try:
            with self.one_at_a_time:
                return self._breaks(verb) or self._answer(verb, line)
        except Exception:
            self.model.faults.append(traceback.format_exc())
            raise

    def _answer(self, verb: str, line: str) -> bytes | None:
        if verb == "GREETING":
            return {"down": b"554 5.3.2 no service", "busy": b"421 4.3.2 too busy"}.get(self.mood)
        if verb == "DOT" and self.mood == "dumb":
            return DROP
        if verb == "RCPT":
            found = re.search(r"<(.*)>", line)
            assert found
            return b"451 4.7.1 try again later" if self.mood == "greylisting" else self._refusal(found[1])
        return None

    def _breaks(self, verb: str) -> bytes | None:
        if self.breaks is None or self.breaks[1] != verb:
            return None
        after, _, how = self.breaks
        self.breaks = None if after <= 1 else (after - 1, verb, how)
        return how if after <= 1 else None

    def _refusal(self, address: str) -> bytes | None:
        said = self.refused.get(address)
        if said is not None and b"5.1.1" in said:
            self.model.unknown.add(address)
        elif said is not None and said.startswith(b"5"):
            self.model.rejected.add(address)
            self.model.readers[address].failures += 1
        return said

    def take_in(self) -> None:
        """What came since it was called last, held against the model."""
        self.server.settle()
        fresh, self.taken = self.server.taken[self.taken :], len(self.server.taken)
        for taken in fresh:
            message = email.message_from_bytes(taken.data, policy=email.policy.default)
            body = message.get_body(("plain",))
            assert body is not None
            text = body.get_content()
            found = re.search(r"<(\S+?)\.papers\.example\.org>", message["List-Id"] or "")
            papers = tuple(numbers(text.partition("\n== ")[2])) if found else ()
            mail = Got(taken.recipient, taken.message_id, found[1] if found else "", papers, self.now)
            self.model.judge(mail, self.today)
            reader = self.model.readers[taken.recipient]
            asked_at = message["Date"].datetime
            for purpose, token in re.findall(r"/(confirm|manage|unsubscribe)/\?t=([\w-]+)", text):
                reader.links[purpose].append(Link(token, reader.life, asked_at))
            if token_of := re.search(r"<bounces\+(\w+)@", taken.envelope[0]):
                reader.links["bounce"].append(Link(token_of[1], reader.life, asked_at))
            self.model.doubt.lost[mail.message_id] += not taken.was_said

    def let_held_go(self) -> None:
        """As docs/operating.md says that it is done: `digest send`, once, with another `in_doubt`."""
        usual = self.config
        self.config = replace(usual, mail=replace(usual.mail, in_doubt="resend"))
        self.model.let_go = self.model.doubt  # which may grow while they are sent
        self.act(lambda app: app.send())
        self.take_in()
        self.model.let_go, self.config = deepcopy(self.model.doubt), usual

    def look(self) -> None:
        """To be called after each step."""
        self.take_in()
        with open_app(self.config, clock=lambda: self.now) as app:
            self.model.check_editions(app, self.today)
            self.model.check_readers(app, self.now)
        self.model.check_mails()
        assert not self.model.faults, self.model.faults

    # --- the end

    def settle(self) -> None:
        """The mail server is well again and time passes, until nothing waits."""
        self.refused, self.mood, self.breaks = {}, "", None
        self.let_held_go()
        for _ in range(60):
            self.act(lambda app: app.send())
            due = self.act(lambda app: app.store.next_due())
            self.look()
            if due is None:
                break
            self.now = max(self.now + timedelta(minutes=30), due)
        counts: Counter[str] = Counter(self.act(lambda app: app.store.delivery_counts()))
        assert not counts["queued"] + counts["deferred"] + counts["sending"], counts

    def pages_agree(self) -> None:
        """What is published is what the store would have published anew."""
        assert self.act(lambda app: app.rebuild()).written == 0, "a page was missing or stale"


def ask_again_at_once(app: App) -> None:
    """A busy server is not waited for."""
    app.share_turns()
    app.__dict__["fetcher"] = Fetcher(
        user_agent=app.user_agent,
        resolve=app.config.resolve,
        turns=app._turns,
        holder=app._holder,
        backoff_s=0,
        stop=app.stop,
    )


# How often a run comes to each, at most. A page is a part of a store that is put back.
PLACES = {"commit": 30, "committed": 30, "file": 60, "journal": 12, "noted": 12, "sync": 12}
PLACES_OF_KEEPING = {"commit": 13, "committed": 13, "file": 1, "sync": 3, "page": 2}


def _die_at(place: str, nth: int) -> None:
    """From now on this process ends without a word when it comes to a place for the n-th time."""
    from digest.journal import Journal
    from digest.store.sqlite import Sqlite

    count = 0

    def here(name: str) -> None:
        nonlocal count
        count += name == place
        if name == place and count == nth:
            os._exit(9)

    def around(owner: Any, name: str, before: str, after: str) -> None:
        plain = getattr(owner, name)

        def watched(*args: Any, **named: Any) -> Any:
            here(before)
            result = plain(*args, **named)
            here(after)
            return result

        setattr(owner, name, watched)

    around(Sqlite, "commit", "commit", "committed")
    if postgres := sys.modules.get("digest.store.postgres"):  # not loaded where it is not used
        around(postgres.Postgres, "commit", "commit", "committed")
    around(Journal, "_write", "journal", "noted")
    around(os, "replace", "file", "")
    around(os, "rename", "file", "")
    around(os, "fsync", "sync", "")
    plain = Sqlite.take_from

    def page_by_page(self: Sqlite, other: sqlite3.Connection, step: Callable[..., object]) -> None:
        plain(self, other, lambda *how: (here("page"), step(*how)))

    Sqlite.take_from = page_by_page  # type: ignore[method-assign]
