"""The benchmark of building compares builders of the same mail; its readers have a thousand choices. No time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import building  # noqa: E402


def test_our_mail_has_all_papers_in_both_parts_and_one_without_is_named() -> None:
    first = next(building.deliveries(1))
    message = building.ours()(first)
    assert message is not None
    assert building.missing(message.data, first) == []
    link = building.edition().entries[7].paper.links["abstract"]
    assert building.missing(message.data.replace(b"abstract/", b"x/"), first).count(link) == 2


def test_a_thousand_readers_have_a_thousand_choices_and_most_get_other_mails() -> None:
    readers = list(building.deliveries(1000, building.CHOICES))
    assert len({each.subscriber.preferences for each in readers}) == 1000
    compose = building.ours()
    sizes = [
        message.size for each in building.deliveries(200, building.CHOICES) if (message := compose(each))
    ]
    assert len(set(sizes)) > 100
    assert building.build_ours(200, building.CHOICES) == sum(sizes)


def test_each_builder_is_a_process_of_its_own_and_its_mail_lacks_no_paper() -> None:
    found = building.contest(20, 2, 1, 1)
    assert list(found) == ["one", "choices", "usual"]
    assert all(seconds > 0 and peak > 10 and size > 40_000 for seconds, peak, size in found.values())
