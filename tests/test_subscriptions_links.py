"""A subscriber's life by signed links, on a real store: who is asked, who gets mail, who is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from conftest import sizes
from digest.choices import next_due
from digest.config import Config, DigestConfig, MailConfig, SiteConfig, TopicConfig
from digest.errors import UsageError
from digest.model import Letter, Preferences, Subscriber
from digest.store import Store, open_store
from digest.subscriptions import CONSENT, Subscriptions
from digest.tokens import Purpose, Tokens
from store_inbox import issue

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PURPOSES: tuple[Any, ...] = get_args(Purpose)
CONFIG = Config(
    site=SiteConfig(url="https://papers.example.org/", timezone="Europe/Berlin"),
    digest=(
        DigestConfig(name="daily", topics=(TopicConfig(name="Birds", slug="aves"), TopicConfig(name="Moss"))),
        DigestConfig(name="weekly", path="weekly"),
    ),
    mail=MailConfig(from_="Paper Digest <digest@papers.example.org>"),
)


class Door:
    """The subscriptions of one store, and what its links would do."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tokens = Tokens(store.secret())
        self.rules = Subscriptions(store, CONFIG, self.tokens)

    def ask(self, address: str = "ann@example.org", *, now: datetime = NOW, **choices: Any) -> None:
        facts = {"digests": (), "preferences": Preferences(), **choices}
        self.rules.subscribe(address, now=now, **facts)

    def letters(self, *, now: datetime = NOW) -> list[Letter]:
        found = self.store.claim_letters(now=now, holder="test", limit=1000)
        for letter in found:
            self.store.record_letter(letter.id, "accepted", now=now)
        return found

    def person(self, address: str = "ann@example.org") -> Subscriber:
        found = self.store.subscriber(address)
        assert found is not None
        return found

    def token(self, purpose: Any, *, now: datetime = NOW, address: str = "ann@example.org") -> str:
        hours = {"confirm": 48, "undo": 24}.get(purpose)
        until = now + timedelta(hours=hours) if hours else None
        return self.tokens.make(purpose, self.person(address), until=until)

    def reader(self, address: str = "ann@example.org", *, now: datetime = NOW) -> Subscriber:
        self.ask(address, now=now)
        assert self.rules.confirm(self.token("confirm", now=now, address=address), now=now).changed
        self.letters(now=now)
        return self.person(address)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "digest.db"


@pytest.fixture
def door(file: Path) -> Iterator[Door]:
    with open_store(f"sqlite:///{file}") as store:
        yield Door(store)


def dump(file: Path) -> list[object]:
    """Every row of every table; the index of words has none of its own to be read, its parts have."""
    with closing(sqlite3.connect(file)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            (name, database.execute(f'SELECT * FROM "{name}"').fetchall())
            for name in names
            if name != "shown_text"
        ]


# ---------------------------------------------------------------- asking


def test_who_asks_is_sent_one_letter_and_no_paper_before_they_agree(door: Door) -> None:
    door.ask(digests=("daily",), preferences=Preferences(topics=("aves",), hour=7))
    (letter,) = door.letters()
    assert (letter.kind, letter.subscriber.address, letter.attempt) == ("confirm", "ann@example.org", 1)
    assert letter.message_id.startswith("<20261119.") and letter.message_id.endswith("@papers.example.org>")
    pending = door.person()
    assert (pending.status, pending.consent, pending.digests) == ("pending", CONSENT, ("daily",))
    assert door.store.subscribers("confirmed") == []
    link = door.rules.confirm(door.token("confirm"), now=NOW + HOUR)
    assert (link.state, link.changed) == ("confirmed", True)
    assert door.person().since == NOW + HOUR
    assert door.person().preferences == Preferences(topics=("aves",), hour=7)


@pytest.mark.parametrize("times", sizes(500, 10_000))
def test_ten_thousand_askings_are_one_letter(door: Door, times: int) -> None:
    with door.store.together():  # one write to the disk instead of 10,000: the rules are the same
        for n in range(times):
            door.ask("Victim@Example.org" if n % 2 else "victim@example.org", now=NOW + timedelta(seconds=n))
    assert [letter.kind for letter in door.letters(now=NOW + 3 * HOUR)] == ["confirm"]


