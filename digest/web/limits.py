"""How many subscriptions may be asked for, counted by network and overall, and whose network a request comes from."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from digest.config import WebConfig

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Neighbours in these are one customer of a provider, or few.
_IPV4_BITS, _IPV6_BITS = 24, 64


def networks(texts: Sequence[str]) -> list[Network]:
    """Those that a list of the configuration names, which was found to name nothing else (checks)."""
    return [ip_network(text, strict=False) for text in texts]


def client_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Who asks: the peer of the connection or, where that is a trusted proxy, the last address in X-Forwarded-For that is none.

    `forwarded` are the header's values in order. What stands further left in it was written by who asks, and is not believed.
    """
    address = _parsed(peer)
    named = [part.strip() for value in forwarded for part in value.split(",")]
    while address is not None and named and any(address in network for network in proxies):
        further = _parsed(named.pop())
        if further is None:
            break
        address = further
    return str(address) if address is not None else peer


def network_of(address: str) -> str:
    """The /24 or /64 of an address; what is no address counts as a network of its own."""
    parsed = _parsed(address)
    if parsed is None:
        return address
    bits = _IPV4_BITS if parsed.version == 4 else _IPV6_BITS
    return str(ip_network((parsed, bits), strict=False))


def _parsed(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, an IPv6 one also in brackets or with a zone."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Limits:
    """Counts what was asked for in the last hour. It lives as long as the process: a restart begins anew."""

    def __init__(self, web: WebConfig) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._of_network = RateLimitItemPerHour(web.per_network_per_hour)
        self._overall = RateLimitItemPerHour(web.per_hour)
        self._turn = threading.Lock()

    def wait_s(self, address: str) -> int:
        """Counts one request of this address: 0 when it may pass, else after how many seconds one may pass again.

        Nothing is counted of what is refused, so that one network cannot use up the hour of all, and the memory that this
        takes is bounded by the limit of all.
        """
        network = network_of(address)
        with self._turn:
            for item, names in ((self._overall, ("all",)), (self._of_network, ("network", network))):
                if not self._limiter.test(item, *names):
                    again = self._limiter.get_window_stats(item, *names).reset_time
                    return max(1, int(again - time.time()) + 1)
            self._limiter.hit(self._of_network, "network", network)
            self._limiter.hit(self._overall, "all")
        return 0
