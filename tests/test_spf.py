"""SPF (RFC 7208): what is no record of it, and what a receiver concludes of mail from an address."""

from __future__ import annotations

import pytest

from digest.mail.spf import Spf, read_spf

ZONE = {
    "mail.example.org A": ["203.0.113.9"],
    "mail.example.org AAAA": ["2001:db8::9"],
    "foo:bar/baz.example.org A": ["203.0.113.9"],
    "all.example.org TXT": ["v=spf1 -all"],
    "open.example.org TXT": ["v=spf1 exists:%{i}.example.org -all"],
    "none.example.org TXT": ["something else"],
}


def read(record: str, domain: str = "papers.example.org") -> Spf:
    zone = ZONE | {f"{domain} TXT": [record]}
    spf = read_spf(domain, lambda name, kind: zone.get(f"{name} {kind}", []))
    assert spf is not None
    return spf


BROKEN = [
    # a name to ask for ends in a label that may be one of the top (7.1)
    "a:203.0.113.9 -all", "a:mail.example.123 -all", "a:mail.example.org:25 -all", "a:localhost -all", "a:mail.-org -all",
    "mx:example.org- -all", "a:mail.example.org\0 -all", "include:papers -all", "exists:x -all", "redirect=papers",
    "a:m\u00e4il.example.org",
    # lengths of networks, and where they may stand (5.3, 5.5, 5.6)
    "ip4:203.0.113.9/024 -all", "ip4:203.0.113.9//24 -all", "ip4:203.0.113.0/33 -all", "ip6:2001:db8::/0129 -all",
    "ip6:203.0.113.9", "ip4:2001:db8::1", "a/033 -all", "a/33", "a//129", "ptr/0 -all",
    "include:all.example.org/24", "all/8", "a:/24 -all", "a/x",
    # modifiers (6, 7)
    "redirect=all.example.org redirect=all.example.org", "exp=a.example.org exp=a.example.org -all", "redirect= ?all", "exp= -all",
    "redirect=-all", "exp=-all", "exp=%{r}.example.org -all", "more=%abc -all",
    # macros (7.2)
    "exists:%(ir).example.org ?all", "exists:x%.example.org", "a:%{a}.example.org -all", "a:%{d.example.org -all",
    "include:none.example.org", "-all more", "all:x", "include: -all", "exists", "ip4", "ip6:", "=", "\u0661",
]  # fmt: skip


@pytest.mark.parametrize("terms", BROKEN)
def test_what_is_no_term_of_spf_makes_the_whole_record_useless(terms: str) -> None:
    spf = read(f"v=spf1 ip4:203.0.113.9 {terms}")
    assert spf.problems
    assert spf.result("203.0.113.9") == "permerror"


JUDGED = [
    ("a:mail.example.org -all", "203.0.113.9", "pass"),
    ("a:mail.example.org. -all", "203.0.113.9", "pass"),
    ("a:mail.example.org/24 -all", "203.0.113.77", "pass"),
    ("a:mail.example.org/24//64 -all", "2001:db8::77", "pass"),
    ("a:mail.example.org//64 -all", "203.0.113.77", "fail"),
    ("a:foo:bar/baz.example.org -all", "203.0.113.9", "pass"),
    ("a:mail.xn--p1ai  ip4:203.0.113.0/0 -all", "198.51.100.1", "pass"),
    ("exists:mail.example.org -all", "198.51.100.1", "pass"),
    ("exists:gone.example.org -all", "198.51.100.1", "fail"),
    # an IPv4 address is one however it is written (5)
    ("ip4:203.0.113.9 -all", "::ffff:203.0.113.9", "pass"),
    ("a:mail.example.org//0 -all", "::ffff:198.51.100.1", "fail"),
    ("-ip4:203.0.113.9 ip6:::ffff:203.0.113.9", "203.0.113.9", "fail"),
    ("ip6:::1.1.1.1/0 ?all", "203.0.113.9", "neutral"),
    # what depends on the mail decides only where it would decide the same
    ("exists:%{i}.example.org ip4:203.0.113.9 -all", "203.0.113.9", "pass"),
    ("-exists:%{i}.example.org ip4:203.0.113.9 -all", "203.0.113.9", "unknown"),
    ("-exists:%{i}.example.org -ip4:203.0.113.9", "203.0.113.9", "fail"),
    ("ptr -all", "203.0.113.9", "unknown"),
    ("include:open.example.org -all", "203.0.113.9", "unknown"),
    ("include:open.example.org ip4:203.0.113.9 -all", "203.0.113.9", "pass"),
    ("include:all.example.org -all", "203.0.113.9", "fail"),
    ("redirect=%{d2}.spf.example.org", "203.0.113.9", "unknown"),
    ("redirect=all.example.org", "203.0.113.9", "fail"),
    ("redirect=all.example.org ?all", "203.0.113.9", "neutral"),
    ("more=%{c}%%x -all", "203.0.113.9", "fail"),
]


@pytest.mark.parametrize(("terms", "address", "result"), JUDGED)
def test_a_receiver_concludes_what_the_terms_say(terms: str, address: str, result: str) -> None:
    spf = read(f"v=spf1 {terms}")
    assert spf.problems == ()
    assert spf.result(address) == result


@pytest.mark.parametrize(
    ("terms", "ending"),
    [("-all", "-"), ("redirect=all.example.org", "-"), ("a", ""), ("redirect=%{d}.example.org", "%")],
)
def test_how_a_record_ends_is_told_as_far_as_it_does_not_depend_on_the_mail(terms: str, ending: str) -> None:
    assert read(f"v=spf1 {terms}").ending == ending
