"""One session with a mail server: connected, in TLS and logged in by smtplib, and the words for what goes wrong with it."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING, Any

from digest.addresses import is_loopback
from digest.config import SmtpConfig
from digest.errors import MailError
from digest.mail.envelope import one_line, without_addresses

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from smtplib import SMTP

_PATIENCE_FOR_QUIT_S = 5.0
_READ_AHEAD = 8192
# More have no reply; smtplib keeps all that come.
MOST_LINES = 100


class Session:
    """A connection to the server of [mail], "smtp", or none yet. smtplib and ssl are imported when one is really made."""

    def __init__(self, config: SmtpConfig) -> None:
        self.where = f"{config.host}:{config.port}"
        self.config = config
        self.smtp: SMTP | None = None

    def open(self) -> None:
        """Connects, makes TLS as configured and logs in. Raises MailError, with the mend, where one of these fails.

        Nothing but EHLO is said before TLS stands, and a TLS that is configured is never left out.
        """
        import smtplib
        import ssl

        smtp: SMTP | None = None
        try:
            smtp = self._greeted()
            if self.config.security == "starttls":
                self._start_tls(smtp)
            if self.config.username:
                self._log_in(smtp)
        except (MailError, smtplib.SMTPException, OSError, ValueError) as error:
            # A challenge that is no base64 is a ValueError.
            if smtp is not None:
                smtp.close()
            if isinstance(error, MailError):
                raise
            if isinstance(error, ssl.SSLCertVerificationError):
                raise self._untrusted(error.verify_message) from error
            raise self._unreachable(error) from error
        self.smtp = smtp

    @property
    def features(self) -> dict[str, str]:
        """What the server offers, by keyword in lower case (RFC 5321, 4.1.1.1)."""
        return self.smtp.esmtp_features if self.smtp is not None else {}

    @property
    def sock(self) -> socket.socket:
        assert self.smtp is not None and self.smtp.sock is not None
        return self.smtp.sock

    def unread(self) -> bytes:
        """What the server has said beyond what smtplib wanted to know. From here on the socket does not wait."""
        assert self.smtp is not None and self.smtp.file is not None
        self.sock.setblocking(False)
        try:
            return bytes(self.smtp.file.read1(_READ_AHEAD))
        except OSError:  # TLS has nothing; what has really failed fails again at the first mail
            return b""

    def quit(self) -> None:
        """QUIT, without waiting long for the answer."""
        import smtplib

        smtp, self.smtp = self.smtp, None
        if smtp is None:
            return
        try:
            smtp.timeout = min(self.config.timeout_s, _PATIENCE_FOR_QUIT_S)
            if smtp.sock is not None:
                smtp.sock.settimeout(smtp.timeout)
            smtp.quit()
        except (smtplib.SMTPException, OSError, ValueError):
            smtp.close()

    def drop(self) -> None:
        """Hangs up without a word."""
        if self.smtp is not None:
            self.smtp.close()
        self.smtp = None

    # -------------------------------------------------------------- the steps

    def _greeted(self) -> SMTP:
        import smtplib
        import socket
        import ssl

        host, port, timeout = self.config.host, self.config.port, self.config.timeout_s
        if self.config.security == "tls":
            context = ssl.create_default_context()
            smtp: SMTP = _bounded(smtplib.SMTP_SSL)(host, port, timeout=timeout, context=context)
        else:
            smtp = _bounded(smtplib.SMTP)(host, port, timeout=timeout)
        try:
            # The end of a mail is not to wait for the acknowledgement of its beginning (Nagle's algorithm).
            if smtp.sock is not None:
                smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code, text = smtp.ehlo()
            if code // 100 == 5:
                code, text = smtp.helo()
            if code != 250:
                raise self.refused("does not talk to us", code, one_line(text))
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
            raise self.refused("refused STARTTLS", code, one_line(text))
        if _has_more(smtp):
            raise MailError(
                f"Mail server {self.where} sent more in the clear after it agreed to TLS: somebody may have put it "
                "there on the way. Nothing was sent. Look into the network between here and the server.",
                permanent=True,
            )
        assert smtp.sock is not None
        smtp.sock = ssl.create_default_context().wrap_socket(smtp.sock, server_hostname=self.config.host)
        smtp.file = None
        # RFC 3207, 4.2: what the server said of itself before TLS counts no more.
        code, text = smtp.ehlo()
        if code != 250:
            raise self.refused("refused EHLO after STARTTLS", code, one_line(text))

    def _log_in(self, smtp: SMTP) -> None:
        import smtplib

        if self.config.security == "none" and not is_loopback(self.config.host):
            raise MailError(
                f'The password for mail server {self.where} would cross the network readable: security = "none". '
                'Write security = "starttls" or "tls", or take the "username" away.',
                permanent=True,
            )
        try:
            smtp.login(self.config.username, self.config.password)
        except UnicodeError as error:
            raise MailError(
                f"The login for mail server {self.where} has letters outside ASCII, which cannot be sent here. "
                "Choose a password of plain letters, digits and signs.",
                permanent=True,
            ) from error
        except smtplib.SMTPAuthenticationError as error:
            mend = 'Check "username" and "password" in [mail], "smtp" (DIGEST__MAIL__SMTP__PASSWORD).'
            # Not "from error": a server may repeat what it was sent, and -v prints where an error comes from.
            text = self._without_login(one_line(error.smtp_error))
            raise self.refused("refused the login", error.smtp_code, text, mend) from None
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException as error:
            raise MailError(
                f"Mail server {self.where} offers no login that we know ({error}). Take the "
                '"username" away if it needs none, or check "port" and "security" in [mail], "smtp".',
                permanent=True,
            ) from error

    def _without_login(self, text: str) -> str:
        """A reply without the words that hold our password, as it is or encoded."""
        encoded = r"[A-Za-z0-9+/]{16,}={0,2}"
        return re.sub(rf"\S*{re.escape(self.config.password or chr(0))}\S*|{encoded}", "…", text)

    # -------------------------------------------------------------- what goes wrong

    def lost(self, reason: object, *, in_doubt: bool = False) -> MailError:
        """The connection is gone, or what came over it makes no sense. It is dropped."""
        self.drop()
        when = "before it said whether it had taken a mail" if in_doubt else "in the middle of a mail"
        return MailError(
            f"The connection to mail server {self.where} was lost {when} ({without_addresses(str(reason))}). "
            "Look into the log of that server; then run `digest send`.",
            in_doubt=in_doubt,
        )

    def refused(self, what: str, code: int, text: str, mend: str = "") -> MailError:
        """The server said that it is of no use to us. The connection is dropped."""
        self.drop()
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

        if isinstance(error, smtplib.SMTPResponseException) and 200 <= error.smtp_code < 600:
            return self.refused("does not talk to us", error.smtp_code, one_line(error.smtp_error))
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            reason = f"no answer within {self.config.timeout_s:g} s"
        elif isinstance(error, smtplib.SMTPResponseException):
            reason = "what answers there does not speak SMTP"
        else:
            reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
        return MailError(
            f"Mail server {self.where} cannot be reached ({reason}). Check that it runs, and "
            f'"host", "port" and "security" ({self.config.security}) in [mail], "smtp"; then run `digest send`.'
        )


class _InTime(io.RawIOBase):
    """What comes from a socket, until a moment of time.monotonic(). The socket's own time begins anew with each byte."""

    until = 0.0

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._raw = sock, sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int | None:
        if self.until:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(into)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Replies(io.BufferedReader):
    """What a server says, and how many lines more it may say now."""

    left = 0

    def __init__(self, raw: _InTime) -> None:
        super().__init__(raw)
        self.in_time = raw

    def readline(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError("its reply does not end")
        return super().readline(size)


def _bounded(kind: type[SMTP]) -> Callable[..., SMTP]:
    """A class of smtplib to which no reply is longer than MOST_LINES, and none takes longer than its timeout in all."""

    class Bounded(kind):  # type: ignore[valid-type,misc]
        file: Any

        def getreply(self) -> tuple[int, bytes]:
            if self.file is None:
                self.file = _Replies(_InTime(self.sock))
            heard = self.file.in_time
            self.file.left, heard.until = MOST_LINES, time.monotonic() + self.timeout
            try:
                return super().getreply()  # type: ignore[no-any-return]
            finally:
                heard.until = 0.0
                if self.sock is not None:
                    self.sock.settimeout(self.timeout)

    return Bounded


def _has_more(smtp: SMTP) -> bool:
    """Has the server already said more than we have read?"""
    assert smtp.sock is not None and smtp.file is not None
    smtp.sock.setblocking(False)
    try:
        return bool(smtp.file.peek(1))
    finally:
        smtp.sock.settimeout(smtp.timeout)
