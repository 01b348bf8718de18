"""The part of App that mails: editions and letters out, reports of failed mail in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from digest.app.opening import store_file
from digest.app.pages import Pages
from digest.config import Config
from digest.errors import ConfigError, LeaseHeld, PublishError, RenderError, UsageError
from digest.model import (
    Delivery,
    DeliveryReport,
    Edition,
    Letter,
    Message,
    Preferences,
    Receipt,
    Span,
    Subscriber,
    edition_place,
)
from digest.paths import is_folder
from digest.process import is_dead

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from pathlib import Path

    from digest.mailbox import ReadSoFar
    from digest.pipeline.letters import LettersReport
    from digest.smtp import Transport
    from digest.store import Store
    from digest.subscriptions import Subscriptions
    from digest.subscriptions.bounces import Taken
    from digest.tokens import Tokens

# A worker that was not heard of for so long is taken for dead; one of this machine is known to be.
SILENT = timedelta(seconds=30)
# A journal that has no name after so long is not in the making any more.
_IN_THE_MAKING = timedelta(hours=1)
# Mails whose pages could not be written are tried again after so long; where another process is at them, which takes seconds, soon.
_PAGES_AGAIN, _PAGES_SOON = timedelta(minutes=1), timedelta(seconds=5)
_NOT_BESIDE_WORKERS = (
    'A `digest worker` is at work on this store, and [engine] kind = "in-process" here: the mails are left to it. '
    "Stop the workers, then run `digest send`; or give this configuration the [engine] of theirs."
)

Progress = Callable[[str, int, int], None]
Composer = Callable[[Delivery], Message | None]


class Post(Pages):
    """What App does with mail."""

    # ------------------------------------------------------------ who gets it

    @cached_property
    def tokens(self) -> Tokens:
        from digest.tokens import Tokens

        return Tokens(self.store.secret())

    @cached_property
    def subscriptions(self) -> Subscriptions:
        from digest.subscriptions import Subscriptions

        return Subscriptions(self.store, self.config, self.tokens)

    def erase_outbox(self, message_ids: list[str]) -> tuple[int, list[Path]]:
        """Removes the files of these mails from the folder that stands in for a mail server: how many there were, and those that
        the system does not let go."""
        from digest.smtp import eml_name

        folder = self.config.resolve(self.config.mail.folder)
        found, left = 0, []
        for message_id in message_ids:
            file = folder / eml_name(message_id)
            try:
                file.unlink()
                found += 1
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                left.append(file)
        return found, left

    # ------------------------------------------------------------ editions

    def wake(self) -> None:
        """Whose pause is over is a reader again."""
        now = self.clock()
        self.store.resume_paused(now.astimezone(self.config.site.zone).date(), now=now)

    def mail_is_due(self) -> bool:
        """Is there a mail to send now, or one that was in flight when a run ended?"""
        due = self.store.next_due()
        return (due is not None and due <= self.clock()) or self.store.in_hand() > 0

    def deliver(self, progress: Callable[[int, int], None]) -> DeliveryReport:
        """Sends what is queued and due. Under the lease, and after the pages that the mails link to are there."""
        from digest.pipeline.deliver import deliver

        if not self.mail_is_due():
            return DeliveryReport(queued=self.store.open_delivery_counts()["queued"])
        if workers_alive(self.store):
            # They hold mails in hand, which a run of one process would take for left behind.
            return DeliveryReport(
                queued=self.store.open_delivery_counts()["queued"], error=_NOT_BESIDE_WORKERS
            )
        self._take_up_of_many()
        return deliver(
            self.store,
            self._open_transport(),
            self._composer(),
            self.config.mail,
            holder=self._holder,
            clock=self.clock,
            stop=self.stop,
            progress=progress,
            renew=self.renew,
            journal=receipts_of(self.config),
        )

    def deliver_span(self, span: Span) -> tuple[DeliveryReport, datetime | None]:
        """Sends what of a span is due, beside others that do the same; when it is worth another try, None when nothing of it
        waits.

        Raises StoreError, and LeaseHeld when this process stood still so long that its work was given to another: to be called
        again.
        """
        from digest.pipeline.spans import deliver_span

        if missing := self._publish_before(span):
            error, wait = missing
            rest = self.store.rest_of(span)
            return DeliveryReport(queued=rest.queued, held=rest.sending, error=error), self.clock() + wait
        return deliver_span(
            self.store,
            self._open_transport(),
            self._one_composer,
            self.config.mail,
            span,
            owner=self._holder,
            clock=self.clock,
            folder=receipts_of_many(self.config),
            stop=self.stop,
        )

    def _publish_before(self, span: Span) -> tuple[str, timedelta] | None:
        """Publishes the pages that the mails of a span link to, where whoever issued them could not. If they are not there then,
        what is wrong, and after how long to look again."""
        names = {digest.name for digest in self.config.digest}  # of another one there is nothing to publish
        if self.store.unpublished(span.edition_id) not in names:
            return None
        try:
            with self.alone("issue"):
                if self.store.unpublished(span.edition_id):
                    self.publish()
        except LeaseHeld:
            return "another process publishes the pages that these mails link to", _PAGES_SOON
        except (PublishError, RenderError) as error:
            log.error("mails wait for their pages: %s", error)
            return str(error), _PAGES_AGAIN
        return None

    def take_up_receipts(self) -> None:
        """Settles what processes of this machine were sending when they were killed, workers and runs of one process. A worker does
        so when it begins; each span does it for workers too."""
        from digest.journal import forget_unused

        now = self.clock()
        forget_unused(receipts_of_many(self.config), before=now - _IN_THE_MAKING)
        settle_receipts(self.store, self.config, now)

    def _take_up_of_many(self) -> None:
        """What workers of this machine left, before one process does all the work again."""
        folder = receipts_of_many(self.config)
        if is_folder(folder):
            from digest.pipeline.spans import take_up

            take_up(self.store, self.config.mail, folder, now=self.clock())

    @cached_property
    def _one_composer(self) -> Composer:
        """One for all spans: what an edition's mails share is made once."""
        return self._composer()

    def _open_transport(self) -> Callable[[], Transport]:
        from digest.smtp import open_transport

        return open_transport(self.config.mail, base=self.config.resolve)

    def _composer(self) -> Composer:
        from digest.mail.compose import composer
        from digest.mail.dkim import signing

        return signing(composer(self.config, self.renderer, self.tokens, self._edition_of), self._signer())

    def _signer(self) -> Callable[[bytes], bytes] | None:
        dkim = self.config.mail.dkim
        if not dkim.selector:
            return None
        from digest.mail.dkim import signer

        file = self.config.resolve(dkim.key_file)
        try:
            key = file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f'{self.config.file}, [mail], "dkim": the key {file} cannot be read ({error.strerror}). '
                'Give its path as "key_file", or take "selector" away and let your relay sign.',
                path=self.config.file,
                key="key_file",
            ) from None
        return signer(self.config, key)

    def _edition_of(self, digest: str, edition_id: str) -> Edition:
        day, part = edition_place(edition_id)
        edition = self.store.edition(digest, date.fromisoformat(day), part)
        if edition is None:
            raise UsageError(f"no edition {edition_id} of {digest!r}. See `digest status`.")
        return edition

    def check_login(self) -> None:
        """Connects and logs in to the mail server and sends nothing. Raises MailError with the mend."""
        from digest.smtp import SmtpTransport

        transport = SmtpTransport(self.config.mail.smtp, sender=self.config.mail.address)
        try:
            transport.connect()
        finally:
            transport.close()

    def send_to(self, address: str, *, day: date | None = None, now: datetime) -> tuple[Edition, Receipt]:
        """One copy of the newest edition (or that of `day`) to one address only, whole; no delivery is recorded.

        Raises UsageError for an address that is suppressed or has unsubscribed: they asked for no more mail.
        """
        known = self._willing(address)
        edition = self.newest_edition(day)
        delivery = self._copy_for(edition, known or _nobody(address, now), now)
        message = self._composer()(delivery)
        if message is None:
            raise UsageError(f"edition {edition.id} has no paper to send.")
        transport = self._open_transport()()
        try:
            return edition, transport.send(address, message, message_id=delivery.message_id)
        finally:
            transport.close()

    def _willing(self, address: str) -> Subscriber | None:
        """The subscriber of this address, as one who chose nothing; None for nobody. Raises UsageError for who wants no mail."""
        known = self.store.subscriber(address)
        status = known.status if known else ""
        if self.store.suppression(address):
            status = "suppressed"
        elif known and status == "pending" and self.store.had_left(known.id):
            status = "unsubscribed"
        if status in ("suppressed", "unsubscribed"):
            allow = f"`digest subscribers allow {address}`, then " if status == "suppressed" else ""
            raise UsageError(
                f"{address} is {status}: nothing is sent there. "
                f"If they asked for mail again, {allow}`digest subscribers add {address}`."
            )
        return replace(known, preferences=Preferences()) if known else None

    def _copy_for(self, edition: Edition, subscriber: Subscriber, now: datetime) -> Delivery:
        from digest.mail.ids import message_id

        which = (edition.guid, "copy", subscriber.address, now.isoformat())
        own_id = message_id(edition.date, edition.part, self.config.mail.domain, *which)
        return Delivery(
            id=0,
            edition_id=0,
            digest=edition.digest,
            edition=edition.id,
            editions=(edition.id,),
            subscriber=subscriber,
            message_id=own_id,
            date=now,
            attempt=1,
        )

    # ------------------------------------------------------------ letters

    def send_letters(self) -> LettersReport:
        """Sends the letters that somebody asked for: at once after they did, and again where it failed. Needs no lease."""
        return self._send_letters()

    def send_notices(
        self, *, for_s: float | None = None, done: Callable[[], None] = lambda: None
    ) -> str | None:
        """Sends the notices that are due, for `for_s` seconds at most: then not while the server asked to be left alone, nor soon
        after it could not be used. Where they cannot be sent, that is logged, and they are tried again: other work goes on. Why
        they could not, with the mend."""
        from digest.pipeline.letters import NOTICES, RETRY_FIRST
        from digest.pipeline.pace import RATE

        if for_s is not None and (self._is_paused(RATE) or self._is_paused(NOTICES)):
            return None
        try:
            error = self._send_letters(notices=True, for_s=for_s, done=done).error
        except (ConfigError, RenderError) as fault:
            error = str(fault)
        if error:
            log.error("notices: %s", error)
            until = self.clock() + RETRY_FIRST
            self.store.put_wait(NOTICES, until, RETRY_FIRST.total_seconds(), error)
        return error

    def _is_paused(self, what: str) -> bool:
        from digest.pipeline.trying import pause_of

        found = pause_of(self.store, what)
        return found is not None and found.holds(self.clock())

    def send_notices_alone(self) -> None:
        """The same under the lease, if any is due; left to whoever holds that."""
        if self.letter_is_due(notices=True):
            with suppress(LeaseHeld), self.alone():
                self.send_notices(done=self.renew_in_time)

    def letter_is_due(self, *, notices: bool = False) -> bool:
        """Is there a letter to send now, or with `notices` one of these?"""
        due = self.store.next_letter(notices=notices)
        return due is not None and due <= self.clock()

    def _send_letters(
        self,
        *,
        notices: bool = False,
        for_s: float | None = None,
        done: Callable[[], None] = lambda: None,
    ) -> LettersReport:
        from digest.choices import heard_since
        from digest.pipeline.letters import LettersReport, send_letters
        from digest.pipeline.pace import own_pace, shared_pace

        if not self.letter_is_due(notices=notices):
            return LettersReport()
        mail = self.config.mail
        return send_letters(
            self.store,
            self._open_transport(),
            self._letter_composer(),
            holder=self._holder,
            clock=self.clock,
            stop=self.stop,
            heard_since=partial(heard_since, site_timezone=self.config.site.timezone) if notices else None,
            pace=shared_pace(mail, self.store, self.clock) if self.is_shared else own_pace(mail),
            for_s=for_s,
            done=done,
        )

    def _letter_composer(self) -> Callable[[Letter], Message]:
        from digest.mail.dkim import signing
        from digest.mail.letters import letter as compose_letter
        from digest.mail.notices import notices
        from digest.pipeline.notices import said_by_sources

        notice = notices(
            self.config,
            self.renderer,
            self.tokens,
            lambda digest, day, days: said_by_sources(self.store, self.config, digest, day, days=days),
        )

        def compose(letter: Letter) -> Message:
            if letter.kind == "notice":
                return notice(letter)
            return compose_letter(letter, self.config, self.renderer, self.tokens)

        return signing(compose, self._signer())

    # ------------------------------------------------------------ reports

    def take_report(self, raw: bytes) -> str:
        """What a report of failed mail, a complaint or a request to leave changed, in one line without an address."""
        from digest.subscriptions.bounces import take_report

        return take_report(self.store, self.tokens, self.config, raw, now=self.clock())

    def read_mailbox(self) -> None:
        """Takes what is new in the mailbox and logs what that changed, as a warning what a person has to read. Raises MailError."""
        for taken in self.take_reports():
            log.log(logging.WARNING if taken.wants_reading else logging.INFO, "mailbox: %s", taken.line)

    def take_reports(self) -> Iterator[Taken]:
        """The same for every new mail in the mailbox of [mail], "mailbox", one by one; what a person has to read is flagged there.
        Raises MailError with the mend."""
        from digest.mailbox import new_mails
        from digest.subscriptions.bounces import take

        with ExitStack() as after, new_mails(self.config.mail.mailbox, self._read_so_far()) as mails:
            after.callback(lambda: self._keep_read(mails.so_far))
            for raw in _until(self.stop, mails):
                taken = take(self.store, self.tokens, self.config, raw, now=self.clock())
                if taken.wants_reading:
                    mails.flag()
                yield taken

    def _read_so_far(self) -> ReadSoFar | None:
        from digest.mailbox import ReadSoFar

        kept = self.store.mailbox_note()
        return msgspec.json.decode(kept, type=ReadSoFar) if kept else None

    def _keep_read(self, so_far: ReadSoFar | None) -> None:
        if so_far is not None:
            self.store.put_mailbox_note(msgspec.json.encode(so_far))


def receipts_of(config: Config) -> Path:
    """Where the receipts of a run are noted before they are in the store: beside it, or below the configuration."""
    file = store_file(config)
    return file.with_name(f"{file.name}.receipts") if file else config.resolve("var/receipts")


def receipts_of_many(config: Config) -> Path:
    """The folder of the journals of many processes, beside that of one."""
    one = receipts_of(config)
    return one.with_name(f"{one.name}.d")


def settle_receipts(store: Store, config: Config, now: datetime) -> None:
    """Puts on record what servers answered to processes of this machine that were killed, many or one."""
    from digest.pipeline.spans import take_up, take_up_one

    take_up(store, config.mail, receipts_of_many(config), now=now)
    take_up_one(store, config.mail, receipts_of(config), now=now)


def workers_alive(store: Store) -> bool:
    """Is a `digest worker` at work on this store, whatever the configuration says?"""
    return any(not is_dead(row.id) for row in store.workers_heard(SILENT))


def _until(stop: threading.Event, mails: Iterator[bytes]) -> Iterator[bytes]:
    for raw in mails:
        yield raw
        if stop.is_set():
            return


def _nobody(address: str, now: datetime) -> Subscriber:
    return Subscriber(id=0, address=address, status="confirmed", since=now)
