"""The part of `digest doctor` that looks at mail and the web door."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.addresses import is_loopback
from digest.mail.dmarc import Finding
from digest.mail.spf import Lookup
from digest.words import counted

if TYPE_CHECKING:
    from digest.app import App

_EVERYWHERE = ("0.0.0.0", "::", "[::]", "*")  # noqa: S104  what an operator may have written


def mail(app: App, now: datetime) -> Iterator[Finding]:
    """Where mail goes, and whether it can be left with one click; nobody is asked."""
    from digest.mail.authentication import link_findings

    config, people = app.config.mail, app.store.subscribers("confirmed")
    if config.transport == "folder":
        yield (
            "ok",
            "mail",
            f"into {app.config.resolve(config.folder)}, {counted(len(people), 'subscriber')}; "
            'transport = "smtp" sends it',
        )
        return
    smtp = config.smtp
    yield "ok", "mail", f"by {smtp.host}:{smtp.port} ({smtp.security}), {counted(len(people), 'subscriber')}"
    if any(s.address.rpartition("@")[2] in ("example.org", "example.com") for s in people):
        yield (
            "warning",
            "mail",
            "a sample address is subscribed. See `digest subscribers list`, then `digest subscribers remove` it.",
        )
    if smtp.security == "none" and not is_loopback(smtp.host):
        yield "fault", "mail", 'passwords and mail go in the clear. Write security = "starttls" or "tls".'
    yield from link_findings(app.config)
    yield from _reports(app)


def readers(app: App, now: datetime) -> Iterator[Finding]:
    """Did readers choose what is there? Who chose nothing else gets no mail, and nobody else is told."""
    from digest.choices import gone_choices

    people = (*app.store.subscribers("confirmed"), *app.store.subscribers("paused"))
    digests, topics = gone_choices(people, app.config.digest)
    for name, count in sorted(digests.items()):
        yield (
            "warning",
            "readers",
            f'{counted(count, "reader")} chose the digest "{name}", which is not there any more: they get no mail of it. Was it '
            'renamed? Give it its "name" back, since readers and editions belong to that; what people see is its "title".',
        )
    for slug, count in sorted(topics.items()):
        yield (
            "warning",
            "readers",
            f'{counted(count, "reader")} chose the topic "{slug}", which no digest has any more: they get none of its papers. Was '
            f'it renamed? Write slug = "{slug}" beside its new name.',
        )


def _reports(app: App) -> Iterator[Finding]:
    """Do reports of failed mail come back to us?"""
    config = app.config.mail
    if config.mailbox.host and config.mailbox.security == "none" and not is_loopback(config.mailbox.host):
        yield (
            "fault",
            "bounces",
            'the password of the mailbox goes in the clear. Write security = "tls" or "starttls".',
        )
    if config.mailbox.host and not config.mailbox.password:
        yield (
            "fault",
            "bounces",
            "the mailbox has no password. Set DIGEST__MAIL__MAILBOX__PASSWORD (or …_PASSWORD_FILE).",
        )
    if not config.bounces:
        yield (
            "warning",
            "bounces",
            "reports of failed mail are not counted, so dead addresses get mail for ever. "
            'Write [mail] bounces = "bounces@your.domain" and a mailbox, or pipe them into `digest bounce`.',
        )
    elif not config.mailbox.host:
        yield (
            "ok",
            "bounces",
            "no [mail] mailbox: the mail server must pipe what comes to bounces into `digest bounce`",
        )
    else:
        yield (
            "ok",
            "bounces",
            f"read from {config.mailbox.host}:{config.mailbox.port}, {config.mailbox.folder}",
        )


def signature(app: App, now: datetime) -> Iterator[Finding]:
    """The key with which we sign ourselves: is it there, one, and for our eyes only?"""
    dkim = app.config.mail.dkim
    if not dkim.selector:
        return
    from digest.mail.dkim_record import bits, key_problem

    file = app.config.resolve(dkim.key_file)
    try:
        key, mode = file.read_bytes(), stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        yield (
            "fault",
            "dkim",
            f"{file} cannot be read: {error.strerror}. Write the path of the private key as [mail] dkim.key_file.",
        )
        return
    if mode & 0o077:
        yield "fault", "dkim", f"{file} can be read by others (mode {mode:04o}). Run `chmod 600 {file}`."
    if problem := key_problem(key):
        yield "fault", "dkim", f"{file}: {problem}"
    elif not mode & 0o077:
        yield "ok", "dkim", f"{file}, {bits(key)} bits, selector {dkim.selector}"


def door(app: App, now: datetime) -> Iterator[Finding]:
    """Can people reach the web door as the configuration has it?"""
    web, site = app.config.web, urlsplit(app.config.site.url)
    if not web.enabled:
        yield "ok", "web", "no door: [web] enabled = false"
        return
    host = web.listen.rpartition(":")[0]
    public = site.hostname is not None and not is_loopback(site.hostname)
    if public and not web.proxies and is_loopback(host):
        yield (
            "warning",
            "web",
            f"it listens on {web.listen}, and whoever asks seems to be the web server before it, so all share one limit of "
            f'{web.per_network_per_hour} an hour. Write [web] proxies = ["127.0.0.1"].',
        )
    elif public and not web.proxies and site.scheme == "https":
        yield (
            "warning",
            "web",
            f"it listens on {web.listen} without TLS, and {app.config.site.url} promises it. Put a web server with a "
            f"certificate before it, and write {_only_from_there()}",
        )
    else:
        yield "ok", "web", f"listens on {web.listen} for {app.config.site.url}"


def _only_from_there() -> str:
    """How the door is left to the web server before it. In a container it must listen everywhere, and a variable says so; what
    reaches it is then the container's affair."""
    for name in os.environ:
        if name.startswith("DIGEST__") and name.upper().removesuffix("_FILE") == "DIGEST__WEB__LISTEN":
            return (
                "its address as [web] proxies (for a container, the gateway of its network). Where it listens is said by "
                f"{name} of the environment, not by config.toml."
            )
    return 'listen = "127.0.0.1:8000" and its address as [web] proxies.'


