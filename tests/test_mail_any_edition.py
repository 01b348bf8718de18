"""Whatever papers are called, the message that leaves is one: M1 to M6 and M8 of any edition, for any choice, on its raw bytes."""

from __future__ import annotations

import email
import re
import subprocess
from base64 import b64decode
from datetime import date, timedelta
from email.message import EmailMessage
from email.policy import default
from html import unescape
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from conftest import sizes
from digest.addresses import ascii_address
from digest.config import DkimConfig, MailboxConfig
from digest.errors import MailError
from digest.mail.budget import LIMIT
from digest.mail.dkim import signer, signing
from digest.mail.dkim_record import record_of
from digest.model import Delivery, Edition, Paper, Preferences
from digest.text import display_width
from editions import DIGEST, MAIL, SITE, config_of, delivery_to, edition_of, message_to, rich, single

# A stretch of letters of each of twenty scripts, then signs that are no letters.
SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyz",
    "àéîõüßøłžğ",
    "αβγδεζηθικλμ",
    "абвгдежзийкл",
    "աբգդեզէըթժ",
    "אבגדהוזחטי",
    "ابتثجحخدذر",
    "कखगघङचछजझञ",
    "কখগঘঙচছজঝ",
    "ਕਖਗਘਙਚਛਜ",
    "કખગઘચછજઝ",
    "கஙசஞடணதந",
    "కఖగఘఙచఛజ",
    "ಕಖಗಘಙಚಛಜ",
    "กขฃคฅฆงจฉ",
    "კლმნოპჟრს",
    "አበገደሀወዘ",
    "一二三四五六七八九十",
    "あいうえおかきくけこ",
    "가나다라마바사아자차",
)
SIGNS = (
    "😀🦉👩‍🔬🏳️‍🌈🇩🇪",
    "∑∫∂√∞≈≠≤≥∈∉⊂⊆",
    "$\\mathcal{O}(n)$ \\alpha_1 {x}^2",
    "<b>&amp;</b>\"'`",
    "\u202e\u2066\u200f\u200b\u00ad",
    "\x00\x01\x07\x0b\x0c\x1b\x7f\x85",
    "\r\n\t\u2028\u2029",
    "=?utf-8?q?x?= =?utf-8?b?",
    ".\n.\r\n..",
    "\ufdd0address\ufdd1\ufdd23\ufdd3",
    "e\u0301\u0302\u0303",
    "\ud800",
    "--=_ --",
    "From >From ",
    "𝔸𝕓𝖈𝟘",
    "{{ 7*7 }}{% x %}",
)
# From header injection lists, made anew: what ends a line, and what would then be a header, a body, a part or a command.
BREAKS = (
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\n\t",
    "\x0b",
    "\x0c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "%0d%0a",
    "\\r\\n",
    "=0D=0A",
    "\r\n\r\n",
    "\u560d\u560a",
)
PAYLOADS = (
    "Bcc: everyone@victim.example",
    "To: second@victim.example",
    "From: other@victim.example",
    "Subject: other",
    "Sender: x@victim.example",
    "Content-Type: text/html",
    "Content-Transfer-Encoding: base64",
    "MIME-Version: 2.0",
    "Reply-To: x@victim.example",
    "List-Unsubscribe: <https://victim.example/>",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "List-Id: <x.victim.example>",
    "DKIM-Signature: v=1",
    "Received: from victim.example",
    "Return-Path: <x@victim.example>",
    "Date: Thu, 1 Jan 1970 00:00:00 +0000",
    "Message-ID: <x@victim.example>",
    "X-Any: y",
    "--=_boundary",
    ".",
    "QUIT",
    "RCPT TO:<everyone@victim.example>",
    "<script>alert(1)</script>",
    "Resent-To: x@victim.example",
    "Disposition-Notification-To: x@victim.example",
    "Precedence: junk",
    "Auto-Submitted: no",
    "=?utf-8?q?Bcc=3A_x=40victim=2Eexample?=",
    "boundary=x",
    "begin 644 x",
    "Apparently-To: x@victim.example",
    "\ufdd0address\ufdd1",
)
SINGLE = {
    "from",
    "date",
    "to",
    "subject",
    "message-id",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
}
MAILBOX = replace(MAIL, bounces="b@papers.example.org", mailbox=MailboxConfig(host="imap.papers.example.org"))


