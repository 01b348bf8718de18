"""uvicorn as it serves the web door: until it is told to stop, and without those who take nothing of what they are sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import cast

import uvicorn
from starlette.applications import Starlette

from digest.web.fastlane import LaneProtocol, make_protocol
from digest.web.files import Files

# How long answers that are being made may still take when the process is told to end; then who hangs is hung up on. What
# answers them has the rest of the time to notice: uvicorn cancels what does not, and logs a traceback of each.
_HANG_UP_S = 8.0
_GRACE_S = 10
# Ticks of the server, ten to a second, after which it is looked whether clients take what they are sent.
_LOOK_TICKS = 300


class Server(uvicorn.Server):
    """All of its connections are of a protocol that make_protocol made."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        if counter % _LOOK_TICKS == 0:
            for connection in self._connections():
                connection.look()
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(_HANG_UP_S, self._hang_up)
        await super().shutdown(sockets)

    def _hang_up(self) -> None:
        for connection in self._connections():
            connection.hang_up()

    def _connections(self) -> list[LaneProtocol]:
        return cast("list[LaneProtocol]", list(self.server_state.connections))


def make_server(web: Starlette, files: Files, stop: threading.Event) -> Server:
    """The server of this application and of the files beside it, that runs until `stop`."""
    return Server(
        uvicorn.Config(
            web,
            http=make_protocol(files),
            lifespan="off",
            ws="none",
            # Tokens stand in addresses: no access log. Proxies are ours to judge (limits.py).
            access_log=False,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=_GRACE_S,
        ),
        stop,
    )
