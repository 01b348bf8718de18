"""The envelope and the message on the wire: pipelined where the server allows it (RFC 2920), one command at a time where not.

MAIL, RCPT and DATA of a mail go in one write, and so do the end of one mail and the envelope of the next: one wait for each
mail instead of four. One recipient for each message, so that every reply belongs to one delivery.

Whatever may have to wait is a generator and yields what it waits for (mails.Pause), so that one thread can serve all connections.
"""

from __future__ import annotations

import re
import time
from collections import deque

from msgspec import Struct

from digest.config import SmtpConfig
from digest.errors import DigestError, MailError
from digest.mail.envelope import one_line, wire_address
from digest.mail.replies import NOT_LET_IN, Stage, enhanced_code
from digest.model import Message, Receipt
from digest.smtp.mails import Lane, Mail, Pause, Single, Steps, go_through
from digest.smtp.session import MOST_LINES, Session

# RFC 5321, 4.5.3.2.6: the reply to the final dot gets ten minutes where other replies get a few, since giving up
# early there means that the message comes twice. With timeout_s = 60 this gives those ten minutes.
_PATIENCE_AFTER_THE_DOT = 10
_LONGEST_LINE = 8192
_AT_ONCE = 1000  # buffers in one write; Linux takes 1,024
_HEARD_AT_ONCE = 65536
_DOT = b".\r\n"


class _Ready(Struct, kw_only=True, gc=False):
    """A mail of `size` bytes that this server can be offered, with its envelope: the lines MAIL, RCPT and DATA. `begun`: the server
    waits for it, and that is noted."""

    mail: Mail
    size: int
    envelope: bytes
    begun: bool = False


class _Stale(MailError):
    """The server ended a connection that had been used before, ahead of the next envelope: a new one may do."""


_OK, _GO_ON = b"250 ", b"354 "
_REST: tuple[tuple[int, Stage], ...] = ((1, "rcpt"), (2, "data"))


