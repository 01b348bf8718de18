"""The folder that stands in for a mail server: one .eml file for each message."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from pathlib import Path

from digest.errors import MailError
from digest.model import Message, Receipt
from digest.smtp.mails import Lane, Steps


class FolderTransport:
    """One .eml file for each message. Its name comes from the Message-ID, so that a resend replaces its own file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, recipient: str, message: Message, *, message_id: str) -> Receipt:
        """Accepted once the file is on the disk under its final name (fsync of file and folder)."""
        target = self.folder / eml_name(message_id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_durably(target, message)
        except OSError as error:
            raise MailError(_folder_fault(self.folder, error), permanent=True) from error
        return Receipt(status="accepted", text=f"written to {target.name}")

    def stream(self, lane: Lane) -> None:
        """Writes the mails of a lane one after the other; the first that cannot be written ends it."""
        while (mail := lane.next()) is not None:
            lane.begun(mail)
            try:
                receipt = self.send(mail.recipient, mail.message, message_id=mail.message_id)
            except MailError as error:
                lane.failed(mail, error)
                return
            lane.answered(mail, receipt, "data")

    def steps(self, lane: Lane) -> Steps[None]:
        """The same; the disk is not waited for in pauses."""
        self.stream(lane)
        yield from ()

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


def _write_durably(target: Path, message: Message) -> None:
    # Mode 0600: the message holds the key that unsubscribes its reader.
    temporary = target.with_name(f".{target.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.writelines(message.pieces)
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
