"""A source → its listings: files below a path, or the answer of a URL, capped and timed. The only reader of the wire."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import date, datetime
from functools import partial
from glob import has_magic, iglob
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from msgspec.structs import replace

from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused, FetchTimeout, FetchTooLarge
from digest.fetch.turns import MemoryTurns, Turns
from digest.model import Listing, NotModified, Validators

if TYPE_CHECKING:
    import urllib3

__all__ = ["Fetcher", "MemoryTurns", "Turns", "Visit", "headers_for", "shown"]

_Read = TypeVar("_Read")

_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_CHUNK = 64 * 1024
_REDIRECTS = 5
_NETWORK = "Check the address and the network, then run again."


class Fetcher:
    """Reads sources; keeps its connections and, for each host, the time of the last request."""

    def __init__(
        self,
        *,
        user_agent: str,
        resolve: Callable[[str], Path],
        turns: Turns | None = None,
        holder: str = "",
        backoff_s: float = 1.0,
    ) -> None:
        self._turns, self._holder, self._backoff_s = turns or MemoryTurns(), holder, backoff_s
        # A header carries ASCII; what a title or an address has beyond it goes out as in a URL.
        self._user_agent = quote(user_agent, safe=_PRINTABLE_ASCII)
        self._resolve = resolve
        self._pool: urllib3.PoolManager | None = None
        self._last_request: dict[str, float] = {}

    def fetch(self, source: SourceConfig, *, now: datetime) -> Iterator[Listing | FetchError]:
        """The listings of a source, files in the order of their names; a listing that cannot be had is its FetchError.

        One unreadable file does not hide the others. Nothing is raised for a missing path or a dead server: that is an
        answer of the source, and the run goes on to the next one.
        """
        visit = self.visit(source, now=now)
        if not source.url:
            yield from visit.files()
            return
        answer = visit.ask(source.url)
        if not isinstance(answer, NotModified):
            yield answer

    def visit(self, source: SourceConfig, *, now: datetime) -> Visit:
        """All that is asked of one source in one run."""
        return Visit(self, source, now)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.clear()

    def _from_url(
        self, source: SourceConfig, now: datetime, validators: Validators | None
    ) -> Listing | NotModified:
        import urllib3

        url = source.url
        if shown(url) != url:
            raise FetchRefused(f"{shown(url)}: is no address. Copy it from a browser.", url=shown(url))
        try:
            response, final, deadline = self._response(source, validators)
            try:
                if response.status == 304:
                    return NotModified(url=url)
                body = _read_capped(response, source, deadline)
            finally:
                response.close()
                response.release_conn()
        except urllib3.exceptions.NewConnectionError as error:
            raise FetchError(f"{url}: no connection to the host. {_NETWORK}", url=url) from error
        except urllib3.exceptions.TimeoutError as error:
            raise _too_slow(source) from error
        except urllib3.exceptions.HTTPError as error:
            raise FetchError(f"{url}: {error}. {_NETWORK}", url=url) from error
        return Listing(
            location=url,
            body=body,
            content_type=response.headers.get("Content-Type", ""),
            base_url=final,
            fetched_at=now,
            listed_on=_date_in(url),
            etag=response.headers.get("ETag", ""),
            last_modified=response.headers.get("Last-Modified", ""),
        )

    def _response(
        self, source: SourceConfig, validators: Validators | None
    ) -> tuple[urllib3.BaseHTTPResponse, str, float]:
        """The answer with status 200, its body not yet read, the address that gave it after redirects, and the deadline.

        Waiting for our turn with a host is our own doing: it does not count against the source's time.
        """
        url, deadline = source.url, time.monotonic() + source.timeout_s
        for _ in range(_REDIRECTS + 1):
            deadline += self._wait_for_turn(url, source.min_interval_s)
            response = self._request(url, source, deadline, validators)
            target = response.get_redirect_location()
            if not target:
                break
            # Closed, not drained: a body that only drips would hold us beyond every deadline.
            response.close()
            url = urljoin(url, target)
        else:
            raise FetchError(
                f"{source.url}: more than {_REDIRECTS} redirects. Mend the address.", url=source.url
            )
        if response.status != 200 and not (response.status == 304 and validators):
            response.close()
            mend = _status_mend(response.status)
            message = f"{source.url}: the server answered {response.status}. {mend}"
            raise FetchError(message, url=source.url, status=response.status)
        return response, url, deadline

    def _request(
        self, url: str, source: SourceConfig, deadline: float, validators: Validators | None
    ) -> urllib3.BaseHTTPResponse:
        import urllib3

        if urlsplit(url).scheme not in ("http", "https"):
            raise FetchRefused(
                f"{url}: only http:// and https:// addresses are read. For a file give its path.", url=url
            )
        _check_headers(source)
        left = deadline - time.monotonic()
        if left <= 0:
            raise _too_slow(source)
        self._pool = self._pool or urllib3.PoolManager()
        ask = partial(
            self._pool.request,
            "GET",
            url,
            headers={
                "User-Agent": self._user_agent,
                "Accept-Encoding": "gzip, identity",
                **headers_for(url, source),
                **({"If-None-Match": validators.etag} if validators and validators.etag else {}),
                **(
                    {"If-Modified-Since": validators.last_modified}
                    if validators and validators.last_modified
                    else {}
                ),
            },
            timeout=urllib3.Timeout(connect=min(left, 30.0), read=left),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            return _within(left, ask)
        except FutureTimeout:
            raise _too_slow(source) from None

    def _wait_for_turn(self, url: str, min_interval_s: float) -> float:
        """Seconds that were waited for the least interval between two requests to this host."""
        host, started = urlsplit(url).netloc, time.monotonic()
        last = self._last_request.get(host)
        if last is not None and min_interval_s > 0:
            time.sleep(max(0.0, last + min_interval_s - started))
        self._last_request[host] = time.monotonic()
        return self._last_request[host] - started


class Visit:
    """One visit to one source: its files, or as many addresses of it as are asked."""

    def __init__(self, fetcher: Fetcher, source: SourceConfig, now: datetime) -> None:
        self._fetcher, self._source, self._now = fetcher, source, now

    def files(self) -> Iterator[Listing | FetchError]:
        """The listings below the source's path, in the order of their names, each read when it is asked for."""
        files = _answer(self._source.path, lambda: _files(self._fetcher._resolve(self._source.path)))
        if isinstance(files, FetchError):
            yield files
            return
        for file in files:
            yield _answer(str(file), partial(_from_file, file, self._source.max_bytes, self._now))

    def ask(self, url: str, *, validators: Validators | None = None) -> Listing | NotModified | FetchError:
        """The answer of one address."""
        source = replace(self._source, url=url)
        return _answer(url, lambda: self._fetcher._from_url(source, self._now, validators))


