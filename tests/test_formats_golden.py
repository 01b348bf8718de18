"""What users see, byte for byte. Refresh with DIGEST_REFRESH_GOLDEN=1 and read the diff (docs/templates.md)."""

from __future__ import annotations

import pytest

from editions import (
    EDITIONS,
    assert_golden,
    composed_of,
    copies_of,
    delivery_to,
    pages_of,
    publication_of,
    shipped,
)

DAY = "2026/11/19/"
PAGES = {
    "rich": [
        "rss.xml",
        "atom.xml",
        "feed.json",
        "index.html",
        "feeds/index.html",
        "2026/11/index.html",
        "2026/index.html",
    ],
    "bare": ["rss.xml", "index.html"],
    "odd": ["rss.xml", "atom.xml", "feed.json"],
    "single": ["index.html"],
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_and_feeds_are_as_reviewed(name: str) -> None:
    made = pages_of(publication_of(EDITIONS[name]()), shipped())
    for path in [*PAGES[name], f"{DAY}index.html", f"{DAY}papers.json"]:
        assert_golden(
            f"{name}/{path.removeprefix(DAY)}" if path.startswith(DAY) else f"{name}/{_flat(path)}",
            made[path],
        )


@pytest.mark.parametrize("name", PAGES)
def test_the_mail_is_as_reviewed(name: str) -> None:
    edition = EDITIONS[name]()
    copies = copies_of(edition, shipped())
    for path in ("email.html", "email.txt"):
        assert_golden(f"{name}/{path}", copies[DAY + path])
    assert_golden(f"{name}/mail.eml", composed_of(edition, shipped()).message(delivery_to()).data)


def _flat(path: str) -> str:
    return {
        "index.html": "home.html",
        "feeds/index.html": "feeds.html",
        "2026/11/index.html": "month.html",
        "2026/index.html": "year.html",
    }.get(path, path)
