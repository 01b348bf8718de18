"""What a reader chose: which papers, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from digest.choices import RULES, choose, next_due, parse_rules, preferences_problems, topic_slugs
from digest.config import DigestConfig, TopicConfig
from digest.model import Edition, Entry, Paper, Preferences, Section
from editions import TOPICS, edition_of, entry_of, rich

SLUGS = [slug for _, slug in TOPICS]


def entry(name: str, *, topic: str = "", **facts: Any) -> Entry:
    votes, authors = facts.pop("upvotes", None), facts.pop("authors", ())
    return entry_of(
        Paper(key=f"title:{name}", title=name, upvotes=votes, authors=authors), topic=topic, **facts
    )


def edition(picks: list[Entry], sections: dict[tuple[str, str], list[Entry]]) -> Edition:
    return replace(
        edition_of([]),
        picks=tuple(picks),
        sections=tuple(Section(name=n, slug=s, entries=tuple(found)) for (n, s), found in sections.items()),
    )


MIXED = edition(
    [
        entry("Owls", topic="Birds", pick=1, upvotes=3),
        entry("Moss", topic="Plants", pick=2),
        entry("Storms", pick=3),
    ],
    {
        ("Birds", "aves"): [entry("Wrens", topic="Birds", upvotes=9, authors=("A. Finch",)), entry("Rooks", topic="Birds")],
        ("Other", "other"): [entry("Tides", upvotes=9)],
        ("Cross-listed", "cross"): [entry("Terns", topic="Birds", change="cross"), entry("Clouds", change="cross")],
        ("Withdrawn", "withdrawn"): [entry("Ferns", topic="Plants", change="withdrawn")],
    },
)  # fmt: skip


def titles(preferences: Preferences, *editions: Edition, **facts: Any) -> list[str] | None:
    editions = editions or (MIXED,)
    chosen = choose(editions, preferences, **facts)
    if chosen is None:
        return None
    assert all(positions == tuple(sorted(set(positions))) for positions in chosen)
    return [
        e.entries[n].paper.title for e, positions in zip(editions, chosen, strict=True) for n in positions
    ]


def test_who_chose_nothing_gets_everything_in_order() -> None:
    assert choose([MIXED], Preferences()) == (tuple(range(9)),)
    assert choose([MIXED, rich()], Preferences()) == (tuple(range(9)), tuple(range(30)))


def test_of_an_edition_without_papers_nothing_is_chosen() -> None:
    assert choose([edition_of([])], Preferences()) is None
    assert choose([], Preferences()) is None


def test_topics_hold_for_picks_and_for_every_stream() -> None:
    assert titles(Preferences(topics=("aves",))) == ["Owls", "Wrens", "Rooks", "Terns"]
    assert titles(Preferences(topics=("other",))) == ["Storms", "Tides", "Clouds"]


def test_a_topic_with_picks_alone_is_known_by_its_name_or_by_the_slugs_given() -> None:
    assert titles(Preferences(topics=("plants",))) == ["Moss", "Ferns"]
    assert titles(Preferences(topics=("flora",)), slugs={"Plants": "flora"}) == ["Moss", "Ferns"]


def test_nothing_of_the_topics_chosen_is_nothing() -> None:
    assert titles(Preferences(topics=("insects",))) is None
    assert titles(Preferences(topics=())) is None


def test_the_streams_are_no_topics() -> None:
    assert titles(Preferences(topics=("cross", "withdrawn"))) is None


def test_what_is_followed_comes_whatever_its_topic() -> None:
    assert titles(Preferences(topics=("aves",), follow=("tide",))) == [
        "Owls",
        "Wrens",
        "Rooks",
        "Tides",
        "Terns",
    ]
    assert titles(Preferences(topics=(), follow=("author:finch",))) == ["Wrens"]


def test_what_is_muted_never_comes_even_if_followed_or_a_pick() -> None:
    chosen = titles(Preferences(mute=("owl", "author:Finch"), follow=("owl", "wren")))
    assert chosen == ["Moss", "Storms", "Rooks", "Tides", "Terns", "Clouds", "Ferns"]


def test_of_too_many_the_followed_stay_then_picks_then_votes_in_order_of_show() -> None:
    follow = ("cloud",)
    assert titles(Preferences(most=1, follow=follow)) == ["Clouds"]
    assert titles(Preferences(most=3, follow=follow)) == ["Owls", "Moss", "Clouds"]
    assert titles(Preferences(most=5, follow=follow)) == ["Owls", "Moss", "Storms", "Wrens", "Clouds"]
    assert titles(Preferences(most=7, follow=follow)) == [
        "Owls", "Moss", "Storms", "Wrens", "Rooks", "Tides", "Clouds",
    ]  # fmt: skip


def test_the_most_counts_over_all_editions_of_a_mail() -> None:
    second = edition([entry("Whales", pick=1)], {("Other", "other"): [entry("Reefs", upvotes=50)]})
    chosen = choose([MIXED, second], Preferences(most=2))
    assert chosen == ((0,), (0,))
    assert choose([MIXED, second], Preferences(topics=("aves",))) == ((0, 3, 4, 6), ())


@st.composite
def wishes(draw: st.DrawFn) -> Preferences:
    rules = st.lists(
        st.sampled_from(["the", "a", "model", "author:an", "title:of", "sort*", "zebra"]), max_size=3
    )
    return Preferences(
        topics=draw(st.none() | st.lists(st.sampled_from([*SLUGS, "other"]), unique=True).map(tuple)),
        most=draw(st.integers(0, 35)),
        follow=tuple(draw(rules)),
        mute=tuple(draw(rules)),
    )


@given(wishes())
def test_any_choice_is_a_part_of_the_edition_and_as_large_as_it_may_be(preferences: Preferences) -> None:
    chosen = choose([rich()], preferences)
    free = choose([rich()], replace(preferences, most=0))
    assert (chosen is None) == (free is None)
    if chosen is None or free is None:
        return
    assert hash(chosen) is not None and set(chosen[0]) <= set(free[0]) <= set(range(30))
    assert len(chosen[0]) == min(len(free[0]), preferences.most or 30)


def test_a_thousand_different_choices_cost_little() -> None:
    shown = rich()
    many = [
        Preferences(topics=(SLUGS[n % 5], "other"), most=n % 7, follow=(f"word {n}", f"author:name {n}"), mute=(f"no {n}",))
        for n in range(1000)
    ]  # fmt: skip
    began = process_time()
    for preferences in many:
        choose([shown], preferences)
    assert process_time() - began < 5.0


# ---------------------------------------------------------------- when

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
    "Africa/Casablanca", "America/Havana", "Pacific/Kiritimati",
)  # fmt: skip
# Around changes of clocks: Berlin, New York, Lord Howe (half an hour), Havana (at midnight), and the Friday Apia left out.
CHANGES = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
)
MOMENTS = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.builds(
        lambda at, s: at + timedelta(seconds=s), st.sampled_from(CHANGES), st.integers(-200_000, 200_000)
    ),
)
WHEN = st.builds(
    Preferences,
    frequency=st.sampled_from(["daily", "weekdays", "weekly"]),
    weekly_on=st.integers(0, 6),
    hour=st.none() | st.integers(0, 23),
    timezone=st.sampled_from(["", *ZONES]),
)


@given(WHEN, MOMENTS, st.sampled_from(ZONES))
def test_a_mail_is_never_due_before_its_edition_nor_more_than_eight_days_later(
    preferences: Preferences, issued_at: datetime, site: str
) -> None:
    due = next_due(preferences, issued_at, site_timezone=site)
    assert issued_at <= due <= issued_at + timedelta(days=8)
    assert due == next_due(preferences, issued_at, site_timezone=site)


@given(WHEN, MOMENTS, st.sampled_from(ZONES))
def test_a_mail_is_due_at_the_day_and_hour_chosen(
    preferences: Preferences, issued_at: datetime, site: str
) -> None:
    due = next_due(preferences, issued_at, site_timezone=site)
    local = due.astimezone(ZoneInfo(preferences.timezone or site))
    skipped = local.astimezone(UTC) != local.replace(fold=0).astimezone(UTC) or _after_a_gap(due, local)
    days = {"daily": range(7), "weekdays": range(5), "weekly": [preferences.weekly_on]}[preferences.frequency]
    assert skipped or local.weekday() in days
    if preferences.hour is not None:
        assert skipped or (local.hour, local.minute, local.second) == (preferences.hour, 0, 0)


def _after_a_gap(due: datetime, local: datetime) -> bool:
    """Was the clock put forward in the day before?"""
    before = (due - timedelta(days=1)).astimezone(local.tzinfo).utcoffset()
    return before is not None and before < (local.utcoffset() or timedelta())


@given(WHEN, MOMENTS, st.integers(0, 100_000))
def test_a_later_edition_is_never_due_earlier(
    preferences: Preferences, issued_at: datetime, later: int
) -> None:
    first = next_due(preferences, issued_at, site_timezone="Europe/Berlin")
    second = next_due(preferences, issued_at + timedelta(seconds=later), site_timezone="Europe/Berlin")
    assert first <= second or preferences.hour is None


MONDAY = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)  # 07:30 in Berlin


@pytest.mark.parametrize(
    ("preferences", "due"),
    [
        (Preferences(), MONDAY),
        (Preferences(frequency="weekdays"), MONDAY),
        (Preferences(frequency="weekly", weekly_on=0), MONDAY),
        (Preferences(frequency="weekly"), datetime(2026, 11, 20, 22, 0, tzinfo=UTC)),
        (Preferences(hour=8), datetime(2026, 11, 16, 7, 0, tzinfo=UTC)),
        (Preferences(hour=7), datetime(2026, 11, 17, 6, 0, tzinfo=UTC)),
        (Preferences(hour=8, timezone="America/New_York"), datetime(2026, 11, 16, 13, 0, tzinfo=UTC)),
        (Preferences(frequency="weekly", weekly_on=0, hour=7), datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
        (Preferences(hour=8, timezone="Nowhere/At_All"), datetime(2026, 11, 16, 7, 0, tzinfo=UTC)),
    ],
)
def test_days_and_hours_are_the_readers_own(preferences: Preferences, due: datetime) -> None:
    assert next_due(preferences, MONDAY, site_timezone="Europe/Berlin") == due


def test_working_days_wait_over_the_weekend() -> None:
    saturday = datetime(2026, 11, 21, 6, tzinfo=UTC)
    monday = datetime(2026, 11, 23, 23, tzinfo=UTC)
    assert next_due(Preferences(frequency="weekdays"), saturday, site_timezone="UTC") == monday


def test_an_hour_that_is_left_out_is_the_moment_of_the_change_and_one_that_comes_twice_the_first() -> None:
    two = Preferences(hour=2, timezone="Europe/Berlin")
    for day, hour in (((2026, 3, 29), 1), ((2026, 10, 25), 0)):
        before = datetime(*day, tzinfo=UTC) - timedelta(hours=3)
        assert next_due(two, before, site_timezone="UTC") == datetime(*day, hour, tzinfo=UTC)


# ---------------------------------------------------------------- what can be chosen


def test_what_can_be_chosen_is_every_topic_and_other() -> None:
    digests = [
        DigestConfig(name="a", topics=(TopicConfig(name="C++"), TopicConfig(name="C"))),
        DigestConfig(name="b", topics=(TopicConfig(name="Birds", slug="aves"), TopicConfig(name="c"))),
    ]
    assert topic_slugs(digests) == ("c", "c-2", "aves", "other")


def test_rules_are_one_to_a_line_each_once() -> None:
    typed = "graph  network\r\n\nAuthor :Finch, A.\n author:Finch, A.\ncategory: cs.XX\nre:search\n"
    assert parse_rules(typed) == ("graph network", "author:Finch, A.", "category: cs.XX", "re:search")


def test_what_is_fine_has_no_problem() -> None:
    fine = Preferences(
        topics=("ss", "other"), frequency="weekly", weekly_on=6, hour=23, timezone="Asia/Kathmandu", most=1000,
        follow=("language model", "author:O'Neil", "C", "トークン"), mute=("title:survey*",) * (RULES - 5),
    )  # fmt: skip
    assert preferences_problems(fine, [*SLUGS, "other"]) == []
    assert preferences_problems(Preferences(), []) == []


@pytest.mark.parametrize(
    ("preferences", "said"),
    [
        (Preferences(topics=("te", "sss")), 'no topic "sss". Did you mean "ss"?'),
        (Preferences(topics=("x\x1b[1m" * 99,)), "Known: ss, ms"),
        (Preferences(hour=24), "24 is no hour of the day. Choose 0 to 23"),
        (Preferences(hour=-1), "-1 is no hour"),
        (Preferences(weekly_on=7), "7 is no day of the week. Choose 0 (Monday)"),
        (Preferences(frequency="hourly"), '"hourly" is no frequency. Choose daily'),  # type: ignore[arg-type]
        (Preferences(most=-1), "Choose 1 to 1000"),
        (Preferences(most=10**12), "Choose 1 to 1000"),
        (Preferences(timezone="Europe/Berln"), 'Did you mean "Europe/Berlin"?'),
        (Preferences(timezone="../../etc/passwd"), "no time zone"),
        (Preferences(timezone="Europe"), "no time zone"),
        (Preferences(timezone="\0"), 'Write a name like "Europe/Berlin"'),
        (Preferences(timezone="x" * 5000), "no time zone"),
        (Preferences(follow=("x",) * 30, mute=("y",) * 21), "51 rules to follow and mute are too many. Keep 50"),
        (Preferences(mute=("a\0b",)), "control character"),
        (Preferences(mute=("\ud800",)), "control character"),
        (Preferences(follow=("w" * 101,)), "longer than 100 characters"),
        (Preferences(follow=("autor:Finch",)), 'no field "autor". Did you mean "author"?'),
        (Preferences(mute=("author:",)), "would fit every paper"),
        (Preferences(mute=("*",)), "would fit every paper"),
        (Preferences(mute=("owl",), follow=("owl",)), "followed and muted"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_is_said_with_its_mend(preferences: Preferences, said: str) -> None:
    problems = preferences_problems(preferences, SLUGS)
    assert len(problems) == 1 and said in problems[0]
    assert problems[0].isprintable() and len(problems[0]) < 300


@pytest.mark.parametrize(
    ("frequency", "hour"), list(product(["daily", "weekdays", "weekly"], range(0, 24, 5)))
)
def test_every_day_of_two_years_has_its_mail_of_the_week(frequency: Any, hour: int) -> None:
    preferences = Preferences(frequency=frequency, hour=hour, timezone="Europe/Berlin")
    start = datetime(2026, 1, 1, 5, 12, tzinfo=UTC)
    dues = [next_due(preferences, start + timedelta(days=n), site_timezone="UTC") for n in range(730)]
    assert dues == sorted(dues)
    assert len(set(dues)) <= {"daily": 730, "weekdays": 626, "weekly": 106}[frequency]
