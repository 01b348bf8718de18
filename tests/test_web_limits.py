"""Whose request it is, how many of a network pass, and which forms are ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config import WebConfig
from digest.web.limits import Limits, client_address, network_of, networks
from digest.web.origin import is_foreign

# As the configuration may name them: 10.9.8.7/8 is the network around that address.
PROXIES = networks(["127.0.0.1", "10.9.8.7/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not from a proxy: what it says is not believed
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),  # the left one was written by who asks
        ("127.0.0.1", ["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, 10.2.3.4"], "198.51.100.1"),  # two proxies of ours
        ("127.0.0.1", ["10.2.3.4"], "10.2.3.4"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ['"[2001:db8::1]:4711"'], "2001:db8::1"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::7", ["2001:db8::1"], "2001:db8::1"),
        ("local", ["198.51.100.1"], "local"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


@given(peer=st.ip_addresses(), forwarded=st.lists(st.text(max_size=30), max_size=5))
def test_without_proxies_a_header_never_changes_who_asks(peer: object, forwarded: list[str]) -> None:
    plain = client_address(str(peer), [], [])
    assert client_address(str(peer), forwarded, []) == plain


@given(forwarded=st.lists(st.text(max_size=30), max_size=5))
def test_any_header_is_survived(forwarded: list[str]) -> None:
    assert network_of(client_address("127.0.0.1", forwarded, PROXIES))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.1", "198.51.100.254", True),
        ("198.51.100.1", "198.51.101.1", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("local", "local", True),
    ],
)
def test_a_network_is_a_24_or_a_64(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def test_a_network_is_stopped_at_its_limit_and_others_are_not() -> None:
    limits = Limits(WebConfig(per_network_per_hour=3, per_hour=100))
    assert [limits.wait_s(f"198.51.100.{n}") > 0 for n in range(5)] == [False, False, False, True, True]
    assert 3500 < limits.wait_s("198.51.100.9") <= 3601
    assert limits.wait_s("203.0.113.1") == 0


def test_all_networks_together_are_stopped_at_the_limit_of_all() -> None:
    limits = Limits(WebConfig(per_network_per_hour=3, per_hour=10))
    passed = [limits.wait_s(f"198.51.{n}.1") == 0 for n in range(50)]
    assert passed == [True] * 10 + [False] * 40


def test_what_is_refused_to_one_network_does_not_use_up_the_hour_of_all() -> None:
    limits = Limits(WebConfig(per_network_per_hour=1, per_hour=3))
    for _ in range(50):
        limits.wait_s("198.51.100.1")
    assert [limits.wait_s(f"203.0.{n}.1") == 0 for n in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        ("null", False),
        ("http://127.0.0.1:8000", False),
        ("https://papers.example.org", False),
        ("https://PAPERS.example.org", False),
        ("https://evil.example", True),
        ("https://papers.example.org.evil.example", True),
        ("https://papers.example.org:444", True),
        ("https://evil.example/papers.example.org", True),
        ("file://papers.example.org", True),
        ("http://[", True),
        ("", True),
    ],
)
def test_a_form_of_another_site_is_told_by_its_origin(origin: str | None, foreign: bool) -> None:
    assert is_foreign(origin, "127.0.0.1:8000", "https://papers.example.org/") is foreign
    assert is_foreign(origin, "LOCALHOST:8000", "https://Papers.Example.org/") is (
        foreign or origin == "http://127.0.0.1:8000"
    )
    assert not is_foreign("http://localhost:8000", "LOCALHOST:8000", "https://papers.example.org/")
