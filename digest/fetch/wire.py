"""One request over one connection of its own: to the very address that was checked, and over when its time is over."""

from __future__ import annotations

import http.client
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar, cast

from msgspec import Struct
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as WireTimeout
from urllib3.response import HTTPResponse

from digest.config import SourceConfig
from digest.errors import FetchError
from digest.fetch.addresses import Lookup, Place, SocketAddress, check_addresses, check_port
from digest.fetch.faults import NETWORK, shown, too_slow

# It writes down a traceback for each header line that it cannot read; what a server says is told by its answer.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_Made = TypeVar("_Made")

_CONNECT_S = 10.0
_HEAD_BYTES = 128 * 1024


class Answer(Struct, frozen=True, kw_only=True):
    """What a server answered. `body` is what the reader made of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def location(self) -> str:
        """Where the answer leads on to; "" where it does not (RFC 9110, 15.4)."""
        return self.headers.get("Location", "") if self.status in (301, 302, 303, 307, 308) else ""


class NoAnswer(Struct, frozen=True, kw_only=True):
    """Nothing came back of a request; `final` where another try would be of no use today."""

    reason: str
    final: bool = False


class Wire:
    """Sends requests. Every one has its own connection, closed at its end: no two to a host, and each address is checked."""

    def __init__(self, *, user_agent: str, lookup: Lookup) -> None:
        self._user_agent, self._lookup = user_agent, lookup
        self._tls: ssl.SSLContext | None = None

    def get(
        self,
        place: Place,
        source: SourceConfig,
        *,
        headers: Mapping[str, str],
        deadline: float,
        read: Callable[[HTTPResponse], bytes],
        form: bytes | None = None,
    ) -> Answer | NoAnswer:
        """The answer to one GET, or POST of `form`; `read` takes its body in before the connection ends. `deadline` is of
        time.monotonic().

        Raises FetchRefused for an address that is not asked, FetchTimeout at the deadline, FetchError for what is no HTTP,
        and what `read` raises.
        """
        check_port(place, source)
        try:
            addresses = _within(deadline, lambda: self._lookup(place.host, place.port))
            check_addresses(place, addresses, source)
            connection = self._connect(place, addresses, deadline)
        except TimeoutError:
            if time.monotonic() >= deadline - 0.05:
                raise too_slow(place.name, source.timeout_s) from None
            return NoAnswer(reason=f"nothing answers there within {_CONNECT_S:g} s")
        except ssl.SSLError as error:
            raise FetchError(f"{place.name}: {_tls_fault(error)} {NETWORK}", url=place.name) from error
        except socket.gaierror as error:
            return NoAnswer(reason=error.strerror or "no such name", final=error.errno == socket.EAI_NONAME)
        except OSError as error:  # nobody listens
            return NoAnswer(reason=error.strerror or str(error))
        try:
            return self._exchange(connection, place, headers, read, form)
        except (TimeoutError, WireTimeout) as error:
            raise too_slow(place.name, source.timeout_s) from error
        except OSError as error:
            return NoAnswer(reason=error.strerror or "the host hung up")
        except (HTTPError, http.client.HTTPException) as error:
            raise FetchError(
                f"{place.name}: no whole HTTP answer ({_brief(error)}). {NETWORK}", url=place.name
            ) from error
        finally:
            connection.close()

    def _exchange(
        self,
        connection: HTTPConnection,
        place: Place,
        headers: Mapping[str, str],
        read: Callable[[HTTPResponse], bytes],
        form: bytes | None,
    ) -> Answer:
        sent = HTTPHeaderDict(
            {"User-Agent": self._user_agent, "Accept-Encoding": "gzip", "Connection": "close"}
        )
        for name, value in headers.items():
            sent[name] = value
        method = "GET" if form is None else "POST"
        connection.request(
            method, place.target, body=form, headers=sent, preload_content=False, decode_content=False
        )
        sock = cast(_Socket | _TlsSocket, connection.sock)  # the answer takes it away from the connection
        response = connection.getresponse()
        try:
            sock.head_left = math.inf
            body = read(response)
        finally:
            response.close()
        return Answer(status=response.status, headers=response.headers, body=body)

    def _connect(self, place: Place, addresses: Sequence[SocketAddress], deadline: float) -> HTTPConnection:
        """A connection to the first of the addresses that takes one. The name goes into the Host header and is what the
        certificate must be for; it is not looked up again."""
        plain = _first_open(addresses, deadline)
        try:
            if place.scheme == "http":
                sock: _Socket | _TlsSocket = plain
                connection = HTTPConnection(place.host, place.port)
            else:
                self._tls = self._tls or _tls_context()
                sock = self._tls.wrap_socket(plain, server_hostname=place.host.rstrip("."))  # type: ignore[assignment]
                connection = HTTPSConnection(place.host, place.port)
        except BaseException:
            plain.close()
            raise
        sock.deadline, sock.head_left = deadline, _HEAD_BYTES
        connection.timeout = _left(deadline)
        connection.sock = sock
        return connection


class _Socket(socket.socket):
    """A socket whose reads end at one deadline. A socket's own timeout counts from byte to byte: a server that drips its
    answer would hold us for hours."""

    deadline: float
    head_left: float

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left(self.deadline))
        return _counted(self, super().recv_into(*args))


class _TlsSocket(ssl.SSLSocket):
    """The same with TLS around it."""

    deadline: float
    head_left: float

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left(self.deadline))
        return _counted(self, super().recv_into(*args))


def _counted(sock: _Socket | _TlsSocket, received: int) -> int:
    sock.head_left -= received
    if sock.head_left < 0:
        raise http.client.HTTPException(f"headers of more than {_HEAD_BYTES} bytes")
    return received


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _first_open(addresses: Sequence[SocketAddress], deadline: float) -> _Socket:
    """Raises the OSError of the last address if none of them takes a connection."""
    failure: OSError = OSError("its name has no address")
    for family, address in addresses:
        sock = _Socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(_left(deadline), _CONNECT_S))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_left(deadline))  # the whole handshake of TLS has this time
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = _TlsSocket
    return context


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold ({error.verify_message})."
    return f"no secure connection ({error.reason or error})."


def _brief(error: Exception) -> str:
    # urllib3 gives the reason beside its words, which have it already.
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return shown(" ".join(said.split())[:200] or type(error).__name__)


def _within(deadline: float, work: Callable[[], _Made]) -> _Made:
    """What `work` gives or raises, if it does so in time: looking up a name can be stopped in no other way. The thread that is
    left behind does not keep the program from ending."""
    future: Future[_Made] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed on to the caller, whatever it is
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(_left(deadline))
