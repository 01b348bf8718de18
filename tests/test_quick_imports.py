"""Imports decide how long a short command takes: which libraries a command may load, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What costs more than 10 ms to import, or comes with what does; see "libraries" in docs/architecture.md.
HEAVY = frozenset(
    ["apscheduler", "asyncio", "bs4", "email_validator", "feedgen", "feedparser", "jinja2", "lxml", "procrastinate",
     "prometheus_client", "protego", "psycopg", "rich", "smtplib", "sqlite3", "ssl", "starlette", "urllib3", "uvicorn",
     "watchfiles", "yoyo"]
)  # fmt: skip
_CONFIG = """
[site]
url = "https://papers.example.org/"
[[source]]
name = "saved"
path = "in"
[[digest]]
name = "daily"
[mail]
folder = "outbox"
"""


def loaded(*arguments: str) -> set[str]:
    """The top names of the modules that a command has loaded at its end."""
    code = (
        "import sys\nfrom digest.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('loaded', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stderr.splitlines()[-1].split()[1:])


def test_help_and_version_load_nothing_but_click() -> None:
    for argument in ("--help", "--version"):
        assert not loaded(argument) & (HEAVY | {"msgspec", "tomllib", "email", "socket"})


def test_reading_a_listing_loads_one_parser_and_no_store() -> None:
    page = next((ROOT / "examples" / "listings").glob("*.html"))
    assert loaded("parse", str(page)) & HEAVY <= {"bs4", "lxml"}


def test_a_run_with_nothing_new_loads_no_wire(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(_CONFIG, encoding="utf-8")
    (tmp_path / "in").mkdir()
    entry = "<entry><id>urn:x:1</id><title>A paper</title><summary>Words.</summary></entry>"
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><link href="https://f.example.org/"/>{entry}</feed>'
    (tmp_path / "in" / "feed.xml").write_text(feed, encoding="utf-8")
    run = ("--config", str(tmp_path / "config.toml"), "-q", "run", "--date", "2026-11-19")
    loaded(*run)
    # Pages and feeds are looked at each time: an archive may have been thrown away.
    assert loaded(*run) & HEAVY <= {"sqlite3", "lxml", "jinja2", "feedgen"}
