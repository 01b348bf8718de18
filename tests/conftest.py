"""What every test may lean on."""

from __future__ import annotations

import os

import pytest


def need(condition: object, reason: str) -> None:
    """Skip a test that cannot run here, with the way to enable it; with DIGEST_TEST_ALL=1 that is a failure."""
    if condition:
        return
    if os.environ.get("DIGEST_TEST_ALL") == "1":
        pytest.fail(f"{reason} (DIGEST_TEST_ALL=1 allows no skips)")
    pytest.skip(reason)
