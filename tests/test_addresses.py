"""A-labels: one spelling of a domain, whoever asks for it."""

from __future__ import annotations

import pytest

from digest.addresses import ascii_address, ascii_domain, is_loopback
from digest.errors import UsageError
from digest.mail.envelope import wire_address
from digest.mail.headers import mailable
from digest.store.suppressions import fold
from digest.subscriptions import checked_address


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("papers.example.org", "papers.example.org"),
        ("Papers.EXAMPLE.org", "papers.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Bu\u0308cher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("論文。example", "xn--7dv834f.example"),
        ("", None),
        ("a..b", None),
        ("a b.example", None),
        ("ü-.example", None),
        (f"{'ü' * 60}.example", None),
        ("😀.example", None),
        ("caf\udce9.example", None),
    ],
)
def test_a_domain_has_one_spelling(domain: str, found: str | None) -> None:
    assert ascii_domain(domain) == found


@pytest.mark.parametrize("domain", ["bücher.example", "straße.example", "βόλος.example", "論文.example"])
def test_who_subscribes_is_looked_up_queued_and_mailed_under_one_address(domain: str) -> None:
    address = f"ann@{domain}"
    normal = checked_address(address)
    assert normal.isascii()
    assert {
        fold(address),
        fold(normal),
        mailable(address),
        wire_address(address),
        ascii_address(address),
    } == {normal}


def test_an_address_that_is_ascii_or_cannot_be_stays_as_it_is() -> None:
    assert ascii_address("Ann@Example.ORG") == "Ann@Example.ORG"
    assert ascii_address("ann@😀.example") == "ann@😀.example"


def test_only_who_tries_something_out_may_use_an_address_that_belongs_to_nobody() -> None:
    assert checked_address("Ann@Mail.test") == "Ann@mail.test"
    with pytest.raises(
        UsageError, match=r"'Ann@Mail.test' is no mail address: .* Write it as name@example.org"
    ):
        checked_address("Ann@Mail.test", tests=False)


@pytest.mark.parametrize("local", ["x" * 64, "x" * 65, "a.b+c", "'o", "a..b", ".a", '"a b"', "a" * 63 + "é"])
def test_whoever_may_subscribe_can_be_mailed(local: str) -> None:
    try:
        address = checked_address(f"{local}@example.org")
    except UsageError:
        return
    assert mailable(address) == address


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("127.example.org", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("::", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_itself_are_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here