def test_an_address_is_asked_once_a_day_and_three_times_in_its_life(door: Door) -> None:
    asked = []
    for hours in range(0, 24 * 30, 6):
        now = NOW + hours * HOUR
        door.ask(now=now)
        asked += [hours for _ in door.letters(now=now)]
        door.store.expire_pending(older_than=now - 7 * DAY)
    assert asked == [0, 24, 48]


@pytest.mark.parametrize(
    "spellings",
    [
        [f"victim+{n}@example.org" for n in range(20)],
        ["victim@example.org", "victim+@example.org", "victim+a+b@example.org", "Victim+C@EXAMPLE.org"],
        [
            "victim.mail@gmail.com",
            "v.ictimmail@gmail.com",
            "victimmail+x@gmail.com",
            "victimmail@googlemail.com",
        ],
    ],
    ids=["behind a plus", "with and without", "dots at Gmail"],
)
def test_addresses_that_fill_one_mailbox_are_asked_as_one(door: Door, spellings: list[str]) -> None:
    for number, address in enumerate(spellings):
        door.ask(address, now=NOW + number * timedelta(minutes=1))
    letters = door.letters(now=NOW + HOUR)
    assert [letter.subscriber.address for letter in letters] == spellings[:1]


def test_addresses_of_different_mailboxes_are_asked_each(door: Door) -> None:
    asked = ["+ann@example.org", "+bob@example.org", "a.nn@example.org", "ann@example.org", "ann@example.com"]
    for address in asked:
        door.ask(address)
    assert [letter.subscriber.address for letter in door.letters()] == asked


def test_who_agreed_may_have_other_addresses_of_the_same_mailbox(door: Door) -> None:
    door.ask("ann+papers@example.org")
    assert len(door.letters()) == 1
    door.rules.confirm(door.token("confirm", address="ann+papers@example.org"), now=NOW + HOUR)
    door.ask("ann@example.org", now=NOW + HOUR)
    (letter,) = door.letters(now=NOW + HOUR)
    assert (letter.kind, letter.subscriber.address) == ("confirm", "ann@example.org")


def test_who_was_asked_by_a_clock_that_was_a_year_ahead_is_asked_when_it_is_right_again(door: Door) -> None:
    door.ask(now=NOW + 365 * DAY)
    assert len(door.letters(now=NOW + 365 * DAY)) == 1
    door.ask(now=NOW)
    door.ask(now=NOW + HOUR)
    assert len(door.letters(now=NOW + HOUR)) == 1


@pytest.mark.parametrize("status", ["confirmed", "paused"])
def test_a_reader_who_asks_again_gets_the_link_to_their_choices_once_a_day(door: Door, status: str) -> None:
    number, until = door.reader().id, date(2026, 12, 24) if status == "paused" else None
    door.store.set_choices(number, digests=(), preferences=Preferences(), paused_until=until, now=NOW)
    for n in range(10):
        door.ask(now=NOW + n * HOUR, preferences=Preferences(hour=3))
    assert [letter.kind for letter in door.letters(now=NOW + 9 * HOUR)] == ["known"]
    door.ask(now=NOW + 25 * HOUR)
    assert [letter.kind for letter in door.letters(now=NOW + 25 * HOUR)] == ["known"]
    assert (door.person().status, door.person().preferences) == (status, Preferences())


def test_a_reader_who_was_pestered_and_left_may_ask_again(door: Door) -> None:
    door.reader()
    for n in range(6):
        door.ask(now=NOW + n * DAY)
        assert len(door.letters(now=NOW + n * DAY)) == 1
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW + 6 * DAY)
    door.ask(now=NOW + 7 * DAY)
    assert [letter.kind for letter in door.letters(now=NOW + 7 * DAY)] == ["confirm"]


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_a_suppressed_address_never_gets_a_letter(door: Door, reason: Any) -> None:
    number = door.reader().id
    door.store.suppress_subscriber(number, reason, now=NOW)
    for n in range(5):
        door.ask(now=NOW + n * DAY)
        assert door.store.next_letter() is None
    assert door.person().status == "suppressed"


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_a_suppressed_address_never_gets_a_letter_nor_when_its_data_were_erased(
    door: Door, reason: Any
) -> None:
    door.store.suppress_subscriber(door.reader().id, reason, now=NOW)
    door.store.erase_subscriber("ann@example.org", now=NOW)
    for n in range(5):
        door.ask(now=NOW + n * DAY)
        assert door.store.next_letter() is None and door.store.subscribers() == []