def text_of(random: Random, most: int) -> str:
    """A text of some scripts and signs, sometimes without a space, sometimes empty."""
    length, found = int(random.paretovariate(0.6)) * 8 % (most + 1), ""
    while len(found) < length:
        letters = random.choice(random.choice((SCRIPTS, SCRIPTS, SIGNS)))
        found += "".join(random.choices(letters, k=random.randint(1, 14))) + random.choice(
            (" ", " ", "", ": ")
        )
    return found[:length]


def any_edition(random: Random, day: date) -> Edition:
    papers = [
        Paper(
            key=f"title:{day}-{n}",
            title=text_of(random, 5000),
            abstract=text_of(random, 800),
            gist=text_of(random, 200),
            authors=tuple(text_of(random, 60) for _ in range(random.randint(0, 5))),
            organization=text_of(random, 90) or None,
            tags=(text_of(random, 30),),
            upvotes=random.choice((None, random.randint(0, 10**6))),
            links={
                "abstract": random.choice(
                    ("", f"https://a.example/{n}?q={text_of(random, 40)}", f"https://a.example/{'x' * 700}")
                ),
                "pdf": f"https://p.example/{n}.pdf",
            },
        )
        for n in range(random.choice((1, 2, 5, 12, 30, 60)))
    ]
    shares = tuple(random.randint(0, 9) for _ in range(5))
    return edition_of(papers, day=day, picks=random.randint(0, 3), shares=shares)


def any_case(seed: int) -> tuple[Delivery, list[Edition], dict[str, Any]]:
    """Editions, a reader with choices, and a configuration."""
    random = Random(seed)
    days = [date(2026, 11, 16) + timedelta(days=n) for n in range(random.choice((1, 1, 1, 3)))]
    editions = [any_edition(random, day) for day in days]
    slugs = [topic.slug for topic in DIGEST.topics] + ["other"]
    preferences = Preferences(
        topics=random.choice((None, None, tuple(random.sample(slugs, 3)))),
        most=random.choice((0, 0, 7)),
        text_only=random.random() < 0.1,
        frequency=random.choice(("daily", "weekdays", "weekly")),
    )
    delivery = delivery_to(edition=editions[-1].id)
    reader = replace(delivery.subscriber, id=random.randint(1, 2**40 - 1), preferences=preferences)
    delivery = replace(delivery, editions=tuple(e.id for e in editions), subscriber=reader)
    changes: dict[str, Any] = {
        "digest": replace(DIGEST, title=text_of(random, 120) or "Papers"),
        "mail": random.choice((MAIL, MAILBOX)),
        "site": replace(SITE, publisher=text_of(random, 80)),
    }
    return delivery, editions, changes


# ---------------------------------------------------------------- what a message must keep


def fields_of(message: bytes) -> list[tuple[str, bytes]]:
    """The header fields as they stand on the wire, by name in lower case, folded lines kept."""
    head = message.partition(b"\r\n\r\n")[0]
    found = [re.fullmatch(rb"([!-9;-~]+): ?(.*)", field, re.S) for field in re.split(rb"\r\n(?![ \t])", head)]
    assert all(found), head
    return [(match[1].decode().lower(), match[2]) for match in found if match]


def assert_m1(message: bytes) -> None:
    bare = message.replace(b"\r\n", b"")
    assert message.isascii() and b"\r" not in bare and b"\n" not in bare and b"\x00" not in bare
    assert message.endswith(b"\r\n") and not re.search(rb"(?m)^\.", message)
    head, _, body = message.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        # An address is never broken, however long it is.
        assert len(line) <= 78 or re.fullmatch(rb"([A-Za-z-]+:)? <\S+>,?", line), line
    assert max(map(len, body.split(b"\r\n"))) <= 76  # M3, RFC 2045, 6.7
    names = [name for name, _ in fields_of(message)]
    assert len(names) == len(set(names)) and set(names) >= SINGLE


def assert_m2(message: bytes) -> None:
    for name, value in fields_of(message):
        for line in value.split(b"\r\n"):
            words = re.findall(rb"=\?[^\s?]+\?[BbQq]\?[^\s?]*\?=", line)
            assert not words or len(line) <= 76 - (len(name) + 2 if line is value else 0)
            for word in words:
                assert len(word) <= 75 and name in ("from", "subject", "list-id"), name
                b64decode(word.split(b"?")[3], validate=True).decode("utf-8")
        for address in re.findall(rb"<[^>]*>", re.sub(rb'"(\\.|[^"\\])*"', b"", value)):
            assert b"=?" not in address and not re.search(rb"\s", address)
        for quoted in re.finditer(rb'"(\\.|[^"\\])*"', value):
            assert b"=?" not in quoted[0]


