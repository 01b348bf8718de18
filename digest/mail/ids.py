"""Message-IDs, all of them made here (RFC 5322, 3.6.4)."""

from __future__ import annotations

import hashlib
from datetime import date

from digest.addresses import ascii_address


def message_id(day: date, kind: str | int, domain: str, *of: object) -> str:
    """The Message-ID of a mail of that day, in angle brackets: "<20261119.notice.5d41402abc4b2a76b9719d91@example.org>".

    It is the same however often the mail is sent. `of` says which mail of its day and kind it is; a digest of that is shown and
    not itself, since the header is seen by every relay on the way.
    """
    token = hashlib.sha256("\0".join(map(str, of)).encode()).hexdigest()[:24]
    return f"<{day:%Y%m%d}.{kind}.{token}@{ascii_address(domain)}>"