def test_who_was_erased_may_ask_again_and_is_asked(door: Door) -> None:
    door.reader()
    door.rules.erase(door.token("manage"), now=NOW)
    door.ask(now=NOW + DAY)
    assert [letter.kind for letter in door.letters(now=NOW + DAY)] == ["confirm"]
    assert door.rules.confirm(door.token("confirm", now=NOW + DAY), now=NOW + DAY).changed
    assert door.store.suppression("ann@example.org") is None


def test_a_letter_of_who_left_meanwhile_is_not_sent(door: Door) -> None:
    door.ask()
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW)
    assert door.letters() == []


@pytest.mark.parametrize(
    "address",
    ["a@b@example.org", "ann@example.org\nBcc: x@example.org", "ann@example.org\0", "a@example.org, b@example.org",
     "a" * 300 + "@example.org", "änn@example.org", "", "ann", "@example.org", "ann@", "ann@ex ample.org"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_leaves_nothing(door: Door, file: Path, address: str) -> None:
    before = dump(file)
    with pytest.raises(UsageError, match="no mail address"):
        door.ask(address)
    assert dump(file) == before


def test_choices_that_there_are_not_are_refused(door: Door) -> None:
    with pytest.raises(UsageError, match='no digest "hourly"'):
        door.ask(digests=("hourly",))
    with pytest.raises(UsageError, match='no topic "fish"'):
        door.ask(preferences=Preferences(topics=("fish",)))
    assert door.store.subscribers() == []


def test_an_idn_is_one_address_in_every_spelling(door: Door) -> None:
    door.ask("ann@bücher.example")
    door.ask("ANN@XN--BCHER-KVA.example")
    assert len(door.letters()) == 1


def test_every_asking_writes_and_none_takes_much_longer_than_another(door: Door, file: Path) -> None:
    door.reader("known@example.org")
    gone = door.reader("gone@example.org")
    door.store.suppress_subscriber(gone.id, "bounced", now=NOW)
    taken: dict[str, list[float]] = {"new": [], "known": [], "gone": []}
    with closing(sqlite3.connect(file)) as watcher:
        for n in range(60):
            for kind, address in (
                ("new", f"new{n}@example.org"),
                ("known", "known@example.org"),
                ("gone", "gone@example.org"),
            ):
                before = watcher.execute("PRAGMA data_version").fetchone()
                began = perf_counter()
                door.ask(address, now=NOW + n * DAY)
                taken[kind].append(perf_counter() - began)
                assert watcher.execute("PRAGMA data_version").fetchone() != before, kind
    medians = [median(values) for values in taken.values()]
    assert max(medians) < 10 * min(medians)


# ---------------------------------------------------------------- confirm links


def test_confirming_twice_is_harmless(door: Door) -> None:
    door.ask()
    token = door.token("confirm")
    assert door.rules.confirm(token, now=NOW).changed
    again = door.rules.confirm(token, now=NOW + HOUR)
    assert (again.state, again.changed, door.person().since) == ("confirmed", False, NOW)


def test_a_confirm_link_ends_after_48_hours_and_can_be_sent_again(door: Door) -> None:
    door.ask()
    door.letters()
    token, late = door.token("confirm"), NOW + 49 * HOUR
    assert door.rules.confirm(token, now=late).state == "expired"
    assert door.person().status == "pending"
    assert door.rules.send_again(token, now=late).state == "pending"
    assert len(door.letters(now=late)) == 1
    door.rules.send_again(token, now=late + HOUR)
    assert door.letters(now=late + HOUR) == []
    assert door.rules.confirm(door.token("confirm", now=late), now=late + HOUR).changed
    assert door.rules.look("confirm", token, now=late + HOUR).state == "confirmed"


def test_a_letter_is_sent_again_three_times_at_most(door: Door) -> None:
    door.ask()
    token, sent = door.token("confirm"), len(door.letters())
    for n in range(10):
        now = NOW + (3 + n) * DAY
        door.rules.send_again(token, now=now)
        sent += len(door.letters(now=now))
    assert sent == 3


def test_a_confirm_link_does_not_bring_back_who_has_left(door: Door) -> None:
    door.ask()
    old = door.token("confirm")
    door.rules.confirm(old, now=NOW)
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW + HOUR)
    assert door.rules.confirm(old, now=NOW + 2 * HOUR).state == "unsubscribed"
    # Asked anew, only the new letter's link counts.
    door.ask(now=NOW + 3 * HOUR)
    assert door.person().status == "pending"
    link = door.rules.confirm(old, now=NOW + 4 * HOUR)
    assert (link.state, link.changed, door.person().status) == ("expired", False, "pending")
    assert door.rules.confirm(door.token("confirm", now=NOW + 3 * HOUR), now=NOW + 4 * HOUR).changed


def test_the_link_of_the_letter_stays_good_when_its_reader_asks_twice(door: Door) -> None:
    door.ask()
    token = door.token("confirm")
    door.ask(now=NOW + HOUR)
    assert door.rules.confirm(token, now=NOW + 2 * HOUR).changed


# ---------------------------------------------------------------- leaving


def prepare(door: Door, status: str) -> None:
    door.ask()
    if status == "pending":
        return
    door.rules.confirm(door.token("confirm"), now=NOW)
    if status == "paused":
        door.rules.change(
            door.token("manage"),
            digests=(),
            preferences=Preferences(),
            paused_until=date(2027, 1, 1),
            now=NOW,
        )
    elif status == "unsubscribed":
        door.store.leave(door.person().id, now=NOW)
    elif status == "suppressed":
        door.store.suppress_subscriber(door.person().id, "bounced", now=NOW)
    assert door.person().status == status


STATUSES = ("pending", "confirmed", "paused", "unsubscribed", "suppressed")


@pytest.mark.parametrize("status", STATUSES)
def test_leaving_works_from_any_status_for_ever_and_is_harmless_when_repeated(
    door: Door, status: str
) -> None:
    prepare(door, status)
    token, late = door.token("unsubscribe"), NOW + 3650 * DAY
    after = "suppressed" if status == "suppressed" else "unsubscribed"
    link = door.rules.unsubscribe(token, now=late)
    assert (link.state, link.changed) == (after, status in ("pending", "confirmed", "paused"))
    for _ in range(3):
        link = door.rules.unsubscribe(token, now=late)
        assert (link.state, link.changed, door.person().status) == (after, False, after)


@pytest.mark.parametrize("status", STATUSES)
def test_looking_changes_nothing(door: Door, file: Path, status: str) -> None:
    prepare(door, status)
    tokens = {purpose: door.token(purpose) for purpose in PURPOSES}
    before = dump(file)
    for made_for, token in tokens.items():
        for purpose in PURPOSES:
            for now in (NOW, NOW + 30 * DAY):
                link = door.rules.look(purpose, token, now=now)
                assert (link.state == "unknown") == (purpose != made_for) and not link.changed
    for token in ("", "x", "\0", "é" * 99):
        assert door.rules.look("manage", token, now=NOW).state == "unknown"
    assert door.rules.export(tokens["manage"], now=NOW)
    assert dump(file) == before


def test_a_token_does_nothing_but_what_it_is_for(door: Door, file: Path) -> None:
    prepare(door, "confirmed")
    rules, before = door.rules, dump(file)
    for purpose in PURPOSES:
        token = door.token(purpose)
        if purpose != "confirm":
            assert rules.confirm(token, now=NOW).state == rules.send_again(token, now=NOW).state == "unknown"
        if purpose != "unsubscribe":
            assert rules.unsubscribe(token, now=NOW).state == "unknown"
        if purpose != "undo":
            assert rules.undo(token, now=NOW).state == "unknown"
        if purpose != "manage":
            assert rules.export(token, now=NOW) is None
            assert rules.erase(token, now=NOW)[1] == [] and rules.erase(token, now=NOW)[0].state == "unknown"
            link = rules.change(
                token, digests=(), preferences=Preferences(most=1), paused_until=None, now=NOW
            )
            assert link.state == "unknown"
    assert dump(file) == before


def test_leaving_can_be_undone_for_a_day(door: Door) -> None:
    since = door.reader().since
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW + HOUR)
    undo = door.rules.undo_url(door.person(), NOW + HOUR).partition("?t=")[2]
    assert door.rules.look("undo", undo, now=NOW + 2 * HOUR).state == "unsubscribed"
    link = door.rules.undo(undo, now=NOW + 24 * HOUR)
    assert (link.state, link.changed, door.person().since) == ("confirmed", True, since)
    again = door.rules.undo(undo, now=NOW + 24 * HOUR)
    assert (again.state, again.changed) == ("confirmed", False)


