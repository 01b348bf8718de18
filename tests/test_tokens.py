"""Tokens: what they let whom do, and that nobody else can make one."""

from __future__ import annotations

import random
import secrets
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from digest.errors import TokenExpired, TokenInvalid
from digest.model import Subscriber
from digest.tokens import Purpose, Tokens

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
TOKENS = Tokens(b"k" * 32)
PURPOSES: tuple[Any, ...] = get_args(Purpose)
ENDING = ("confirm", "undo")


def person(number: int = 7, nonce: str = "00ff00ff00ff00ff") -> Subscriber:
    return Subscriber(id=number, address="ann@example.org", status="confirmed", since=NOW, nonce=nonce)


def made(purpose: Any, who: Subscriber | None = None) -> str:
    until = NOW + timedelta(hours=48) if purpose in ENDING else None
    return TOKENS.make(purpose, who or person(), until=until)


def accepted(purpose: Any, token: str, *, nonce: str | None = person().nonce, now: datetime = NOW) -> bool:
    try:
        return TOKENS.read(purpose, token, nonce_of=lambda number: nonce, now=now) > 0
    except TokenInvalid:
        return False


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_token_names_its_subscriber(purpose: Any) -> None:
    for number in (1, 7, 100_000, 2**40 - 1):
        who = person(number)
        read = TOKENS.read(purpose, made(purpose, who), nonce_of={number: who.nonce}.get, now=NOW)
        assert read == number


@pytest.mark.parametrize(("made_for", "read_as"), list(product(PURPOSES, PURPOSES)))
def test_a_token_is_good_for_its_own_purpose_only(made_for: Any, read_as: Any) -> None:
    assert accepted(read_as, made(made_for)) == (made_for == read_as)


def test_no_token_survives_a_turned_bit() -> None:
    dice, found = random.Random(20261119), 0
    for n in range(10_000):
        purpose = PURPOSES[n % len(PURPOSES)]
        token = made(purpose, person(1 + n))
        place, bit = dice.randrange(len(token)), 1 << dice.randrange(7)
        turned = token[:place] + chr(ord(token[place]) ^ bit) + token[place + 1 :]
        # Relays may change the case of a local part: there it is no other token.
        same = purpose == "bounce" and turned.lower() == token
        found += accepted(purpose, turned) and not same
    assert found == 0


def _guesses(count: int) -> int:
    real, found = made("unsubscribe"), 0
    for n in range(count):
        # Of the right shape and for a subscriber that is there: only the signature is a guess.
        guess = real[:7] + secrets.token_urlsafe(12)[:15] if n % 2 else secrets.token_urlsafe(16)
        found += guess != real and accepted("unsubscribe", guess)
    return found


def test_nobody_guesses_a_token() -> None:
    assert _guesses(20_000) == 0


@pytest.mark.torture
def test_nobody_guesses_a_token_in_a_million_tries() -> None:
    assert _guesses(1_000_000) == 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_token_dies_with_its_subscriber_or_nonce_and_is_of_one_store(purpose: Any) -> None:
    token = made(purpose)
    assert accepted(purpose, token)
    assert not accepted(purpose, token, nonce=None)
    assert not accepted(purpose, token, nonce="")
    assert not accepted(purpose, token, nonce="00ff00ff00ff00fe")
    other = Tokens(b"l" * 32)
    with pytest.raises(TokenInvalid):
        other.read(purpose, token, nonce_of=lambda n: person().nonce, now=NOW)


def test_confirm_and_undo_links_end_and_the_others_never_do() -> None:
    for purpose in PURPOSES:
        token = made(purpose)
        assert accepted(purpose, token, now=NOW + timedelta(hours=47, minutes=59))
        late = NOW + timedelta(days=3650)
        if purpose in ENDING:
            assert TOKENS.end(purpose, token) == NOW + timedelta(hours=48)
            with pytest.raises(TokenExpired) as caught:
                accepted(purpose, token, now=NOW + timedelta(hours=48, seconds=1))
            assert caught.value.subscriber_id == 7
        else:
            assert accepted(purpose, token, now=late)


def test_an_ended_link_that_was_altered_is_no_link() -> None:
    token = made("confirm")
    altered = ("A" if token[-1] != "A" else "B").join([token[:-1], ""])
    assert not accepted("confirm", altered, now=NOW + timedelta(days=9))


def test_the_end_is_asked_for_where_there_is_one() -> None:
    for purpose in PURPOSES:
        with pytest.raises(ValueError, match="end"):
            TOKENS.make(purpose, person(), until=None if purpose in ENDING else NOW)


def test_tokens_are_short_and_need_no_quoting() -> None:
    assert {p: len(made(p)) for p in PURPOSES} == {
        "confirm": 27, "undo": 27, "manage": 22, "unsubscribe": 22, "bounce": 26,
    }  # fmt: skip
    assert all(c.isascii() and (c.isalnum() or c in "-_") for p in PURPOSES for c in made(p))


def test_a_bounce_token_is_taken_in_capitals_too() -> None:
    token = made("bounce")
    assert token == token.lower()
    assert accepted("bounce", token.upper())


@pytest.mark.parametrize(
    "token",
    ["", " ", "a", "=" * 22, "\0" * 22, "é" * 22, "\ud800" * 22, "a" * 21, "a" * 23, "a" * 10**6, "a" * 21 + "\n"],
)  # fmt: skip
@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_is_no_token_at_all_is_invalid(purpose: Any, token: str) -> None:
    assert not accepted(purpose, token)


@pytest.mark.parametrize("ending", ["\n", "=", "==", " ", "%3D", "\r", "a"])
def test_nothing_may_stand_behind_a_token(ending: str) -> None:
    for purpose in PURPOSES:
        assert not accepted(purpose, made(purpose) + ending)


def test_equal_subscribers_have_equal_tokens() -> None:
    again = replace(person(), address="other@example.org", status="paused")
    assert {p: made(p) for p in PURPOSES} == {p: made(p, again) for p in PURPOSES}
