"""A small model of what the program promises: who reads, what they are owed, what stands where. The rules of test_promises.py
change it beside the program, and after each step it is held against the store and against the mails that came."""

from __future__ import annotations

import copy
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from digest.app import App
from digest.model import Edition, Entry, Preferences, Subscriber

_NUMBER = re.compile(r"study\s+(\d+)", re.IGNORECASE)
LETTERS = {"confirm": "asked", "known": "reader", "notice": "reader"}
# So often a letter is sent at most whose answer is lost each time.
COPIES = 3
# So many failed mails at least before anybody is taken off for them.
FAILURES = 5


def numbers(text: str) -> list[int]:
    """The papers whose titles stand in a text."""
    return [int(found) for found in _NUMBER.findall(text)]


def papers_in(edition: Edition) -> list[int]:
    return [n for entry in edition.entries for n in numbers(entry.paper.title)]


@dataclass
class Link:
    """A token from a mail. It is of one `life`: who was forgotten and comes back is somebody new."""

    token: str
    life: int
    at: datetime


@dataclass
class Reader:
    """What the model knows of an address. `state`: nobody, asked, reader, left or suppressed; `barred`: "", "erased" (may ask again
    for themselves) or "never". `had_left`: they are asked, and had left before."""

    address: str
    state: str = "nobody"
    barred: str = ""
    had_left: bool = False
    paused_until: date | None = None
    digests: tuple[str, ...] = ()
    chosen: Preferences = field(default_factory=Preferences)
    life: int = 0
    asked_at: datetime | None = None
    left_at: datetime | None = None
    letters: int = 0  # that asked them, since they answered last
    failures: int = 0
    links: defaultdict[str, list[Link]] = field(default_factory=lambda: defaultdict(list))

    def may_have(self, digest: str, today: date) -> bool:
        awake = self.paused_until is None or self.paused_until <= today
        return self.state == "reader" and awake and digest in (self.digests or (digest,))

    @property
    def is_gone(self) -> bool:
        """They were on the list, and are to get no mail."""
        return self.state in ("left", "suppressed") or bool(self.barred) or self.had_left

    def begin(self, *, digests: tuple[str, ...]) -> None:
        """They are a reader from now on."""
        self.state, self.digests, self.paused_until = "reader", digests, None
        self.had_left, self.letters, self.failures = False, 0, 0

    @property
    def may_come_by_a_list(self) -> bool:
        return self.state in ("nobody", "asked") and not self.barred and not self.had_left

    def come_by_a_list(self, said: Reader) -> None:
        self.begin(digests=said.digests)
        self.chosen, self.paused_until = said.chosen, said.paused_until

    def leave(self, now: datetime) -> None:
        """`left_at` stays None for who was asked only: there is nothing to be undone."""
        if self.state in ("reader", "asked"):
            self.left_at = now if self.state == "reader" else None
            self.state, self.had_left = "left", False

    def come_back(self) -> None:
        """They undo that, and are what they were."""
        self.state, self.left_at = "reader", None

    def suppress(self) -> None:
        self.state, self.barred, self.had_left, self.paused_until = "suppressed", "never", False, None

    def forget(self, barred: str) -> None:
        """Their row is deleted."""
        self.state, self.barred, self.had_left, self.paused_until = "nobody", barred, False, None
        self.life += 1
        self.chosen, self.failures = Preferences(), 0


@dataclass(frozen=True)
class Got:
    """A mail as the server took it. `digest` is "" for a letter that is about none."""

    address: str
    message_id: str
    digest: str
    papers: tuple[int, ...]
    at: datetime

    @property
    def kind(self) -> str:
        """One of LETTERS, or the number of an edition's part."""
        return self.message_id.split(".")[1]


@dataclass
class Doubt:
    """What may come a second time: by Message-ID how many answers were lost, and how many mails were in flight at kills."""

    lost: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def check(self, mails: list[Got]) -> None:
        times = Counter((mail.address, mail.message_id) for mail in mails)
        again = {key: n for key, n in times.items() if n > 1}
        unasked = sum(max(0, n - 1 - self.lost[key[1]]) for key, n in again.items())
        assert unasked <= self.kills, f"mails that came again: {again}"


def fits(entry: Entry, chosen: Preferences) -> bool:
    """Does a reader want this entry? Said here anew, in the words of the page that they chose by."""
    words = f"{entry.paper.title} {entry.paper.abstract}".casefold()
    slug = entry.topic.casefold() or "other"
    wanted = chosen.topics is None or slug in chosen.topics or any(word in words for word in chosen.follow)
    return wanted and not any(mute in words for mute in chosen.mute)


