"""What an SMTP envelope needs of an address and a reply; bytes and text in, bytes and text out.

The pure twin of smtp.py, which knows the wire.
"""

from __future__ import annotations

import re
from functools import lru_cache

from digest.addresses import ascii_domain
from digest.patterns import late

_UNWRITABLE = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029\ud800-\udfff]")
# Most readers share a few domains.
_host = lru_cache(4096)(ascii_domain)
_LITERAL = re.compile(r"\[[0-9A-Fa-f.:IPv]+\]")
_GAPS = late(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def wire_address(address: str) -> str | None:
    """The address as the envelope takes it: its domain in A-labels (RFC 5890), its local part as it is.

    None for what cannot be written there: no @, an empty or overlong part, a space, an angle bracket or a control sign.

    >>> wire_address("ann@bücher.example")
    'ann@xn--bcher-kva.example'
    """
    local, at, domain = address.strip().rpartition("@")
    if not at or not local or len(local.encode(errors="replace")) > 64 or _UNWRITABLE.search(local):
        return None
    if domain.startswith("[") and _LITERAL.fullmatch(domain):
        return f"{local}@{domain}"
    host = _host(domain)
    return f"{local}@{host}" if host else None


def without_addresses(text: str) -> str:
    """The text with every mail address in it replaced: servers repeat them, and logs and reports must not."""
    return re.sub(r"[^\s<>()\"',;:]+@[^\s<>()\"',;:]+", "(address)", text)


def one_line(text: bytes | str) -> str:
    """A server's reply on one line, without control signs, at most 500 characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = text.strip()
    if not text.isprintable() or "  " in text:
        text = _GAPS.sub(" ", text).strip()
    return text[:500]
