"""The web door: subscribe, confirm, manage, leave; everything else is a published file.

`make_web` builds the application, `serve_web` runs it until told to stop. Addresses count from the path of site.url.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router

from digest.app import App
from digest.app.search import refresh
from digest.errors import DigestError, RenderError
from digest.formats.frame import FEEDS
from digest.web.door import Door
from digest.web.files import Files
from digest.web.forms import BadForm, Fields, read_body, read_fields
from digest.web.health import HealthDoor
from digest.web.origin import is_foreign
from digest.web.pages import PRIVATE
from digest.web.published import Published
from digest.web.search import AT_ONCE, WAITING, SearchDoor
from digest.web.server import make_server
from digest.web.worker import LetterWorker, spoken

Look = Callable[[Request], Response]
Act = Callable[[Request, Fields], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("digest.web")

_BACKLOG = 512


def make_web(app: App, *, clock: Callable[[], datetime]) -> Starlette:
    """The application, over one App that its threads share. `web.state.letters` is the worker that sends its letters,
    `web.state.files` the published files, `web.state.searching` an App of its own for searches and `web.state.health` the door of
    who watches, both to be closed at the end.

    Raises StoreError where the store cannot be opened.
    """
    letters = LetterWorker(app)
    files = Files(app.config.resolve(app.config.site.output))
    door = Door(app, clock, letters)
    answers = _Answers(door)
    searching = App(app.config, clock=clock)
    health = HealthDoor(App(app.config, clock=clock))
    web = Starlette(
        routes=_routes(app, door, files, searching, health),
        exception_handlers={
            HTTPException: answers.refused,
            ClientDisconnect: answers.left,
            DigestError: answers.failed,
            Exception: answers.broken,
        },
    )
    web.router.redirect_slashes = False
    web.state.letters = letters
    web.state.files = files
    web.state.searching = searching
    web.state.health = health
    return web


def _routes(app: App, door: Door, files: Files, searching: App, health: HealthDoor) -> list[BaseRoute]:
    root = unquote(urlsplit(app.config.site.url).path)
    site_url = app.config.site.url
    doors: dict[str, tuple[Look | None, Act | None]] = {
        "subscribe": (door.form, door.subscribe),
        "confirm": (door.ask_to_confirm, door.confirm),
        "again": (None, door.ask_again),
        "manage": (door.choices, door.change),
        "undo": (door.ask_to_undo, door.undo),
        "export": (None, door.export),
        "erase": (door.ask_to_erase, door.erase),
    }
    routes: list[BaseRoute] = []
    for name, (look, act) in doors.items():
        endpoint = _endpoint(door, look, act, site_url)
        methods = [method for method, handler in (("GET", look), ("POST", act)) if handler]
        # Without the final slash as well: a redirect would lose the form, and RFC 8058 allows none.
        routes += [Route(f"/{name}{slash}", endpoint, methods=methods) for slash in ("/", "")]
    leave = _one_click(door)
    routes += [Route(f"/unsubscribe{slash}", leave, methods=["GET", "POST"]) for slash in ("/", "")]
    routes += _searches(app, door, searching)
    routes += [
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
    ]
    published = Published(files, urlsplit(site_url).path, [digest.folder for digest in app.config.digest])
    prefix = root.rstrip("/")
    outside: list[BaseRoute] = []
    if prefix:
        outside.append(
            Route(prefix, lambda request: RedirectResponse(urlsplit(site_url).path), methods=["GET"])
        )
    # Files are what is left when no door has the name: a mount for them would also answer for a door's other methods.
    return [*outside, Mount(prefix, app=Router(routes, redirect_slashes=False, default=published))]


def _searches(app: App, door: Door, searching: App) -> list[BaseRoute]:
    """The search of each digest and its feeds, below the digest's root."""
    endpoint = _in_turn(door)

    routes: list[BaseRoute] = []
    for digest in app.config.digest:
        look = SearchDoor(searching, digest)
        root = f"/{digest.folder}search"
        places = [(f"{root}/", look.page), (root, look.page)]
        places += [(f"{root}/{file}", look.feed) for _, file, _ in FEEDS]
        routes += [Route(path, endpoint(answer), methods=["GET"]) for path, answer in places]
    return routes


def _in_turn(door: Door) -> Callable[[Look], Endpoint]:
    """Endpoints of which a few answer at a time and a few wait: all others are told to come back, and no other door notices."""
    turns: list[anyio.CapacityLimiter] = []

    def endpoint(look: Look) -> Endpoint:
        async def answer(request: Request) -> Response:
            if not turns:
                turns.append(anyio.CapacityLimiter(AT_ONCE))
            if turns[0].statistics().tasks_waiting >= WAITING:
                response = _refusal(
                    door, 503, "Too many searches", "Many people search at this moment. Please try again."
                )
                response.headers["Retry-After"] = "5"
                return response
            return await anyio.to_thread.run_sync(partial(look, request), limiter=turns[0])

        return answer

    return endpoint


