"""Envelope + message → Receipt: the only place that speaks SMTP (RFC 5321), and the folder that stands in for a server.

smtplib connects, makes TLS and logs in; the envelope is ours, one command after the other and one recipient for each
message, so that every reply belongs to one delivery. smtplib and ssl are imported when a server is really used.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from digest.config import MailConfig, SmtpConfig
from digest.errors import MailError
from digest.mail.envelope import dotted, one_line, seven_bit, wire_address, with_crlf, without_addresses
from digest.model import Receipt

if TYPE_CHECKING:
    from smtplib import SMTP

# RFC 5321, 4.5.3.2.6: the reply to the final dot gets ten minutes where other replies get a few, since giving up
# early there means that the message comes twice. With timeout_s = 60 this gives those ten minutes.
_PATIENCE_AFTER_THE_DOT = 10
_PATIENCE_FOR_QUIT_S = 5.0
# The server wants a login or TLS first, or has no such login: no recipient can be reached until that is mended.
_NOT_LET_IN = frozenset({530, 534, 535, 538})


class Transport(Protocol):
    """A way on which messages leave. Not for two threads at once: each worker opens its own."""

    def send(self, recipient: str, message: bytes, *, message_id: str) -> Receipt:
        """What the receiving side said of this message to this recipient.

        Raises MailError when the transport cannot be used at all; then this message was not taken, unless the error
        says `in_doubt`. The transport may be used again afterwards: it starts with a new connection.
        """

    def close(self) -> None:
        """Says goodbye; never raises."""


def open_transport(mail: MailConfig, *, base: Callable[[str], Path]) -> Callable[[], Transport]:
    """What makes one Transport for each worker, as [mail] says. `base` turns a configured path into an absolute one.

    Nothing is opened before the first message.
    """
    if mail.transport == "folder":
        folder = base(mail.folder)
        return lambda: FolderTransport(folder)
    return lambda: SmtpTransport(mail.smtp, sender=parseaddr(mail.from_)[1])


# ------------------------------------------------------------------ the folder


class FolderTransport:
    """One .eml file for each message. Its name comes from the Message-ID, so that a resend replaces its own file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, recipient: str, message: bytes, *, message_id: str) -> Receipt:
        """Accepted once the file is on the disk under its final name (fsync of file and folder)."""
        target = self.folder / eml_name(message_id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_durably(target, message)
        except OSError as error:
            raise MailError(_folder_fault(self.folder, error), permanent=True) from error
        return Receipt(status="accepted", text=f"written to {target.name}")

    def close(self) -> None:
        """There is nothing to close."""


def eml_name(message_id: str) -> str:
    """A file name for a Message-ID: the id itself where it is harmless, with a part of its hash where it is not.

    >>> eml_name("<2026-11-19.daily.k3@papers.example.org>")
    '2026-11-19.daily.k3@papers.example.org.eml'
    """
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    safe = re.sub(r"[^A-Za-z0-9@._+-]", "_", bare).lstrip(".")[:150]
    if safe != bare or not safe:
        safe = f"{safe}-{hashlib.sha256(bare.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return f"{safe}.eml"


def _write_durably(target: Path, message: bytes) -> None:
    # Mode 0600: the message holds the key that unsubscribes its reader.
    temporary = target.with_name(f".{target.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(message)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _folder_fault(folder: Path, error: OSError) -> str:
    mends = {
        errno.ENOSPC: "The disk is full: make room",
        errno.EDQUOT: "The quota is used up: make room",
        errno.EROFS: 'It is read-only: give a writable "folder" in [mail]',
        errno.EACCES: 'Give this user the right to write there, or another "folder" in [mail]',
        errno.EEXIST: 'It is no folder: give another "folder" in [mail]',
        errno.ENOTDIR: 'It is no folder: give another "folder" in [mail]',
    }
    mend = mends.get(error.errno or 0, 'Look at that folder, or give another "folder" in [mail]')
    return f"{folder}: the mail could not be written ({error.strerror or error}). {mend}; then run `digest send`."


# ------------------------------------------------------------------ the server


class _Stale(MailError):
    """The server ended a connection that had been used before, ahead of the next envelope: a new one may do."""


class SmtpTransport:
    """One connection to the mail server of [mail], "smtp", opened for the first message and used for all that follow."""

    def __init__(self, smtp: SmtpConfig, *, sender: str) -> None:
        self.where = f"{smtp.host}:{smtp.port}"
        self._config = smtp
        self._sender = wire_address(sender) or sender
        self._smtp: SMTP | None = None

    def send(self, recipient: str, message: bytes, *, message_id: str) -> Receipt:
        """2yz is accepted, 4yz deferred, 5yz rejected; a message that cannot be offered to this server is rejected too.

        A connection that the server closed between two messages is opened again, once.
        """
        mailbox = wire_address(recipient)
        if mailbox is None:
            return _rejected("5.1.3", "the address cannot be written in an SMTP envelope")
        fresh = self._smtp is None
        try:
            return self._transact(self._smtp or self.connect(), mailbox, message)
        except _Stale:
            if fresh:
                raise
            return self._transact(self.connect(), mailbox, message)

    def close(self) -> None:
        """QUIT, without waiting long for the answer."""
        import smtplib

        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(min(self._config.timeout_s, _PATIENCE_FOR_QUIT_S))
            smtp.quit()
        except (smtplib.SMTPException, OSError):
            smtp.close()

    # -------------------------------------------------------------- connection

    def connect(self) -> SMTP:
        """Connects, makes TLS as configured and logs in. Raises MailError, with the mend, where one of these fails.

        Nothing but EHLO is said before TLS stands, and a TLS that is configured is never left out.
        """
        import smtplib
        import ssl

        smtp: SMTP | None = None
        try:
            smtp = self._greeted()
            if self._config.security == "starttls":
                self._start_tls(smtp)
            if self._config.username:
                self._log_in(smtp)
        except (MailError, smtplib.SMTPException, OSError, UnicodeError) as error:
            if smtp is not None:
                smtp.close()
            if isinstance(error, MailError):
                raise
            if isinstance(error, ssl.SSLCertVerificationError):
                raise self._untrusted(error.verify_message) from error
            raise self._unreachable(error) from error
        self._smtp = smtp
        return smtp

    def _greeted(self) -> SMTP:
        import smtplib
        import ssl

        host, port, timeout = self._config.host, self._config.port, self._config.timeout_s
        if self._config.security == "tls":
            smtp: SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
        else:
            smtp = smtplib.SMTP(host, port, timeout=timeout)
        try:
            code, text = smtp.ehlo()
            if code // 100 == 5:
                code, text = smtp.helo()
            if code != 250:
                raise self._refused("does not talk to us", code, one_line(text))
        except (MailError, smtplib.SMTPException, OSError):
            smtp.close()
            raise
        return smtp

    def _start_tls(self, smtp: SMTP) -> None:
        """smtplib's own starttls() throws away what came in the clear behind the 220; that is an attack, and we go."""
        import ssl

        if not smtp.has_extn("starttls"):
            raise MailError(
                f'Mail server {self.where} does not offer STARTTLS, and security = "starttls" demands it; nothing was '
                'sent. Write security = "tls" (usually with port 465), or "none" for a server on this machine.',
                permanent=True,
            )
        code, text = smtp.docmd("STARTTLS")
        if code != 220:
            raise self._refused("refused STARTTLS", code, one_line(text))
        if _has_more(smtp):
            raise MailError(
                f"Mail server {self.where} sent more in the clear after it agreed to TLS: somebody may have put it "
                "there on the way. Nothing was sent. Look into the network between here and the server.",
                permanent=True,
            )
        assert smtp.sock is not None
        smtp.sock = ssl.create_default_context().wrap_socket(smtp.sock, server_hostname=self._config.host)
        smtp.file = None
        # RFC 3207, 4.2: what the server said of itself before TLS counts no more.
        code, text = smtp.ehlo()
        if code != 250:
            raise self._refused("refused EHLO after STARTTLS", code, one_line(text))

    def _log_in(self, smtp: SMTP) -> None:
        import smtplib

        if self._config.security == "none" and not _is_loopback(self._config.host):
            raise MailError(
                f'The password for mail server {self.where} would cross the network readable: security = "none". '
                'Write security = "starttls" or "tls", or take the "username" away.',
                permanent=True,
            )
        try:
            smtp.login(self._config.username, self._config.password)
        except UnicodeError as error:
            raise MailError(
                f"The login for mail server {self.where} has letters outside ASCII, which cannot be sent here. "
                "Choose a password of plain letters, digits and signs.",
                permanent=True,
            ) from error
        except smtplib.SMTPAuthenticationError as error:
            mend = 'Check "username" and "password" in [mail], "smtp" (DIGEST__MAIL__SMTP__PASSWORD).'
            raise self._refused(
                "refused the login", error.smtp_code, one_line(error.smtp_error), mend
            ) from error
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException as error:
            raise MailError(
                f"Mail server {self.where} offers no login that we know ({error}). Take the "
                '"username" away if it needs none, or check "port" and "security" in [mail], "smtp".',
                permanent=True,
            ) from error

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    # -------------------------------------------------------------- one message

    def _transact(self, smtp: SMTP, mailbox: str, message: bytes) -> Receipt:
        """MAIL, RCPT, DATA, dot (RFC 5321, 3.3)."""
        offered = smtp.esmtp_features
        if not (mailbox + self._sender).isascii() and "smtputf8" not in offered:
            return _rejected(
                "5.6.7", "the server does not take addresses with letters outside ASCII (SMTPUTF8)"
            )
        message = with_crlf(message)
        if not message.isascii() and "8bitmime" not in offered:
            message = seven_bit(message)
        limit = offered.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(message):
            return _rejected("5.3.4", f"the message has {len(message)} bytes, the server takes {limit}")
        if not message.isascii() and "8bitmime" not in offered:
            return _rejected(
                "5.6.3", "the message has 8-bit headers, which the server does not take (8BITMIME)"
            )

        code, text = self._first_command(smtp, self._mail_from(smtp, mailbox, message))
        if code // 100 == 5 and code != 552:
            # The sender is refused, hence every message: nobody's address is at fault, so none is marked.
            raise self._refused('refused the sender, "from" in [mail]', code, text)
        if code // 100 == 2:
            code, text = self._command(smtp, f"RCPT TO:<{mailbox}>")
            if code // 100 == 2:
                code, text = self._command(smtp, "DATA")
                if code == 354:
                    return self._content(smtp, message)
        receipt = self._refusal(code, text)
        self._reset(smtp)
        return receipt

    def _mail_from(self, smtp: SMTP, mailbox: str, message: bytes) -> str:
        offered = smtp.esmtp_features
        line = f"MAIL FROM:<{self._sender}>"
        if "size" in offered:
            line += f" SIZE={len(message)}"
        if not message.isascii():
            line += " BODY=8BITMIME"
        if not (mailbox + self._sender).isascii():
            line += " SMTPUTF8"
        return line

    def _first_command(self, smtp: SMTP, line: str) -> tuple[int, str]:
        try:
            return self._command(smtp, line)
        except MailError as error:
            raise _Stale(str(error), reply_code=error.reply_code, permanent=error.permanent) from error

    def _command(self, smtp: SMTP, line: str) -> tuple[int, str]:
        """The reply to one command. Raises MailError when there is none, and when it ends the session."""
        self._write(smtp, line.encode() + b"\r\n")
        code, text = self._reply(smtp)
        if code == 421 or code in _NOT_LET_IN:
            raise self._refused("ended the session" if code == 421 else "does not let us send", code, text)
        return code, text

    def _content(self, smtp: SMTP, message: bytes) -> Receipt:
        """The message and its final dot. From here on a lost reply leaves the message in doubt (RFC 1047).

        Before that it does not: a write that fails has not handed over the last byte of the dot.
        """
        assert smtp.sock is not None
        self._write(smtp, dotted(message))
        smtp.sock.settimeout(self._config.timeout_s * _PATIENCE_AFTER_THE_DOT)
        code, text = self._reply(smtp, in_doubt=True)
        if code == 421:
            raise self._refused("ended the session", code, text)
        smtp.sock.settimeout(self._config.timeout_s)
        return _receipt(code, text)

    def _write(self, smtp: SMTP, data: bytes) -> None:
        import smtplib

        try:
            smtp.send(data)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise self._lost(error) from error

    def _reply(self, smtp: SMTP, *, in_doubt: bool = False) -> tuple[int, str]:
        import smtplib

        try:
            code, text = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise self._lost(error, in_doubt=in_doubt) from error
        if not (200 <= code < 600) or (in_doubt and code < 400 and code // 100 != 2):
            raise self._lost(f"the reply {code} is none of SMTP", in_doubt=in_doubt)
        return code, one_line(text)

    def _reset(self, smtp: SMTP) -> None:
        """Ends a refused envelope; if that fails, the receipt stands all the same and the connection goes."""
        try:
            self._command(smtp, "RSET")
        except MailError:
            self._drop()

    def _refusal(self, code: int, text: str) -> Receipt:
        if code < 400:
            raise self._lost(f"the reply {code} does not belong there")
        return _receipt(code, text)

    # -------------------------------------------------------------- what goes wrong

    def _lost(self, reason: object, *, in_doubt: bool = False) -> MailError:
        self._drop()
        when = "before it said whether it had taken a mail" if in_doubt else "in the middle of a mail"
        return MailError(
            f"The connection to mail server {self.where} was lost {when} ({without_addresses(str(reason))}). "
            "Look into the log of that server; then run `digest send`.",
            in_doubt=in_doubt,
        )

    def _refused(self, what: str, code: int, text: str, mend: str = "") -> MailError:
        self._drop()
        permanent = code // 100 == 5
        mend = mend or ('Check [mail], "smtp".' if permanent else "Run `digest send` later.")
        return MailError(
            f"Mail server {self.where} {what}: {code} {without_addresses(text)}".rstrip(" .") + f". {mend}",
            reply_code=code,
            permanent=permanent,
        )

    def _untrusted(self, reason: str) -> MailError:
        return MailError(
            f"Mail server {self.where} showed a certificate that is not to be trusted ({reason}); nothing was sent. "
            'Write the name that the certificate is made for as "host" in [mail], "smtp", or have it renewed; for an '
            "authority of your own set SSL_CERT_FILE.",
            permanent=True,
        )

    def _unreachable(self, error: Exception) -> MailError:
        import smtplib

        if isinstance(error, smtplib.SMTPResponseException):
            return self._refused("does not talk to us", error.smtp_code, one_line(error.smtp_error))
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            reason = f"no answer within {self._config.timeout_s:g} s"
        else:
            reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
        return MailError(
            f"Mail server {self.where} cannot be reached ({reason}). Check that it runs, and "
            f'"host", "port" and "security" ({self._config.security}) in [mail], "smtp"; then run `digest send`.'
        )


def _receipt(code: int, text: str) -> Receipt:
    status: Literal["accepted", "deferred", "rejected"]
    status = "accepted" if code < 400 else "deferred" if code < 500 else "rejected"
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", text)
    return Receipt(status=status, reply_code=code, enhanced_code=enhanced[0] if enhanced else None, text=text)


def _rejected(enhanced_code: str, text: str) -> Receipt:
    """Our own refusal, before anything was sent; hence without a reply code."""
    return Receipt(status="rejected", enhanced_code=enhanced_code, text=text)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _has_more(smtp: SMTP) -> bool:
    """Has the server already said more than we have read?"""
    assert smtp.sock is not None and smtp.file is not None
    smtp.sock.setblocking(False)
    try:
        return bool(smtp.file.peek(1))
    finally:
        smtp.sock.settimeout(smtp.timeout)
