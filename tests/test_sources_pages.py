"""Every page in tests/listings/<kind>/ is read as the .papers.json beside it says.

To add a case put a page there, run `DIGEST_REFRESH=1 .venv/bin/python -m pytest tests/test_sources_pages.py`, and read the
new .papers.json before you commit it: it is the promise. All papers in these pages are invented.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing

PAGES = Path(__file__).parent / "listings"
FILES = sorted(path for path in PAGES.glob("*/*") if not path.name.endswith(".papers.json"))


def expected_of(page: Path) -> Path:
    return page.with_name(page.name + ".papers.json")


def outcome(page: Path) -> dict[str, Any]:
    """A Reading as JSON without its defaults, or the error's class and message."""
    listing = Listing(location=page.name, body=page.read_bytes())
    try:
        reading = sources.read(listing)
    except ParseError as error:
        return {"error": type(error).__name__, "message": str(error)}
    shown = json.loads(msgspec.json.encode(reading))
    shown["papers"] = [
        {name: value for name, value in paper.items() if value or name in ("key", "title")}
        for paper in shown["papers"]
    ]
    return {name: value for name, value in shown.items() if value or name in ("kind", "papers")}


@pytest.mark.parametrize("page", FILES, ids=lambda page: str(page.relative_to(PAGES)))
def test_a_page_is_read_as_the_file_beside_it_says(page: Path) -> None:
    got, path = outcome(page), expected_of(page)
    if os.environ.get("DIGEST_REFRESH") == "1":
        path.write_text(json.dumps(got, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert got == json.loads(path.read_text(encoding="utf-8"))


def test_every_kind_has_pages_and_every_expectation_its_page() -> None:
    # "selectors" reads what its configuration says: its pages are in tests/selectors/.
    assert {path.parent.name for path in FILES} == {*sources.KINDS, "none"} - {"selectors"}
    assert {expected_of(page) for page in FILES} == set(PAGES.glob("*/*.papers.json"))


@pytest.mark.parametrize("page", FILES, ids=lambda page: str(page.relative_to(PAGES)))
def test_the_kind_is_recognised_by_content_not_by_name(page: Path) -> None:
    listing = Listing(location="page", body=page.read_bytes())
    if "error" in (got := outcome(page)):
        if page.parent.name == "none":
            with pytest.raises(ParseError):
                sources.recognise(listing)
        return
    assert sources.recognise(listing) == page.parent.name == got["kind"]


def test_every_kind_has_its_row_in_the_documentation() -> None:
    documented = (PAGES.parent.parent / "docs" / "sources.md").read_text(encoding="utf-8")
    for kind in sources.KINDS:
        assert f"\n| `{kind}` |" in documented
