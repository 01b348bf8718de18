"""What an SMTP envelope needs of an address, a message and a reply; bytes and text in, bytes and text out.

The pure twin of smtp.py, which knows the wire.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from digest.addresses import ascii_domain

if TYPE_CHECKING:
    from email.message import Message

_UNWRITABLE = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029\ud800-\udfff]")
_LITERAL = re.compile(r"\[[0-9A-Fa-f.:IPv]+\]")


def wire_address(address: str) -> str | None:
    """The address as the envelope takes it: its domain in A-labels (RFC 5890), its local part as it is.

    None for what cannot be written there: no @, an empty or overlong part, a space, an angle bracket or a control sign.

    >>> wire_address("ann@bücher.example")
    'ann@xn--bcher-kva.example'
    """
    local, at, domain = address.strip().rpartition("@")
    if not at or not local or len(local.encode(errors="replace")) > 64 or _UNWRITABLE.search(local):
        return None
    if _LITERAL.fullmatch(domain):
        return f"{local}@{domain}"
    host = ascii_domain(domain)
    return f"{local}@{host}" if host else None


def seven_bit(message: bytes) -> bytes:
    """The same message with its 8-bit parts in quoted-printable, for a server without 8BITMIME (RFC 6152, 3).

    Headers stay as they are. A signature over the body (DKIM) does not survive this: sign for such a server afterwards.
    """
    from email import message_from_bytes, policy
    from email.generator import BytesGenerator
    from io import BytesIO

    parsed: Message = message_from_bytes(message)
    for part in parsed.walk():
        encoding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
        if part.is_multipart():
            if encoding in ("8bit", "binary"):
                part.replace_header("Content-Transfer-Encoding", "7bit")
        elif encoding in ("8bit", "binary", "7bit"):
            _quote(part)
    out = BytesIO()
    BytesGenerator(
        out, mangle_from_=False, policy=policy.compat32.clone(linesep="\r\n", max_line_length=0)
    ).flatten(parsed)
    return out.getvalue()


def _quote(part: Message) -> None:
    import binascii

    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or payload.isascii():
        return
    quoted = binascii.b2a_qp(payload.replace(b"\r\n", b"\n"), istext=True)
    part.set_payload(quoted.decode("ascii"))
    del part["Content-Transfer-Encoding"]
    part["Content-Transfer-Encoding"] = "quoted-printable"


def with_crlf(message: bytes) -> bytes:
    pairs = message.count(b"\r\n")
    if message.count(b"\n") == pairs == message.count(b"\r"):
        return message
    return re.sub(rb"\r\n|\r|\n", b"\r\n", message)


def dotted(message: bytes) -> bytes:
    """With a second dot before a dot at the start of a line, and the line of one dot that ends it (RFC 5321, 4.5.2)."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def without_addresses(text: str) -> str:
    """The text with every mail address in it replaced: servers repeat them, and logs and reports must not."""
    return re.sub(r"[^\s<>()\"',;:]+@[^\s<>()\"',;:]+", "(address)", text)


def one_line(text: bytes | str) -> str:
    """A server's reply on one line, without control signs, at most 500 characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", text).strip()[:500]
