"""Dates as feeds write them: RFC 822 and 5322 with what is obsolete in them, ISO 8601, and what is none."""

from __future__ import annotations

import pytest

from digest.sources._dates import rfc3339


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Thu, 19 Nov 2026 06:30:05 +0000", "2026-11-19T06:30:05+00:00"),
        ("Thu,19 Nov 2026 06:30:05 GMT", "2026-11-19T06:30:05+00:00"),  # RFC 5322 wants no space there
        ("19 Nov 2026 06:30 EST", "2026-11-19T06:30:00-05:00"),
        ("Thu, 19 Nov 26 06:30:05 -0330", "2026-11-19T06:30:05-03:30"),
        ("Thursday, 19 November 2026 06:30:05 Z", "2026-11-19T06:30:05+00:00"),
        ("Thu 9 Nov. 2026", "2026-11-09"),
        ("Thu, 19 Nov 99 06:30:05 UT", "1999-11-19T06:30:05+00:00"),
        ("Thu, 19 Nov 2026 06:30:05", "2026-11-19"),  # which 06:30 is not said
        ("Thu, 19 Nov 2026 06:30:05 XYZ", "2026-11-19"),
        ("2026-11-19T06:30:05Z", "2026-11-19T06:30:05+00:00"),
        ("2026-11-19T06:30:05.25+01:00", "2026-11-19T06:30:05.250000+01:00"),
        ("2026-11-19T06:30:05", "2026-11-19"),
        (" 2026-11-19 ", "2026-11-19"),
        ("2026-11-19 06:30:05+01:00", "2026-11-19T06:30:05+01:00"),
        ("Nov 9, 2026", "2026-11-09"),
        ("Thursday, November 19, 2026", "2026-11-19"),
        ("Sept. 9th, 2026", "2026-09-09"),
        ("Thu Nov 19 06:30:05 UTC 2026", "2026-11-19"),
        ("Thu Nov  9 06:30:05 2026", "2026-11-09"),
        ("2026/11/19", "2026-11-19"),
        ("2026.11.9", "2026-11-09"),
        ("20261119", "2026-11-19"),
        ("20261319", None),
        ("202611190", None),
        ("11/12/2026", None),
        ("May 2026", None),
        ("Volume 3, 2026", None),
        ("2026-11", None),
        ("Thu, 31 Nov 2026 06:30:05 GMT", None),
        ("Thu, 19 Smarch 2026 06:30:05 GMT", None),
        ("Thu, 19 Nov 2026 25:30:05 GMT", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_read_as_far_as_it_says_one(written: str, read: str | None) -> None:
    assert rfc3339(written) == read
