"""The mailbox into which reports of failed mail fall, read by IMAP: bytes out, and a mark on what was taken."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from digest.addresses import is_loopback
from digest.config import MailboxConfig
from digest.errors import MailError

if TYPE_CHECKING:
    from imaplib import IMAP4

    from imap_tools import BaseMailBox

# More of one mail is never fetched; a report says what it has to say long before.
MOST_BYTES = 1024 * 1024
_MOST_UID = 2**32 - 1
_PATIENCE_S = 60.0
# A whole answer has so many times the patience with which each of its bytes is waited for.
_PATIENCE_FOR_ALL = 5


class ReadSoFar(Struct, frozen=True):
    """How far a folder was read: all its mails up to this UID, as long as its UIDVALIDITY is the same (RFC 9051, 2.3.1.1)."""

    folder: str
    validity: int
    uid: int


@contextmanager
def new_mails(
    mailbox: MailboxConfig, so_far: ReadSoFar | None = None, *, timeout_s: float = _PATIENCE_S
) -> Iterator[Mails]:
    r"""The mails of the configured folder that came after `so_far`, and those that nobody has opened, oldest first, one at a
    time, each cut after MOST_BYTES. Of a folder that was never read, those that nobody has opened.

    A mail is marked \Seen when the next one is asked for, or when the block ends without an error: so what was yielded and
    not taken comes again the next time, and a lost connection loses nothing. `so_far` of the mails is then how far they were
    read. Raises MailError with the mend. Nothing is deleted.
    """
    where = f"{mailbox.host}:{mailbox.port}"
    limit = _Limit(timeout_s * _PATIENCE_FOR_ALL)
    with _faults(mailbox, where), limit.step():
        box = _opened(mailbox, timeout_s, limit)
    mails = Mails(box, mailbox, where, limit, so_far)
    try:
        yield mails
        mails.mark()
    finally:
        _leave(box, limit)


class _Limit:
    """Hangs up on a server whose answer, to its last byte, takes too long: a socket's own time begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._late = seconds, False
        self.client: IMAP4 | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """One exchange. Raises TimeoutError where it took too long."""
        timer = threading.Timer(self._seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if self._late:
                raise TimeoutError(f"no whole answer within {self._seconds:g} s") from error
            raise
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        self._late = True
        sock = getattr(self.client, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # Not sock.shutdown(): TLS would take what it reads with away from another thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Mails:
    """The new mails of one connection, as an iterator. `so_far` says how far they were read; None where the server cannot tell."""

    def __init__(
        self,
        box: BaseMailBox,
        mailbox: MailboxConfig,
        where: str,
        limit: _Limit,
        so_far: ReadSoFar | None,
    ) -> None:
        self._box, self._mailbox, self._where, self._limit = box, mailbox, where, limit
        newest = _newest(box, f"{mailbox.username}@{where}/{mailbox.folder}")
        is_same = newest and so_far and (newest.folder, newest.validity) == (so_far.folder, so_far.validity)
        self.so_far = so_far if is_same else newest
        self._given = ""
        self._each = self._one_by_one()

    def __iter__(self) -> Iterator[bytes]:
        return self._each

    def __next__(self) -> bytes:
        return next(self._each)

    def _one_by_one(self) -> Iterator[bytes]:
        with _faults(self._mailbox, self._where), self._limit.step():
            uids = self._uids()
        for uid in sorted(uids):
            raw = self._fetch(str(uid))
            self._given = str(uid)
            if raw is not None:
                yield raw
            self.mark()

    def _uids(self) -> set[int]:
        found = {int(uid) for uid in self._box.uids("UNSEEN", charset=None)}
        if self.so_far is None:
            return found
        # A person may have opened them first. The last mail of all is always among the answers.
        later = {int(uid) for uid in self._box.uids(f"UID {self.so_far.uid + 1}:*", charset=None)}
        return found | {uid for uid in later if uid > self.so_far.uid}

    def flag(self) -> None:
        r"""Sets \Flagged on the mail that was given last, for a person to see it, where the server keeps such a mark."""
        with _faults(self._mailbox, self._where), self._limit.step():
            self._box.client.uid("STORE", self._given, "+FLAGS", r"(\Flagged)")

    def mark(self) -> None:
        r"""Sets \Seen on the mail that was given last."""
        uid, self._given = self._given, ""
        if not uid:
            return
        with _faults(self._mailbox, self._where), self._limit.step():
            # Not box.flag(): that ends with EXPUNGE, which would throw away what somebody else has marked in this folder.
            _expect_ok(self._box.client.uid("STORE", uid, "+FLAGS", r"(\Seen)"), "STORE")
        if self.so_far is not None and int(uid) > self.so_far.uid:
            self.so_far = ReadSoFar(self.so_far.folder, self.so_far.validity, int(uid))

    def _fetch(self, uid: str) -> bytes | None:
        """The first bytes of a mail; None where it is gone in the meantime."""
        with _faults(self._mailbox, self._where), self._limit.step():
            answer = self._box.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
            found = _expect_ok(answer, "FETCH")
        return next((item[1] for item in found if isinstance(item, tuple) and len(item) == 2), None)


def _newest(box: BaseMailBox, folder: str) -> ReadSoFar | None:
    """The folder as it is now, read to its end: its UIDVALIDITY, and the UID before the next; None where one was not said."""
    said = [box.client.response(code)[1] for code in ("UIDVALIDITY", "UIDNEXT")]
    try:
        validity, following = (int(values[-1]) for values in said)
    except (TypeError, ValueError):
        return None
    return ReadSoFar(folder, validity, following - 1) if max(validity, following) <= _MOST_UID else None


def _expect_ok(answer: tuple[str, list[Any]], command: str) -> list[Any]:
    from imaplib import IMAP4

    if answer[0] != "OK":
        raise IMAP4.error(f"{command}: {answer[0]} {answer[1]!r}")
    return answer[1]


def _connected(mailbox: MailboxConfig, timeout_s: float, limit: _Limit) -> BaseMailBox:
    """A connection that `limit` knows before the server has said a word."""
    import imaplib
    import ssl

    from imap_tools import BaseMailBox

    tls = mailbox.security == "tls"
    kind: Any = imaplib.IMAP4_SSL if tls else imaplib.IMAP4

    class Client(kind):  # type: ignore[misc]
        def open(self, *args: Any, **options: Any) -> None:
            limit.client = self
            super().open(*args, **options)

    class Box(BaseMailBox):
        def _get_mailbox_client(self) -> imaplib.IMAP4:
            context = {"ssl_context": ssl.create_default_context()} if tls else {}
            return Client(mailbox.host, mailbox.port, timeout=timeout_s, **context)

    return Box()


def _opened(mailbox: MailboxConfig, timeout_s: float, limit: _Limit) -> BaseMailBox:
    """Connected as `security` says, logged in, the folder selected. Nothing but the greeting is said before TLS stands."""
    import ssl

    if mailbox.security == "none" and not is_loopback(mailbox.host):
        raise MailError(
            f'Mailbox {mailbox.host}: security = "none" would send the password in clear over the network. '
            'Set "security" in [mail], "mailbox" to "tls" (port 993) or "starttls" (port 143).',
            permanent=True,
        )
    box = _connected(mailbox, timeout_s, limit)
    try:
        if mailbox.security == "starttls":
            if "STARTTLS" not in box.client.capabilities:
                raise MailError(
                    f"Mailbox {mailbox.host}:{mailbox.port}: the server offers no STARTTLS; no password was sent. "
                    'Set "security" in [mail], "mailbox" to "tls" (port 993), or ask who runs the server.',
                    permanent=True,
                )
            _expect_ok(box.client.starttls(ssl.create_default_context()), "STARTTLS")
        _bound(box)
        _log_in(box, mailbox)
        box.folder.set(mailbox.folder)
    except BaseException:
        _leave(box, limit)
        raise
    return box


def _bound(box: BaseMailBox) -> None:
    """No answer is longer than what is asked for, and a little: imaplib takes as much as the server announces."""
    from imaplib import IMAP4

    read = box.client.read

    def read_bounded(size: int) -> bytes:
        if size > 2 * MOST_BYTES:
            raise IMAP4.abort(f"{size} bytes, and far more than was asked for")
        return read(size)

    box.client.read = read_bounded  # type: ignore[method-assign]


def _log_in(box: BaseMailBox, mailbox: MailboxConfig) -> None:
    from imaplib import IMAP4

    from imap_tools.errors import MailboxLoginError

    # LOGIN takes ASCII only; AUTHENTICATE PLAIN (RFC 4616) takes any.
    ascii_only = (mailbox.username + mailbox.password).isascii()
    try:
        (box.login if ascii_only else box.login_utf8)(mailbox.username, mailbox.password, None)
    except IMAP4.abort:
        raise
    except IMAP4.error as error:
        raise MailboxLoginError(("NO", [str(error)]), "OK") from None


def _leave(box: BaseMailBox, limit: _Limit) -> None:
    """LOGOUT, and the connection is closed whatever the server says to it."""
    import imaplib

    from imap_tools import ImapToolsError

    with suppress(imaplib.IMAP4.error, ImapToolsError, OSError), limit.step():
        box.logout()
    with suppress(OSError):
        box.client.shutdown()


@contextmanager
def _faults(mailbox: MailboxConfig, where: str) -> Iterator[None]:
    """Whatever fails on this connection, as MailError: what, where, what to do."""
    import imaplib
    import ssl

    from imap_tools import ImapToolsError
    from imap_tools.errors import MailboxFolderSelectError, MailboxLoginError

    again = "The mails that were not taken stay unseen and are read the next time."
    try:
        yield
    except MailboxLoginError:
        raise MailError(
            f"Mailbox {where}: the server refuses the login. "
            'Check "username" and "password" in [mail], "mailbox".',
            permanent=True,
        ) from None
    except MailboxFolderSelectError:
        raise MailError(
            f"Mailbox {where}: there is no folder {mailbox.folder!r}, or it cannot be opened. "
            'Check "folder" in [mail], "mailbox".',
            permanent=True,
        ) from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise MailError(
            f"Mailbox {where}: TLS fails ({reason}). Check that the certificate is for this host and has not expired, and "
            f'"port" and "security" ({mailbox.security}) in [mail], "mailbox".',
            permanent=True,
        ) from None
    except (imaplib.IMAP4.abort, OSError, UnicodeError) as error:
        raise MailError(
            f"Mailbox {where}: the connection fails ({_short(error)}). Check that the server runs, and "
            f'"host", "port" and "security" ({mailbox.security}) in [mail], "mailbox". {again}'
        ) from None
    except (imaplib.IMAP4.error, ImapToolsError, ValueError, OverflowError, MemoryError) as error:
        raise MailError(
            f"Mailbox {where}: the server's answer is not what it should be ({_short(error)}). "
            f'Check "security" ({mailbox.security}) in [mail], "mailbox", or ask who runs the server. {again}'
        ) from None


def _short(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "".join(c if c.isprintable() else " " for c in str(words))[:200]