def test_who_was_paused_and_takes_leaving_back_is_paused_as_before(door: Door) -> None:
    prepare(door, "paused")
    until = door.person().paused_until
    assert until is not None and until > NOW.date()
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW)
    assert door.person().paused_until is None
    link = door.rules.undo(door.token("undo"), now=NOW + HOUR)
    assert (link.state, link.changed, door.person().paused_until) == ("paused", True, until)
    assert door.store.resume_paused(until - DAY, now=NOW) == 0
    assert door.store.resume_paused(until, now=NOW) == 1


def test_leaving_cannot_be_undone_later(door: Door) -> None:
    door.reader()
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW)
    for made_at in (NOW, NOW + 23 * HOUR):
        assert door.rules.undo(door.token("undo", now=made_at), now=NOW + 25 * HOUR).state == "expired"
    assert door.person().status == "unsubscribed"


@pytest.mark.parametrize("had_left", [False, True])
def test_to_undo_makes_no_reader_of_who_was_asked_only_and_did_not_want_to(
    door: Door, had_left: bool
) -> None:
    """A stranger asks for somebody who had left; they press the button in an old mail, and then the one that says "Undo"."""
    if had_left:
        door.reader()
        door.store.leave(door.person().id, now=NOW)
    door.ask(now=NOW + 9 * DAY)
    assert door.person().status == "pending"
    door.rules.unsubscribe(door.token("unsubscribe"), now=NOW + 10 * DAY)
    assert not door.rules.can_undo(door.person(), now=NOW + 10 * DAY)
    link = door.rules.undo(door.token("undo", now=NOW + 10 * DAY), now=NOW + 10 * DAY)
    assert (link.state, link.changed, door.person().status) == ("unsubscribed", False, "unsubscribed")
    assert door.store.had_left(door.person().id)


