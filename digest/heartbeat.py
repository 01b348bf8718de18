"""Tells the operator's monitor that a run did well: an address that is asked, and somebody notices when it is not any more."""

from __future__ import annotations

import logging
import time

from digest.config import SourceConfig
from digest.errors import FetchError, FetchTimeout
from digest.fetch.addresses import Lookup, Place, place_of, redirected, system_lookup
from digest.fetch.faults import answer_of
from digest.fetch.wire import NoAnswer, Wire

log = logging.getLogger(__name__)

_REDIRECTS = 2


def beat(url: str, *, user_agent: str, seconds: float = 10.0, lookup: Lookup = system_lookup) -> bool:
    """Asks the address once (GET). True where it answers that all is well (2xx) within `seconds`. Raises nothing: what is wrong is
    logged, with the host alone, since whoever knows the whole address can keep the alarm silent.

    The address may be in a private network, since the operator wrote it down; where it redirects to may not.
    """
    wire = Wire(user_agent=user_agent, lookup=lookup)
    why = answer_of(url, lambda: _ask(wire, url, time.monotonic() + seconds))
    if isinstance(why, FetchTimeout):
        why = f"no answer within {seconds:g} s"
    elif isinstance(why, FetchError):
        # Its message names the address.
        why = f"the server answered {why.status}" if why.status else "it could not be asked"
    if why:
        log.warning(
            "The heartbeat address at %s did not take note of this run: %s. See [monitor] heartbeat_url.",
            _host(url),
            why,
        )
    return not why


def _ask(wire: Wire, url: str, deadline: float) -> str:
    """Why the address did not take note; "" where it did. Raises FetchError."""
    asked = place = place_of(url)
    for _ in range(_REDIRECTS + 1):
        source = SourceConfig(name="heartbeat", url=url, allow_private=place.origin == asked.origin)
        answer = wire.get(place, source, headers={}, deadline=deadline, read=lambda _: b"")
        if isinstance(answer, NoAnswer):
            return answer.reason
        if 200 <= answer.status < 300:
            return ""
        if not answer.location:
            return f"the server answered {answer.status}"
        place = redirected(place, answer.location, source)
    return f"more than {_REDIRECTS} redirects"


def _host(url: str) -> str:
    place = answer_of("", lambda: place_of(url))
    return place.host if isinstance(place, Place) else "an address that is none"
