"""The body of an answer: unpacked as it comes, and never more of it in memory than is allowed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from urllib3 import BaseHTTPResponse

from digest.errors import FetchError, FetchRefused, FetchTooLarge
from digest.fetch.faults import too_large

_CHUNK = 64 * 1024
# Pages pack to a tenth, tables of zeros to a thousandth. What is small may be as dense as it likes.
_RATIO, _RATIO_FROM = 100, 1024 * 1024


def read_body(response: BaseHTTPResponse, *, url: str, max_bytes: int, cut: bool = False) -> bytes:
    """The whole body. Raises FetchTooLarge beyond `max_bytes`, or gives only as much where `cut`; FetchError where the
    answer breaks off, FetchRefused for a packing that we did not ask for."""
    # The answer is unpacked here and not by the library: one decompressed chunk of a bomb can be 60 MiB.
    unpacker = _unpacker(response, url)
    body, received = bytearray(), 0
    while chunk := response.read1(_CHUNK):
        received += len(chunk)
        for piece in unpacker.feed(chunk) if unpacker else (chunk,):
            body += piece
            if len(body) > max_bytes:
                if cut:
                    return bytes(body[:max_bytes])
                raise too_large(url, max_bytes)
            if len(body) > max(_RATIO_FROM, _RATIO * received):
                raise FetchTooLarge(
                    f"{url}: a packed answer that unpacks to more than {_RATIO} times its size, as no page does. "
                    "Open the address in a browser and see what it says.",
                    url=url,
                )
        if received > len(body) + _RATIO_FROM:
            raise FetchTooLarge(
                f"{url}: an answer packed into more than it holds, as no page is. "
                "Open the address in a browser and see what it says.",
                url=url,
            )
    _check_whole(response, url, received, unpacker)
    return bytes(body)


def _check_whole(response: BaseHTTPResponse, url: str, received: int, unpacker: _Unpacker | None) -> None:
    stated = "" if response.chunked else response.headers.get("Content-Length", "").partition(",")[0]
    if (stated and stated.strip() != str(received)) or (unpacker is not None and not unpacker.complete):
        raise FetchError(f"{url}: the answer was cut off after {received} bytes. Run again.", url=url)


def _unpacker(response: BaseHTTPResponse, url: str) -> _Unpacker | None:
    packing = response.headers.get("Content-Encoding", "").strip().casefold()
    if packing in ("", "identity"):
        return None
    if packing in ("gzip", "x-gzip", "deflate"):
        return _Unpacker(url)
    raise FetchRefused(
        f"{url}: the answer is packed as {packing[:40]!r}, although only gzip was asked for. Tell the site, or save the page.",
        url=url,
    )


class _Unpacker:
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
