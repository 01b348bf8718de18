"""What makes no sense in [engine] and [monitor]."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from digest.config import EngineConfig, MonitorConfig, StoreConfig


def engine_problems(tables: Mapping[str, Any]) -> list[str]:
    """Workers share a PostgreSQL; a batch is neither one mail nor all of them."""
    engine: EngineConfig = tables.get("engine", EngineConfig())
    store: StoreConfig = tables.get("store", StoreConfig())
    found = []
    if engine.kind == "procrastinate" and not store.url.startswith(("postgres://", "postgresql://")):
        found.append(
            '[engine]: "kind" is "procrastinate", which works on PostgreSQL, and [store] url is another store. '
            'Write url = "postgresql://user@host/digest", or kind = "in-process".'
        )
    if not 1 <= engine.batch <= 10_000:
        found.append(
            f'[engine]: "batch" is {engine.batch}. Write how many mails a job carries, from 1 to 10,000.'
        )
    return found


def monitor_problems(tables: Mapping[str, Any]) -> list[str]:
    """Addresses that are none, and hours that no clock has."""
    monitor: MonitorConfig = tables.get("monitor", MonitorConfig())
    found = []
    if monitor.heartbeat_url and not _is_web_address(monitor.heartbeat_url):
        # Whoever knows the address can keep the alarm silent: it is not shown.
        found.append('[monitor]: "heartbeat_url" is no web address. Write "https://…", or "" for none.')
    if monitor.mail_to and not _looks_like_an_address(monitor.mail_to):
        found.append(f'[monitor]: "mail_to" is {monitor.mail_to!r}. Write one mail address, or "" for none.')
    if not 1 <= monitor.silent_after_h <= 8_760:
        found.append(f'[monitor]: "silent_after_h" is {monitor.silent_after_h}. Write hours from 1 to 8,760.')
    found += [
        f'[monitor]: "metrics_from" has {text!r}, which is no address or network. Write "127.0.0.1" or "10.0.0.0/8".'
        for text in monitor.metrics_from
        if not is_network(text)
    ]
    return found


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _looks_like_an_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(c.isspace() or c in ",;<>" for c in text)


def is_network(text: str) -> bool:
    """Is it one address, or a network of them, of IPv4 or IPv6?"""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
