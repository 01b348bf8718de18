"""What config.toml says, as frozen values (docs/configuration.md). configfile.py reads them, checks.py knows what they may be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct, field

from digest.errors import ConfigError

OTHER_SLUG = "other"
_SLUG_CHARS = 60  # of four bytes each at most: a name of a folder has 255


class SiteConfig(Struct, frozen=True, kw_only=True):
    """Who publishes, where and in which time zone. `url` ends in a slash. `theme` is a folder of templates/themes/; `hub` the
    address of a WebSub hub that is told of changed feeds."""

    title: str = "Paper Digest"
    url: str
    language: str = "en"
    timezone: str = "UTC"
    output: str = "feeds"
    templates: str = "templates"
    publisher: str = ""
    postal_address: str = ""
    contact: str = ""
    theme: str = "plain"
    hub: str = ""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class StoreConfig(Struct, frozen=True, kw_only=True):
    """Where everything is that must survive, and for how long the raw pages are kept (0: not at all)."""

    url: str = "sqlite:///var/digest.db"
    keep_pages_days: int = 30
    keep_pages_mb: int = 200

    @property
    def shown(self) -> str:
        """Where the store is, for messages: the address without user, password and options."""
        scheme, colon, rest = self.url.partition("://")
        place, _, options = rest.replace("#", "?").partition("?")
        if scheme == "sqlite":
            return self.url
        if not colon:  # no address at all, and perhaps a password in it
            return "…" if re.search(r"[@?#=\s]", scheme) else scheme
        # An @ behind the ? may be the end of a password with a ? in it: then nothing is certain.
        return (
            f"{scheme}://{place.rpartition('@')[2]}"
            if "@" in place or "@" not in options
            else f"{scheme}://…"
        )


class SourceConfig(Struct, frozen=True, kw_only=True):
    """One place to read: a file, folder or glob (`path`) or an address (`url`, with `{date}` where it names a day).

    `watch`: each page of `path` is read once. `routes`: further addresses of the same listing, whose papers are joined and
    compared. `wait_until` ("09:30", site time): a run waits until then for a batch that is not out. `selectors`: for kind
    "selectors", CSS selectors by the name of what they find.
    """

    name: str
    kind: str = "auto"
    path: str = ""
    url: str = ""
    enabled: bool = True
    allow_private: bool = False
    timeout_s: float = 60.0
    max_bytes: int = 15 * 1024 * 1024
    min_interval_s: float = 0.0
    headers: dict[str, str] = {}
    watch: bool = False
    routes: tuple[str, ...] = ()
    lookback_days: int = 7
    max_pages: int = 20
    wait_until: str = ""
    selectors: dict[str, str] = {}


class TopicConfig(Struct, frozen=True, kw_only=True):
    """A paper belongs to the first topic that has one of its `categories` or whose `any` words it contains."""

    name: str
    slug: str = ""
    any: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class SearchConfig(Struct, frozen=True, kw_only=True):
    """A saved search (searching.py), which has a page and feeds of its own at `searches/<slug>/`."""

    name: str
    query: str
    slug: str = ""


# What a rule may look at by name: `author:Ada Fenwick`. A word without one looks at title and abstract.
RULE_FIELDS = ("author", "category", "title", "source")


def has_word(rule: str) -> bool:
    """Is there anything in a rule that a paper can have? One without a word fits all of them."""
    field, colon, value = rule.partition(":")
    return any(c.isalnum() for c in (value if colon and field.strip().casefold() in RULE_FIELDS else rule))


# What can have pages of its own in the archive, beside editions, topics and what the operator names.
PAGES = ("papers", "authors", "categories")


class DigestConfig(Struct, frozen=True, kw_only=True):
    """What goes into one digest, and when. `path` is its folder below `site.url` (empty: the root). `authors` are names that have
    feeds of their own, `searches` saved searches; `pages` are those of PAGES of which each has a page."""

    name: str
    title: str = ""
    path: str | None = None
    sources: tuple[str, ...] = ("*",)
    schedule: str = ""
    grace_h: float = 12.0
    picks: int = 3
    new: bool = True
    cross: bool = True
    updates: bool = False
    withdrawn: bool = True
    topics: tuple[TopicConfig, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    searches: tuple[SearchConfig, ...] = ()
    pages: tuple[str, ...] = PAGES

    @property
    def folder(self) -> str:
        """Its folder below `site.output`, and its address below `site.url`: "" or with a final slash."""
        return f"{self.path}/" if self.path else ""

    @property
    def has_records(self) -> bool:
        """Whether each paper has a page of its own."""
        return "papers" in self.pages


class SmtpConfig(Struct, frozen=True, kw_only=True):
    host: str = "localhost"
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    connections: int = 4
    per_second: float = 0.0
    timeout_s: float = 60.0


class DkimConfig(Struct, frozen=True, kw_only=True):
    """Signing by ourselves (RFC 6376), for who has no relay that signs. Off while `selector` is empty; `domain` empty is that
    of mail.from. `key_file` holds the private key (PEM), readable by this user only."""

    selector: str = ""
    domain: str = ""
    key_file: str = ""


class MailboxConfig(Struct, frozen=True, kw_only=True):
    """The mailbox (IMAP) into which mail to mail.bounces falls. It is not read while `host` is empty."""

    host: str = ""
    port: int = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    password: str = ""
    folder: str = "INBOX"


class MailConfig(Struct, frozen=True, kw_only=True):
    transport: Literal["folder", "smtp"] = "folder"
    folder: str = "var/outbox"
    from_: str = field(name="from", default="Paper Digest <digest@localhost>")
    unsubscribe: str = ""
    in_doubt: Literal["resend", "hold"] = "resend"
    expire_after_h: float = 36.0
    # Reports of undeliverable mail come to this address, with "+" and a token before the "@" (VERP); "": to mail.from.
    bounces: str = ""
    smtp: SmtpConfig = SmtpConfig()
    dkim: DkimConfig = DkimConfig()
    mailbox: MailboxConfig = MailboxConfig()

    @property
    def address(self) -> str:
        """The address in `from`, without the name beside it."""
        from email.utils import parseaddr  # brings the socket along, which files are read without

        return parseaddr(self.from_)[1]

    @property
    def domain(self) -> str:
        """What stands behind the @ of that address."""
        return self.address.rpartition("@")[2]


class LookupConfig(Struct, frozen=True, kw_only=True):
    """Papers known only by their title are looked up after publication: at most `per_run` of them, for at most `seconds`."""

    enabled: bool = False
    per_run: int = 20
    seconds: float = 120.0
    services: tuple[str, ...] = ("arxiv", "crossref", "semanticscholar")


class WebConfig(Struct, frozen=True, kw_only=True):
    """The web door of `digest serve`. `enabled` = false: there is none at site.url, so pages have no form and mails unsubscribe by
    mail. `proxies` are the addresses or networks whose X-Forwarded-For is believed. Limits are of subscriptions asked for."""

    listen: str = "127.0.0.1:8000"
    enabled: bool = True
    proxies: tuple[str, ...] = ()
    per_network_per_hour: int = 20
    per_hour: int = 500


class PublishConfig(Struct, frozen=True, kw_only=True):
    """A place to which the published files are copied, feeds last. Each kind has keys of its own (checks/_publish.py)."""

    name: str
    kind: Literal["folder", "git", "rsync", "s3"]
    enabled: bool = True
    path: str = ""
    repository: str = ""
    branch: str = "gh-pages"
    destination: str = ""
    bucket: str = ""
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    timeout_s: float = 300.0


class EngineConfig(Struct, frozen=True, kw_only=True):
    """Who does the work. "in-process": the run itself, in one process. "procrastinate": jobs in the PostgreSQL of [store], done by
    `digest worker` processes on any number of machines; a job carries up to `batch` deliveries."""

    kind: Literal["in-process", "procrastinate"] = "in-process"
    batch: int = 400


class MonitorConfig(Struct, frozen=True, kw_only=True):
    """What the operator hears. `heartbeat_url` is asked after each run that did well ("" asks nothing); `mail_to` gets a mail when
    a digest with a schedule had no successful run for `silent_after_h` hours ("" for none). `metrics_from` are the networks that
    may read /metrics."""

    heartbeat_url: str = ""
    mail_to: str = ""
    silent_after_h: float = 26.0
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")


class LogConfig(Struct, frozen=True, kw_only=True):
    """How log lines of `digest serve` and `digest worker` are written: for people, or one JSON object a line."""

    format: Literal["text", "json"] = "text"


class Config(Struct, frozen=True, kw_only=True):
    """The whole configuration. `file` is where it was read; relative paths in it count from that file's folder."""

    site: SiteConfig
    store: StoreConfig = StoreConfig()
    source: tuple[SourceConfig, ...] = ()
    digest: tuple[DigestConfig, ...] = ()
    mail: MailConfig = MailConfig()
    web: WebConfig = WebConfig()
    lookup: LookupConfig = LookupConfig()
    publish: tuple[PublishConfig, ...] = ()
    engine: EngineConfig = EngineConfig()
    monitor: MonitorConfig = MonitorConfig()
    log: LogConfig = LogConfig()
    file: str = "config.toml"

    def resolve(self, path: str) -> Path:
        """`path` as an absolute path, counted from the folder of the configuration file."""
        return Path(self.file).resolve().parent / Path(path).expanduser()

    def publishes(self, path: Path) -> bool:
        """Does it lie in the output folder? All there is published: what names readers must not be."""
        return path.resolve().is_relative_to(self.resolve(self.site.output).resolve())

    def followers(self, source: str) -> tuple[DigestConfig, ...]:
        """The digests that read a source of this name."""
        return tuple(d for d in self.digest if "*" in d.sources or source in d.sources)

    def digest_named(self, name: str) -> DigestConfig:
        """The digest of this name. Raises ConfigError where it is gone, and editions of it are left."""
        found = next((digest for digest in self.digest if digest.name == name), None)
        if found is None:
            raise ConfigError(
                f'{self.file}: no [[digest]] "{name}", but the store has editions of it that wait. '
                f'Put [[digest]] with name = "{name}" back.'
            )
        return found

    def digest_url(self, digest: str) -> str:
        """The public address of a digest's root, with a final slash."""
        return self.url_of(next(d for d in self.digest if d.name == digest))

    def url_of(self, digest: DigestConfig) -> str:
        """The same of a digest that need not be among those of this configuration."""
        return self.site.url + digest.folder

    @property
    def contact(self) -> str:
        """The address that people write to: `site.contact`, or else that of `mail.from`."""
        return self.site.contact or self.mail.address

    @property
    def home_url(self) -> str:
        """Where pages and letters lead that belong to no digest: to the one at the site's root, or else the first."""
        rooted = any(not digest.path for digest in self.digest)
        return self.site.url if rooted or not self.digest else self.digest_url(self.digest[0].name)


