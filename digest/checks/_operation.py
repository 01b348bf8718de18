"""What makes no sense in [engine] and [monitor]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from digest.checks._forms import can_send, network_problems, web_address
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
    if monitor.heartbeat_url and not web_address(monitor.heartbeat_url):
        # Whoever knows the address can keep the alarm silent: it is not shown.
        found.append('[monitor]: "heartbeat_url" is no web address. Write "https://…", or "" for none.')
    if monitor.mail_to and not can_send(monitor.mail_to):
        found.append(f'[monitor]: "mail_to" is {monitor.mail_to!r}. Write one mail address, or "" for none.')
    if not 1 <= monitor.silent_after_h <= 8_760:
        found.append(f'[monitor]: "silent_after_h" is {monitor.silent_after_h}. Write hours from 1 to 8,760.')
    return found + network_problems('[monitor]: "metrics_from"', monitor.metrics_from)
