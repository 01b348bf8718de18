"""What every test may lean on."""

from __future__ import annotations

import atexit
import gc
import os
import random
import shutil
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlparse
from hypothesis import settings

from digest.store.database import Database, Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Its fixtures are everybody's: one PostgreSQL server for a whole session, not one for each module that asks for it.
pytest_plugins = ["store_contract"]

# The ordinary suite draws the same examples every time: a failure is a change of the code, on every machine. `make torture`
# draws new ones.
PROFILE = os.environ.get("DIGEST_HYPOTHESIS", "same")
settings.register_profile("same", derandomize=True, deadline=None, max_examples=25)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile(PROFILE)

# Saved pages of real listings, with a MANIFEST.toml. They are not part of the project (their texts belong to others), so
# without them their tests are not collected, rather than skipped. Naming the folder says that it is there.
SHARED = Path(
    os.environ.get("DIGEST_SHARED_LISTINGS") or Path(__file__).parent.parent.parent / "shared" / "listings"
)
HAS_SHARED = bool(os.environ.get("DIGEST_SHARED_LISTINGS")) or (SHARED / "MANIFEST.toml").is_file()
if not HAS_SHARED:
    collect_ignore = ["test_sources_shared_pages.py", "test_days_shared.py"]

# Where there is room in memory, the files of the tests are there (but for a TMPDIR that says otherwise): a disk makes each run that
# publishes wait for what all other tests have written (11 minutes for the suite in place of 6). They take up to 1 GiB.
_MEMORY, _ENOUGH = Path("/dev/shm"), 4 << 30


def pytest_configure() -> None:
    if "TMPDIR" in os.environ or not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        return
    # Left by sessions that were killed; their PostgreSQL ends without its files.
    for left in _MEMORY.glob("digest-tests-*"):
        if not Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(_MEMORY).free >= _ENOUGH:
        folder = Path(tempfile.mkdtemp(prefix=f"digest-tests-{os.getpid()}-", dir=_MEMORY))
        folder.chmod(0o711)  # PostgreSQL runs under another account
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


# Files with few tests that take seconds each.
LONG = {
    "test_bench_run", "test_day", "test_days_that_grow", "test_db_copy", "test_fleet", "test_fleet_steps", "test_fleet_still",
    "test_hostile_readers", "test_life", "test_promises", "test_readers", "test_rebuild", "test_scale", "test_search_static",
    "test_torture_fleet", "test_torture_kill", "test_torture_pages", "test_ux_checks", "test_worker",
}  # fmt: skip

# yoyo asks for the statements of our migrations, always the same, with each of the many stores that are set up here.
sqlparse.split = cache(sqlparse.split)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These come first, then those with the most tests: a file that is begun last should end soon."""
    many = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.stem not in LONG, -many[item.path]))


def pytest_collection_finish() -> None:
    """Thousands of collected tests live until the end: they need not be looked through whenever garbage is."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _rows_come_in_no_order_unless_asked_for() -> Iterator[None]:
    """A query that names no order gets its rows the other way round: what leans on the order that a database happens to give
    fails here, on every machine."""
    rows = Database.rows

    def other_way(self: Database, name: str, /, **params: object) -> list[Row]:
        found = rows(self, name, **params)
        return found if "ORDER BY" in self._queries[name] else found[::-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "rows", other_way)
        yield


def examples(many: int) -> int:
    """How many examples a property is tried with: so many by `make torture`, a quarter of them in the ordinary suite."""
    return many if PROFILE == "new" else max(many // 4, 10)


def sizes(usual: Any, full: Any) -> list[Any]:
    """Of a parameter: the size of the ordinary suite, and that of `make torture`."""
    return [usual, pytest.param(full, marks=pytest.mark.torture)]


def free_port() -> int:
    """A port of 127.0.0.1 for a server that must be told one. Below those that the system hands out by itself: between now and the
    server's start nobody gets it by chance."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium; for a module, since no event loop can be begun beside the one that drives it."""
    need(CHROMIUM, "needs Chromium; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


def need(condition: object, reason: str) -> None:
    """Skip a test that cannot run here, with the way to enable it; with DIGEST_TEST_ALL=1 that is a failure."""
    if condition:
        return
    if os.environ.get("DIGEST_TEST_ALL") == "1":
        pytest.fail(f"{reason} (DIGEST_TEST_ALL=1 allows no skips)")
    pytest.skip(reason)
