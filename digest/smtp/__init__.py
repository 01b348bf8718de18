"""Envelope + message → Receipt: the only place that speaks SMTP (RFC 5321), and the folder that stands in for a server.

session.py connects, makes TLS and logs in (by smtplib); wire.py is the envelope, ours; loop.py serves many connections in one
thread; mails.py is what they are asked to send.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digest.config import MailConfig
from digest.smtp.folder import FolderTransport, eml_name
from digest.smtp.mails import Lane, Mail, Transport
from digest.smtp.wire import SmtpTransport

__all__ = ["FolderTransport", "Lane", "Mail", "SmtpTransport", "Transport", "eml_name", "open_transport"]


def open_transport(mail: MailConfig, *, base: Callable[[str], Path]) -> Callable[[], Transport]:
    """What makes one Transport for each worker, as [mail] says. `base` turns a configured path into an absolute one.

    Nothing is opened before the first message.
    """
    if mail.transport == "folder":
        folder = base(mail.folder)
        return lambda: FolderTransport(folder)
    return lambda: SmtpTransport(mail.smtp, sender=mail.address)
