"""Where a request may go: the parts of an address, and the IP addresses behind its host."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urljoin

from msgspec import Struct
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from digest.config import SourceConfig
from digest.errors import FetchRefused
from digest.fetch.faults import shown
from digest.patterns import late

# What a host's name leads to: address family and socket address (RFC 3493), in the order to try them.
SocketAddress = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
Lookup = Callable[[str, int], Sequence[SocketAddress]]

_PORTS = {"http": 80, "https": 443}


class Place(Struct, frozen=True, kw_only=True):
    """An http(s) address in its parts, as they go out: host in ASCII and without brackets, target percent-encoded.

    `about` is the address in whose name it is asked, for messages: the page, where this is its site's robots.txt.
    """

    url: str
    scheme: str
    host: str
    port: int
    target: str
    about: str = ""

    @property
    def name(self) -> str:
        return self.about or self.url

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454); the port always written."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place_of(url: str) -> Place:
    """The parts of an address. Raises FetchRefused for what is none, for other schemes, and for one with a user name in it."""
    try:
        # One parser for the check and for the request: two that disagree are a way around every rule.
        parts = parse_url(url) if shown(url) == url else None
    except LocationParseError:
        parts = None
    if parts is None or (parts.scheme in _PORTS and not parts.host):
        raise FetchRefused(f"{shown(url)}: is no address. Copy it from a browser.", url=shown(url))
    if parts.auth is not None:
        bare = f"{parts.scheme}://…@{parts.netloc}{parts.request_uri}"
        raise FetchRefused(
            f"{bare}: an address with a user name in it is not asked. Give the login as headers of this source.",
            url=bare,
        )
    if parts.scheme not in _PORTS or not parts.host:
        raise FetchRefused(
            f"{url}: only http:// and https:// addresses are read. For a file give its path.", url=url
        )
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    host = parts.host.strip("[]")
    return Place(url=url, scheme=parts.scheme, host=host, port=port, target=parts.request_uri)


def own_origins(source: SourceConfig) -> set[str]:
    """The origins that the operator wrote down for a source."""
    return {place_of(url).origin for url in (source.url, *source.routes) if url}


def headers_for(place: Place, source: SourceConfig) -> dict[str, str]:
    """The source's own headers where `place` has the origin of the source's address, else none.

    A header given for a source is a key, perhaps: it follows no redirect to another host, nor out of TLS.
    """
    return source.headers if source.url and place.origin == place_of(source.url).origin else {}


def check_port(place: Place, source: SourceConfig) -> None:
    """Raises FetchRefused for a port that is neither the web's nor one that the operator wrote down: what listens there was
    not made for us."""
    if place.port not in _PORTS.values() and place.origin not in own_origins(source):
        raise FetchRefused(
            f"{place.name}: port {place.port} is not asked. If it is right, write this address as url of the source.",
            url=place.name,
        )


def redirected(place: Place, location: str, source: SourceConfig) -> Place:
    """Where an answer leads on to. Raises FetchRefused where we do not follow."""
    # Sent as UTF-8 by many, read as Latin-1 by the library (RFC 9110, 5.5).
    raw = location.encode("latin-1", "replace")
    try:
        location = raw.decode()
    except UnicodeDecodeError:
        location = raw.decode("latin-1")
    try:
        target = urljoin(place.url, location)
    except ValueError:
        target = location
    there = place_of(target)
    if place.scheme == "https" and there.scheme == "http":
        raise FetchRefused(
            f"{there.url}: it is outside of TLS, where anybody on the way could change the page. If that is right, "
            "write this address as url of the source.",
            url=there.url,
        )
    check_port(there, source)
    return there


def system_lookup(host: str, port: int) -> list[SocketAddress]:
    """What the system knows of a name. Numbers in any spelling (2130706433, 0x7f.1) come back as the address they mean."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))  # type: ignore[misc]


def check_addresses(place: Place, found: Sequence[SocketAddress], source: SourceConfig) -> None:
    """Raises FetchRefused if one of the addresses behind a host's name is not of the public Internet.

    One is enough: a public site has no private address, and which of them is asked would be chance.
    """
    for _, address in found:
        ip = ip_address(address[0])
        reason = forbidden(ip, private=source.allow_private)
        if not reason:
            continue
        mend = "Mend the address."
        if not source.allow_private and not forbidden(ip, private=True):
            mend = "If you mean a server of your own network, set allow_private = true for this source."
            if place.origin not in own_origins(source):
                mend = "The page led there, not you: it is not followed. Mend the address."
        where = f" is {ip}:"
        raise FetchRefused(f"{place.name}: its host{where} {reason}. {mend}", url=place.name)