def door_online(app: App, now: datetime) -> Iterator[Finding]:
    """Does anybody answer where the door should be?"""
    from digest.resolver import is_open

    web = app.config.web
    if not web.enabled:
        return
    host, _, port = web.listen.rpartition(":")
    if is_open("127.0.0.1" if host in _EVERYWHERE else host.strip("[]"), int(port)):
        yield "ok", "web", f"{web.listen} answers"
    else:
        yield (
            "warning",
            "web",
            f"nobody answers on {web.listen}, so links in mails lead nowhere. Start `digest serve`.",
        )


def mail_online(app: App, now: datetime) -> Iterator[Finding]:
    """Logs in to the mail server; sends nothing."""
    smtp = app.config.mail.smtp
    if app.config.mail.transport != "smtp":
        return
    app.check_login()
    login = "takes the login" if smtp.username else "answers, and no username is set"
    yield "ok", "mail", f"{smtp.host}:{smtp.port} {login}; nothing was sent"


def mailbox_online(app: App, now: datetime) -> Iterator[Finding]:
    """Logs in to the mailbox and opens its folder; marks nothing."""
    mailbox = app.config.mail.mailbox
    if not mailbox.host:
        return
    from digest.mailbox import new_mails

    with new_mails(mailbox):
        pass
    yield "ok", "bounces", f"{mailbox.host}:{mailbox.port} takes the login and has {mailbox.folder}"


def dns_online(
    app: App, now: datetime, *, ask: Lookup | None = None, outgoing: Sequence[str] | None = None
) -> Iterator[Finding]:
    """SPF, DKIM, DMARC, alignment, PTR and MX. `ask` and `outgoing` take the place of the system's resolver and of this
    machine's addresses."""
    from digest.mail.authentication import findings
    from digest.resolver import lookup, own_addresses

    config = app.config
    if config.mail.transport != "smtp":
        return
    if outgoing is None:
        # A mail server on this machine sends to the world from the machine's own addresses; a relay from others.
        outgoing = own_addresses() if is_loopback(config.mail.smtp.host) else []
    yield from findings(config, lookup=ask or lookup, outgoing_addresses=outgoing, dkim_key=_key(app))


def _key(app: App) -> bytes | None:
    dkim = app.config.mail.dkim
    try:
        return app.config.resolve(dkim.key_file).read_bytes() if dkim.selector else None
    except OSError:  # told by `signature`
        return None
