"""Lists of subscribers: who is imported, who is refused and why, and that an export can be read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config import DigestConfig, TopicConfig
from digest.errors import UsageError
from digest.model import Preferences, Subscriber
from digest.store import Store, open_store
from digest.subscriptions import Imported, export_rows, import_rows

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
ASKED = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
DIGESTS = (
    DigestConfig(name="daily", topics=(TopicConfig(name="Birds", slug="aves"),)),
    DigestConfig(name="weekly", path="weekly"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def read(store: Store, text: str, **facts: object) -> Imported:
    return import_rows(store, text, digests=DIGESTS, now=NOW, **facts)  # type: ignore[arg-type]


def reasons(done: Imported) -> dict[int, str]:
    return {row.line: row.reason for row in done.refused}


def test_who_left_and_is_asked_by_a_stranger_is_not_imported_meanwhile(store: Store) -> None:
    def ask(address: str) -> Subscriber:
        return store.add_pending(address, digests=(), preferences=Preferences(), consent="form", now=NOW)

    left, _ = store.add_subscriber("left@example.org", digests=(), now=NOW)
    store.leave(left.id, now=NOW)
    assert ask("left@example.org").status == ask("new@example.org").status == "pending"
    done = read(store, "address,consented_at\nleft@example.org,2025-01-01\nnew@example.org,2025-01-01\n")
    assert done.added == 1
    assert list(reasons(done)) == [2]
    assert "unsubscribed" in reasons(done)[2]


def test_people_come_with_the_time_of_their_consent_and_their_choices(store: Store) -> None:
    done = read(
        store,
        "Address,consented_at,digests,preferences\r\n"
        'Ann@Example.org,2025-03-01T13:30:00+01:00,daily; weekly,"{""topics"":[""aves""],""hour"":7}"\r\n'
        "\r\n"
        "bob@bücher.example,2025-03-01,,\r\n",
    )
    assert (done.added, done.refused) == (2, ())
    ann, bob = store.subscribers("confirmed")
    assert (ann.since, ann.consent, ann.digests) == (ASKED, "import", ("daily", "weekly"))
    assert ann.preferences == Preferences(topics=("aves",), hour=7)
    assert (bob.address, bob.digests, bob.since) == (
        "bob@xn--bcher-kva.example",
        (),
        datetime(2025, 3, 1, tzinfo=UTC),
    )


def test_who_must_not_be_mailed_is_refused_one_by_one(store: Store) -> None:
    known = {}
    for name in ("reader", "left", "bounced", "angry", "erased", "allowed"):
        known[name] = store.add_subscriber(f"{name}@example.org", digests=(), now=NOW)[0].id
    store.leave(known["left"], now=NOW)
    store.suppress_subscriber(known["bounced"], "bounced", now=NOW)
    store.suppress_subscriber(known["angry"], "complained", now=NOW)
    store.erase_subscriber("erased@example.org", now=NOW)
    done = read(
        store,
        "address,since\nreader@example.org,2025-01-01\nleft@example.org,2025-01-01\nBounced@example.org,2025-01-01\n"
        "angry@example.org,2025-01-01\nERASED@example.org,2025-01-01\nnew@example.org,2025-01-01\n"
        "NEW@example.org,2025-01-01\n",
    )
    assert done.added == 1
    said = reasons(done)
    assert list(said) == [2, 3, 4, 5, 6, 8]
    for line, words in {
        2: "on the list already",
        3: "unsubscribed",
        4: "mailbox does not take mail",
        5: "complained",
        6: "erased",
        8: "stands in line 7 already",
    }.items():
        assert words in said[line]
    assert not any("@" in reason for reason in said.values())
    by_name = {s.address.partition("@")[0]: s.status for s in store.subscribers()}
    assert by_name == {
        "reader": "confirmed",
        "left": "unsubscribed",
        "bounced": "suppressed",
        "angry": "suppressed",
        "allowed": "confirmed",
        "new": "confirmed",
    }


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("nobody,2025-01-01,,,,", "no mail address"),
        ("a@b@example.org,2025-01-01,,,,", "no mail address"),
        ('"a@example.org\nBcc: b@example.org",2025-01-01,,,,', "no mail address"),
        ("a@example.org\0,2025-01-01,,,,", "no mail address"),
        ("a@example.org,,,,,", "no time of consent"),
        ("a@example.org", "no time of consent"),
        ("a@example.org,last year,,,,", "no date or time"),
        ("a@example.org,0000-01-01,,,,", "no date or time"),
        ("a@example.org,0001-01-01T00:00:00+14:00,,,,", "no date or time"),
        ("a@example.org,2026-11-20,,,,", "in the future"),
        ("a@example.org,2025-01-01,hourly,,,", "no digest 'hourly'; known: daily, weekly"),
        ("a@example.org,2025-01-01,,{,,", "preferences are not what they should be"),
        ("a@example.org,2025-01-01,,[],,", "preferences are not what they should be"),
        ('a@example.org,2025-01-01,,"{""topics"":[""fish""]}",,', 'no topic "fish"'),
        ('a@example.org,2025-01-01,,"{""hour"":25}",,', "no hour of the day"),
        ('a@example.org,2025-01-01,,"{""hour"":1e999}",,', "preferences are not what they should be"),
        ("a@example.org,2025-01-01,,,tomorrow,", "paused_until is no date"),
        ("a@example.org,2025-01-01,,,,unsubscribed", "only confirmed and paused"),
        ("a@example.org,2025-01-01,,,,pending", "only confirmed and paused"),
        ("a@example.org,2025-01-01,,,,paused", "paused, and no day until which"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_reason_and_the_good_ones_are_added(
    store: Store, row: str, words: str
) -> None:
    done = read(
        store,
        "address,consented_at,digests,preferences,paused_until,status\nfirst@example.org,2025-01-01,,,,\n"
        f"{row}\nlast@example.org,2025-01-01,,,,\n",
    )
    assert done.added == 2 and len(done.refused) == 1
    refused = done.refused[0]
    assert words in refused.reason and "a@example" not in refused.reason and refused.reason.isprintable()
    assert refused.line == 3 + row.count("\n")
    assert [s.address for s in store.subscribers()] == ["first@example.org", "last@example.org"]


def test_rows_without_a_time_take_the_one_that_the_operator_gives(store: Store) -> None:
    done = read(store, "address,since\nann@example.org,\nbob@example.org,2024-01-01\n", consented_at=ASKED)
    assert done.added == 2
    assert [s.since for s in store.subscribers()] == [ASKED, datetime(2024, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    "text", ["", "\n", "name,mail\nAnn,ann@example.org\n", "address;since\nann@example.org;2025-01-01\n"]
)
def test_a_file_without_addresses_is_refused_as_a_whole(store: Store, text: str) -> None:
    with pytest.raises(UsageError, match='no column "address"'):
        read(store, text)


@pytest.mark.parametrize("tail", ['"b@example.org', '"b"c@example.org,2025-01-01', "x" * 140_000])
def test_of_a_file_that_is_no_csv_nobody_is_added(store: Store, tail: str) -> None:
    with pytest.raises(UsageError, match=r"line 3 is no CSV.*Nothing was imported"):
        read(store, f"address,since\na@example.org,2025-01-01\n{tail}\n")
    assert store.subscribers() == []


def test_a_dry_run_says_the_same_and_keeps_nothing(store: Store) -> None:
    text = "address,since\na@example.org,2025-01-01\nA@example.org,2025-01-01\nb@example.org,2025-01-01\nnobody,\n"
    rehearsed = read(store, text, dry_run=True)
    assert store.subscribers() == []
    assert rehearsed == read(store, text) and rehearsed.added == 2


def test_importing_the_same_file_again_changes_nothing(store: Store) -> None:
    text = "address,since\na@example.org,2025-01-01\nb@example.org,2025-01-01\n"
    read(store, text)
    before = store.subscribers()
    again = read(store, text)
    assert (again.added, len(again.refused)) == (0, 2)
    assert store.subscribers() == before


def test_who_was_asked_and_has_not_answered_may_be_imported(store: Store) -> None:
    store.add_pending("ann@example.org", digests=(), preferences=Preferences(hour=3), consent="form", now=NOW)
    assert read(store, "address,since\nann@example.org,2025-01-01\n").added == 1
    (ann,) = store.subscribers()
    assert (ann.status, ann.consent, ann.preferences) == ("confirmed", "import", Preferences())


def test_columns_may_stand_in_any_order_with_others_between_and_a_byte_order_mark(store: Store) -> None:
    done = read(store, "\ufeffname, SINCE ,address\nAnn,2025-01-01, ann@example.org ,more\n")
    assert done == Imported(added=1, refused=())


def test_an_export_is_read_back_as_it_was(store: Store, tmp_path: Path) -> None:
    chosen = Preferences(topics=("aves",), follow=('say "hello, world"', "author:O'Neil, P."), hour=0, most=3)
    store.add_subscriber(
        "a@example.org", digests=("daily", "weekly"), preferences=chosen, since=ASKED, now=NOW
    )
    paused = store.add_subscriber("o'neil+x@xn--bcher-kva.example", digests=(), now=NOW)[0]
    store.set_choices(
        paused.id, digests=(), preferences=Preferences(), paused_until=date(2027, 1, 1), now=NOW
    )
    kept = store.subscribers()
    text = export_rows(kept)
    assert text.splitlines()[0] == "address,consented_at,digests,preferences,paused_until"
    with open_store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert read(other, text) == Imported(added=2, refused=())
        assert [facts(s) for s in other.subscribers()] == [facts(s) for s in kept]


def test_an_apostrophe_that_shields_nothing_is_of_the_address(store: Store) -> None:
    assert read(store, "address,consented_at\n'ann@example.org,2025-01-01\n").added == 1
    assert [reader.address for reader in store.subscribers()] == ["'ann@example.org"]


def test_no_address_is_a_formula_to_a_spreadsheet(store: Store, tmp_path: Path) -> None:
    # Excel takes the last part for a name with a sign of its own before it, and starts what stands in the first.
    strange = ["=cmd|'/Ccalc'!A0*@example.org", "+1@example.org", "-1@example.org", "'=1@example.org"]
    kept = [store.add_subscriber(address, digests=(), now=NOW)[0] for address in strange]
    text = export_rows(kept)
    assert [row["address"] for row in csv.DictReader(io.StringIO(text))] == [f"'{one}" for one in strange]
    with open_store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert read(other, text).added == 4
        assert [s.address for s in other.subscribers()] == strange


def facts(s: Subscriber) -> tuple[object, ...]:
    return s.address, s.status, s.since, s.digests, s.preferences, s.paused_until


def test_of_an_export_of_all_only_readers_come_back(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        store.add_subscriber(f"{name}@example.org", digests=(), now=NOW)
    store.remove_subscriber("b@example.org", now=NOW)
    text = export_rows(store.subscribers(), status=True)
    assert [row["status"] for row in csv.DictReader(io.StringIO(text))] == [
        "confirmed",
        "unsubscribed",
        "confirmed",
    ]
    with open_store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        done = read(other, text)
        assert (done.added, list(reasons(done))) == (2, [3])


@given(st.text(max_size=200) | st.text(alphabet='a@.,;"\n\r\0={}[] ', max_size=80))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with open_store(f"sqlite:///{_one_store(tmp_path_factory)}") as store, store.rehearsal():
        for file in (text, f"address,since\n{text}"):
            try:
                done = read(store, file)
            except UsageError as error:
                assert str(error)
            else:
                assert done.added == 0 and all(row.line >= 2 for row in done.refused)


_STORES: list[Path] = []


def _one_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not _STORES:
        _STORES.append(tmp_path_factory.mktemp("any") / "digest.db")
    return _STORES[0]


def test_thousands_of_people_come_in_one_transaction(store: Store) -> None:
    rows = "".join(f"r{n}@example.org,2025-01-01\n" for n in range(3000))
    assert read(store, f"address,since\n{rows}").added == 3000
    assert len(store.subscribers("confirmed")) == 3000
