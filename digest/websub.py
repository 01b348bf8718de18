"""Tells a WebSub hub which feeds changed, so that readers who are subscribed there need not ask (W3C WebSub, 5 and 6)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from urllib.parse import urlencode

from digest.config import SourceConfig
from digest.errors import FetchError, FetchTimeout
from digest.fetch.addresses import Lookup, place_of, redirected, system_lookup
from digest.fetch.faults import answer_of
from digest.fetch.wire import NoAnswer, Wire

log = logging.getLogger(__name__)

_LANES = 16
_REDIRECTS = 2
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ping(
    hub: str,
    feed_urls: Sequence[str],
    *,
    user_agent: str,
    seconds: float = 5.0,
    lookup: Lookup = system_lookup,
) -> tuple[int, int]:
    """How many feeds the hub took note of, and how many not. Each is told in one POST of its own, those of the whole site first,
    some at a time; after `seconds` in all nothing is told any more. Raises nothing: readers who hear nothing ask by themselves.

    The hub may be in a private network, since the operator wrote it down; where it redirects to may not.
    """
    feeds = sorted(dict.fromkeys(feed_urls), key=lambda url: url.count("/"))
    # What the name leads to is asked once; whether that may be asked is looked at each time.
    wire = Wire(user_agent=user_agent, lookup=lru_cache(lookup))
    tell = partial(_tell, wire, hub, time.monotonic() + seconds)
    with ThreadPoolExecutor(_LANES) as lanes:
        reasons = list(lanes.map(lambda feed: answer_of(hub, partial(tell, feed)), feeds))
    failed = [reason for reason in reasons if reason is not None]
    if failed:
        why = f"{hub}: no answer in time." if isinstance(failed[0], FetchTimeout) else str(failed[0])
        log.warning("The hub did not take note of %d of %d feeds. %s", len(failed), len(feeds), why)
    return len(feeds) - len(failed), len(failed)


def _tell(wire: Wire, hub: str, deadline: float, feed: str) -> None:
    """Tells the hub that a feed changed. Raises FetchError where it does not say that it took note (2xx)."""
    form = urlencode({"hub.mode": "publish", "hub.url": feed}).encode()
    asked = place = place_of(hub)
    for _ in range(_REDIRECTS + 1):
        source = SourceConfig(name="hub", url=hub, allow_private=place.origin == asked.origin)
        answer = wire.get(place, source, headers=_FORM, deadline=deadline, read=lambda _: b"", form=form)
        if isinstance(answer, NoAnswer):
            raise FetchError(f"{place.url}: {answer.reason}.", url=place.url)
        if 200 <= answer.status < 300:
            return
        # Not 303, which asks for a GET: that would tell the hub nothing.
        if not answer.location or answer.status == 303:
            raise FetchError(f"{place.url}: it answered {answer.status}.", url=place.url)
        place = redirected(place, answer.location, source)
    raise FetchError(f"{hub}: more than {_REDIRECTS} redirects. Mend site.hub.", url=hub)
