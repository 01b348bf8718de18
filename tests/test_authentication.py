"""What DNS says of our mail: canned zones, good and bad, and the findings they give (tests/zones/NAME.toml and .json).

`DIGEST_REFRESH=1` writes the findings anew; read what was written.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config import Config, DkimConfig, MailConfig, SiteConfig, WebConfig
from digest.errors import DnsError
from digest.mail import dkim_record
from digest.mail.authentication import findings, link_findings
from digest.mail.spf import read_spf
from digest.tokens import Tokens

ZONES = Path(__file__).parent / "zones"
NAMES = sorted(path.stem for path in ZONES.glob("*.toml"))
KEYS = {name: (ZONES / f"{name}.pem").read_bytes() for name in ("key-512", "key-1024", "key-2048")}
Lookup = Callable[[str, str], list[str]]


def published(name: str) -> str:
    """The public half of a key, as OpenSSL wrote it."""
    return (ZONES / f"{name}.txt").read_text().strip()


def lookup_in(records: dict[str, Any]) -> Lookup:
    def lookup(name: str, kind: str) -> list[str]:
        found = records.get(f"{name} {kind}", [])
        if found == "fails":
            raise DnsError(f"{name} ({kind}) could not be asked in DNS. Try again.", name=name)
        return [re.sub(r"\{(key-\d+)\}", lambda match: published(match[1]), text) for text in found]

    return lookup


def config_of(mail: dict[str, Any], *, signs: bool) -> Config:
    dkim = DkimConfig(selector="s1", key_file="dkim.pem", domain=mail.get("dkim", {}).get("domain", ""))
    return Config(
        site=SiteConfig(url="https://papers.example.org/"),
        mail=MailConfig(
            from_=mail["from"],
            bounces=mail.get("bounces", ""),
            transport="smtp",
            dkim=dkim if signs else DkimConfig(),
        ),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_zone_gives_its_findings(name: str) -> None:
    zone = tomllib.loads((ZONES / f"{name}.toml").read_text())
    found = [
        list(finding)
        for finding in findings(
            config_of(zone["mail"], signs=bool(zone["key"])),
            lookup=lookup_in(zone["records"]),
            outgoing_addresses=zone["outgoing"],
            dkim_key=KEYS.get(zone["key"]),
        )
    ]
    expected = ZONES / f"{name}.json"
    if os.environ.get("DIGEST_REFRESH"):
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(expected.read_text())
    assert name.startswith("good") == all(level == "ok" for level, _, _ in found)


def test_there_are_zones_enough() -> None:
    assert len([n for n in NAMES if n.startswith("good")]) >= 5
    assert len([n for n in NAMES if n.startswith("bad")]) >= 15


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("bad")])
def test_every_finding_that_is_not_ok_has_a_mend(name: str) -> None:
    for level, _, text in json.loads((ZONES / f"{name}.json").read_text()):
        mends = r"Write |Add |Take |Keep |Join |Mend |Make |Set |Send |Have |Choose |Try again"
        assert level == "ok" or re.search(mends, text), text


def test_the_record_of_a_key_is_the_one_that_openssl_makes() -> None:
    for name in ("key-1024", "key-2048"):
        assert dkim_record.record_of(KEYS[name]) == f"v=DKIM1; k=rsa; p={published(name)}"


@pytest.mark.parametrize("name", ["key-1024", "key-2048"])
def test_a_record_with_any_letter_of_its_key_changed_does_not_verify(name: str) -> None:
    record = dkim_record.record_of(KEYS[name])
    start = record.index("p=") + 40
    for at in range(start, len(record) - 12, 37):
        changed = record[:at] + ("A" if record[at] != "A" else "B") + record[at + 1 :]
        assert not dkim_record.verifies(KEYS[name], changed, selector="s1", domain="papers.example.org")
    assert dkim_record.verifies(KEYS[name], record, selector="s1", domain="papers.example.org")


@given(st.binary(max_size=60))
@example(b"-----BEGIN RSA PRIVATE KEY-----\n!!!!\n-----END RSA PRIVATE KEY-----\n")
@example(b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")
@example(b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n")
@example(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
@example(KEYS["key-1024"][:300] + KEYS["key-1024"][365:])
def test_what_is_no_key_is_told_and_not_repeated(junk: bytes) -> None:
    assert dkim_record.key_problem(junk).startswith("the key_file holds no private RSA key")


WORDS = ["v=spf1", "-all", "+all", "?all", "ip4:203.0.113.0/24", "ip6:2001:db8::/32", "ip4:", "a", "mx/24", "mx//200",
         "include:papers.example.org", "redirect=other.example.org", "redirect=", "exists:%{i}.x.example", "ptr", "a:/3",
         "include:", "=", "::", "all:x", "ip4:1.2.3.4/99", "\u0661", "exp=x", "v=spf1"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=8), st.lists(st.sampled_from(WORDS), max_size=4))
def test_no_record_can_bring_the_judge_down_or_keep_it_busy(one: list[str], two: list[str]) -> None:
    asked = []
    records = {
        "papers.example.org TXT": ["v=spf1 " + " ".join(one)],
        "other.example.org TXT": ["v=spf1 " + " ".join(two)],
    }

    def lookup(name: str, kind: str) -> list[str]:
        asked.append(name)
        return records.get(f"{name} {kind}", [])

    spf = read_spf("papers.example.org", lookup)
    assert spf is not None
    assert spf.result("203.0.113.9") in ("pass", "fail", "softfail", "neutral", "permerror", "unknown")
    assert len(asked) < 1000


@pytest.mark.parametrize(
    ("url", "enabled", "level", "word"),
    [
        ("https://papers.example.org/", True, "ok", "64 characters"),
        ("http://papers.example.org/", True, "fault", "https"),
        (
            "https://papers.institute-of-long-names.example.org/",
            True,
            "warning",
            '"url" of at most 33 characters',
        ),
        ("https://papers.example.org/", False, "warning", "enabled = true"),
    ],
)
def test_unsubscribe_links_are_judged_before_they_are_mailed(
    url: str, enabled: bool, level: str, word: str
) -> None:
    config = Config(site=SiteConfig(url=url), web=WebConfig(enabled=enabled))
    (finding,) = link_findings(config)
    assert finding[0] == level
    assert word in finding[2]


def test_the_length_of_a_link_is_that_of_the_links_in_mails() -> None:
    from datetime import UTC, datetime

    from digest.model import Subscriber

    reader = Subscriber(
        id=2**33, address="a@example.org", status="confirmed", since=datetime(2026, 11, 21, tzinfo=UTC)
    )
    url = "https://papers.example.org/"
    link = f"{url}unsubscribe/?t={Tokens(b'k').make('unsubscribe', reader)}"
    (finding,) = link_findings(Config(site=SiteConfig(url=url)))
    assert f"{len(link)} characters of 70" in finding[2]


def test_a_sender_outside_the_public_dns_is_a_fault_at_once() -> None:
    def lookup(name: str, kind: str) -> list[str]:
        raise AssertionError(f"{name} was asked")

    config = Config(site=SiteConfig(url="https://papers.example.org/"))
    (finding,) = findings(config, lookup=lookup, outgoing_addresses=[], dkim_key=None)
    assert finding[:2] == ("fault", "from")
    assert "Write [mail] from =" in finding[2]


def test_a_key_of_openssl_three_is_read_too(tmp_path: Path) -> None:
    """PKCS 8 ("BEGIN PRIVATE KEY"), which `openssl genrsa` writes since 3.0."""
    try:
        done = subprocess.run(
            ["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", str(ZONES / "key-2048.pem")],
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("needs openssl")
    assert done.stdout.startswith(b"-----BEGIN PRIVATE KEY")
    assert dkim_record.record_of(done.stdout) == dkim_record.record_of(KEYS["key-2048"])
