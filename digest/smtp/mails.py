"""What a transport is given to send, and whom it tells what became of it."""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from digest.errors import MailError
from digest.mail.replies import Stage
from digest.model import Message, Receipt

if TYPE_CHECKING:
    import socket

T = TypeVar("T")


class Mail(Struct, frozen=True, kw_only=True, gc=False):
    """One message on its way to one recipient. `number` is its sender's own; the transport only hands it back."""

    recipient: str
    message: Message
    message_id: str
    number: int = 0


class Pause(Struct, kw_only=True, gc=False):
    """What a transport waits for: that it can read from a socket, or write to it, for so many seconds at most; or that `call`,
    which takes a while, is done. What that raises, or TimeoutError, is thrown in at the `yield`."""

    sock: socket.socket | None = None
    writing: bool = False
    seconds: float = 0.0
    call: Callable[[], None] | None = None


# Work that pauses, and what it gives in the end.
Steps = Generator[Pause, None, T]


def go_through(steps: Steps[None]) -> None:
    """Does it all in this thread."""
    error: BaseException | None = None
    while True:
        try:
            pause = next(steps) if error is None else steps.throw(error)
        except StopIteration:
            return
        error = _waited(pause)


def _waited(pause: Pause) -> BaseException | None:
    if pause.call is not None:
        try:
            pause.call()
        except MailError as error:
            return error
        return None
    assert pause.sock is not None
    poll = select.poll()
    poll.register(pause.sock, select.POLLOUT if pause.writing else select.POLLIN)
    return None if poll.poll(pause.seconds * 1000) else TimeoutError("timed out")


class Lane(Protocol):
    """Where the mails of one connection come from and what became of each is told. It hears of every mail that it gave:
    `answered`, `failed` or `returned`, in the thread of the connection."""

    def next(self) -> Mail | None:
        """The mail that goes next, at once; None where there is none now. Two may be under way: while the end of one is
        being sent, the envelope of the next goes with it."""

    def is_wanted(self, mail: Mail) -> bool:
        """Is it still to go? Asked when the server waits for the message, however long that took."""

    def begun(self, mail: Mail) -> None:
        """From here on the server may have the whole of it. At most one mail of a lane is begun and not answered."""

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage, then: Mail | None = None) -> None:
        """What the receiving side said, and behind which command. `then` is begun with it, in one note of both."""

    def failed(self, mail: Mail, error: MailError) -> None:
        """The transport could not be used. The mail was not taken, unless the error says `in_doubt`."""

    def returned(self, mail: Mail) -> None:
        """Nothing of it was sent, or only its envelope."""


class Transport(Protocol):
    """A way on which messages leave. Not for two threads at once: each worker opens its own."""

    def send(self, recipient: str, message: Message, *, message_id: str) -> Receipt:
        """What the receiving side said of this message to this recipient.

        Raises MailError when the transport cannot be used at all; then this message was not taken, unless the error
        says `in_doubt`. The transport may be used again afterwards: it starts with a new connection.
        """

    def steps(self, lane: Lane) -> Steps[None]:
        """Sends the mails of a lane until it has none, or until the transport fails, which the lane is told. Pauses where it has
        to wait; another thread may go on with it behind a pause."""

    def close(self) -> None:
        """Says goodbye; never raises."""


class Single:
    """A lane of one mail, for who wants the answer as a value."""

    def __init__(self, mail: Mail) -> None:
        self._mail: Mail | None = mail
        self._receipt: Receipt | None = None
        self._error: MailError | None = None

    def next(self) -> Mail | None:
        mail, self._mail = self._mail, None
        return mail

    def is_wanted(self, mail: Mail) -> bool:
        return True

    def begun(self, mail: Mail) -> None:
        """Nobody else needs to know."""

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage, then: Mail | None = None) -> None:
        self._receipt = receipt

    def failed(self, mail: Mail, error: MailError) -> None:
        self._error = error

    def returned(self, mail: Mail) -> None:
        """There is no second mail that could be."""

    def outcome(self) -> Receipt:
        if self._error is not None:
            raise self._error
        assert self._receipt is not None
        return self._receipt
