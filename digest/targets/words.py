"""What went wrong at a target, in words that may be shown to anybody."""

from __future__ import annotations

import re

from digest.config import PublishConfig

_MOST = 500


def said(text: str, target: PublishConfig) -> str:
    """A message on one line, without the keys of the target and without user names and passwords in addresses."""
    logins = [
        found[1]
        for address in (target.repository, target.destination)
        if (found := re.match(r"\w+://(.+)@", address))
    ]
    for key in (*logins, target.secret_key, target.access_key):
        if len(key) > 2:  # shorter ones are none, and stand in every word
            text = text.replace(key, "…")
    # As others write them: without the password, or in another spelling.
    text = re.sub(r"(\w://)[^\s/'\"]*@", r"\1…@", text)
    text = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", text)
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
