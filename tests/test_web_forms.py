"""What a form says becomes choices, or an error beside the field that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.formats.subscribing import Flow, flow_words
from digest.model import Preferences, Subscriber
from digest.web import forms
from digest.web.forms import BadForm, Choices, Fields, fields_of, read_choices, read_wishes, urlencoded
from digest.web.pages import masked
from webs import config_of, two_digests

TODAY = date(2026, 11, 19)
CONFIG = config_of(Path("/nowhere"))
READER = Subscriber(
    id=1,
    address="reader@mail.example",
    status="confirmed",
    digests=("daily",),
    since=datetime(2026, 9, 3, tzinfo=UTC),
)


def chosen(changed: dict[str, list[str]], known: Subscriber = READER, config: Any = CONFIG) -> Choices:
    return read_choices(
        {**fields_of(known, config), "topics": ["1"], **changed}, config, known=known, today=TODAY
    )


CHOICES = st.builds(
    Preferences,
    topics=st.sampled_from([None, ("lm",), ("vi", "other")]),
    frequency=st.sampled_from(["daily", "weekdays", "weekly"]),
    weekly_on=st.integers(0, 6),
    hour=st.none() | st.integers(0, 23),
    timezone=st.sampled_from(["", "Asia/Tokyo", "UTC"]),
    most=st.sampled_from([0, 10, 25, 50]),
    follow=st.sampled_from([(), ("speech*", "author:Zoë")]),
    mute=st.sampled_from([(), ("category:cs.CV",)]),
    text_only=st.booleans(),
    empty=st.booleans(),
)


@given(preferences=CHOICES, paused=st.none() | st.dates(date(2026, 11, 20), date(2027, 11, 1)))
def test_what_is_posted_unchanged_changes_nothing(preferences: Preferences, paused: date | None) -> None:
    reader = replace(READER, preferences=preferences, paused_until=paused)
    found = chosen({}, reader)
    assert (found.errors, found.preferences, found.paused_until, found.digests) == (
        {},
        preferences,
        paused,
        ("daily",),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("topic", []),
        ("topic", ["nonsense"]),
        ("frequency", ["hourly"]),
        ("weekly_on", ["7"]),
        ("weekly_on", ["-1"]),
        ("hour", ["24"]),
        ("hour", ["six"]),
        ("hour", ["²"]),
        ("hour", ["9" * 5000]),
        ("timezone", ["Europe/Atlantis"]),
        ("timezone", ["../../etc/passwd"]),
        ("timezone", ["<script>"]),
        ("most", ["100000"]),
        ("follow", ["\n".join(f"word {n}" for n in range(51))]),
        ("mute", ["x" * 101]),
        ("mute", ["a\x00b"]),
        ("follow", ["a\x1bb"]),
        ("pause", ["2026-11-19"]),
        ("pause", ["2029-01-01"]),
        ("pause", ["soon"]),
    ],
)
def test_a_wrong_value_is_named_beside_its_field(field: str, value: list[str]) -> None:
    assert list(chosen({field: value}).errors) == [field]


def test_all_topics_ticked_are_all_topics_those_to_come_too() -> None:
    assert chosen({"topic": ["lm", "vi", "other"]}).preferences.topics is None
    assert chosen({"topic": ["vi", "lm"]}).preferences.topics == ("lm", "vi")


def test_no_topic_at_all_is_fine_for_who_follows_something() -> None:
    found = chosen({"topic": [], "follow": ["speech"]})
    assert (found.errors, found.preferences.topics, found.preferences.follow) == ({}, (), ("speech",))


def test_a_form_without_boxes_says_nothing_of_topics() -> None:
    assert read_wishes({"email": ["a@b.example"]}, CONFIG.digest) == Choices(digests=("daily",))


def test_rules_are_lines_without_repeats_and_edges() -> None:
    assert chosen({"mute": [" one \r\n\r\ntwo  words\none\n"]}).preferences.mute == ("one", "two words")


def test_a_time_zone_is_found_in_any_case_and_the_sites_own_is_no_choice() -> None:
    assert chosen({"timezone": ["america/new_york"]}).preferences.timezone == "America/New_York"
    assert chosen({"timezone": ["Europe/Berlin"]}).preferences.timezone == ""
    reader = replace(READER, preferences=Preferences(timezone="Asia/Tokyo"))
    assert chosen({"timezone": ["Europe/Berlin"]}, reader).preferences.timezone == "Europe/Berlin"


def test_of_several_digests_at_least_one_must_be_ticked() -> None:
    config = two_digests(CONFIG)
    assert list(chosen({"digest": []}, config=config).errors) == ["digest"]
    assert chosen({"digest": ["weekly", "daily"]}, config=config).digests == ("daily", "weekly")
    every = replace(READER, digests=())
    assert chosen({}, every, config).digests == ()
    assert chosen({"digest": ["weekly"]}, every, config).digests == ("weekly",)
    one = replace(READER, digests=("weekly",))
    assert chosen({}, one, config).digests == ("weekly",)  # saved as it was, no other comes


def test_topics_of_several_digests_say_where_they_are() -> None:
    from digest.formats.subscribing import topic_options

    options = topic_options(["lm"], two_digests(CONFIG).digest)
    assert [(o.value, o.note) for o in options] == [
        ("lm", "Paper Digest"),
        ("vi", "Paper Digest"),
        ("ce", "Biology weekly"),
        ("other", ""),
    ]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("reader@mail.example", "re****@mail.example"),
        ("ann@mail.example", "a****@mail.example"),
        ("a@mail.example", "a****@mail.example"),
    ],
)
def test_an_address_is_shown_masked(address: str, shown: str) -> None:
    assert masked(replace(READER, address=address)) == shown


@pytest.mark.parametrize("body", [b"email=%ff", b"email=\xff", b"%C3%28=1", b"&".join([b"a=1"] * 1001)])
def test_a_body_in_another_encoding_or_of_a_thousand_fields_is_refused(body: bytes) -> None:
    with pytest.raises(BadForm):
        urlencoded(body)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        fields: Fields = urlencoded(body)
    except BadForm:
        return
    found = read_choices(fields, CONFIG, known=READER, today=TODAY)
    assert found.errors or found.preferences


def test_every_zone_offered_can_be_chosen() -> None:
    assert {"Europe/Berlin", "UTC"} <= set(forms.zones())
    for zone in forms.zones():
        assert not chosen({"timezone": [zone]}).errors


@pytest.mark.parametrize(
    ("flows", "words"),
    [
        ((), ""),
        ((Flow(0, 20, 4.0),), ""),
        ((Flow(160, 20, 4.0),), "about 8 a day"),
        ((Flow(24_000, 20, 4.0),), "about 1,200 a day"),
        ((Flow(8, 20, 4.0),), "about 2 a week"),  # less than one a day
        ((Flow(1, 20, 4.0),), ""),
        ((Flow(80, 4, 4.0),), "about 20 a week"),  # an edition a week
        ((Flow(160, 20, 4.0), Flow(60, 20, 4.0)), "about 11 a day"),
        ((Flow(6, 2, 1.0),), "about 6 a week"),
    ],
)
def test_how_much_a_topic_brings_is_said_in_days_or_weeks(flows: tuple[Flow, ...], words: str) -> None:
    assert flow_words(flows) == words
