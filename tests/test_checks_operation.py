"""An [engine] or [monitor] table that makes no sense is told before anything runs, with its mend and without its secrets."""

from __future__ import annotations

import pytest

from digest.checks._operation import engine_problems, monitor_problems
from digest.config import EngineConfig, MonitorConfig, StoreConfig

WORKERS = EngineConfig(kind="procrastinate")


def test_workers_share_a_postgresql() -> None:
    assert engine_problems({"engine": WORKERS, "store": StoreConfig(url="postgresql:///digest")}) == []
    assert engine_problems({"engine": EngineConfig()}) == []
    (problem,) = engine_problems({"engine": WORKERS, "store": StoreConfig(url="sqlite:///var/digest.db")})
    assert "procrastinate" in problem and 'url = "postgresql://user@host/digest"' in problem


@pytest.mark.parametrize("batch", [0, -1, 10_001])
def test_a_batch_is_neither_none_nor_everything(batch: int) -> None:
    (problem,) = engine_problems({"engine": EngineConfig(batch=batch)})
    assert f'"batch" is {batch}' in problem and "1 to 10,000" in problem


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"heartbeat_url": "https://beats.example.org/5f1e"},
        {"heartbeat_url": "http://127.0.0.1:9/x"},
        {"mail_to": "operator@example.org", "silent_after_h": 1},
        {"metrics_from": ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")},
        {"metrics_from": ()},
    ],
)
def test_what_makes_sense_is_taken(keys: dict[str, object]) -> None:
    assert monitor_problems({"monitor": MonitorConfig(**keys)}) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"heartbeat_url": "beats.example.org/secret"}, "heartbeat_url"),
        ({"heartbeat_url": "ftp://beats.example.org/secret"}, "heartbeat_url"),
        ({"heartbeat_url": "https://[secret"}, "heartbeat_url"),
        ({"heartbeat_url": "https://"}, "heartbeat_url"),
        ({"mail_to": "operator"}, "mail_to"),
        ({"mail_to": "a@example.org, b@example.org"}, "mail_to"),
        ({"mail_to": "Operator <operator@example.org>"}, "mail_to"),
        ({"silent_after_h": 0.5}, "silent_after_h"),
        ({"silent_after_h": float("nan")}, "silent_after_h"),
        ({"metrics_from": ("everybody",)}, "metrics_from"),
        ({"metrics_from": ("10.0.0.0/33",)}, "metrics_from"),
    ],
)
def test_what_makes_none_is_told_with_its_mend(keys: dict[str, object], named: str) -> None:
    (problem,) = monitor_problems({"monitor": MonitorConfig(**keys)})  # type: ignore[arg-type]
    assert f'"{named}"' in problem and "Write " in problem
    assert "secret" not in problem
