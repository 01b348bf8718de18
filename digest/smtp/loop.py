"""One thread that serves all connections of a run.

A thread for each would do as well. But threads fight for the interpreter at every call into the kernel, which takes longer than a
mail takes to a server that is near. So each connection goes as far as it can without waiting (mails.Pause), and goes on when what
it waits for is there. What takes a while and cannot pause, to connect, to log in and to say goodbye, is done in threads aside.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from digest.smtp.mails import Lane, Pause, Steps, Transport


class Feed(Protocol):
    """Where the mails come from, and what is told of the connections; all of it in the thread of the loop."""

    def waits(self) -> bool:
        """Is there a mail that a connection could take now?"""

    def lane(self) -> Lane:
        """A lane for a new connection."""

    def rests(self, lane: Lane) -> None:
        """A connection has nothing to do now."""

    def broken(self, lane: Lane, error: Exception | None) -> None:
        """A connection is over. Has its lane mails still, nobody knows what became of them."""


class _Connection:
    """A transport, and how far it is with the mails of its lane: `steps` is None while it has none."""

    def __init__(self, transport: Transport, lane: Lane) -> None:
        self.transport, self.lane = transport, lane
        self.steps: Steps[None] | None = None
        self.watched: Pause | None = None
        self.until = 0.0


class Loop:
    """Serves up to `most` connections, opened as mails come. Begins at once, and is to be ended."""

    def __init__(self, open_transport: Callable[[], Transport], most: int, feed: Feed) -> None:
        self._open_transport, self._most, self._feed = open_transport, most, feed
        self._all: list[_Connection] = []
        self._idle: deque[_Connection] = deque()
        self._done: deque[tuple[_Connection, Future[None]]] = deque()  # what was done aside
        self._ending = self._asleep = False
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._pool = ThreadPoolExecutor(most + 1, thread_name_prefix="deliver")
        self._work = self._pool.submit(self._run)

    # ------------------------------------------------------ for other threads

    def wake(self) -> None:
        """There is something to do. Costs next to nothing while the loop is at work."""
        if self._asleep:
            self._asleep = False
            self._mouth.send(b"!")

    def fault(self) -> BaseException | None:
        """What ended the loop before its time."""
        return self._work.exception() if self._work.done() else None

    def end(self) -> None:
        """Lets the connections finish what they are at, and says goodbye to the servers."""
        self._ending = True
        self._mouth.send(b"!")
        wait([self._work])
        self._pool.shutdown(wait=True)
        self._selector.close()
        self._ear.close()
        self._mouth.close()

    # ------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._ending or len(self._idle) < len(self._all):
                while self._has_work():
                    self._begin()
                self._serve()
        finally:
            for each in self._all:
                self._feed.broken(each.lane, None)
                self._pool.submit(each.transport.close)

    def _has_work(self) -> bool:
        return bool(self._idle or len(self._all) < self._most) and self._feed.waits()

    def _begin(self) -> None:
        if self._idle:
            each = self._idle.popleft()
        else:
            each = _Connection(self._open_transport(), self._feed.lane())
            self._all.append(each)
        each.steps = each.transport.steps(each.lane)
        self._go_on(each)

    def _serve(self) -> None:
        """Waits until some connections can go on, and lets them."""
        waiting = [each.until for each in self._all if each.watched is not None]
        earliest = min(waiting, default=None)
        self._asleep = True
        # What came in before "asleep" was to be read woke nobody.
        busy = self._done or self._has_work()
        patience = 0.0 if busy else None if earliest is None else max(0.0, earliest - time.monotonic())
        found = self._selector.select(patience)
        self._asleep = False
        for key, _ in found:
            if key.data is None:
                self._ear.recv(4096)
            else:
                self._go_on(key.data)
        while self._done:
            each, done = self._done.popleft()
            self._go_on(each, done.exception())
        if earliest is not None and time.monotonic() >= earliest:
            self._lose_patience(time.monotonic())

    def _lose_patience(self, now: float) -> None:
        for each in list(self._all):
            if each.watched is not None and each.until <= now:
                self._go_on(each, TimeoutError("timed out"))

    def _go_on(self, each: _Connection, error: BaseException | None = None) -> None:
        """To the next pause, or to the end of what the lane has."""
        assert each.steps is not None
        try:
            pause = next(each.steps) if error is None else each.steps.throw(error)
        except StopIteration:
            self._watch(each, None)
            each.steps = None
            self._idle.append(each)
            self._feed.rests(each.lane)
        except Exception as fault:  # noqa: BLE001 - handed on; the mails of the others are under way, and are heard of
            self._watch(each, None)
            self._all.remove(each)
            self._feed.broken(each.lane, fault)
            self._pool.submit(each.transport.close)
        else:
            self._pause(each, pause)

    def _pause(self, each: _Connection, pause: Pause) -> None:
        if pause is each.watched:
            each.until = time.monotonic() + pause.seconds
        elif pause.call is None:
            each.until = time.monotonic() + pause.seconds
            self._watch(each, pause)
        else:
            self._watch(each, None)
            self._pool.submit(pause.call).add_done_callback(lambda done: self._is_done(each, done))

    def _is_done(self, each: _Connection, done: Future[None]) -> None:
        self._done.append((each, done))
        self.wake()

    def _watch(self, each: _Connection, pause: Pause | None) -> None:
        """Has the selector look at a connection for this; most pauses are like the one before."""
        was, each.watched = each.watched, pause
        if was is not None and (pause is None or was.sock is not pause.sock):
            assert was.sock is not None
            self._selector.unregister(was.sock)
            was = None
        if pause is None or pause.sock is None:
            return
        events = selectors.EVENT_WRITE if pause.writing else selectors.EVENT_READ
        if was is None:
            self._selector.register(pause.sock, events, each)
        elif was.writing != pause.writing:
            self._selector.modify(pause.sock, events, each)