def wanted_of(edition: Edition, chosen: Preferences) -> set[int]:
    """The papers of an edition that a reader surely gets. Of more than `most` they get some."""
    if chosen.most:
        return set()
    return {n for entry in edition.entries if fits(entry, chosen) for n in numbers(entry.paper.title)}


@dataclass
class Model:
    """What the program owes to whom."""

    readers: dict[str, Reader]
    # (address, digest, edition id) → papers of it that this reader is owed.
    owed: dict[tuple[str, str, str], frozenset[int]] = field(default_factory=dict)
    # By digest the papers that a source told of as new in a run that came to its end.
    told: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    withdrawn: set[int] = field(default_factory=set)
    editions: dict[tuple[str, str], Edition] = field(default_factory=dict)
    # Papers of which an operator's word has made more or fewer.
    corrected: set[int] = field(default_factory=set)
    got: list[Got] = field(default_factory=list)
    since: int = 0  # so many of them came before another store took the place of this one
    doubt: Doubt = field(default_factory=Doubt)
    held: bool = False  # editions in doubt stay where they are, until the operator lets them go
    let_go: Doubt = field(default_factory=Doubt)
    unknown: set[str] = field(default_factory=set)  # who was said to have no mailbox
    rejected: set[str] = field(
        default_factory=set
    )  # whose mail was refused for good, and they have a mailbox
    faults: list[str] = field(default_factory=list)

    def forgive(self, address: str, digests: tuple[str, ...] = ()) -> None:
        """Nothing is owed any more to who has left, or does not want it now; but of the digests that they keep."""
        self.owed = {
            key: papers for key, papers in self.owed.items() if key[0] != address or key[1] in digests
        }

    def choose(self, address: str, chosen: Preferences) -> None:
        """Of what waits they get what they want now, and may have got what they wanted before."""
        self.readers[address].chosen = chosen
        for key, papers in self.owed.items():
            if key[0] == address:
                self.owed[key] = papers & wanted_of(self.editions[key[1:]], chosen)

    # --- as it was, for a backup

    def copy(self) -> Model:
        return copy.deepcopy(self)

    def put_back(self, before: Model) -> None:
        """A store of before takes the place of this one. Who has gone since stays so, as does what readers chose; the mails that
        came, came."""
        now = self.readers
        self.owed, self.told, self.editions = before.owed, before.told, before.editions
        self.corrected, self.readers = before.corrected | self.corrected, before.readers
        self.since = len(self.got)
        for address, reader in self.readers.items():
            here = now[address]
            reader.links = here.links
            reader.failures = max(here.failures, reader.failures)
            was = reader.state
            if was == here.state == "reader":
                reader.digests, reader.paused_until = here.digests, here.paused_until
                self.forgive(address, () if here.paused_until else here.digests or ("daily", "print"))
                self.choose(address, here.chosen)
            if not here.is_gone:
                continue
            self.forgive(address)
            if here.barred == "never" or reader.barred == "never":
                reader.suppress()
                if was == "nobody":
                    reader.state = "nobody"
            elif here.barred == "erased":
                if was != "nobody":
                    reader.forget("erased")
                reader.barred = "erased"
            elif was == "nobody":
                reader.barred = "erased"
            else:
                reader.state, reader.had_left, reader.left_at = "left", False, None

    # --- held against what came

    def judge(self, mail: Got, today: date) -> None:
        """A mail that has just been handed over."""
        reader = self.readers[mail.address]
        if mail.digest:
            if not reader.may_have(mail.digest, today):
                self.faults.append(f"an edition of {mail.digest} to {reader}")
            if len(mail.papers) > (reader.chosen.most or 1000):
                self.faults.append(f"more than wanted, {mail}, to {reader}")
        elif reader.state != LETTERS[mail.kind]:
            self.faults.append(f"a letter ({mail.kind}) to {reader}")
        if mail.kind == "confirm" and mail.message_id not in {got.message_id for got in self.got}:
            reader.letters += 1
            if reader.letters > 3:
                self.faults.append(f"asked {reader.letters} times: {reader}")
        self.got.append(mail)
        copies = sum(mail.message_id == got.message_id for got in self.got)
        if mail.kind in LETTERS and copies > COPIES + self.doubt.kills:
            self.faults.append(f"the same letter {copies} times, to {reader}")

    def check_mails(self) -> None:
        mails = self.got[self.since :]
        (self.let_go if self.held else self.doubt).check([mail for mail in mails if mail.kind not in LETTERS])
        self.doubt.check([mail for mail in mails if mail.kind in LETTERS])
        # In one mail, or in mails that are not the same one, no paper comes more often than editions show it.
        had: Counter[tuple[str, str, int]] = Counter()
        for mail in {(m.address, m.message_id): m for m in mails}.values():
            had.update((mail.address, mail.digest, n) for n in mail.papers)
        shown = Counter(
            (digest, n) for (digest, _), edition in self.editions.items() for n in papers_in(edition)
        )
        often = {key: n for key, n in had.items() if n > shown[key[1:]]}
        assert not often, f"papers that came more often than editions show them: {often}"

    # --- held against the store

    def check_editions(self, app: App, today: date) -> None:
        found = {
            (digest.name, edition.id): edition
            for digest in app.config.digest
            for edition in app.store.all_editions(digest.name)
        }
        for key, edition in self.editions.items():
            assert found.get(key) == edition, f"{key} is not what it was"
        for key in found.keys() - self.editions.keys():
            self._owe(*key, found[key], today)
        self.editions = found
        for digest in app.config.digest:
            shown = Counter(
                n
                for (name, _), edition in found.items()
                if name == digest.name
                for entry in edition.entries
                if entry.change in ("new", "cross")
                for n in numbers(entry.paper.title)
            )
            twice = {n for n, times in shown.items() if times > 1} - self.corrected
            assert not twice, f"papers in the new papers of several editions of {digest.name}: {twice}"

    def _owe(self, digest: str, edition_id: str, edition: Edition, today: date) -> None:
        for address, reader in self.readers.items():
            wanted = wanted_of(edition, reader.chosen)
            if wanted and reader.may_have(digest, today):
                self.owed[address, digest, edition_id] = frozenset(wanted)

    def check_readers(self, app: App, now: datetime) -> None:
        today = now.astimezone(app.config.site.zone).date()
        for address, reader in self.readers.items():
            stored = app.store.subscriber(address)
            status = stored.status if stored else ""
            self._heed_what_the_program_may_do(reader, status, today)
            if stored:
                self._forgive_ended(app, stored, now - timedelta(hours=app.config.mail.expire_after_h))
            expected = {"nobody": "", "asked": "pending", "left": "unsubscribed"}.get(
                reader.state, reader.state
            )
            if reader.state == "reader":  # else a pause is kept for who undoes that they left
                expected = "paused" if reader.paused_until else "confirmed"
            assert status == expected, f"{reader} is {status!r} in the store"

    def _heed_what_the_program_may_do(self, reader: Reader, status: str, today: date) -> None:
        """Nobody asked for it in so many words: who has no mailbox is suppressed, who did not answer in a week is forgotten, and
        who paused goes on."""
        failed = reader.address in self.unknown or reader.failures >= FAILURES
        if status == "suppressed" and reader.state == "reader" and failed:
            reader.suppress()
            self.forgive(reader.address)
        if (
            reader.state == "reader"
            and reader.paused_until
            and status == "confirmed"
            and reader.paused_until <= today
        ):
            reader.paused_until = None
        if reader.state == "asked" and reader.had_left and status == "unsubscribed":
            reader.state, reader.had_left = "left", False
        if reader.state == "asked" and not reader.had_left and status == "":
            reader.forget(reader.barred)

    def _forgive_ended(self, app: App, reader: Subscriber, too_old: datetime) -> None:
        """What a server refused for good is not sent again, nor what was joined to it, nor what is too old."""
        found = [
            ((reader.address, digest, edition), status)
            for edition, digest, status, _ in app.store.deliveries_of(reader.id)
        ]
        refused = reader.address in self.rejected and any(status == "rejected" for _, status in found)
        for key, status in found:
            ended = status in ("rejected", "joined") and refused
            if ended or (status == "expired" and self.editions[key[1:]].issued_at < too_old):
                self.owed.pop(key, None)

    # --- at the end

    def check_nothing_is_owed(self) -> None:
        had: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for mail in self.got:
            had[mail.address, mail.digest].update(mail.papers)
        lost = {key: papers - had[key[:2]] for key, papers in self.owed.items() if papers - had[key[:2]]}
        assert not lost, f"papers that readers never got: {lost}"

    def check_nothing_is_lost(self) -> None:
        """Each paper that a source told of as new stands in an edition."""
        for digest, papers in self.told.items():
            shown = {n for (name, _), e in self.editions.items() if name == digest for n in papers_in(e)}
            lost = papers - shown - self.corrected - self.withdrawn
            assert not lost, f"{digest} never showed {lost}"
