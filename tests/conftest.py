"""What every test may lean on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The ordinary suite draws the same examples every time: a failure is a change of the code, on every machine. `make torture`
# draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("DIGEST_HYPOTHESIS", "same"))

# Saved pages of real listings, with a MANIFEST.toml. They are not part of the project (their texts belong to others), so
# without them their tests are not collected, rather than skipped. Naming the folder says that it is there.
SHARED = Path(
    os.environ.get("DIGEST_SHARED_LISTINGS") or Path(__file__).parent.parent.parent / "shared" / "listings"
)
if not os.environ.get("DIGEST_SHARED_LISTINGS") and not (SHARED / "MANIFEST.toml").is_file():
    collect_ignore = ["test_sources_shared_pages.py", "test_days_shared.py"]


def need(condition: object, reason: str) -> None:
    """Skip a test that cannot run here, with the way to enable it; with DIGEST_TEST_ALL=1 that is a failure."""
    if condition:
        return
    if os.environ.get("DIGEST_TEST_ALL") == "1":
        pytest.fail(f"{reason} (DIGEST_TEST_ALL=1 allows no skips)")
    pytest.skip(reason)