class SmtpTransport:
    """One connection to the mail server of [mail], "smtp", opened for the first message and used for all that follow."""

    def __init__(self, smtp: SmtpConfig, *, sender: str) -> None:
        self._session = Session(smtp)
        self.where = self._session.where
        self._timeout = smtp.timeout_s
        self._sender = wire_address(sender) or sender
        self._pipelining = self._used = self._envelope_open = False
        # How many bytes the server takes; 0 where it does not say how many, None without SIZE.
        self._largest: int | None = None
        self._for_reply = self._for_verdict = Pause()
        self._lines: deque[bytes] = deque()  # of the server's replies, without their ends
        self._torn = b""

    def send(self, recipient: str, message: Message, *, message_id: str) -> Receipt:
        """2yz is accepted, 4yz deferred, 5yz rejected; a message that cannot be offered to this server is rejected too.

        A connection that the server closed between two messages is opened again, once.
        """
        lane = Single(Mail(recipient=recipient, message=message, message_id=message_id))
        self.stream(lane)
        return lane.outcome()

    def connect(self) -> None:
        """Connects, makes TLS as configured and logs in. Raises MailError, with the mend, where one of these fails."""
        self._session.drop()
        self._session.open()
        sock, features = self._session.sock, self._session.features
        self._pipelining = "pipelining" in features
        self._largest = None
        if "size" in features:
            stated = re.fullmatch(r"[0-9]{1,20}", features["size"])  # RFC 1870, 4
            self._largest = int(stated[0]) if stated else 0
        self._for_reply = Pause(sock=sock, seconds=self._timeout)
        self._for_verdict = Pause(sock=sock, seconds=self._timeout * _PATIENCE_AFTER_THE_DOT)
        self._used = self._envelope_open = False
        self._lines.clear()
        self._torn = b""
        self._keep(self._session.unread())

    def close(self) -> None:
        """QUIT, without waiting long for the answer."""
        self._session.quit()

    # -------------------------------------------------------------- the stream

    def stream(self, lane: Lane) -> None:
        """Sends the mails of a lane until it has none, or until a connection fails; what then happens to each the lane is told."""
        go_through(self.steps(lane))

    def steps(self, lane: Lane) -> Steps[None]:
        """The same, with a pause wherever there is something to wait for.

        A mail whose envelope met a connection that the server had closed is tried on a new one, once.
        """
        ready, asked = (yield from self._take(lane)), False
        while ready is not None:
            try:
                if not asked:
                    yield from self._ask(ready)
                refusal = None if ready.begun or self._is_let_in() else (yield from self._heard(ready))
            except MailError as error:
                if isinstance(error, _Stale):  # once: the new connection has served nobody
                    asked = False
                    continue
                lane.failed(ready.mail, error)
                return
            self._used = True
            if refusal is not None:
                lane.answered(ready.mail, *refusal)
                ready, asked = (yield from self._take(lane)), False
                continue
            following = (yield from self._take(lane)) if self._pipelining else None
            if not (yield from self._content(lane, ready, following)):
                return
            ready, asked = following, following is not None
            if ready is None:
                ready = yield from self._take(lane)

    def _take(self, lane: Lane) -> Steps[_Ready | None]:
        """The next mail that can be offered here; what cannot is answered by ourselves."""
        while (mail := lane.next()) is not None:
            mailbox = wire_address(mail.recipient)
            if mailbox is None:
                reason = "the address cannot be written in an SMTP envelope"
                lane.answered(mail, _rejected("5.1.3", reason), "rcpt")
                continue
            try:
                if self._session.smtp is None:
                    yield Pause(call=self.connect)
            except MailError as error:
                lane.failed(mail, error)
                return None
            offer = self._offer(mail, mailbox)
            if isinstance(offer, _Ready):
                return offer
            lane.answered(mail, offer, "mail")
        return None

    def _offer(self, mail: Mail, mailbox: str) -> _Ready | Receipt:
        sender = self._sender if mail.message.sender is None else _written(mail.message.sender)
        size, limit, more = mail.message.size, self._largest, ""
        if limit is not None:
            more = f" SIZE={size}"
        if not (mailbox.isascii() and sender.isascii()):
            if "smtputf8" not in self._session.features:
                return _rejected(
                    "5.6.7", "the server does not take addresses with letters outside ASCII (SMTPUTF8)"
                )
            more += " SMTPUTF8"
        if limit and size > limit:
            return _rejected("5.3.4", f"the message has {size} bytes, the server takes {limit}")
        envelope = f"MAIL FROM:<{sender}>{more}\r\nRCPT TO:<{mailbox}>\r\nDATA\r\n"
        return _Ready(mail=mail, size=size, envelope=envelope.encode())

    # -------------------------------------------------------------- the envelope

    def _ask(self, ready: _Ready) -> Steps[None]:
        if self._session.smtp is None:
            yield Pause(call=self.connect)
        reset = b"RSET\r\n" if self._envelope_open else b""
        try:
            yield from self._say(reset + ready.envelope if self._pipelining else _lines_of(ready)[0])
        except MailError as error:
            raise self._early(error) from error

    def _heard(self, ready: _Ready) -> Steps[tuple[Receipt, Stage] | None]:
        """None when the server waits for the message; otherwise what it said instead, and where."""
        try:
            if self._envelope_open:
                yield from self._command_reply()
                self._envelope_open = False
            code, text = yield from self._command_reply()
        except MailError as error:
            raise self._early(error) from error
        if code // 100 == 5 and code != 552:
            # The sender is refused, hence every message: nobody's address is at fault, so none is marked.
            raise self._session.refused('refused the sender, "from" in [mail]', code, one_line(text))
        refusal: tuple[Receipt, Stage] | None = None
        if code // 100 != 2:
            refusal = self._refusal(code, text), "mail"
        try:
            refusal, last = yield from self._rest(ready, refusal, code)
        except MailError:
            if refusal is None:
                raise
            return refusal  # it stands all the same; the connection has gone
        if refusal is not None:
            yield from self._clear(last)
        return refusal

    def _is_let_in(self) -> bool:
        """Has a yes to each of MAIL, RCPT and DATA come already? So it is with nearly all mails."""
        lines = self._lines
        if not self._pipelining or self._envelope_open or len(lines) < 3:
            return False
        if not (lines[0].startswith(_OK) and lines[1].startswith(_OK) and lines[2].startswith(_GO_ON)):
            return False
        for _ in range(3):
            lines.popleft()
        return True

    def _rest(
        self, ready: _Ready, refusal: tuple[Receipt, Stage] | None, last: int
    ) -> Steps[tuple[tuple[Receipt, Stage] | None, int]]:
        """The replies to RCPT and DATA. The first refusal counts: what follows one says only that commands were missing."""
        for nth, stage in _REST:
            if not self._pipelining:
                if refusal is not None:
                    break
                yield from self._say(_lines_of(ready)[nth])
            try:
                last, text = yield from self._command_reply()
            except MailError:
                if refusal is None:
                    raise
                return refusal, 0
            good = last == 354 if stage == "data" else last // 100 == 2
            if refusal is None and not good:
                refusal = self._refusal(last, text), stage
        return refusal, last

    def _clear(self, last: int) -> Steps[None]:
        """Ends a refused envelope; if that fails, the receipt stands all the same and the connection goes."""
        if self._session.smtp is None:
            return
        try:
            if last == 354:
                # DATA was let through though nobody is to get it: a message of no line (RFC 2920, 3.1).
                yield from self._say(_DOT)
                yield from self._reply()
            elif self._pipelining:
                self._envelope_open = True  # RSET goes with the next envelope
            else:
                yield from self._say(b"RSET\r\n")
                yield from self._command_reply()
        except MailError:
            self._session.drop()

    def _early(self, error: MailError) -> MailError:
        """An error at the first words of an envelope: on a connection that had served before it may be that one's own."""
        if not self._used or error.reply_code in NOT_LET_IN:
            return error
        return _Stale(str(error), reply_code=error.reply_code, permanent=error.permanent)

    # -------------------------------------------------------------- the message

    def _content(self, lane: Lane, ready: _Ready, following: _Ready | None) -> Steps[bool]:
        """The message and its final dot. From here on a lost reply leaves the message in doubt (RFC 1047).

        The envelope of the following one goes along. False when the connection is over, and the lane knows of both.
        """
        mail = ready.mail
        if not (ready.begun or lane.is_wanted(mail)):
            self._session.drop()  # the server waits for a mail that will not come
            for each in filter(None, (ready, following)):
                lane.returned(each.mail)
            return False
        try:
            if not ready.begun:
                lane.begun(mail)
        except DigestError:  # it cannot be noted: the server waits for a mail that will not come
            self._session.drop()
            raise
        envelope = following.envelope if following is not None else b""
        behind = len(envelope)
        try:
            whole = ready.size + len(_DOT) + behind
            yield from self._send([*mail.message.pieces, _DOT, envelope], whole, behind)
            code, text = yield from self._reply(in_doubt=True)
            if code == 421:
                raise self._session.refused("ended the session", code, one_line(text))
        except MailError as error:
            lane.failed(mail, error)
            if following is not None:
                lane.returned(following.mail)
            return False
        receipt = _receipt(code, one_line(text))
        if following is None or not lane.is_wanted(following.mail) or not self._is_let_in():
            lane.answered(mail, receipt, "data")
            return True
        following.begun = True
        try:
            lane.answered(mail, receipt, "data", following.mail)
        except DigestError:  # neither can this be
            self._session.drop()
            raise
        return True

    # -------------------------------------------------------------- bytes

    def _say(self, commands: bytes) -> Steps[None]:
        yield from self._send([commands], len(commands))

    def _send(self, rest: list[bytes | memoryview], left: int, behind: int = 0) -> Steps[None]:
        """Writes buffers of `left` bytes in all, of which the last `behind` are the envelope of the next mail. A write that fails
        ahead of the mail's last byte has not handed it over; where it fails behind that, the mail is in doubt."""
        sock = self._session.sock
        one_by_one = hasattr(sock, "context")  # TLS has no write of several buffers
        if one_by_one:
            rest = [b"".join(rest)]
        try:
            while left:
                try:
                    sent = sock.send(rest[0]) if one_by_one else sock.sendmsg(rest[:_AT_ONCE])
                except OSError as error:
                    yield self._until_ready(error, writing=True)
                    continue
                left -= sent
                rest = _behind(rest, sent) if left else []
        except OSError as error:
            raise self._session.lost(error, in_doubt=left <= behind) from error

    def _until_ready(self, error: OSError, *, writing: bool, seconds: float = 0.0) -> Pause:
        """The pause for a call that cannot be done at once; raises `error` where it is another."""
        if not isinstance(error, BlockingIOError):
            from ssl import SSLWantReadError, SSLWantWriteError

            if not isinstance(error, SSLWantReadError | SSLWantWriteError):
                raise error
            writing = isinstance(error, SSLWantWriteError)
        return Pause(sock=self._session.sock, writing=writing, seconds=seconds or self._timeout)

    def _command_reply(self) -> Steps[tuple[int, bytes]]:
        """The reply to one command. Raises MailError when there is none, and when it ends the session."""
        code, text = yield from self._reply()
        if code == 421 or code in NOT_LET_IN:
            what = "ended the session" if code == 421 else "does not let us send"
            raise self._session.refused(what, code, one_line(text))
        return code, text

    def _reply(self, *, in_doubt: bool = False) -> Steps[tuple[int, bytes]]:
        """Code and text of one reply, all of its lines (RFC 5321, 4.2), within the time that its first byte may take."""
        parts: list[bytes] = []
        until = 0.0
        while len(parts) < MOST_LINES:
            if not self._lines:
                pause = self._for_verdict if in_doubt else self._for_reply
                if until:  # a line of it was heard
                    pause = self._left_until(until)
                else:
                    until = time.monotonic() + pause.seconds
                yield from self._listen(pause, until, in_doubt)
            line = self._lines.popleft()
            code = int(line[:3]) if line[:3].isdigit() and len(line) < _LONGEST_LINE else 0
            if not (200 <= code < 600) or (in_doubt and code < 400 and code // 100 != 2):
                break
            if line[3:4] != b"-":
                return code, b" ".join((*parts, line[4:])) if parts else line[4:]
            parts.append(line[4:])
        raise self._session.lost(_no_reply(line), in_doubt=in_doubt)

    def _listen(self, pause: Pause, until: float, in_doubt: bool) -> Steps[None]:
        """Waits for at least one line more, until that moment of time.monotonic(): a pause ends with each byte."""
        sock = self._session.sock
        pending = getattr(sock, "pending", None)  # TLS may have read more than it gave
        try:
            while not self._lines:
                if pending is None or not pending():
                    yield pause
                try:
                    data = sock.recv(_HEARD_AT_ONCE)
                except OSError as error:
                    pause = self._left_until(until)
                    yield self._until_ready(error, writing=False, seconds=pause.seconds)
                    continue
                if not data or len(self._torn) >= _LONGEST_LINE:
                    raise self._session.lost(
                        _no_reply(self._torn) if self._torn else "the server hung up", in_doubt=in_doubt
                    )
                self._keep(data)
                pause = self._left_until(until)
                if (
                    not self._lines and time.monotonic() >= until
                ):  # what is there was heard, however late we came to it
                    raise TimeoutError("timed out")
        except OSError as error:
            raise self._session.lost(error, in_doubt=in_doubt) from error

    def _left_until(self, until: float) -> Pause:
        return Pause(sock=self._session.sock, seconds=max(0.001, until - time.monotonic()))

    def _keep(self, data: bytes) -> None:
        lines = (self._torn + data).split(b"\n")
        self._torn = lines.pop()
        self._lines.extend(lines)

    def _refusal(self, code: int, text: bytes) -> Receipt:
        if code < 400:
            raise self._session.lost(f"the reply {code} does not belong there")
        return _receipt(code, one_line(text))


def _lines_of(ready: _Ready) -> list[bytes]:
    return ready.envelope.splitlines(keepends=True)


def _behind(buffers: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """What is left of these buffers when so many bytes of them have gone."""
    for nth, each in enumerate(buffers):
        if sent < len(each):
            return [memoryview(each)[sent:], *buffers[nth + 1 :]]
        sent -= len(each)
    return []


def _no_reply(line: bytes) -> str:
    return f"{one_line(line[:60])!r} is no reply of SMTP"


def _written(sender: str) -> str:
    return sender and (wire_address(sender) or sender)


def _receipt(code: int, text: str) -> Receipt:
    status = "accepted" if code < 400 else "deferred" if code < 500 else "rejected"
    return Receipt(status=status, reply_code=code, enhanced_code=enhanced_code(text), text=text)  # type: ignore[arg-type]


def _rejected(enhanced: str, text: str) -> Receipt:
    """Our own refusal, before anything was sent; hence without a reply code."""
    return Receipt(status="rejected", enhanced_code=enhanced, text=text)
