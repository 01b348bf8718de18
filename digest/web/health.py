"""GET /healthz and /metrics: for who watches the program. Both look and change nothing.

They use an App and threads of their own: they answer while every other door waits, and no other door waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from digest.app import App
from digest.errors import DigestError, StoreError
from digest.web.limits import client_address, networks
from digest.web.worker import spoken

if TYPE_CHECKING:
    from digest.web.metrics import Metrics

log = logging.getLogger("digest.web")

# A store that takes longer to say how things are is out of order.
_LIMIT_S = 1.0
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# What a web server before us says of itself: whom it lets through is then not for us to see.
_FORWARDED = ("x-forwarded-for", "forwarded", "via")


class Health(Struct, frozen=True, kw_only=True):
    """What /healthz says: `problems` in words, and each digest with its last good run and since when it is silent."""

    status: str
    problems: tuple[str, ...] = ()
    digests: tuple[dict[str, Any], ...] = ()


class HealthDoor:
    """Answers /healthz and /metrics by an App that nothing else uses; `close` ends it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._proxies = networks(app.config.web.proxies)
        self._may_read = networks(app.config.monitor.metrics_from)
        self._looking: Future[Health] | None = None
        self._lanes = ThreadPoolExecutor(2, "health")
        self._scraping = asyncio.Lock()
        self._metrics: Metrics | None = None
        self._down_since: datetime | None = None

    def close(self) -> None:
        """Lets go of the store; a look at it that never comes back is not waited for."""
        self._lanes.shutdown(wait=False, cancel_futures=True)
        if self._looking is None or self._looking.done():
            self._app.close()

    # ------------------------------------------------------------ /healthz

    async def healthz(self, request: Request) -> Response:
        """200 while the store answers within a second and no digest is silent for longer than [monitor] silent_after_h; else 503
        with what is wrong and since when."""
        now = self._app.clock()
        health = await self._look(now)
        body = msgspec.json.format(msgspec.json.encode(health), indent=1) + b"\n"
        status = 200 if health.status == "ok" else 503
        return Response(body, status, media_type="application/json", headers=_FRESH)

    async def _look(self, now: datetime) -> Health:
        """How things are. Who asks while another look is under way gets what that one finds."""
        if self._looking is None or self._looking.done():
            self._looking = self._lanes.submit(self._how, now)
        looking = asyncio.wrap_future(self._looking)
        # Nobody may be waiting any more.
        looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            health = await asyncio.wait_for(asyncio.shield(looking), _LIMIT_S)
        except TimeoutError:
            return self._down(now, "The store does not answer within a second")
        except DigestError as error:
            log.error("healthz: %s", spoken(error))
            what = "The store fails" if isinstance(error, StoreError) else "The configuration is wrong"
            return self._down(now, f"{what}; the log says why")
        self._down_since = None
        return health

    def _down(self, now: datetime, what: str) -> Health:
        self._down_since = self._down_since or now
        return Health(status="failing", problems=(f"{what}, since {_stamp(self._down_since)}.",))

    def _how(self, now: datetime) -> Health:
        hours = self._app.config.monitor.silent_after_h
        with self._app.store.within(_LIMIT_S):
            pulses = self._app.pulses(now)
        silent = [pulse for pulse in pulses if pulse.silent(now, hours)]
        return Health(
            status="failing" if silent else "ok",
            problems=tuple(
                f"The digest {pulse.digest} had no successful run since {_stamp(pulse.missed)}, when it was due."
                for pulse in silent
            ),
            digests=tuple(
                {
                    "digest": pulse.digest,
                    "last_success": _stamp(pulse.last_success),
                    "silent_since": _stamp(pulse.missed) if pulse in silent else None,
                }
                for pulse in pulses
            ),
        )

    # ------------------------------------------------------------ /metrics

    async def metrics(self, request: Request) -> Response:
        """The metrics, for [monitor] metrics_from; 403 for others, 503 where the store fails. One scrape at a time."""
        if not self._allowed(request):
            return PlainTextResponse(
                "Not for you: [monitor] metrics_from says who may read this.\n", 403, headers=_FRESH
            )
        accept = request.headers.get("accept", "")
        async with self._scraping:
            work = asyncio.get_running_loop().run_in_executor(self._lanes, self._scrape, accept)
            try:
                body, kind = await work
            except DigestError as error:
                log.error("metrics: %s", spoken(error))
                return PlainTextResponse("The store fails; the log says why.\n", 503, headers=_FRESH)
        return Response(body, media_type=kind, headers=_FRESH)

    def _scrape(self, accept: str) -> tuple[bytes, str]:
        if self._metrics is None:
            from digest.web.metrics import Metrics

            self._metrics = Metrics(self._app)
        return self._metrics.text(accept, now=self._app.clock())

    def _allowed(self, request: Request) -> bool:
        """Does the one who asks come from a network that may? Behind a web server that is no known proxy everybody would come
        from its address: then nobody may."""
        peer = request.client.host if request.client else ""
        client = client_address(peer, request.headers.getlist("x-forwarded-for"), self._proxies)
        try:
            address, near = ip_address(client.partition("%")[0]), ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        known = any(near in network for network in self._proxies)
        if not known and any(name in request.headers for name in _FORWARDED):
            return False
        return any(address in network for network in self._may_read)


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
