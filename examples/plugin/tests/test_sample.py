"""Each page beside this file is read as the .papers.json beside it says. A new case is a new pair, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from digest import sources
from digest.model import Listing

PAGES = sorted(Path(__file__).parent.glob("*.ris"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_read_as_the_file_beside_it_says(page: Path) -> None:
    listing = Listing(location=page.name, body=page.read_bytes())
    got = json.loads(msgspec.json.encode(sources.read(listing, "ris")))
    assert got == json.loads(page.with_name(f"{page.name}.papers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_recognised_by_its_content(page: Path) -> None:
    assert sources.recognise(Listing(location="unnamed", body=page.read_bytes())) == "ris"
