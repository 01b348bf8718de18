"""What types cannot say of a configuration: addresses, numbers and names that make no sense, each with its mend.

`load_config` asks this room after it has made the tables; it knows nothing of files, TOML or the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from email.utils import getaddresses
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct

from digest.addresses import ascii_domain
from digest.checks._forms import (
    can_send,
    form_problems,
    has_home,
    label_problems,
    name_problems,
    network_problems,
    repeated,
    web_address,
)
from digest.checks._operation import engine_problems, monitor_problems
from digest.checks._publish import hub_problems, publish_problems
from digest.checks._readers import rule_problems, theme_problems, view_problems
from digest.checks._selectors import SELECTORS, Selector, css_problem, selector_of, selector_problems
from digest.config import (
    OTHER_SLUG,
    DigestConfig,
    DkimConfig,
    LookupConfig,
    MailboxConfig,
    MailConfig,
    SiteConfig,
    SmtpConfig,
    SourceConfig,
    StoreConfig,
    TopicConfig,
    WebConfig,
    folders_of,
    nearest,
    nearest_zone,
)
from digest.cron import cron_problem

__all__ = ["SELECTORS", "Selector", "css_problem", "problems_of", "selector_of"]


def problems_of(tables: Mapping[str, Any], file: str) -> list[str]:
    """One message for each fault of the tables of a Config (site, store, source, digest, mail, web …; those that could be
    made): file, table, key and mend."""
    found = []
    for name, problems in _OF_TABLES.items():
        if name in tables:
            found += problems(tables[name])
    found += engine_problems(tables) + monitor_problems(tables)
    found += publish_problems(tables.get("publish", ()))
    sources, digests = tables.get("source", ()), tables.get("digest", ())
    names = [source.name for source in sources]
    for table, items in (("source", sources), ("digest", digests)):
        found += [f"[[{table}]] {problem}" for problem in name_problems([item.name for item in items])]
    for source in sources:
        found += [f'[[source]] "{source.name}": {problem}' for problem in _source_problems(source)]
    for digest in digests:
        found += [f'[[digest]] "{digest.name}": {problem}' for problem in _digest_problems(digest, names)]
    found += _folder_problems(digests)
    return [f"{file}, {problem}" for problem in found]


# The least and the most of each number, and what it counts. Above these the clocks and sockets of some systems overflow.
_NUMBERS: dict[tuple[type[Struct], str], tuple[float, float, str]] = {
    (SourceConfig, "timeout_s"): (0.01, 86_400, "seconds"),
    (SourceConfig, "max_bytes"): (1, 2**40, "bytes"),
    (SourceConfig, "min_interval_s"): (0, 86_400, "seconds"),
    (SourceConfig, "lookback_days"): (0, 90, "days"),
    (SourceConfig, "max_pages"): (1, 1_000, "pages"),
    (StoreConfig, "keep_pages_days"): (0, 36_500, "days"),
    (StoreConfig, "keep_pages_mb"): (0, 2**20, "megabytes"),
    (LookupConfig, "per_run"): (0, 10_000, "papers"),
    (LookupConfig, "seconds"): (0, 86_400, "seconds"),
    (DigestConfig, "grace_h"): (0, 8_760, "hours"),
    (DigestConfig, "picks"): (0, 10_000, "papers"),
    (MailConfig, "expire_after_h"): (0.01, 8_760, "hours"),
    (SmtpConfig, "port"): (1, 65_535, "a number, usually 587,"),
    (SmtpConfig, "connections"): (1, 100, "a number"),
    (SmtpConfig, "per_second"): (0.001, 10_000, "0 for no limit, or mails in a second"),
    (SmtpConfig, "timeout_s"): (0.01, 3_600, "seconds"),
    (MailboxConfig, "port"): (1, 65_535, "a number, usually 993,"),
    (WebConfig, "per_network_per_hour"): (1, 1_000_000, "how many"),
    (WebConfig, "per_hour"): (1, 10_000_000, "how many"),
}


def _number_problems(where: str, table: Struct) -> list[str]:
    """The numbers of a table that are too small, too large, or none (nan)."""
    found = []
    for (kind, key), (least, most, what) in _NUMBERS.items():
        value = getattr(table, key) if isinstance(table, kind) else least
        if not least <= value <= most and not (key == "per_second" and value == 0):
            found.append(f'{where}"{key}" is {value}. Write {what} from {least} to {most}.')
    return found


def _is_host_and_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and re.fullmatch(r"[0-9]{1,5}", port) is not None and int(port) < 65536


def _web_problems(web: WebConfig) -> list[str]:
    found = _number_problems("[web]: ", web)
    if not _is_host_and_port(web.listen):
        found.append(f'[web]: "listen" is {web.listen!r}. Write "127.0.0.1:8000".')
    return found + network_problems('[web]: "proxies"', web.proxies)


def _store_problems(store: StoreConfig) -> list[str]:
    return _number_problems("[store]: ", store) + _store_url_problems(store)


def _store_url_problems(store: StoreConfig) -> list[str]:
    mend = 'Write "sqlite:///var/digest.db" or "postgresql://user@host/digest".'
    if not re.match(r"(sqlite:///|postgres(ql)?://)", store.url):
        return [f'[store]: "url" is {store.shown!r}. {mend}']
    try:
        urlsplit(store.url)
    except ValueError:
        return [f'[store]: "url" is {store.shown!r}, no address. {mend}']
    return _path_problems("[store]: ", url=store.url.partition(":///")[2])


def _path_problems(where: str, **paths: str) -> list[str]:
    """Of paths by key: those that no system takes, and `~user` of a user who is unknown here."""
    return [
        f'{where}"{key}" is {path!r}, a path that cannot be. Write it in full.'
        for key, path in paths.items()
        if "\0" in path or not has_home(path)
    ]


def _site_problems(site: SiteConfig) -> list[str]:
    found = []
    if not site.title.strip():
        found.append(
            '[site]: "title" is empty, and every feed needs one (RSS 2.0). Write title = "Paper Digest".'
        )
    parts = web_address(site.url)
    if parts is None or parts.query or parts.fragment:
        found.append(
            f'[site]: "url" is {site.url!r}. Write the public address, url = "https://papers.example.org/".'
        )
    if parts and "@" in parts.netloc:
        found.append(
            '[site]: "url" has a user name in it, and would stand so in every feed and mail. Take it out.'
        )
    if re.search(r"\s", site.url):
        found.append('[site]: "url" has white space in it. Write %20 for a blank.')
    if not site.output.strip():
        found.append(
            '[site]: "output" is empty. Write the folder of all that is published, output = "feeds".'
        )
    if site.contact and not can_send(site.contact):
        found.append(
            f'[site]: "contact" is {site.contact!r}. Write a mail address alone, contact = "papers@example.org".'
        )
    found += _path_problems("[site]: ", output=site.output, templates=site.templates)
    found += theme_problems(site) + hub_problems(site.hub)
    try:
        ZoneInfo(site.timezone)
    except (ValueError, OSError, KeyError):
        found.append(f'[site]: "timezone" {site.timezone!r} is unknown. {nearest_zone(site.timezone)}')
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", site.language):
        found.append(
            f'[site]: "language" {site.language!r} is no language tag (BCP 47). Write "en" or "pt-BR".'
        )
    return found


def _mail_problems(mail: MailConfig) -> list[str]:
    found = _path_problems("[mail]: ", folder=mail.folder)
    found_addresses = getaddresses([mail.from_])
    address = found_addresses[0][1] if len(found_addresses) == 1 else ""
    # What stands before a colon is the name of a group (RFC 5322, 3.4), and would be lost from the name.
    is_group = ":" in re.sub(r'"(\\.|[^"\\])*"|\(.*?\)', "", mail.from_)
    if is_group or not can_send(address) or re.search(r"[\x00-\x1f\x7f]", mail.from_):
        found.append(
            f'[mail]: "from" is {mail.from_!r}. Write from = "Paper Digest <digest@papers.example.org>"; a name with a comma or '
            "a colon stands in quotes: from = '\"Papers, daily\" <digest@papers.example.org>'."
        )
    if mail.unsubscribe and not can_send(mail.unsubscribe):
        found.append(
            f'[mail]: "unsubscribe" is {mail.unsubscribe!r}. Write unsubscribe = "leave@papers.example.org".'
        )
    found += _number_problems("[mail]: ", mail)
    found += _number_problems('[mail], "smtp": ', mail.smtp)
    if mail.smtp.password and not mail.smtp.username:
        found.append('[mail], "smtp": a "password" and no "username". Add username = "…".')
    return found + _bounces_problems(mail) + _dkim_problems(mail.dkim) + _mailbox_problems(mail.mailbox)


# "+" and a token of 26 characters go before the @, and 64 characters is all that may stand there (RFC 5321, 4.5.3.1.1).
_BOUNCES_LOCAL = 64 - 1 - 26


def _bounces_problems(mail: MailConfig) -> list[str]:
    local = mail.bounces.rpartition("@")[0]
    if mail.bounces and not can_send(mail.bounces):
        return [f'[mail]: "bounces" is {mail.bounces!r}. Write bounces = "bounces@papers.example.org".']
    if len(local) > _BOUNCES_LOCAL:
        return [
            f'[mail]: "bounces" has {len(local)} characters before the @, and each mail adds 27 more, of 64 that may be. '
            f"Write at most {_BOUNCES_LOCAL}."
        ]
    return []


def _dkim_problems(dkim: DkimConfig) -> list[str]:
    where = '[mail], "dkim": '
    found = _path_problems(where, key_file=dkim.key_file)
    if dkim.selector and ascii_domain(dkim.selector) != dkim.selector:
        found.append(
            f'{where}"selector" is {dkim.selector!r}. Write letters a-z and digits, selector = "digest".'
        )
    if dkim.selector and not dkim.key_file:
        found.append(f'{where}a "selector" and no "key_file". Add key_file = "dkim.pem", the private key.')
    if not dkim.selector and (dkim.key_file or dkim.domain):
        given = "key_file" if dkim.key_file else "domain"
        found.append(f'{where}a "{given}" and no "selector", so nothing is signed. Add selector = "digest".')
    if dkim.domain and ascii_domain(dkim.domain) is None:
        found.append(f'{where}"domain" is {dkim.domain!r}. Write domain = "papers.example.org".')
    return found


def _mailbox_problems(mailbox: MailboxConfig) -> list[str]:
    where = '[mail], "mailbox": '
    found = _number_problems(where, mailbox)
    if not mailbox.host:
        given = [key for key in ("username", "password") if getattr(mailbox, key)]
        if given:
            found.append(
                f'{where}a "{given[0]}" and no "host", so it is not read. Add host = "imap.example.org".'
            )
        return found
    # Not the password: a file that is shown to others leaves it to the environment, and doctor asks for it.
    found += [
        f'{where}a "host" and no "{key}". Add {key} = "…".'
        for key in ("username", "folder")
        if not getattr(mailbox, key)
    ]
    return found


def _lookup_problems(lookup: LookupConfig) -> list[str]:
    known = list(LookupConfig().services)
    return _number_problems("[lookup]: ", lookup) + [
        f'[lookup]: "services" has an unknown name "{name}". {nearest(name, known)}'
        for name in lookup.services
        if name not in known
    ]


_OF_TABLES: dict[str, Callable[[Any], list[str]]] = {
    "site": _site_problems,
    "mail": _mail_problems,
    "store": _store_problems,
    "web": _web_problems,
    "lookup": _lookup_problems,
}


def _source_problems(source: SourceConfig) -> list[str]:
    found = []
    if bool(source.path) == bool(source.url):
        lack = "both" if source.path else "no"
        found.append(f'{lack} "url" and "path". Give one: url = "https://…" or path = "file.html".')
    if source.url and not web_address(_on_a_day(source.url)):
        found.append(
            f'"url" is {source.url!r}; only http:// and https:// addresses of a host are read. For a file write path = "…".'
        )
    else:
        for url in (source.url, *source.routes):
            found += [
                f'"{wrong}" stands in {url!r}. Write "{{date}}" where the day is to stand.'
                for wrong in re.findall(r"\{\w*\}", url)
                if wrong != "{date}"
            ]
    if "{date}" in source.path:
        found.append(
            '"path" has "{date}", which is of addresses only. Name the folder; every file in it is read.'
        )
    found += _path_problems("", path=source.path) + _number_problems("", source)
    return found + _reading_problems(source) + selector_problems(source)


def _on_a_day(url: str) -> str:
    """An address that names its day with {date}, as it is on one."""
    return url.replace("{date}", "2026-11-20")


def _reading_problems(source: SourceConfig) -> list[str]:
    """`watch`, `routes` and `wait_until`, and where each of them means something."""
    found = []
    if source.watch and not source.path:
        found.append('"watch" is for pages that are put into a folder. Give path = "…", or leave watch out.')
    if source.routes and not source.url:
        found.append('"routes" are further addresses of a url, and there is none. Give url = "https://…".')
    found += [
        f'"routes" has {route!r}; only http:// and https:// addresses of a host are read. Mend it or take it out.'
        for route in source.routes
        if not web_address(_on_a_day(route))
    ]
    again = [route for route in repeated([source.url, *source.routes]) if route in source.routes]
    found += [f'"routes" has {route!r}, which is read already. Take it out.' for route in again]
    if source.wait_until and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", source.wait_until):
        found.append(
            f'"wait_until" is {source.wait_until!r}. Write hour and minute in site time, as in "09:30".'
        )
    return found


# What a digest writes into its own folder, beside the years, and what the web door answers for.
_PAGES = frozenset(
    {
        *("feeds", "topics", "categories", "authors", "searches", "papers", "search"),
        *("subscribe", "confirm", "again", "manage", "unsubscribe", "undo", "export", "erase", "healthz"),
        "metrics",
        *("editions.xml", "editions-atom.xml", "editions.json", "feeds.opml", "404.html"),
        "index.html",
        "rss.xml",
        "atom.xml",
        "feed.json",
        "sitemap.xml",
        "robots.txt",
    }
)


def _folder_problems(digests: Sequence[DigestConfig]) -> list[str]:
    """Digests that would publish over each other. Case does not count: on some disks it does not either."""
    found = []
    owners: dict[str, str] = {}
    for digest, folder in zip(digests, folders_of(digests), strict=True):
        first = owners.setdefault(folder.casefold(), digest.name)
        mend = 'Give it another folder, path = "…".'
        if first != digest.name:
            found.append(f'[[digest]] "{digest.name}": it publishes where "{first}" does. {mend}')
        elif page := _covered(folder.casefold(), [other.casefold() for other in folders_of(digests)]):
            found.append(
                f'[[digest]] "{digest.name}": its folder "{folder}" lies where a digest has its own "{page}". {mend}'
            )
    return found


def _covered(folder: str, folders: Sequence[str]) -> str:
    """The page or year of the site's root, or of the digest around this folder, that the folder would cover; or ""."""
    for around in ("", *(f"{other}/" for other in folders if other)):
        step = folder.removeprefix(around).partition("/")[0] if folder.startswith(around) else ""
        if step in _PAGES or re.fullmatch(r"[0-9]{4}", step):
            return step
    return ""


