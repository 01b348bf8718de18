"""Signed tokens: the right to do one thing for one subscriber, in a link or an address. Pure.

A token is a subscriber's number, for some purposes the minute at which it ends, and 88 bits of HMAC-SHA256 over purpose,
number, end and the subscriber's nonce. It is 22 characters long where it never ends, so that a List-Unsubscribe address stays
below 70 and no mail program folds it; general signers make 40 and more.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from digest.errors import TokenExpired, TokenInvalid
from digest.model import Subscriber

# What a token lets its holder do, and whether it ends. An unsubscribe link never does.
Purpose = Literal["confirm", "manage", "unsubscribe", "undo", "bounce"]
_ENDING: frozenset[str] = frozenset({"confirm", "undo"})
_MAC_BYTES = 11
_ID_BYTES = 5
_END_BYTES = 4


class Tokens:
    """Makes and checks tokens with the key of one store."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, purpose: Purpose, subscriber: Subscriber, *, until: datetime | None = None) -> str:
        """A token; `until` is needed for the purposes that end (confirm, undo), to the minute, and refused for the others.

        For "bounce" it is of a-z and 2-7, 26 characters, since relays may turn a local part into lower case.
        """
        if (until is not None) != (purpose in _ENDING):
            raise ValueError(f"a token for {purpose!r} {'needs' if until is None else 'has no'} end")
        body = subscriber.id.to_bytes(_ID_BYTES, "big")
        if until is not None:
            body += int(until.timestamp() // 60).to_bytes(_END_BYTES, "big")
        raw = body + self._mac(purpose, body, subscriber.nonce)
        return _write(purpose, raw)

    def read(
        self, purpose: Purpose, token: str, *, nonce_of: Callable[[int], str | None], now: datetime
    ) -> int:
        """The subscriber's number. `nonce_of` gives the nonce of a number, None where there is no such subscriber.

        Raises TokenInvalid for what we did not make for this purpose, and TokenExpired.
        """
        raw = _parse(purpose, token)
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        number = int.from_bytes(body[:_ID_BYTES], "big")
        nonce = nonce_of(number)
        # Compared also where there is nobody, so that both take as long.
        genuine = hmac.compare_digest(mac, self._mac(purpose, body, nonce or ""))
        if nonce is None or not genuine:
            raise TokenInvalid("This link is not one of ours.")
        if purpose in _ENDING and int.from_bytes(body[_ID_BYTES:], "big") * 60 < now.timestamp():
            raise TokenExpired("This link has ended.", subscriber_id=number)
        return number

    def end(self, purpose: Purpose, token: str) -> datetime:
        """When a token of a purpose that ends does so, to the minute below. Not checked: `read` it first."""
        raw = _parse(purpose, token)
        return datetime.fromtimestamp(int.from_bytes(raw[_ID_BYTES:-_MAC_BYTES], "big") * 60, UTC)

    def _mac(self, purpose: Purpose, body: bytes, nonce: str) -> bytes:
        return hmac.digest(self._key, b"\0".join((purpose.encode(), nonce.encode(), body)), "sha256")[
            :_MAC_BYTES
        ]


def _write(purpose: Purpose, raw: bytes) -> str:
    encoded = b32encode(raw).lower() if purpose == "bounce" else urlsafe_b64encode(raw)
    return encoded.decode("ascii").rstrip("=")


def _parse(purpose: Purpose, token: str) -> bytes:
    size = _ID_BYTES + _MAC_BYTES + (_END_BYTES if purpose in _ENDING else 0)
    if purpose == "bounce":
        token = token.lower()
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", token):
        try:
            raw = (
                b32decode(token.upper() + "=" * (-len(token) % 8))
                if purpose == "bounce"
                else urlsafe_b64decode(token + "=" * (-len(token) % 4))
            )
        except ValueError:
            raw = b""
        # Of several spellings of the same bytes only our own counts: no bit of a token may be turned.
        if len(raw) == size and _write(purpose, raw) == token:
            return raw
    raise TokenInvalid("This link is not one of ours.")
