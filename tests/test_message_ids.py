"""Message-IDs: one for each mail, the same whenever it is sent again."""

from __future__ import annotations

from datetime import date

import pytest

from digest.mail.ids import message_id

DAY = date(2026, 11, 19)
GUID = "tag:papers.example.org,2026:edition/daily/2026-11-19"


def test_a_mail_keeps_its_message_id_over_versions() -> None:
    # What this was when the mail was queued may be on its way, and a reader's program knows a copy by it.
    assert message_id(DAY, 1, "papers.example.org", GUID, 7) == (
        "<20261119.1.b1a9ee2cc204cccae0b71665@papers.example.org>"
    )


@pytest.mark.parametrize(
    "other",
    [
        message_id(date(2026, 11, 20), 1, "papers.example.org", GUID, 7),
        message_id(DAY, 2, "papers.example.org", GUID, 7),
        message_id(DAY, "notice", "papers.example.org", GUID, 7),
        message_id(DAY, 1, "papers.example.org", GUID, 8),
        message_id(DAY, 1, "papers.example.org", GUID, 7, "copy"),
    ],
)
def test_no_two_mails_share_one(other: str) -> None:
    assert other != message_id(DAY, 1, "papers.example.org", GUID, 7)


def test_it_tells_no_relay_to_whom_the_mail_goes() -> None:
    assert "reader" not in message_id(DAY, 1, "papers.example.org", GUID, "reader@example.net")


def test_its_domain_is_in_ascii() -> None:
    assert message_id(DAY, 1, "bücher.example", GUID).endswith("@xn--bcher-kva.example>")