def folders_of(digests: Sequence[DigestConfig]) -> list[str]:
    """Each digest's folder below `site.output` and `site.url`, in order: its `path`; else the root for the first ("") and
    their names for the others."""
    return [d.path if d.path is not None else ("" if n == 0 else d.name) for n, d in enumerate(digests)]


def slugs_of(topics: Sequence[TopicConfig]) -> dict[str, str]:
    """The topics' names in addresses, each once, by topic name: its own `slug`, or its name in lower case letters, digits
    and hyphens, with a number at the end where that is taken (C, C++ → c, c-2). "other" is for what fits no topic."""
    taken = {OTHER_SLUG, *(topic.slug for topic in topics)}
    slugs = {}
    for topic in topics:
        bare = re.sub(r"[^\w]+", "-", topic.name.casefold()).strip("-")[:_SLUG_CHARS].strip("-") or "topic"
        numbered = (bare if n == 1 else f"{bare}-{n}" for n in count(1))
        slugs[topic.name] = topic.slug or next(slug for slug in numbered if slug not in taken)
        taken.add(slugs[topic.name])
    return slugs


def search_slugs_of(searches: Sequence[SearchConfig]) -> dict[str, str]:
    """The saved searches' names in addresses, each once, by name, as slugs_of does for topics."""
    return slugs_of([TopicConfig(name=search.name, slug=search.slug) for search in searches])


def nearest(name: str, known: list[str]) -> str:
    """The mend for an unknown name: the known one that it resembles, or all of them."""
    close = get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(known)}."


def nearest_zone(name: str) -> str:
    """The same for an unknown time zone."""
    close = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.4)
    return f'Did you mean "{close[0]}"?' if close else 'Write a name like "Europe/Berlin".'
