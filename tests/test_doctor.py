"""`digest doctor` against a real server: what it shows is for other eyes too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pages import ROOT
from store_contract import postgres_url

__all__ = ["postgres_url"]


@pytest.mark.postgres
def test_doctor_does_not_show_the_password_of_the_store(tmp_path: Path, postgres_url: str) -> None:
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}password=hunter2"
    (tmp_path / "config.toml").write_text(
        f'[site]\nurl = "https://digest.example.org/"\n[store]\nurl = "{url}"\n[[digest]]\nname = "daily"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "digest", "doctor", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    assert [f["level"] for f in findings if f["check"] == "store"] == ["ok"]
    assert "hunter2" not in done.stdout + done.stderr