def test_an_undo_link_of_an_earlier_leaving_does_not_undo_this_one(door: Door) -> None:
    door.reader()
    leave = door.token("unsubscribe")
    door.rules.unsubscribe(leave, now=NOW)
    first = door.token("undo")
    door.rules.undo(first, now=NOW + HOUR)
    door.rules.unsubscribe(leave, now=NOW + 2 * HOUR)
    assert door.rules.look("undo", first, now=NOW + 3 * HOUR).state == "expired"
    link = door.rules.undo(first, now=NOW + 3 * HOUR)
    assert (link.state, link.changed, door.person().status) == ("expired", False, "unsubscribed")


def test_a_link_of_an_erased_person_is_unknown_for_ever(door: Door) -> None:
    door.reader()
    old = {purpose: door.token(purpose) for purpose in PURPOSES}
    link, _ = door.rules.erase(old["manage"], now=NOW)
    assert (link.state, link.subscriber, link.changed) == ("unknown", None, True)
    for after in ("nobody", "ann@example.org"):
        if "@" in after:
            door.ask(after, now=NOW + DAY)
        for purpose, token in old.items():
            assert door.rules.look(purpose, token, now=NOW + DAY).state == "unknown"
        assert not door.rules.erase(old["manage"], now=NOW + DAY)[0].changed
    assert door.person().status == "pending"


# ---------------------------------------------------------------- choosing