# The special-purpose registries of IANA (RFC 6890) as of 2026, without what is reachable from everywhere. Written out, since
# `is_private` of the standard library says different things in different versions of Python.
_PRIVATE = {
    "127.0.0.0/8": "this machine itself (loopback)",
    "::1/128": "this machine itself (loopback)",
    "10.0.0.0/8": "in a private network",
    "172.16.0.0/12": "in a private network",
    "192.168.0.0/16": "in a private network",
    "100.64.0.0/10": "in a shared network (RFC 6598)",
    "fc00::/7": "in a private network",
}
_NEVER = {
    # Where machines in a cloud read their own keys. The last one is a public address, of Azure.
    "169.254.169.254/32": "a metadata service",
    "fd00:ec2::254/128": "a metadata service",
    "fd20:ce::254/128": "a metadata service",
    "100.100.100.200/32": "a metadata service",
    "192.0.0.192/32": "a metadata service",
    "168.63.129.16/32": "a metadata service",
    "0.0.0.0/8": "no address of a host (unspecified)",
    "169.254.0.0/16": "on this link only (link-local)",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "for documentation only",
    "192.88.99.0/24": "reserved",
    "198.18.0.0/15": "for measurements only",
    "198.51.100.0/24": "for documentation only",
    "203.0.113.0/24": "for documentation only",
    "224.0.0.0/4": "of a group of hosts (multicast)",
    "240.0.0.0/4": "reserved",
    "::/128": "no address of a host (unspecified)",
    "fe80::/10": "on this link only (link-local)",
    "ff00::/8": "of a group of hosts (multicast)",
    "2001::/23": "reserved",
    "2001:db8::/32": "for documentation only",
    "3fff::/20": "for documentation only",
}
_GLOBAL_V6 = IPv6Network("2000::/3")
# An IPv4 address stands in these: at the end, or behind the first 16 bits (6to4, RFC 3056).
_EMBEDDED = [(IPv6Network(net), 0) for net in ("::ffff:0:0/96", "64:ff9b::/96", "::ffff:0:0:0/96")]
_EMBEDDED.append((IPv6Network("2002::/16"), 80))


def _networks(table: dict[str, str]) -> list[tuple[IPv4Network | IPv6Network, str]]:
    return [(ip_network(net), reason) for net, reason in table.items()]


_NEVER_NETWORKS, _PRIVATE_NETWORKS = _networks(_NEVER), _networks(_PRIVATE)


def forbidden(ip: IPv4Address | IPv6Address, *, private: bool) -> str:
    """Why an address is not asked ("" if it is); `private`: those of private networks and of this machine are."""
    if isinstance(ip, IPv6Address):
        ip = IPv6Address(int(ip))  # without a scope (%eth0), which is in no network
        for around, shift in _EMBEDDED:
            if ip in around:
                return forbidden(IPv4Address(int(ip) >> shift & 0xFFFFFFFF), private=private)
    for net, reason in _NEVER_NETWORKS:
        if ip in net:
            return reason
    for net, reason in _PRIVATE_NETWORKS:
        if ip in net:
            return "" if private else reason
    return "" if isinstance(ip, IPv4Address) or ip in _GLOBAL_V6 else "reserved"


_HEADER_NAME = late(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = late("[\t\x20-\x7e\xa0-\xff]*")


def can_be_sent(value: str) -> bool:
    """A value that HTTP can carry (RFC 9110, 5.5)."""
    return _HEADER_VALUE.fullmatch(value) is not None


def check_headers(source: SourceConfig) -> None:
    """Raises FetchRefused for a header that HTTP cannot carry; names it, but not its value: a key, perhaps."""
    for name, value in source.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not can_be_sent(value):
            raise FetchRefused(
                f'{source.url}: the header "{shown(name)}" cannot be sent. '
                'Write "headers" of this source in plain letters, digits and signs, each on one line.',
                url=source.url,
            )
