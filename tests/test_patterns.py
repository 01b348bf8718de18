"""Expressions that are compiled when they are first used."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import digest
from digest.patterns import _Late, late
from hostile_patterns import attacks

SLOW_S = 0.1  # for 1,000 signs; a quadratic one takes a third of it


def all_patterns() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """The name of each, itself, and how its module calls it: `search` for all that may begin anywhere."""
    for module in pkgutil.walk_packages(digest.__path__, "digest."):
        if module.name.endswith("__main__"):
            continue
        imported = importlib.import_module(module.name)
        source = Path(imported.__file__ or "").read_text()
        for name, value in vars(imported).items():
            if isinstance(value, _Late | re.Pattern):
                called = set(re.findall(rf"\b{name}\.(\w+)", source))
                way = (
                    "fullmatch"
                    if called == {"fullmatch"}
                    else "match"
                    if called <= {"match", "fullmatch"}
                    else "search"
                )
                yield f"{module.name}.{name}", cast("re.Pattern[Any]", value), way


def test_a_late_pattern_answers_as_a_compiled_one() -> None:
    made, compiled = late(r"(?P<year>\d{4})-(\d\d)", re.I), re.compile(r"(?P<year>\d{4})-(\d\d)", re.I)
    text = "from 2026-11 to 2027-03"
    assert made.findall(text) == compiled.findall(text)
    assert made.sub(r"\1", text) == compiled.sub(r"\1", text) == "from 2026 to 2027"
    assert [found.span() for found in made.finditer(text)] == [(5, 12), (16, 23)]
    assert (made.pattern, made.flags, made.groupindex) == (
        compiled.pattern,
        compiled.flags,
        compiled.groupindex,
    )
    assert late(rb"\d").sub(b"0", b"1 and 2") == b"0 and 0"


def test_nothing_is_compiled_before_it_is_used() -> None:
    broken = late("(")
    with pytest.raises(re.error):
        broken.search("")


def test_every_late_pattern_can_be_compiled() -> None:
    found = [pattern.groups for _, pattern, _ in all_patterns() if isinstance(pattern, _Late)]
    assert len(found) > 200


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5 goes on behind an iteration that failed (gh-106052); an atomic group around it does not."""
    sources = Path(digest.__file__).parent.rglob("*.py")
    found = [
        f"{file.name}: {line.strip()}"
        for file in sources
        for line in file.read_text().splitlines()
        if re.search(r"\)(?:[*+?]|\{\d+,\d+\})\+", line)
    ]
    assert found == []


def seconds(call: Callable[[Any], object], text: str | bytes) -> float:
    """The least of three, of this thread alone; of one where that says enough."""
    least = float("inf")
    for _ in range(3):
        started = time.thread_time()
        call(text)
        least = min(least, time.thread_time() - started)
        if not SLOW_S < least < 5 * SLOW_S:
            break
    return least


def slow_on(pattern: re.Pattern[Any], way: str) -> str:
    """A text for which this takes more than quadratic time; "" for none."""
    call, given = getattr(pattern, way), pattern.pattern
    for texts in attacks(given.decode("latin-1") if isinstance(given, bytes) else given, pattern.flags):
        for text in texts:
            if seconds(call, text.encode("latin-1", "ignore") if isinstance(given, bytes) else text) > SLOW_S:
                return text
    return ""


@pytest.mark.parametrize("hostile", [r"(?:a|a)*b", r"(?:a|aa)*b", r"x:[ \t]*([^\n]*?)[ \t]*\n", r"\s*\s*z"])
def test_what_finds_slow_patterns_finds_them(hostile: str) -> None:
    assert slow_on(re.compile(hostile), "search")


def test_no_pattern_takes_cubic_time_for_what_it_repeats() -> None:
    slow = {name: text for name, pattern, way in all_patterns() if (text := slow_on(pattern, way))}
    assert not slow
