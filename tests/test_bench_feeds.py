"""The benchmark of feeds compares writers of the same items, and names a feed that lacks some. No time is asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import feeds  # noqa: E402
from digest.render import Renderer  # noqa: E402


def test_ours_and_the_peers_have_the_same_items_in_the_same_order() -> None:
    of = feeds.publication(feeds.edition(20))
    expected = [item.id.encode() for item in of.items]
    assert len(expected) == 20
    assert [feeds.ids(body) for body in (*feeds.one_feed(of), *feeds.peer(of.items))] == [expected] * 5


def test_each_paper_is_in_five_of_a_hundred_topics_which_share_their_items() -> None:
    of = feeds.publication(feeds.edition(), feeds.TOPICS)
    sizes = {len({shown.entry.guid for shown in channel.shown}) for channel in of.channels}
    assert (len(of.channels), sizes, 100 * 25 / feeds.PAPERS) == (100, {25}, 5)
    assert feeds.all_feeds(of, Renderer([])) > sum(map(len, feeds.one_feed(of)))
    shown = of.channels[0].shown[0]
    assert of.item(shown) in of.items


def test_the_table_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.feeds", "--papers", "60", "--topics", "5", "--rounds", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"\| digest, RSS \+ Atom \+ JSON Feed \| [\d.]+ \| [\d.]+× as fast as feedgen \| ≥ 3× \|", done.stdout
    )
    assert re.search(
        r"\| the same and 5 feeds of topics \| [\d.]+ \| [\d.]+× one feed \| ≤ 2× \|", done.stdout
    )
