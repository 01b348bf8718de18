"""The floors of docs/architecture.md, held: a room imports rooms on lower floors only."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "patterns"},
    {"model", "config", "utf8", "addresses", "paths"},
    {"identity", "checks", "calendar", "cron"},
    {
        "configfile",
        "asks",
        "sources",
        "text",
        "tex",
        "markup",
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
# Rooms that serve their neighbours. Floor 2: checks asks cron about its lines. Floor 3: text is cleaned on the way in, selection
# names the topics that editions show, and its rules are what readers follow and mute; a search names labels.
# Floor 5: a folder elsewhere is written as the website is, a hub and the operator's heartbeat are asked as
# sources are, and a backup has the number of its process until it is whole.
NEIGHBOURS = {
    ("checks", "cron"),
    ("sources", "text"),
    ("render", "words"),
    ("render", "labels"),
    ("editions", "text"),
    ("editions", "selection"),
    ("choices", "selection"),
    ("searching", "labels"),
    ("render", "text"),
    ("text", "tex"),
    ("text", "markup"),
    ("sources", "markup"),
    ("markup", "tex"),
    ("targets", "website"),
    ("websub", "fetch"),
    ("heartbeat", "fetch"),
    ("store", "process"),
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


ROOMS = sorted({room_of(path) for path in FILES})


def files_of(room: str) -> list[Path]:
    return [path for path in FILES if room_of(path) == room]


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> set[str]:
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the room in full"
            found |= {node.module} | {
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "digest"
            }
    return found


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("__init__", "__main__")])
def test_imports_go_down_only(room: str) -> None:
    assert room in FLOOR, f"{room} has no floor; give it one here and in docs/architecture.md"
    for path in files_of(room):
        for name in imports(path):
            if not name.startswith("digest.") or name == "digest.__version__":
                continue
            other = name.split(".")[1]
            lower = FLOOR[other] < FLOOR[room] or other == room or (room, other) in NEIGHBOURS
            assert lower, (
                f"{path}: {room} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[other]}); take it by argument"
            )


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def files_used(path: Path) -> set[str]:
    """The modules whose names a file uses, whenever it imports them, or for its annotations only; of a package's face without
    the parts of that package, which it stands for."""
    known, found = {module_of(each) for each in FILES}, set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & known | ({node.module} if whole - known else set())
    own = f"{module_of(path)}." if path.name == "__init__.py" else "."
    return {name for name in found & known if not name.startswith(own)}


def test_files_of_one_room_do_not_need_each_other_in_a_circle() -> None:
    TopologicalSorter({module_of(path): files_used(path) for path in FILES}).prepare()  # raises CycleError


@pytest.mark.parametrize("room", [room for room in ROOMS if FLOOR.get(room, 9) <= 4])
def test_pure_floors_do_not_touch_the_wire(room: str) -> None:
    for path in files_of(room):
        found = {name for name in imports(path) if name in WIRE or name.split(".")[0] in WIRE}
        assert not found, (
            f"{path} imports {found}: floors 0 to 4 do no I/O; let an edge on floor 5 do it (docs/architecture.md, 3)"
        )


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "store"])
def test_sql_stands_only_in_the_store(room: str) -> None:
    words = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE")
    for path in files_of(room):
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.lstrip().startswith(words), (
                    f"{path}:{node.lineno}: SQL; name the query in digest/store/queries/"
                )


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "paths"])
def test_what_stands_at_a_path_is_asked_of_the_room_that_knows(room: str) -> None:
    """Since Python 3.14 pathlib says that nothing stands where it may not look."""
    for path in files_of(room):
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.keywords:
                name = (
                    node.func.attr
                )  # with keywords it is of os.DirEntry, which says what it may not look at
                assert name not in ("exists", "is_file", "is_dir"), (
                    f"{path}:{node.lineno}: take {name} from paths"
                )


def test_no_file_is_too_long_to_read() -> None:
    assert {path: lines for path in FILES if (lines := len(path.read_text().splitlines())) > 500} == {}, (
        "split these: no file of more than 500 lines"
    )


def test_the_architecture_document_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for room in set(ROOMS) - {"__init__", "__main__"}:
        assert f"{room}.py" in text or f"{room}/" in text, f"docs/architecture.md does not show {room}"
