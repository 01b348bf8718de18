"""The body of an answer: unpacked as it comes, and never more of it in memory than is allowed."""

from __future__ import annotations

from urllib3 import BaseHTTPResponse

from digest.errors import FetchError, FetchRefused, FetchTooLarge
from digest.fetch.faults import too_large
from digest.fetch.packing import RATIO_FROM, Unpacker, check_ratio

_CHUNK = 64 * 1024


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
            check_ratio(len(body), received, url)
        if received > len(body) + RATIO_FROM:
            raise FetchTooLarge(
                f"{url}: an answer packed into more than it holds, as no page is. "
                "Open the address in a browser and see what it says.",
                url=url,
            )
    _check_whole(response, url, received, unpacker)
    return bytes(body)


def _check_whole(response: BaseHTTPResponse, url: str, received: int, unpacker: Unpacker | None) -> None:
    stated = "" if response.chunked else response.headers.get("Content-Length", "").partition(",")[0]
    if (stated and stated.strip() != str(received)) or (unpacker is not None and not unpacker.complete):
        raise FetchError(f"{url}: the answer was cut off after {received} bytes. Run again.", url=url)


def _unpacker(response: BaseHTTPResponse, url: str) -> Unpacker | None:
    packing = response.headers.get("Content-Encoding", "").strip().casefold()
    if packing in ("", "identity"):
        return None
    if packing in ("gzip", "x-gzip", "deflate"):
        return Unpacker(url)
    raise FetchRefused(
        f"{url}: the answer is packed as {packing[:40]!r}, although only gzip was asked for. Tell the site, or save the page.",
        url=url,
    )
