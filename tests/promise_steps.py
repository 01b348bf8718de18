"""What can happen to an installation, each as one step: it is done to the program, and said to the model beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bounce_reports import ENDS, SYSTEMS, notification
from digest.errors import UsageError
from digest.model import Preferences
from digest.subscriptions import add, allow, erase, remove
from promise_pages import Page
from promised import Link, Model, Reader
from promises import World

# Reports of failed mail: there is no such mailbox, it is full, the mail is late.
HARD, SOFT, LATE = ENDS[0], ENDS[3], ENDS[8]


class Steps:
    """The steps. Those that end in a `fate` are killed where it says so."""

    world: World
    model: Model

    # --- sources

    def the_journal_shows(self, papers: list[int], form: str, state: str) -> None:
        page = self.world.pages["journal"]
        page.state, page.listed = state, {**page.listed, **dict.fromkeys(papers, form)}

    def the_archive_shows(self, papers: list[int], form: str, state: str) -> None:
        page = self.world.pages["archive"]
        page.state, page.listed = state, dict.fromkeys(papers, form)

    def the_inbox_gets(self, papers: list[int], form: str, state: str) -> None:
        self.world.inbox.append(Page(state, dict.fromkeys(papers, form)))

    def a_source_drops(self, source: str, papers: list[int]) -> None:
        for n in papers:
            self.world.pages[source].listed.pop(n, None)

    # --- time and runs

    def a_day_passes_with_its_run(self, fate: Any) -> None:
        self.world.now += timedelta(days=1)
        self.world.run(fate)

    def time_passes(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)

    def a_dry_run(self) -> None:
        self.world.rehearse()

    def run(self, fate: Any, again: bool, off: int = 0) -> None:
        self.world.run(fate, again=again, off=off)

    def send(self, fate: Any) -> None:
        self.world.mail(lambda app: app.send(), fate)

    # --- readers, by links and by mail

    def a_link(self, reader: Reader, purpose: str, nth: int) -> Link | None:
        links = reader.links[purpose]
        return links[-1 - nth % len(links)] if links else None

    def somebody_asks(self, address: str, digests: tuple[str, ...], chosen: Preferences, fate: Any) -> None:
        world, reader = self.world, self.model.readers[address]
        world.act(
            lambda app: app.subscriptions.subscribe(
                address, digests=digests, preferences=chosen, now=world.now
            )
        )
        stored = world.act(lambda app: app.store.subscriber(address))
        asked_at = world.now - timedelta(minutes=1)
        if stored and stored.status == "pending" and stored.changed_at == asked_at:
            assert reader.state in ("nobody", "asked", "left"), reader
            assert reader.barred != "never", reader
            reader.had_left = reader.had_left or reader.state == "left"
            reader.state, reader.asked_at, reader.digests, reader.chosen = "asked", asked_at, digests, chosen
        world.mail(lambda app: app.send_letters(), fate)

    def somebody_confirms(self, address: str, nth: int) -> None:
        world, reader = self.world, self.model.readers[address]
        if (link := self.a_link(reader, "confirm", nth)) is None:
            return
        age = world.now - link.at
        said = world.act(lambda app: app.subscriptions.confirm(link.token, now=world.now))
        is_of_now = reader.state == "asked" and link.life == reader.life
        is_of_now = is_of_now and reader.asked_at is not None and link.at >= reader.asked_at
        minutes = timedelta(minutes=2)
        assert not said.changed or (is_of_now and age < timedelta(hours=48) + minutes), reader
        assert said.changed or not (is_of_now and age < timedelta(hours=48) - minutes), reader
        if said.changed:
            reader.begin(digests=reader.digests)
            reader.barred = ""

    def somebody_subscribes(self, address: str, digests: tuple[str, ...], chosen: Preferences) -> None:
        self.somebody_asks(address, digests, chosen, None)
        self.world.take_in()
        self.somebody_confirms(address, 0)

    def somebody_chooses(
        self, address: str, digests: tuple[str, ...], chosen: Preferences, pause: int
    ) -> None:
        world, reader = self.world, self.model.readers[address]
        if (link := self.a_link(reader, "manage", 0)) is None:
            return
        until = world.today + timedelta(days=pause) if pause else None
        world.act(
            lambda app: app.subscriptions.change(
                link.token, digests=digests, preferences=chosen, paused_until=until, now=world.now
            )
        )
        if reader.state == "reader" and link.life == reader.life:
            reader.digests, reader.paused_until = digests, until
            self.model.choose(address, chosen)
            self.model.forgive(address, () if until else digests or ("daily", "print"))

    def somebody_leaves(self, address: str, nth: int) -> None:
        world, reader = self.world, self.model.readers[address]
        if (link := self.a_link(reader, "unsubscribe", nth)) is None:
            return
        said = world.act(lambda app: app.subscriptions.unsubscribe(link.token, now=world.now))
        if link.life != reader.life:
            assert not said.changed
            return
        reader.leave(world.now)
        self.model.forgive(address)
        if said.subscriber is not None and said.subscriber.status == "unsubscribed":
            left = said.subscriber
            url = world.act(lambda app: app.subscriptions.undo_url(left, world.now))
            reader.links["undo"].append(Link(url.partition("?t=")[2], reader.life, world.now))

    def somebody_undoes_that(self, address: str, nth: int) -> None:
        world, reader = self.world, self.model.readers[address]
        if (link := self.a_link(reader, "undo", nth)) is None:
            return
        said = world.act(lambda app: app.subscriptions.undo(link.token, now=world.now))
        if said.changed:
            assert reader.state == "left", reader
            assert link.life == reader.life
            assert reader.left_at is not None, reader
            assert world.now - link.at < timedelta(hours=24, minutes=2)
            reader.come_back()

    def somebody_replies_to_leave(self, address: str) -> None:
        raw = f"From: <{address}>\nTo: digest@papers.example.org\nSubject: unsubscribe\n\n\n".encode()
        self.world.act(lambda app: app.take_report(raw))
        self.model.readers[address].leave(self.world.now)
        self.model.forgive(address)

    def a_report_comes_back(self, address: str, how: Any, nth: int) -> None:
        world, reader = self.world, self.model.readers[address]
        if (link := self.a_link(reader, "bounce", nth)) is None:
            return
        raw = (
            complaint(link.token)
            if how is None
            else notification(SYSTEMS[0], how, token=link.token, link="x", to=address)
        )
        world.act(lambda app: app.take_report(raw))
        if link.life == reader.life and reader.state != "nobody":
            reader.failures += how is SOFT
            if how in (HARD, None):
                reader.suppress()
                self.model.forgive(address)

    # --- the operator

    def the_operator_adds(self, address: str) -> None:
        world, reader = self.world, self.model.readers[address]
        try:
            world.act(lambda app: add(app.store, [address], digests=(), now=world.now))
        except UsageError:
            assert reader.barred, reader
            return
        assert not reader.barred, reader
        if reader.state == "reader":
            reader.digests = ()
        else:
            reader.begin(digests=())

    def the_operator_removes(self, address: str) -> None:
        self.world.act(lambda app: remove(app.store, [address], now=self.world.now))
        self.model.readers[address].leave(self.world.now)
        self.model.forgive(address)

    def somebody_is_erased(self, address: str) -> None:
        reader = self.model.readers[address]
        found = self.world.act(lambda app: erase(app.store, address, now=self.world.now))
        assert (found is None) == (reader.state == "nobody")
        if found is not None:
            reader.forget(reader.barred or "erased")
            self.model.forgive(address)

    def the_operator_allows(self, address: str) -> None:
        reader = self.model.readers[address]
        self.world.act(lambda app: allow(app.store, address, now=self.world.now))
        reader.barred = ""
        if reader.state == "suppressed":
            reader.state, reader.left_at, reader.failures = "left", None, 0
            self.model.unknown.discard(address)

    def the_operator_corrects(self, pair: list[int], apart: bool) -> None:
        keys = self.world.act(self.world.paper_keys)
        if not set(pair) <= keys.keys():
            return
        one, other = (keys[n] for n in pair)
        try:
            if apart:
                self.world.act(lambda app: app.store.split(one, [other], self.world.now))
            else:
                self.world.act(lambda app: app.store.merge(one, other, self.world.now))
        except UsageError:
            return
        self.model.corrected |= set(pair)

    def the_operator_writes_something_else(self, updates: bool, picks: int, topics: Any) -> None:
        self.world.configure(updates=updates, picks=picks, topics=topics)

    def the_operator_lets_the_second_digest_follow(self, sources: tuple[str, ...]) -> None:
        self.world.configure(print_sources=sources)

    def the_pages_are_written_anew(self) -> None:
        self.world.act(lambda app: app.rebuild())

    def a_day_is_done_again(self) -> None:
        self.world.replay_newest()

    def a_backup_is_made(self, fate: Any) -> None:
        self.world.back_up(fate)

    def the_backup_is_put_back(self, fate: Any) -> None:
        self.world.restore(fate)

    def a_list_is_exported(self) -> None:
        self.world.export()

    def the_list_is_imported(self, fate: Any) -> None:
        self.world.import_list(fate)

    def held_mail_is_let_go(self) -> None:
        self.world.let_held_go()

    # --- the mail server

    def the_server_refuses_one(self, address: str, said: bytes | None) -> None:
        self.world.refused.pop(address, None)
        if said is not None:
            self.world.refused[address] = said

    def the_server_is(self, mood: str) -> None:
        self.world.mood = mood

    def the_server_will_break(self, after: int, verb: str, how: bytes) -> None:
        self.world.breaks = (after, verb, how)


def complaint(token: str) -> bytes:
    """A reader pressed the button "this is spam" (RFC 5965)."""
    return (
        f"From: feedback@example.net\nTo: bounces+{token}@papers.example.org\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n--b--\n"
    ).encode()
