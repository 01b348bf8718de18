"""Requests → one call on Subscriptions → a page. GET only looks; what changes something is a POST.

Each handler runs in a thread of its own, since the store blocks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from digest.app import App
from digest.config import DigestConfig
from digest.errors import UsageError
from digest.formats.subscribing import Flow, frequency_options, ticked, topic_options, topics_of
from digest.model import ON_THE_LIST, Subscriber
from digest.patterns import late
from digest.render import clean
from digest.subscriptions import Link
from digest.web import forms
from digest.web.forms import Fields, first
from digest.web.limits import Limits, client_address, networks
from digest.web.pages import PRIVATE, Pages, masked
from digest.web.worker import LetterWorker
from digest.words import counted, date_words, day_words, schedule_words

log = logging.getLogger(__name__)

TRAP = "website"
_ANSWER_AFTER_S = 0.01
_NO_TOKEN = late(r"[^A-Za-z0-9_-]+")


class Door:
    """What the web door answers. GET handlers take the request, POST handlers also the fields of its form."""

    def __init__(self, app: App, clock: Callable[[], datetime], letters: LetterWorker) -> None:
        self._app, self._clock, self._letters = app, clock, letters
        self._config = app.config
        self._proxies = networks(app.config.web.proxies)
        self._limits = Limits(app.config.web)
        # Built now: threads would each build their own.
        self._subscriptions, self._store = app.subscriptions, app.store
        self.pages = Pages(app)

    # ------------------------------------------------------------ subscribing

    def form(self, request: Request) -> Response:
        """The form that subscribes, everything ticked."""
        digests = self._config.digest
        blank: Fields = {
            "digest": [digest.name for digest in digests],
            "topic": [topic.slug for topic in topics_of(digests)],
            "frequency": ["daily"],
        }
        return self._form(blank, {})

    def _form(self, fields: Fields, errors: dict[str, str]) -> Response:
        return self.pages.page(
            "subscribe",
            title="Get it by email",
            status=422 if errors else 200,
            action=f"{self.pages.root}subscribe/",
            address=clean(first(fields, "email")[:400]),
            errors=errors,
            **self._options(fields),
        )

    def _options(self, fields: Fields) -> dict[str, Any]:
        """What there is to tick in both forms; digests only where there are several."""
        digests = self._config.digest
        several = [(d.name, clean(d.title or d.name), "") for d in digests] if len(digests) > 1 else []
        return {
            "digests": ticked(fields.get("digest", []), several),
            "topics": topic_options(fields.get("topic", []), digests, self._flows()),
            "frequencies": frequency_options(fields.get("frequency", [])),
        }

    def subscribe(self, request: Request, fields: Fields) -> Response:
        """Asks an address whether it wants to subscribe. The answer is the same, and as fast, for every address that is one."""
        started = time.monotonic()
        if wait_s := self._limits.wait_s(self._client(request)):
            return self._too_many(wait_s)
        if first(fields, TRAP):
            return self._on_its_way(started)
        digests = self._chosen_digests(fields)
        wishes = forms.read_wishes(fields, digests)
        errors = dict(wishes.errors)
        if not digests:
            errors["digest"] = "Choose at least one of them."
        if not errors:
            try:
                self._subscriptions.subscribe(
                    first(fields, "email"),
                    digests=wishes.digests,
                    preferences=wishes.preferences,
                    now=self._clock(),
                )
            except UsageError as error:
                errors["email"] = clean(str(error))
        if errors:
            return self._form(fields, errors)
        self._letters.wake()
        return self._on_its_way(started)

    def _chosen_digests(self, fields: Fields) -> list[DigestConfig]:
        digests = list(self._config.digest)
        if len(digests) == 1 or ("digest" not in fields and "digests" not in fields):
            return digests
        return [digest for digest in digests if digest.name in fields.get("digest", [])]

    def _client(self, request: Request) -> str:
        peer = request.client.host if request.client else "local"
        return client_address(peer, request.headers.getlist("x-forwarded-for"), self._proxies)

    def _on_its_way(self, started: float = 0.0) -> Response:
        # A new address takes the store longer than one that is suppressed (1.2 ms and 0.4, 2026-11): nobody is to hear that.
        time.sleep(max(0.0, started + _ANSWER_AFTER_S - time.monotonic()))
        return self.pages.page("pending", title="Look into your mailbox")

    def _too_many(self, wait_s: int) -> Response:
        minutes = counted(-(-wait_s // 60), "minute")
        return self.pages.problem(
            429,
            "Too many requests",
            f"Too many subscriptions were asked for just now. Please try again in {minutes}.",
            headers={"Retry-After": str(wait_s)},
        )

    def ask_again(self, request: Request, fields: Fields) -> Response:
        """A new confirmation mail, for a link that has ended."""
        if wait_s := self._limits.wait_s(self._client(request)):
            return self._too_many(wait_s)
        link = self._subscriptions.send_again(_token(request), now=self._clock())
        self._letters.wake()
        if link.state in ("pending", "expired"):
            return self._on_its_way()
        return self._confirmed(link) if link.state in ON_THE_LIST else self._no_longer(link, "confirm", "")

    # ------------------------------------------------------------ confirming

    def ask_to_confirm(self, request: Request) -> Response:
        """The page behind the link of the confirmation mail: one button."""
        token = _token(request)
        return self._confirming(self._subscriptions.look("confirm", token, now=self._clock()), token)

    def confirm(self, request: Request, fields: Fields) -> Response:
        """The address is a subscriber's from now on."""
        token = _token(request)
        return self._confirming(self._subscriptions.confirm(token, now=self._clock()), token)

    def _confirming(self, link: Link, token: str) -> Response:
        if link.state in ON_THE_LIST:
            return self._confirmed(link)
        if link.state == "pending" and link.subscriber:
            return self.pages.page(
                "confirm",
                title="One more click",
                action=self.pages.link("confirm", token),
                address=masked(link.subscriber),
            )
        return self._no_longer(link, "confirm", token)

    def _confirmed(self, link: Link, *, back: bool = False) -> Response:
        assert link.subscriber is not None
        if back:
            title = "You are subscribed again" if link.changed else "You are subscribed"
        else:
            title = "You are subscribed" if link.changed else "You are subscribed already"
        return self.pages.page(
            "confirmed",
            title=title,
            changed=link.changed,
            back=back,
            address=masked(link.subscriber),
            # Not to who comes again with an old link: the right to change ends with it.
            manage_url=self._manage_url(link.subscriber) if link.changed else "",
        )

    def _manage_url(self, subscriber: Subscriber) -> str:
        return self.pages.here(self._subscriptions.manage_url(subscriber))

    # ------------------------------------------------------------ leaving

    def ask_to_leave(self, request: Request) -> Response:
        """The page behind the unsubscribe link of a mail: one button."""
        token = _token(request)
        link = self._subscriptions.look("unsubscribe", token, now=self._clock())
        if link.subscriber and link.state in (*ON_THE_LIST, "pending"):
            return self.pages.page(
                "unsubscribe",
                title="Stop the mails?",
                action=self.pages.link("unsubscribe", token),
                address=masked(link.subscriber),
            )
        return self._left(link)

    def leave(self, request: Request) -> Response:
        """Unsubscribes, by the button or by a mail program in one click (RFC 8058). The token is all the right that it takes."""
        return self._left(self._subscriptions.unsubscribe(_token(request), now=self._clock()))

    def _left(self, link: Link, *, manage_token: str = "") -> Response:
        if link.subscriber is None or link.state not in ("unsubscribed", "suppressed"):
            return self._no_longer(link, "unsubscribe", "")
        now, subscriber = self._clock(), link.subscriber
        undo = self._subscriptions.can_undo(subscriber, now=now)
        suppressed = link.state == "suppressed"
        return self.pages.page(
            "unsubscribed",
            title="No mail goes to you" if suppressed else "You are unsubscribed",
            suppressed=suppressed,
            address=masked(subscriber),
            undo=self.pages.here(self._subscriptions.undo_url(subscriber, now)) if undo else "",
            export=self.pages.link("export", manage_token) if manage_token else "",
            erase=self.pages.link("erase", manage_token) if manage_token else "",
        )

    def ask_to_undo(self, request: Request) -> Response:
        """Where the button "Undo" leads to who reloads its page: the same button."""
        token = _token(request)
        link = self._subscriptions.look("undo", token, now=self._clock())
        if link.state == "unsubscribed" and link.subscriber:
            return self.pages.page(
                "undo",
                title="Get the mails again?",
                action=self.pages.link("undo", token),
                address=masked(link.subscriber),
            )
        return self._undone(link)

    def undo(self, request: Request, fields: Fields) -> Response:
        """Takes an unsubscription back, within a day."""
        return self._undone(self._subscriptions.undo(_token(request), now=self._clock()))

    def _undone(self, link: Link) -> Response:
        if link.state in ON_THE_LIST:
            return self._confirmed(link, back=True)
        return self._left(link) if link.state == "suppressed" else self._no_longer(link, "undo", "")

    # ------------------------------------------------------------ choices

    def choices(self, request: Request) -> Response:
        """The page of preferences."""
        token = _token(request)
        link = self._subscriptions.look("manage", token, now=self._clock())
        if link.subscriber is None or link.state not in ON_THE_LIST:
            return self._not_managed(link, token)
        return self._manage(link.subscriber, token, forms.fields_of(link.subscriber, self._config))

    def change(self, request: Request, fields: Fields) -> Response:
        """Stores new preferences, all of them, or none where one is wrong."""
        token, now = _token(request), self._clock()
        link = self._subscriptions.look("manage", token, now=now)
        known = link.subscriber
        if known is None or link.state not in ON_THE_LIST:
            return self._not_managed(link, token)
        chosen = forms.read_choices(fields, self._config, known=known, today=self._app.today(now))
        if chosen.errors:
            return self._manage(known, token, fields, errors=chosen.errors)
        try:
            link = self._subscriptions.change(
                token,
                digests=chosen.digests,
                preferences=chosen.preferences,
                paused_until=chosen.paused_until,
                now=now,
            )
        except UsageError as error:
            return self._manage(known, token, fields, errors={"form": clean(str(error))})
        if link.subscriber is None or link.state not in ON_THE_LIST:
            return self._not_managed(link, token)
        return self._manage(
            link.subscriber,
            token,
            forms.fields_of(link.subscriber, self._config),
            saved=_saved(link.subscriber),
        )

    def _not_managed(self, link: Link, token: str) -> Response:
        if link.state == "pending":
            return self.pages.page("waiting", title="Not confirmed yet")
        if link.state in ("unsubscribed", "suppressed"):
            return self._left(link, manage_token=token)
        return self._no_longer(link, "manage", "")

    def _manage(
        self,
        subscriber: Subscriber,
        token: str,
        fields: Fields,
        *,
        errors: dict[str, str] | None = None,
        saved: str = "",
    ) -> Response:
        values = {
            name: forms.clean_lines(first(fields, name)) for name in ("timezone", "follow", "mute", "pause")
        }
        until = subscriber.paused_until
        return self.pages.page(
            "manage",
            title="Your subscription",
            status=422 if errors else 200,
            saved=saved,
            errors=errors or {},
            address=masked(subscriber),
            since=day_words(subscriber.since.astimezone(self._config.site.zone).date()),
            paused=date_words(until) if subscriber.status == "paused" and until else "",
            next_mail=self._next_mail(subscriber),
            weekdays=forms.weekday_options(fields),
            hours=forms.hour_options(fields),
            most=forms.most_options(fields),
            zones=forms.zones(),
            text_only=first(fields, "text") != "",
            empty=first(fields, "empty") != "",
            values=values,
            earliest=(self._app.today(self._clock()) + timedelta(days=1)).isoformat(),
            action=self.pages.link("manage", token),
            unsubscribe=self.pages.here(self._subscriptions.unsubscribe_url(subscriber)),
            export=self.pages.link("export", token),
            erase=self.pages.link("erase", token),
            **self._options(fields),
        )

    def _flows(self) -> dict[str, list[Flow]]:
        return self._subscriptions.flows(self._app.today(self._clock()))

    def _next_mail(self, subscriber: Subscriber) -> str:
        at = self._subscriptions.next_mail(subscriber, now=self._clock())
        return f"{date_words(at.date())}, {at:%H:%M} ({at.tzinfo})" if at else ""

    # ------------------------------------------------------------ one's data

    def export(self, request: Request, fields: Fields) -> Response:
        """All that is stored of a subscriber, as a file."""
        data: dict[str, Any] | None = self._subscriptions.export(_token(request), now=self._clock())
        if data is None:
            return self._unknown()
        headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="subscription.json"'}
        body = msgspec.json.format(msgspec.json.encode(data), indent=1)
        return Response(body + b"\n", media_type="application/json", headers=headers)

    def ask_to_erase(self, request: Request) -> Response:
        """One button that deletes everything."""
        token = _token(request)
        link = self._subscriptions.look("manage", token, now=self._clock())
        if link.subscriber is None:
            return self._unknown()
        return self.pages.page(
            "erase",
            title="Delete your data?",
            action=self.pages.link("erase", token),
            back=self.pages.link("manage", token),
            address=masked(link.subscriber),
        )

    def erase(self, request: Request, fields: Fields) -> Response:
        """Deletes everything stored of a subscriber, who gets no mail from then on."""
        link, message_ids = self._subscriptions.erase(_token(request), now=self._clock())
        if not link.changed:
            return self._unknown()
        for file in self._app.erase_outbox(message_ids)[1]:
            log.error("%s is a mail to a reader who was erased, and could not be removed. Delete it.", file)
        return self.pages.page("erased", title="Your data are deleted")

    # ------------------------------------------------------------ the rest

    def no_edition(self, path: str) -> Response | None:
        """Where `path` is the home of a digest: what is said there until its first run publishes one."""
        for digest in self._config.digest:
            if path == unquote(urlsplit(self._config.url_of(digest)).path):
                schedule = schedule_words(digest.schedule, self._config.site.timezone)
                return self.pages.page("empty", title="No edition yet", status=404, schedule=schedule)
        return None

    def _no_longer(self, link: Link, purpose: str, token: str) -> Response:
        """A link that gives no right any more, or never did."""
        confirms = purpose == "confirm"
        if link.state != "expired" and not (confirms and link.state in ("unsubscribed", "suppressed")):
            return self._unknown()
        again = self.pages.link("again", token) if link.state == "expired" and confirms and token else ""
        return self.pages.page(
            "expired", title="This link has ended", status=410, again=again, purpose=purpose
        )

    def _unknown(self) -> Response:
        return self.pages.page("unknown", title="This link leads nowhere", status=404)


def _token(request: Request) -> str:
    """The token of a link, also as mail programs hand links on: folded, encoded twice, with the full stop or the bracket that
    stands behind it, or as it is in quoted-printable ("=3D"; no token of ours begins so)."""
    written = unquote(str(request.query_params.get("t", "")))
    return _NO_TOKEN.sub("", written).removeprefix("3D")


def _saved(subscriber: Subscriber) -> str:
    if subscriber.paused_until:
        return f"Saved. No mail comes until {date_words(subscriber.paused_until)}."
    topics = subscriber.preferences.topics
    if topics is None:
        return "Saved. Your next mail will have all topics."
    return f"Saved. Your next mail will have {counted(len(topics), 'topic')}." if topics else "Saved."
