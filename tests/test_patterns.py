"""Expressions that are compiled when they are first used."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import digest
from digest.patterns import _Late, late


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
    found = 0
    for module in pkgutil.walk_packages(digest.__path__, "digest."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, _Late):
                assert value.groups >= 0  # type: ignore[attr-defined]
                found += 1
    assert found > 200


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
