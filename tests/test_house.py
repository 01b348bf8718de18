"""The floors of docs/architecture.md, held: a room imports rooms on lower floors only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "patterns"},
    {"model", "config", "utf8", "addresses"},
    {"identity", "checks", "calendar", "cron"},
    {
        "configfile",
        "asks",
        "sources",
        "text",
        "tex",
        "words",
        "selection",
        "editions",
        "render",
        "tokens",
        "choices",
        "labels",
        "searching",
        "themes",
        "scores",
        "outcomes",
        "matching",
    },
    {"formats", "mail"},
    {
        "fetch",
        "store",
        "website",
        "targets",
        "websub",
        "heartbeat",
        "logs",
        "smtp",
        "process",
        "journal",
        "mailbox",
        "resolver",
    },
    {"pipeline", "subscriptions"},
    {"app"},
    {"scheduler", "web", "previewing", "worker"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Rooms that serve their neighbours. Floor 2: config has its tables checked. Floor 3: text is cleaned on the way in, selection
# names the topics that editions show, and its rules are what readers follow and mute; a search names labels.
# Floor 5: a folder elsewhere is written as the website is, and a hub and the operator's heartbeat are asked as
# sources are.
NEIGHBOURS = {
    ("sources", "text"),
    ("render", "words"),
    ("render", "labels"),
    ("editions", "text"),
    ("editions", "selection"),
    ("choices", "selection"),
    ("searching", "labels"),
    ("render", "text"),
    ("text", "tex"),
    ("targets", "website"),
    ("websub", "fetch"),
    ("heartbeat", "fetch"),
}
WIRE = {
    "socket",
    "http",
    "smtplib",
    "sqlite3",
    "psycopg",
    "urllib3",
    "urllib.request",
    "requests",
    "subprocess",
}
FILES = sorted(ROOT.glob("digest/**/*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "digest").with_suffix("").parts
    return parts[0]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the room in full"
            found |= {node.module} | {
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "digest"
            }
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    assert room in FLOOR, f"{room} has no floor; give it one here and in docs/architecture.md"
    for name in imports(path):
        if not name.startswith("digest.") or name == "digest.__version__":
            continue
        other = name.split(".")[1]
        lower = FLOOR[other] < FLOOR[room] or other == room or (room, other) in NEIGHBOURS
        assert lower, f"{room} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[other]})"


@pytest.mark.parametrize(
    "path", [p for p in FILES if FLOOR.get(room_of(p), 9) <= 4], ids=lambda p: str(p.relative_to(ROOT))
)
def test_pure_floors_do_not_touch_the_wire(path: Path) -> None:
    assert not {name for name in imports(path) if name in WIRE or name.split(".")[0] in WIRE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_stands_only_in_the_store(path: Path) -> None:
    if room_of(path) == "store":
        return
    words = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.lstrip().startswith(words), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


def test_the_architecture_document_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for room in {room_of(path) for path in FILES} - {"__init__", "__main__"}:
        assert f"{room}.py" in text or f"{room}/" in text, f"docs/architecture.md does not show {room}"
