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
from digest.model import Listing, Reading

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
    assert path.exists(), f"{path.name} is missing: DIGEST_REFRESH=1 writes what is read now (see above)"
    assert got == json.loads(path.read_text(encoding="utf-8")), f"if you meant it: DIGEST_REFRESH=1, {path}"


def test_every_kind_has_pages_and_every_expectation_its_page() -> None:
    # "selectors" reads what its configuration says: its pages are in tests/selectors/.
    assert {path.parent.name for path in FILES} == {*sources.KINDS, "none"} - {"selectors"}, (
        "tests/listings/: a folder with pages of invented papers for each of sources.KINDS"
    )
    assert {expected_of(page) for page in FILES} == set(PAGES.glob("*/*.papers.json")), (
        "tests/listings/: a page and its .papers.json belong together; DIGEST_REFRESH=1 writes those that are missing"
    )


@pytest.mark.parametrize("kind", sorted({*sources.KINDS} - {"selectors"}))
def test_every_kind_is_recognised_by_one_of_its_pages_at_least(kind: str) -> None:
    pages = [Listing(location="page", body=page.read_bytes()) for page in FILES if page.parent.name == kind]
    read = (sources.recognise(page) for page in pages if not isinstance(_tried(page), ParseError))
    assert kind in read, (
        f"no page in tests/listings/{kind}/ is recognised: sources/_sniff.py has to know its mark"
    )


def _tried(page: Listing) -> Reading | ParseError:
    try:
        return sources.read(page)
    except ParseError as error:
        return error


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
        assert f"\n| `{kind}` |" in documented, f"docs/sources.md: a row for {kind}"
