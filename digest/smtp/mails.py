"""What a transport is given to send, and whom it tells what became of it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from digest.errors import MailError
from digest.mail.replies import Stage
from digest.model import Message, Receipt


class Mail(Struct, frozen=True, kw_only=True, gc=False):
    """One message on its way to one recipient. `number` is its sender's own; the transport only hands it back."""

    recipient: str
    message: Message
    message_id: str
    number: int = 0


class Lane(Protocol):
    """Where the mails of one connection come from and what became of each is told. It hears of every mail that it gave:
    `answered`, `failed` or `returned`, in the thread of the connection."""

    def next(self) -> Mail | None:
        """The mail that goes next, at once; None where there is none now. Two may be under way: while the end of one is
        being sent, the envelope of the next goes with it."""

    def begun(self, mail: Mail) -> None:
        """From here on the server may have the whole of it. At most one mail of a lane is begun and not answered."""

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage) -> None:
        """What the receiving side said, and behind which command."""

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

    def stream(self, lane: Lane) -> None:
        """Sends the mails of a lane until it has none, or until the transport fails, which the lane is told."""

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

    def begun(self, mail: Mail) -> None:
        """Nobody else needs to know."""

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage) -> None:
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