def _digest_problems(digest: DigestConfig, sources: list[str]) -> list[str]:
    found = [
        f'"sources" names "{name}", which is no [[source]]. {nearest(name, sources) if sources else ""}'.rstrip()
        for name in digest.sources
        if name != "*" and name not in sources
    ]
    found += _number_problems("", digest)
    if digest.schedule and (problem := cron_problem(digest.schedule)):
        found.append(problem)
    if digest.path and not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", digest.path):
        found.append(f'"path" is {digest.path!r}. Write a folder name of letters, digits, _ and -.')
    if digest.title and not digest.title.strip():
        found.append(
            '"title" is blank, and every feed needs one (RSS 2.0). Write title = "…", or leave it out.'
        )
    return found + _topic_problems(digest.topics) + rule_problems(digest, sources) + view_problems(digest)


def _topic_problems(topics: Sequence[TopicConfig]) -> list[str]:
    found = label_problems("topics", topics, "Join their words into one.")
    for topic in topics:
        if not topic.name.strip():
            found.append('a topic has an empty "name". Write the heading of its section.')
        if not topic.any and not topic.categories:
            found.append(f'topic "{topic.name}" has neither "any" nor "categories". Add any = ["a word"].')
        found += form_problems("topic", topic)
        if topic.slug == OTHER_SLUG:
            found.append(
                f'topic "{topic.name}": slug = "{OTHER_SLUG}" is for what fits no topic. Write another.'
            )
    return found
