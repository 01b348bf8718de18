"""JSON Feed 1.1, field by field (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from digest.formats import jsonfeed
from editions import EDITIONS, URL, publication_of, rich, shipped

TEXT = {"id", "url", "title", "summary", "content_html", "date_published", "date_modified"}


def feed_of(name: str) -> dict[str, Any]:
    editions, page = jsonfeed.feed(publication_of(EDITIONS[name]()), shipped())
    assert (editions.path, page.path) == ("editions.json", "feed.json")
    found: dict[str, Any] = json.loads(page.body)
    return found


@pytest.mark.parametrize("name", EDITIONS)
def test_every_field_is_of_the_type_that_the_standard_wants(name: str) -> None:
    feed = feed_of(name)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == f"{URL}feed.json"
    assert feed["home_page_url"] == URL
    for item in feed["items"]:
        assert set(item) <= TEXT | {"authors", "tags"}
        assert {"id", "url", "content_html", "date_published"} <= set(item)
        assert all(isinstance(item[field], str) and item[field] for field in TEXT & set(item))
        assert all(set(author) == {"name"} for author in item.get("authors", []))
        assert datetime.fromisoformat(item["date_published"]).tzinfo is not None
        assert datetime.fromisoformat(item["date_published"]) <= datetime.fromisoformat(item["date_modified"])


def test_it_has_the_newest_edition_in_its_order() -> None:
    assert [item["title"] for item in feed_of("rich")["items"]] == [
        entry.paper.title for entry in rich().entries
    ]