def test_choices_are_kept_and_a_pause_has_an_end(door: Door) -> None:
    door.reader()
    chosen = Preferences(topics=("aves", "other"), frequency="weekly", weekly_on=2, most=5, mute=("owl",))
    link = door.rules.change(
        door.token("manage"),
        digests=("weekly",),
        preferences=chosen,
        paused_until=date(2026, 12, 24),
        now=NOW,
    )
    assert (link.state, link.changed) == ("paused", True)
    person = door.person()
    assert (person.digests, person.preferences, person.paused_until) == (
        ("weekly",),
        chosen,
        date(2026, 12, 24),
    )
    door.store.resume_paused(date(2026, 12, 24), now=NOW)
    assert (door.person().status, door.person().preferences) == ("confirmed", chosen)


def test_mail_and_notices_that_wait_move_to_the_hour_that_their_reader_chooses(door: Door) -> None:
    number = door.reader().id
    choose = {"digests": (), "paused_until": None, "now": NOW}
    wish = Preferences(empty=True, hour=10)
    door.rules.change(door.token("manage"), preferences=wish, **choose)  # type: ignore[arg-type]
    at = issue(door.store, 0, due=3 * HOUR)
    facts = {
        "due": lambda preferences: at + 3 * HOUR,
        "message_id": lambda reader: f"<{reader}@x>",
        "now": NOW,
    }
    assert door.store.queue_notices("weekly", at.date(), **facts) == 1  # type: ignore[arg-type]
    evening = datetime(2026, 11, 19, 19, tzinfo=UTC)
    door.rules.change(door.token("manage"), preferences=replace(wish, hour=20), **choose)  # type: ignore[arg-type]
    assert (door.store.next_due_of(number), door.store.next_notice_of(number)) == (evening, evening)


def test_choices_that_cannot_be_are_refused_and_nothing_is_kept(door: Door, file: Path) -> None:
    door.reader()
    before = dump(file)
    for digests, preferences in ((("nope",), Preferences()), ((), Preferences(hour=99))):
        with pytest.raises(UsageError):
            door.rules.change(
                door.token("manage"), digests=digests, preferences=preferences, paused_until=None, now=NOW
            )
    assert dump(file) == before


@pytest.mark.parametrize("status", ["pending", "unsubscribed", "suppressed"])
def test_who_is_not_on_the_list_has_nothing_to_choose(door: Door, status: str) -> None:
    prepare(door, status)
    link = door.rules.change(
        door.token("manage"), digests=(), preferences=Preferences(most=1), paused_until=None, now=NOW
    )
    assert (link.state, link.changed, door.person().preferences.most) == (status, False, 0)


def test_all_that_is_stored_is_handed_out_ready_for_json(door: Door) -> None:
    import json

    door.reader()
    chosen = Preferences(topics=("aves",), follow=("author:Finch",))
    door.rules.change(
        door.token("manage"), digests=("daily",), preferences=chosen, paused_until=date(2026, 12, 24), now=NOW
    )
    found = door.rules.export(door.token("manage"), now=NOW)
    assert json.loads(json.dumps(found)) == {
        "schema": 1,
        "address": "ann@example.org",
        "status": "paused",
        "since": "2026-11-19T06:00:00+00:00",
        "changed_at": "2026-11-19T06:00:00+00:00",
        "consent": CONSENT,
        "digests": ["daily"],
        "preferences": {"topics": ["aves"], "follow": ["author:Finch"]},
        "paused_until": "2026-12-24",
        "mails": [],
        "letters": [
            {"kind": "confirm", "digest": None, "status": "expired", "date": "2026-11-19T06:00:00+00:00"}
        ],
    }


def test_links_are_short_and_on_the_site(door: Door) -> None:
    reader = door.reader()
    urls = [
        door.rules.manage_url(reader),
        door.rules.unsubscribe_url(reader),
        door.rules.undo_url(reader, NOW),
    ]
    for url, page in zip(urls, ("manage", "unsubscribe", "undo"), strict=True):
        assert url.startswith(f"https://papers.example.org/{page}/?t=")
    assert len(urls[1]) <= 70


def test_the_hour_of_a_reader_is_that_of_the_site_where_they_chose_none() -> None:
    due = next_due(Preferences(hour=8), NOW, site_timezone=CONFIG.site.timezone)
    assert due == datetime(2026, 11, 19, 7, 0, tzinfo=UTC)