def _endpoint(door: Door, look: Look | None, act: Act | None, site_url: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        if request.method != "POST":
            assert look is not None
            return await run_in_threadpool(look, request)
        assert act is not None
        if is_foreign(request.headers.get("origin"), request.headers.get("host", ""), site_url):
            return _refusal(
                door,
                403,
                "Not from here",
                "This form was sent from a page of another site, so nothing was done.",
            )
        try:
            fields = await read_fields(request, await read_body(request))
        except BadForm as error:
            return _unreadable(door, error)
        return await run_in_threadpool(act, request, fields)

    return answer


def _one_click(door: Door) -> Endpoint:
    """The List-Unsubscribe address. Nothing in the body decides anything, so whatever it is (urlencoded, multipart), it is
    read and not looked at; nor does it matter which page it was sent from."""

    async def answer(request: Request) -> Response:
        if request.method != "POST":
            return await run_in_threadpool(door.ask_to_leave, request)
        try:
            await read_body(request)
        except BadForm as error:
            return _unreadable(door, error)
        return await run_in_threadpool(door.leave, request)

    return answer


def _unreadable(door: Door, error: BadForm) -> Response:
    return _refusal(door, error.status, "This form could not be read", f"{error} Nothing was changed.")


def _refusal(door: Door, status: int, title: str, text: str) -> Response:
    try:
        return door.pages.problem(status, title, text)
    except RenderError as error:
        log.error("%s", error)
        return PlainTextResponse(f"{title}. {text}\n", status_code=status, headers=PRIVATE)


class _Answers:
    """What is said when a request cannot be answered otherwise."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def refused(self, request: Request, error: Any) -> Response:
        """404 and 405, with what else the error brings (Allow)."""
        if error.status_code == 404 and (empty := self._no_edition(request)):
            return empty
        words = {
            404: ("No such page", "There is no page at this address."),
            405: ("This cannot be done here", "A page or link of this site does not ask for this."),
        }
        title, text = words.get(
            error.status_code, ("This cannot be answered", "The request makes no sense here.")
        )
        response = _refusal(self._door, error.status_code, title, text)
        response.headers.update(error.headers or {})
        return response

    def _no_edition(self, request: Request) -> Response | None:
        try:
            return self._door.no_edition(request.scope["path"])
        except RenderError as error:
            log.error("%s", error)
            return None

    def left(self, request: Request, error: Any) -> Response:
        """Who sent a part of a form and went, or was hung up on: nobody reads this, and nobody need hear of it."""
        return Response(status_code=400)

    def failed(self, request: Request, error: Any) -> Response:
        """A store that is full or locked, a template that is broken: for the operator to mend."""
        log.error("web: %s", spoken(error))
        return _refusal(
            self._door,
            503,
            "Not just now",
            "Something failed on our side. Please try again in a few minutes.",
        )

    def broken(self, request: Request, error: Any) -> Response:
        """A fault of the program; the server logs it."""
        return _refusal(
            self._door, 500, "Something broke", "This is a fault of this program, and it has been noted."
        )


# ---------------------------------------------------------------- the server


_LISTEN_MEND = "Write an address of this machine"
_LISTEN_MENDS = {
    errno.EADDRINUSE: "End the program that is there, or choose another port",
    errno.EACCES: "Choose a port from 1024 on: those below are for root",
}


def listen_at(address: str) -> socket.socket:
    """A listening socket at "127.0.0.1:8000" or "[::1]:8000". Raises DigestError with the mend where it cannot be had."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # The protocol is named, or asyncio does not see that it is TCP and leaves Nagle's delay of 40 ms in every answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, int(port)))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise DigestError(
            f'[web] "listen": {address} cannot be listened at ({error.strerror or error}). '
            f"{_LISTEN_MENDS.get(error.errno or 0, _LISTEN_MEND)}; `--no-web` serves without."
        ) from None
    return listener


def serve_web(app: App, listener: socket.socket, stop: threading.Event) -> None:
    """Answers requests at `listener` in the calling thread until `stop`; then ends those that are being answered, and returns.

    Letters are sent by a thread beside, from the start on.
    """
    web = make_web(app, clock=app.clock)
    # Of a store that comes from an older version nothing could be found before the next run.
    refresh(app)

    server = make_server(web, web.state.files, stop)
    web.state.letters.start()
    try:
        server.run(sockets=[listener])
    finally:
        web.state.letters.end()
        web.state.searching.close()
        web.state.health.close()
