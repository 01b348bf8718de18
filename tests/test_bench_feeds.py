"""The benchmark of feeds compares writers of the same items, and names a feed that lacks some. No time is asserted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import feeds, peers  # noqa: E402
from digest.render import Renderer  # noqa: E402


def test_ours_and_the_peers_have_the_same_items_in_the_same_order() -> None:
    of = feeds.publication(feeds.edition(20))
    expected = [item.id for item in of.items]
    assert len(expected) == 20
    theirs = peers.feedgen(json.dumps(feeds.items_of(of)).encode())
    assert [peers.ids_of_feed(body) for body in (*feeds.one_feed(of), *theirs)] == [expected] * 5


def test_each_paper_is_in_five_of_a_hundred_topics_which_share_their_items() -> None:
    of = feeds.publication(feeds.edition(), feeds.TOPICS)
    sizes = {len({shown.entry.guid for shown in channel.shown}) for channel in of.channels}
    assert (len(of.channels), sizes, 100 * 25 / feeds.PAPERS) == (100, {25}, 5)
    assert feeds.all_feeds(of, Renderer([])) > sum(map(len, feeds.one_feed(of)))
    shown = of.channels[0].shown[0]
    assert of.item(shown) in of.items


def test_each_writer_is_a_process_of_its_own_and_writes_all_items() -> None:
    found = feeds.contest(30, 3, 1, 1, sys.executable, ("one", "topics"))
    assert list(found) == ["one", "topics", "feedgen"]
    assert all(ms > 0 and peak > 10 for ms, peak in found.values())


def test_a_feed_that_lacks_items_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = feeds.items_of
    monkeypatch.setattr(feeds, "items_of", lambda of: whole(of)[1:])
    with pytest.raises(SystemExit, match="feedgen: a feed lacks items"):
        feeds.contest(10, 1, 1, 1, sys.executable, ())
