"""A real web door on 127.0.0.1 for the tests: its App, its clock, and requests to it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from bs4 import BeautifulSoup
from msgspec import Struct
from msgspec.structs import replace

from digest.app import App, open_app
from digest.config import (
    Config,
    DigestConfig,
    MailConfig,
    SiteConfig,
    SourceConfig,
    StoreConfig,
    TopicConfig,
    WebConfig,
)
from digest.model import Preferences, Subscriber
from digest.web import listen_at, serve_web

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
TOPICS = (
    TopicConfig(name="Language models", slug="lm", any=("language model",)),
    TopicConfig(name="Vision & video", slug="vi", any=("image",)),
)


class Clock:
    """A time that tests move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **spans: float) -> None:
        self.now += timedelta(**spans)


class Answer(Struct, frozen=True):
    """What the server answered. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return " ".join(self.page.get_text(" ").split())

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.body, "html.parser")

    @property
    def title(self) -> str:
        assert self.page.h1 is not None
        return self.page.h1.get_text()


class Site:
    """A web door at work."""

    def __init__(self, app: App, clock: Clock, port: int) -> None:
        self.app, self.clock, self.port = app, clock, port
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on the connection that is open. `fields` are sent as a form, bytes as they are."""
        body = urlencode(fields, doseq=True).encode() if isinstance(fields, Mapping) else fields
        sent = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self._connection.request(method, path, body=body, headers={**sent, **(headers or {})})
            response = self._connection.getresponse()
            answer = Answer(
                response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            )
        except BaseException:
            self.hang_up()
            raise
        if response.will_close:
            self.hang_up()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: Mapping[str, Any] | bytes = b"", **headers: str) -> Answer:
        return self.ask("POST", path, fields, headers=headers)

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ------------------------------------------------------------ what is behind it

    def pending(self, address: str, **choices: Any) -> Subscriber:
        self.app.subscriptions.subscribe(
            address, digests=["daily"], preferences=Preferences(**choices), now=self.clock()
        )
        found = self.app.store.subscriber(address)
        assert found is not None
        return found

    def reader(self, address: str = "reader@mail.example", **choices: Any) -> Subscriber:
        """Somebody who asked and confirmed."""
        pending = self.pending(address, **choices)
        assert self.app.store.confirm_subscriber(pending.id, now=self.clock())
        return self.again(pending)

    def again(self, subscriber: Subscriber) -> Subscriber:
        """The same subscriber as the store has it now."""
        found = self.app.store.subscriber_by_id(subscriber.id)
        assert found is not None
        return found

    def path(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    def confirm(self, subscriber: Subscriber) -> str:
        until = self.clock() + timedelta(hours=48)
        return f"/confirm/?t={self.app.tokens.make('confirm', subscriber, until=until)}"

    def manage(self, subscriber: Subscriber) -> str:
        return self.path(self.app.subscriptions.manage_url(subscriber))

    def unsubscribe(self, subscriber: Subscriber) -> str:
        return self.path(self.app.subscriptions.unsubscribe_url(subscriber))

    def outbox(self) -> list[Path]:
        return sorted(self.app.config.resolve(self.app.config.mail.folder).glob("*.eml"))

    def letters(self, count: int) -> list[Path]:
        """The files of mail, once there are so many of them."""
        return wait_for(lambda: self.outbox() if len(self.outbox()) >= count else None)


def token_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["t"][0]


def wait_for(look: Any, seconds: float = 60) -> Any:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
    return found


def config_of(folder: Path, *, url: str = "https://papers.example.org/", **web: Any) -> Config:
    limits = {"per_network_per_hour": 100_000, "per_hour": 100_000}
    return Config(
        site=SiteConfig(
            title="Paper Digest", url=url, timezone="Europe/Berlin", publisher="Example Reading Group"
        ),
        store=StoreConfig(url=f"sqlite:///{folder}/digest.db"),
        source=(SourceConfig(name="sample", path=str(ROOT / "examples" / "listings")),),
        digest=(DigestConfig(name="daily", title="Paper Digest", path="", topics=TOPICS),),
        mail=MailConfig(from_="Paper Digest <digest@papers.example.org>"),
        web=WebConfig(**{**limits, **web}),
        file=str(folder / "config.toml"),
    )


def two_digests(config: Config) -> Config:
    """With a second digest that shares no topic with the first."""
    other = DigestConfig(
        name="weekly",
        title="Biology weekly",
        path="weekly",
        topics=(TopicConfig(name="Cells", slug="ce", any=("cell",)),),
    )
    return replace(config, digest=(*config.digest, other))


@contextmanager
def serving(config: Config, clock: Clock | None = None) -> Iterator[Site]:
    """A site that answers in this block."""
    clock = clock or Clock()
    stop = threading.Event()
    with open_app(config, clock=clock) as app, listen_at("127.0.0.1:0") as listener:
        site = Site(app, clock, listener.getsockname()[1])
        app.store.next_letter()
        thread = threading.Thread(target=serve_web, args=(app, listener, stop))
        thread.start()
        try:
            yield site
        finally:
            site.hang_up()
            stop.set()
            thread.join()
