"""A page as browsers save it into one file with its pictures: MHTML (RFC 2557), a mail whose first part of HTML is the page."""

from __future__ import annotations

import re

from msgspec import structs

from digest.model import Listing
from digest.patterns import late

HEAD_BYTES = 4_000
MAX_PARTS = 1_000

_BOUNDARY = late(
    rb"^content-type:\s*multipart/related;[^\0]{0,1000}?boundary=(?:\"([^\"\r\n]{1,200})\"|([^\s;]{1,200}))",
    re.I | re.M,
)
_HTML = late(rb"^content-type:\s*(text/html[^\r\n]{0,200})", re.I | re.M)
_ENCODING = late(rb"^content-transfer-encoding:\s*([\w-]{1,40})", re.I | re.M)
_ADDRESS = late(rb"^content-location:\s*(https?://[^\s\0]{1,2000})", re.I | re.M)
_HEAD_END = late(rb"\r?\n\r?\n")


def unwrapped(listing: Listing) -> Listing:
    """The page within the file, with the address it was saved from where no other is known; any other listing as it is."""
    head = listing.body[:HEAD_BYTES]
    if head[:1].isalpha() and b"multipart/related" in head.lower() and (found := _BOUNDARY.search(head)):
        for part in listing.body.split(b"--" + (found[1] or found[2]), MAX_PARTS)[1:]:
            part = part.removeprefix(b"\r").removeprefix(b"\n")
            end = _HEAD_END.search(part, 0, HEAD_BYTES)
            said = part[: end.start()] if end else b""
            if end and (kind := _HTML.search(said)):
                address = _ADDRESS.search(said)
                return structs.replace(
                    listing,
                    body=_decoded(part[end.end() :], said),
                    content_type=kind[1].decode("ascii", "replace"),
                    base_url=listing.base_url or (address[1].decode("ascii", "replace") if address else ""),
                )
    return listing


def _decoded(body: bytes, said: bytes) -> bytes:
    encoding = found[1].lower() if (found := _ENCODING.search(said)) else b""
    if encoding == b"quoted-printable":
        import quopri

        return quopri.decodestring(body)
    if encoding == b"base64":
        import binascii

        try:
            return binascii.a2b_base64(body)
        except ValueError:
            return b""
    return body