def assert_m3(message: bytes, text_only: bool) -> None:
    mail = email.message_from_bytes(message, policy=default)
    assert isinstance(mail, EmailMessage) and not mail.defects
    parts = [mail] if text_only else list(mail.iter_parts())
    kinds = [part.get_content_type() for part in parts]
    assert kinds == (["text/plain"] if text_only else ["text/plain", "text/html"])
    for part in parts:
        assert isinstance(part, EmailMessage)
        assert (part.get_content_charset(), part["Content-Transfer-Encoding"]) == (
            "utf-8",
            "quoted-printable",
        )
        assert not part.defects and part.get_content().strip()
    text = parts[0].get_content()
    assert max(display_width(line) for line in text.splitlines() if "://" not in line) <= 78
    if text_only:
        return
    html = parts[1].get_content()
    encoded = message.rpartition(b"Content-Type: text/html")[2].partition(b"\r\n\r\n")[2]
    assert len(encoded) <= LIMIT
    links = [unescape(link) for link in re.findall(r'<h3[^>]*><a href="([^"]*)"', html)]
    assert links and all(link in text for link in links)
    assert text.count("\n* ") >= len(links)  # a name may begin so, too
    assert "\ufdd0" not in html + text and "\ufdd2" not in html + text


def assert_m5_m6(message: bytes) -> None:
    fields = {name: re.sub(rb"\r\n ", b" ", value) for name, value in fields_of(message)}
    for name in ("list-subscribe", "list-archive", "list-help", "list-owner"):
        assert re.fullmatch(rb"<(https://|mailto:)[!-;=?-~]+>", fields[name]), name
    assert fields["list-post"] == b"NO"
    assert fields["list-id"].endswith(b"<daily.papers.example.org>")
    link, _, mailto = fields["list-unsubscribe"].partition(b", ")
    assert re.fullmatch(rb"<https://papers\.example\.org/unsubscribe/\?t=[\w-]{22}>", link)
    assert re.fullmatch(rb"<mailto:[a-z0-9+.]+@papers\.example\.org\?subject=unsubscribe>", mailto)
    assert fields["list-unsubscribe-post"] == b"List-Unsubscribe=One-Click"
    assert (fields["auto-submitted"], fields["precedence"]) == (b"auto-generated", b"bulk")


def assert_sound(message: bytes, *, text_only: bool = False) -> None:
    assert_m1(message)
    assert_m2(message)
    assert_m3(message, text_only)
    assert_m5_m6(message)


def assert_any(seeds: range) -> None:
    mails = 0
    for seed in seeds:
        delivery, editions, changes = any_case(seed)
        message = message_to(delivery, *editions, **changes)
        if message is not None:
            assert_sound(message.data, text_only=delivery.subscriber.preferences.text_only)
            mails += 1
    assert mails > len(seeds) * 0.6


@pytest.mark.parametrize("start", [0])
def test_any_edition_makes_a_sound_message_for_any_choice(start: int) -> None:
    assert_any(range(start, start + 20))


@pytest.mark.torture
@pytest.mark.parametrize("start", range(1000, 3000, 100))
def test_two_thousand_editions_make_sound_messages(start: int) -> None:
    assert_any(range(start, start + 100))


# ---------------------------------------------------------------- M8


@pytest.fixture(scope="module")
def key() -> bytes:
    return subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout


@pytest.mark.parametrize("seed", [100, 101])
def test_any_signed_message_verifies_and_one_with_an_altered_header_does_not(seed: int, key: bytes) -> None:
    import dkim

    delivery, editions, changes = any_case(seed)
    delivery = replace(
        delivery, subscriber=replace(delivery.subscriber, preferences=Preferences(frequency="weekly"))
    )
    changes["mail"] = replace(changes["mail"], dkim=DkimConfig(selector="s1", key_file="dkim.pem"))
    sign = signer(config_of(**changes), key)
    message = signing(lambda delivery: message_to(delivery, *editions, **changes), sign)(delivery)
    assert message is not None
    data = message.data
    asked = []

    def dnsfunc(name: bytes, timeout: float = 5) -> bytes:
        asked.append(name)
        return record_of(key).encode()

    assert dkim.verify(data, dnsfunc=dnsfunc)
    assert asked == [b"s1._domainkey.papers.example.org."]
    signature = re.sub(rb"\s", b"", dict(fields_of(data))["dkim-signature"])
    assert b"a=rsa-sha256;c=relaxed/relaxed;" in signature and b";l=" not in signature
    names = re.search(rb";h=([^;]*);", signature)
    assert names
    signed = names[1].split(b":")
    assert signed.count(b"from") == 2 and {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(signed)
    for name in dict.fromkeys(signed):
        altered = re.sub(rb"(?im)^(" + name + rb": ?.*)([a-z0-9])", _turned, data, count=1)
        assert altered != data and not dkim.verify(altered, dnsfunc=dnsfunc), name
    assert not dkim.verify(
        data.replace(b"\r\nFrom:", b"\r\nFrom: x@victim.example\r\nFrom:", 1), dnsfunc=dnsfunc
    )
    assert not dkim.verify(data[:-40] + b"x" + data[-39:], dnsfunc=dnsfunc)


def _turned(match: re.Match[bytes]) -> bytes:
    return match[1] + (b"x" if match[2] != b"x" else b"y")


# ---------------------------------------------------------------- what would be a header of its own


def injections() -> list[str]:
    return [f"Papers{cut}{payload}" for payload in PAYLOADS for cut in BREAKS][:500]


def injections_of(part: int) -> list[str]:
    """Every tenth of them, or the nine between."""
    found = [text for n, text in enumerate(injections()) if bool(n % 10) == bool(part)]
    assert len(found) == (450 if part else 50)
    return found


@pytest.mark.parametrize("part", sizes(0, 1))
def test_nothing_that_a_source_or_operator_writes_becomes_a_header(part: int) -> None:
    """500 titles, names and digest titles that end the line they stand on: the same headers, the same recipient, two parts."""
    plain = message_to(delivery_to(), rich())
    assert plain is not None
    names = [name for name, _ in fields_of(plain.data)]
    found = injections_of(part)
    for text in found:
        paper = Paper(
            key="title:x",
            title=text,
            abstract=text,
            gist=text,
            authors=(text,),
            organization=text,
            tags=(text,),
        )
        edition = edition_of([paper], picks=1)
        site = replace(SITE, publisher=text, postal_address=text)
        message = message_to(delivery_to(), edition, digest=replace(DIGEST, title=text), site=site)
        assert message is not None
        assert_sound(message.data)
        assert [name for name, _ in fields_of(message.data)] == names, text
        assert dict(fields_of(message.data))["to"] == b"reader@mail.example"


@pytest.mark.parametrize("part", sizes(0, 1))
def test_no_address_becomes_a_header_or_a_second_recipient(part: int) -> None:
    """What can stand in an address stands there as it is; for all else there is no mail."""
    names = [name for name, _ in fields_of(sent_to("reader@mail.example"))]
    refused = 0
    for text in injections_of(part):
        for address in (f"{text}@mail.example", f"a@{text}.example", f"reader@mail.example{text[6:]}"):
            try:
                message = sent_to(address)
            except MailError:
                refused += 1
                continue
            assert [name for name, _ in fields_of(message)] == names
            to = dict(fields_of(message))["to"].decode()
            assert re.fullmatch(r"[!-9;=?-~]+@[a-z0-9.-]+", to, re.IGNORECASE) and to.count("@") == 1
            assert to == ascii_address(address)
    assert refused >= 2.7 * len(injections_of(part))


def sent_to(address: str) -> bytes:
    message = message_to(delivery_to(address), single())
    assert message is not None
    return message.data


# ---------------------------------------------------------------- M4


@pytest.mark.parametrize(
    ("local", "domain", "to"),
    [
        ("o'neil+papers", "mail.example", "o'neil+papers@mail.example"),
        ("a", "bücher.example", "a@xn--bcher-kva.example"),
        ("a", "例え.テスト", "a@xn--r8jz45g.xn--zckzah"),
        *[(letters[:4], "mail.example", None) for letters in SCRIPTS[1:]],
        *[(f"reader{letters[0]}", "mail.example", None) for letters in SCRIPTS[1:]],
        ("reader😀", "mail.example", None),
        ("a b", "mail.example", None),
        ('"a b"', "mail.example", None),
        ("a@b", "mail.example", None),
        ("a,b", "mail.example", None),
        ("a" * 65, "mail.example", None),
        ("a", "mail..example", None),
        ("a", "", None),
        ("", "mail.example", None),
    ],
)
def test_a_local_part_beyond_ascii_is_refused_and_a_domain_goes_out_as_a_labels(
    local: str, domain: str, to: str | None
) -> None:
    if to is None:
        with pytest.raises(MailError) as caught:
            sent_to(f"{local}@{domain}")
        assert caught.value.permanent
    else:
        assert dict(fields_of(sent_to(f"{local}@{domain}")))["to"] == to.encode()
