"""Sequences of everything, drawn at random, held against a small model of what is promised: promised.py is the model, promises.py
the installation, promise_pages.py what its sources show, promise_steps.py what happens to it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from conftest import PROFILE, sizes
from digest.model import Preferences
from promise_pages import ARCHIVE, JOURNAL, STATES, VALIDATORS
from promise_steps import HARD, LATE, SOFT, Steps
from promises import FLYING, MOTHS, PLACES, PLACES_OF_KEEPING, WATER, World
from smtp_servers import DROP, LOSE
from store_contract import empty_postgres

READERS = ("ann@example.org", "bob@example.org", "cid@example.org")
PAPERS = 9
some_reader = st.sampled_from(READERS)
some_paper = st.integers(0, PAPERS - 1)
some_papers = st.lists(some_paper, min_size=1, max_size=5, unique=True)
some_state = st.sampled_from(("whole", "whole", *STATES))
# None: it goes on to its end. Else where it is killed, when it comes there for the n-th time.
some_fate, some_fate_of_keeping = (
    st.none()
    | st.one_of(*(st.tuples(st.just(place), st.integers(1, most)) for place, most in places.items()))
    for places in (PLACES, PLACES_OF_KEEPING)
)
some_digests = st.sampled_from(((), ("daily",), ("print",)))
some_choice = st.builds(
    Preferences,
    topics=st.none() | st.sampled_from((("moths",), ("water", "other"))),
    frequency=st.sampled_from(("daily", "daily", "weekdays", "weekly")),
    hour=st.none() | st.sampled_from((2, 9)),
    mute=st.sampled_from(((), ("heron",))),
    follow=st.sampled_from(((), ("otter",))),
    most=st.sampled_from((0, 0, 2)),
    empty=st.booleans(),
)
TOPICS = ((MOTHS, WATER), (WATER, MOTHS), (FLYING, WATER))
FOLLOWED = (("journal",), ("inbox",), ("journal", "inbox"), ("*",))
# What a server says to one reader's address from then on; None: it takes mail again.
REFUSALS = (
    None,
    b"450 4.2.0 busy",
    b"552 5.2.2 mailbox full",
    b"550 5.1.1 no such user",
    b"550 5.7.1 we want no lists",
)
# What it does with one mail: it hangs up and has taken it, or not; it hangs up and says so; it cannot for now.
BREAKS = (DROP, LOSE, b"421 4.3.2 going down", b"451 4.3.0 not now")
# To all: it is not there, wants no connection now, no mail now; it takes mail and never says so.
MOODS = ("", "", "down", "busy", "greylisting", "dumb")


class Promises(Steps, RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promises-"))
        # Three days before the clocks of Berlin go back, and nine before a month ends.
        began = datetime(2026, 10, 22, 6, tzinfo=UTC)
        self.world = World(self.folder, READERS, began, store=self.store())
        self.model = self.world.model

    def store(self) -> str:
        """The address of an empty store; "" for a file of its own."""
        return ""

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # else a step has failed, and that is what is to be told
                self.all_ends_well()
        finally:
            self.world.close()
            shutil.rmtree(self.folder)

    def all_ends_well(self) -> None:
        world = self.world
        for again in (False, True):  # the day may have had its edition before it came
            world.now += timedelta(days=1)
            world.run(None, again=again)
            world.look()
        world.settle()
        self.model.check_nothing_is_owed()
        self.model.check_nothing_is_lost()
        world.pages_agree()

    @initialize(
        readers=st.sets(some_reader, min_size=1),
        papers=st.sets(some_paper, min_size=2),
        expire_after_h=st.sampled_from((36, 10_000)),
        validator=st.none() | st.sampled_from(VALIDATORS),
        connections=st.sampled_from((1, 3)),
        hold=st.booleans(),
    )
    def it_has_readers_and_papers(
        self,
        readers: set[str],
        papers: set[int],
        expire_after_h: float,
        validator: str | None,
        connections: int,
        hold: bool,
    ) -> None:
        self.world.send_by(connections, hold=hold)
        self.world.expire_after(expire_after_h)
        if validator is not None:  # else its sources are files
            self.world.serve_pages(validator)
        for address in sorted(readers):
            self.the_operator_adds(address)
        self.the_journal_shows(sorted(papers), "plain", "whole")

    @invariant()
    def what_is_promised_holds(self) -> None:
        self.world.look()

    # --- days and what they bring. A rule for each of what matters most: they are drawn with one chance.

    @rule(papers=some_papers, form=st.sampled_from(JOURNAL), state=some_state, fate=some_fate)
    def a_day_of_the_journal(self, papers: list[int], form: str, state: str, fate: Any) -> None:
        self.the_journal_shows(papers, form, state)
        self.a_day_passes_with_its_run(fate)

    @rule(papers=some_papers, form=st.sampled_from(ARCHIVE), state=some_state, fate=some_fate)
    def a_day_of_the_archive(self, papers: list[int], form: str, state: str, fate: Any) -> None:
        self.the_archive_shows(papers, form, state)
        self.a_day_passes_with_its_run(fate)

    @rule(
        papers=some_papers,
        form=st.sampled_from(JOURNAL),
        state=st.sampled_from(("whole", "empty", "cut")),
        fate=some_fate,
    )
    def a_day_of_the_inbox(self, papers: list[int], form: str, state: str, fate: Any) -> None:
        self.the_inbox_gets(papers, form, state)
        self.a_day_passes_with_its_run(fate)

    @rule(
        source=st.sampled_from(("journal", "archive")), papers=some_papers, hours=st.sampled_from((1, 5, 72))
    )
    def time_passes_and_papers_go(self, source: str, papers: list[int], hours: int) -> None:
        self.a_source_drops(source, papers)
        self.time_passes(hours)

    @rule(fate=some_fate, again=st.booleans(), off=st.sampled_from((0, 0, -1, -25, 2)))
    def one_more_run(self, fate: Any, again: bool, off: int) -> None:
        self.run(fate, again, off)

    @rule(fate=some_fate)
    def what_waits_is_sent(self, fate: Any) -> None:
        self.send(fate)

    @rule(
        after=st.integers(1, 4),
        verb=st.sampled_from(("DOT", "DOT", "DATA", "RCPT")),
        how=st.sampled_from(BREAKS),
        mood=st.sampled_from(MOODS),
    )
    def the_server_has_a_bad_time(self, after: int, verb: str, how: bytes, mood: str) -> None:
        self.the_server_will_break(after, verb, how)
        self.the_server_is(mood)

    @rule(address=some_reader, said=st.sampled_from(REFUSALS))
    def a_mailbox_is_refused(self, address: str, said: bytes | None) -> None:
        self.the_server_refuses_one(address, said)

    # --- readers

    @rule(address=some_reader, digests=some_digests, chosen=some_choice, fate=some_fate)
    def a_reader_asks(self, address: str, digests: tuple[str, ...], chosen: Preferences, fate: Any) -> None:
        self.somebody_asks(address, digests, chosen, fate)

    @rule(address=some_reader, digests=some_digests, chosen=some_choice)
    def a_reader_comes(self, address: str, digests: tuple[str, ...], chosen: Preferences) -> None:
        self.somebody_subscribes(address, digests, chosen)

    @rule(address=some_reader, digests=some_digests, chosen=some_choice, pause=st.sampled_from((0, 0, 2, 9)))
    def a_reader_chooses(
        self, address: str, digests: tuple[str, ...], chosen: Preferences, pause: int
    ) -> None:
        self.somebody_chooses(address, digests, chosen, pause)

    @rule(
        address=some_reader,
        what=st.sampled_from(("confirms", "leaves", "undoes_that")),
        nth=st.integers(0, 2),
    )
    def a_reader_follows_a_link(self, address: str, what: str, nth: int) -> None:
        getattr(self, f"somebody_{what}")(address, nth)

    @rule(
        address=some_reader,
        how=st.sampled_from((HARD, SOFT, SOFT, LATE, None, "leave")),
        nth=st.integers(0, 2),
    )
    def a_mail_comes_back(self, address: str, how: Any, nth: int) -> None:
        if how == "leave":
            self.somebody_replies_to_leave(address)
        else:
            self.a_report_comes_back(address, how, nth)

    # --- the operator

    @rule(
        address=some_reader,
        what=st.sampled_from(
            ("the_operator_adds", "the_operator_removes", "somebody_is_erased", "the_operator_allows")
        ),
    )
    def the_list_is_kept(self, address: str, what: str) -> None:
        getattr(self, what)(address)

    @rule(pair=st.lists(some_paper, min_size=2, max_size=2, unique=True), apart=st.booleans())
    def papers_are_corrected(self, pair: list[int], apart: bool) -> None:
        self.the_operator_corrects(pair, apart)

    @rule(
        updates=st.booleans(),
        picks=st.sampled_from((0, 2)),
        topics=st.sampled_from(TOPICS),
        sources=st.sampled_from(FOLLOWED),
    )
    def the_configuration_is_changed(self, updates: bool, picks: int, topics: Any, sources: Any) -> None:
        self.the_operator_writes_something_else(updates, picks, topics)
        self.the_operator_lets_the_second_digest_follow(sources)

    @rule(
        what=st.sampled_from(
            (
                "the_pages_are_written_anew",
                "a_day_is_done_again",
                "a_dry_run",
                "held_mail_is_let_go",
                "a_list_is_exported",
            )
        )
    )
    def the_store_is_kept(self, what: str) -> None:
        getattr(self, what)()

    @rule(back=st.sampled_from((True, True, False)), fate=some_fate_of_keeping)
    def the_disk_breaks_some_day(self, back: bool, fate: Any) -> None:
        if back and self.world.backup is not None:
            self.the_backup_is_put_back(fate)
        else:
            self.a_backup_is_made(fate)

    @rule(fate=some_fate_of_keeping)
    def somebody_finds_an_old_list(self, fate: Any) -> None:
        self.the_list_is_imported(fate)


def live(machine: type[Promises], lives: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            # At full size they are drawn anew each time.
            derandomize=steps < 20 and PROFILE == "same",
            print_blob=True,
        ),
    )


@pytest.mark.parametrize("size", sizes((12, 15), (200, 50)), ids=lambda size: f"{size[0]} lives")
def test_whatever_happens_the_promises_are_kept(size: tuple[int, int]) -> None:
    """Nobody gets a mail who did not confirm, has left, pauses or is suppressed; no paper is lost, or twice in what is new; who
    stays gets what they chose; what failed is said; the pages are those of the store."""
    live(Promises, *size)


@pytest.mark.postgres
@pytest.mark.parametrize("size", sizes((3, 10), (30, 50)), ids=lambda size: f"{size[0]} lives")
def test_they_are_on_postgresql_too(size: tuple[int, int], postgres_url: str) -> None:
    class OnPostgres(Promises):
        def store(self) -> str:
            empty_postgres(postgres_url)
            return postgres_url

    live(OnPostgres, *size)
