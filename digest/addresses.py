"""Domains as mail, SMTP and links carry them: A-labels (RFC 5890), made here alone; and which host is this machine itself."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, urlsplit

from digest.patterns import late

# Characters without a shape, which IDNA maps to nothing: a soft hyphen, joiners of words, a byte order mark.
_IGNORED = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_DOTS = late("[.\u3002]")
_LABEL = late(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOOPBACK = late(r"localhost|::1|\[::1\]|127(\.\d{1,3}){3}")


def ascii_domain(domain: str) -> str | None:
    """The domain in lower case and A-labels; None for one that cannot exist.

    >>> ascii_domain("Bücher.example"), ascii_domain("straße.example"), ascii_domain("a..b")
    ('xn--bcher-kva.example', 'xn--strae-oqa.example', None)
    """
    plain = unicodedata.normalize("NFKC", domain.lower()).translate(_IGNORED)
    labels = [_a_label(label) for label in _DOTS.split(plain)]
    found = ".".join(label or "" for label in labels)
    return found if all(labels) and len(found) <= 253 else None


def ascii_address(address: str) -> str:
    """The address, or bare domain, with a domain beyond ASCII as A-labels; one in ASCII, or that cannot exist, as it is."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{ascii_domain(domain) or domain}"


def ascii_url(url: str) -> str:
    """An http address with its host as A-labels (RFC 5890) and its path percent-encoded: what a header, a feed or a map of a site
    can carry."""
    parts = urlsplit(url)
    host = ascii_address(parts.hostname or "localhost")
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{quote(parts.path, safe='/%~')}"


def is_loopback(host: str) -> bool:
    """Does a host, as an operator writes it, mean this machine itself, so that what is said to it crosses no network?

    >>> is_loopback("127.0.0.2"), is_loopback("127.example.org")
    (True, False)
    """
    return bool(_LOOPBACK.fullmatch(host))


def _a_label(label: str) -> str | None:
    # The idna codec of the standard library is of 2003: it turns ß into ss, which is another domain today.
    if not label.isascii():
        if (
            label.startswith("-")
            or label.endswith("-")
            or not all(
                c.isalnum() or c in "-\u00b7\u30fb\u200c\u200d" or unicodedata.combining(c) for c in label
            )
        ):
            return None
        label = f"xn--{label.encode('punycode').decode('ascii')}"
    return label if _LABEL.fullmatch(label) else None