def _answer(place: str, read: Callable[[], _Read]) -> _Read | FetchError:
    """What `read` gives, or why it gives nothing: whatever one source is, or has been configured to be, the others go on."""
    try:
        return read()
    except FetchError as error:
        return error
    except OSError as error:
        place = str(error.filename or place)
        reason, mend = error.strerror or str(error), "Check path and rights."
    except (ValueError, RuntimeError) as error:  # an address that is none; a home folder that nobody has
        reason, mend = str(error), "Check the address or path, and where it leads on to."
    place = shown(place)
    return FetchError(f"{place}: cannot be read ({shown(reason)}). {mend}", url=place)


def shown(text: str) -> str:
    """A path or address as it may stand in messages and reports: control signs, and bytes of a file name that are no
    UTF-8 (lone surrogates in Python), become U+FFFD."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def _check_headers(source: SourceConfig) -> None:
    """Raises FetchRefused for a header that HTTP cannot carry (RFC 9110, 5.5); names it, but not its value: a key, perhaps."""
    for name, value in source.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not re.fullmatch("[\t\x20-\x7e\xa0-\xff]*", value):
            raise FetchRefused(
                f'{source.url}: the header "{shown(name)}" cannot be sent. '
                'Write "headers" of this source in plain letters, digits and signs, each on one line.',
                url=source.url,
            )


def headers_for(url: str, source: SourceConfig) -> dict[str, str]:
    """The source's own headers where `url` has the origin of the source (RFC 6454: scheme, host, port), else none.

    A header given for a source is a key, perhaps: it follows no redirect to another host, nor out of TLS.
    """
    there, own = urlsplit(url), urlsplit(source.url)
    return source.headers if (there.scheme, there.netloc) == (own.scheme, own.netloc) else {}


def _within(seconds: float, work: Callable[[], _Read]) -> _Read:
    """What `work` gives or raises, if it does so in time."""
    # A socket's timeout counts from byte to byte; a server that drips its headers would hold us for hours. The thread that
    # is left behind ends with its socket, and does not keep the program from ending.
    future: Future[_Read] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed on to the caller, whatever it is
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(seconds)


def _files(path: Path) -> list[Path]:
    """The regular files that a path means: itself, the visible ones in a folder, or those a glob matches, by name."""
    text, place = str(path), shown(str(path.absolute()))
    if path.is_dir():
        found = [p for p in path.iterdir() if not p.name.startswith(".")]
    elif path.exists():
        return [path]
    elif has_magic(text):
        found = [Path(p) for p in iglob(text, recursive=True)]  # noqa: PTH207 - an absolute pattern, which Path.glob refuses
    else:
        raise FetchError(f"{place}: no such file or folder. Check the path.", url=place)
    files = sorted(p for p in found if _may_be_a_file(p))
    if not files:
        raise FetchError(f"{place}: no files there. Save listing pages into it, or mend the path.", url=place)
    return files


def _may_be_a_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return True  # reading it will say what is wrong, and hide none of its neighbours


def _from_file(file: Path, max_bytes: int, now: datetime) -> Listing:
    location = shown(str(file))
    if not file.is_file():
        raise FetchRefused(f"{location}: not a regular file. Name a saved page.", url=location)
    with file.open("rb") as stream:
        body = stream.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise _too_large(location, max_bytes)
    return Listing(location=location, body=body, fetched_at=now, listed_on=_date_in(file.name))


def _read_capped(response: urllib3.BaseHTTPResponse, source: SourceConfig, deadline: float) -> bytes:
    """The whole body, unpacked, never more than `max_bytes` of it in memory, and not past the deadline."""
    # The answer is unpacked here and not by the library: one decompressed chunk of a bomb can be 60 MiB.
    packed = response.headers.get("Content-Encoding", "").strip().casefold() in ("gzip", "x-gzip", "deflate")
    unpacker = _Unpacker(source.url) if packed else None
    body = bytearray()
    received = 0
    while True:
        if time.monotonic() > deadline:
            raise _too_slow(source)
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        received += len(chunk)
        body += unpacker.feed(chunk, source.max_bytes + 1 - len(body)) if unpacker else chunk
        if len(body) > source.max_bytes:
            raise _too_large(source.url, source.max_bytes)
    stated = response.headers.get("Content-Length", "")
    if (stated.isdigit() and int(stated) != received) or (unpacker is not None and not unpacker.complete):
        raise FetchError(
            f"{source.url}: the answer was cut off after {received} bytes. Run again.", url=source.url
        )
    return bytes(body)


class _Unpacker:
    """Unpacks a body as it comes: zlib, or gzip of one member or several in a row (RFC 1952, 2.2)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def complete(self) -> bool:
        """Nothing is missing of the last member that began."""
        return self._member.eof

    def feed(self, chunk: bytes, room: int) -> bytes:
        """What the next bytes unpack to, up to `room` bytes of it; when it fills that, the rest is lost."""
        found = b""
        while chunk and len(found) < room:
            if self._member.eof:
                chunk = chunk.lstrip(b"\0")  # padding is allowed behind a member
                if not chunk:
                    break
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 32)
            try:
                found += self._member.decompress(chunk, room - len(found))
            except zlib.error as error:
                raise FetchError(
                    f"{self._url}: the answer is not valid gzip ({error}). Run again; if it stays so, tell the site.",
                    url=self._url,
                ) from error
            chunk = self._member.unused_data
        return found


def _too_slow(source: SourceConfig) -> FetchTimeout:
    return FetchTimeout(
        f"{source.url}: not read within {source.timeout_s:g} s. Run again, or raise timeout_s of this source.",
        url=source.url,
    )


def _too_large(location: str, max_bytes: int) -> FetchTooLarge:
    return FetchTooLarge(
        f"{location}: larger than {max_bytes:,} bytes. If that is right, raise max_bytes of this source.",
        url=location,
    )


def _status_mend(status: int) -> str:
    if status in (401, 403):
        return "It wants a login or keeps programs out; give headers for this source, or leave it out."
    if status in (404, 410):
        return "Mend the address."
    if status == 429 or status >= 500:
        return "It is busy or out of order; run again later."
    return "Open the address in a browser and see what it says."


def _date_in(name: str) -> date | None:
    """The day in a file name or URL (2026-11-19), the last one where there are several."""
    for year, month, day in reversed(_DATE.findall(name)):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None
