"""What came packed by gzip, unpacked as it comes, in small pieces and never to more than a page can be."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from digest.errors import FetchError, FetchTooLarge
from digest.fetch.faults import too_large

MAGIC = b"\x1f\x8b"
_CHUNK = 64 * 1024
# Pages pack to a tenth, tables of zeros to a thousandth. What is small may be as dense as it likes.
RATIO, RATIO_FROM = 100, 1024 * 1024


def unpacked(packed: bytes, *, url: str, max_bytes: int) -> bytes:
    """What a gzip file holds. Raises FetchTooLarge where that is more than `max_bytes` or than a page can be, and FetchError
    for what is cut or broken."""
    unpacker, body = Unpacker(url), bytearray()
    for piece in unpacker.feed(packed):
        body += piece
        if len(body) > max_bytes:
            raise too_large(url, max_bytes)
        check_ratio(len(body), len(packed), url)
    if not unpacker.complete:
        raise FetchError(f"{url}: the gzip file is cut off. Fetch or save it again.", url=url)
    return bytes(body)


def check_ratio(size: int, packed: int, url: str) -> None:
    """Raises FetchTooLarge where so many bytes came out of so few that it is no page."""
    if size > max(RATIO_FROM, RATIO * packed):
        raise FetchTooLarge(
            f"{url}: a packed answer that unpacks to more than {RATIO} times its size, as no page does. "
            "Open the address in a browser and see what it says.",
            url=url,
        )


class Unpacker:
    """Unpacks a body as it comes: zlib, or gzip of one member or several in a row (RFC 1952, 2.2)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._member = _member()

    @property
    def complete(self) -> bool:
        """Nothing is missing of the last member that began."""
        return self._member.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to, in pieces that are small however dense the bytes are."""
        more = False  # a full piece may leave more inside although every byte is taken in
        while chunk or more:
            if self._member.eof:
                chunk = chunk.lstrip(b"\0")  # padding is allowed behind a member
                if not chunk:
                    return
                self._member = _member()
            try:
                piece = self._member.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise FetchError(
                    f"{self._url}: the answer is not valid gzip ({error}). Run again; if it stays so, tell the site.",
                    url=self._url,
                ) from error
            chunk = self._member.unconsumed_tail or self._member.unused_data
            more = len(piece) == _CHUNK and not self._member.eof
            yield piece


def _member() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)
