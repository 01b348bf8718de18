"""A real IMAP4rev1 server on 127.0.0.1, of one folder and one user, that misbehaves as told. What mailbox.py says to it is kept."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from smtp_servers import server_context

USER, PASSWORD = "bounces", "a secret"


@dataclass
class ImapServer:
    """`mails` by UID. `cut_at` ends the connection at the n-th command of that verb, in the middle of the answer: `cut`,
    byte by byte with so many seconds (`drip_s`) between them. GREETING is what stands before the first command. `places` are
    the response codes that say where a mail stands."""

    mails: dict[int, bytes]
    certificate: Path | None = None
    implicit_tls: bool = False
    cut_at: tuple[str, int] = ("", 0)
    cut: bytes = b"* 1 FETCH (UID 1 BODY[] {1000}\r\nReturn-Pa"
    drip_s: float = 0.0
    places: tuple[str, ...] = ("UIDVALIDITY", "UIDNEXT")
    validity: int = 1
    seen: set[int] = field(default_factory=set)
    flagged: set[int] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def verbs(self) -> list[str]:
        return [command.split()[0] for command in self.commands]

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError, ConnectionError):
                _Conversation(self, self._wrapped(sock) if self.implicit_tls else sock).run()

    def _wrapped(self, sock: socket.socket) -> ssl.SSLSocket:
        assert self.certificate
        try:
            return server_context(self.certificate).wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            raise


class _Conversation:
    def __init__(self, server: ImapServer, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.stream = sock.makefile("rb")
        self.secure = server.implicit_tls

    def run(self) -> None:
        try:
            if self.server.cut_at[0] == "GREETING":
                self.cut()
                return
            self.say("* OK IMAP4rev1 ready")
            while line := self.stream.readline().decode():
                tag, _, rest = line.strip().partition(" ")
                if not self.obey(tag, rest):
                    return
        finally:
            self.stream.close()
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            self.sock.close()

    def say(self, line: str) -> None:
        self.sock.sendall(line.encode() + b"\r\n")

    def cut(self) -> None:
        drops = [self.server.cut]
        if self.server.drip_s:
            drops = [bytes([byte]) for byte in self.server.cut]
        for drop in drops:
            self.sock.sendall(drop)
            time.sleep(self.server.drip_s)

    def obey(self, tag: str, rest: str) -> bool:
        """Answers one command; False where the connection ends with it."""
        self.server.commands.append(rest)
        verb = " ".join(rest.split()[: 2 if rest.upper().startswith("UID") else 1]).upper()
        where, at = self.server.cut_at
        if verb == where and sum(c.upper().startswith(where) for c in self.server.commands) == at:
            self.cut()
            return False
        answer = getattr(self, "on_" + verb.replace(" ", "_").lower(), None)
        if answer is None:
            self.say(f"{tag} BAD what is {verb}?")
            return True
        return bool(answer(tag, rest))

    def on_capability(self, tag: str, rest: str) -> bool:
        offered = self.server.certificate and not self.secure
        self.say("* CAPABILITY IMAP4rev1 AUTH=PLAIN" + (" STARTTLS" if offered else ""))
        self.say(f"{tag} OK done")
        return True

    def on_starttls(self, tag: str, rest: str) -> bool:
        assert self.server.certificate
        self.say(f"{tag} OK begin")
        self.stream.close()
        self.sock = server_context(self.server.certificate).wrap_socket(self.sock, server_side=True)
        self.stream = self.sock.makefile("rb")
        self.secure = True
        return True

    def on_login(self, tag: str, rest: str) -> bool:
        right = rest.endswith(f'"{USER}" "{PASSWORD}"')
        self.say(f"{tag} OK welcome" if right else f"{tag} NO [AUTHENTICATIONFAILED] no such login")
        return True

    def on_select(self, tag: str, rest: str) -> bool:
        if "INBOX" not in rest:
            self.say(f"{tag} NO no such folder")
            return True
        self.say(f"* {len(self.server.mails)} EXISTS")
        values = {"UIDVALIDITY": self.server.validity, "UIDNEXT": max(self.server.mails, default=0) + 1}
        for code in self.server.places:
            self.say(f"* OK [{code} {values[code]}] said")
        self.say(f"{tag} OK [READ-WRITE] done")
        return True

    def on_uid_search(self, tag: str, rest: str) -> bool:
        asked = re.fullmatch(r"UID SEARCH (?:UNSEEN|UID (\d+):\*)", rest, re.IGNORECASE)
        assert asked, rest
        found = set(self.server.mails) - self.server.seen
        if asked[1]:  # RFC 9051, 6.4.8: the last mail, whatever its UID is, stands for the *
            last = max(self.server.mails, default=0)
            first, end = sorted((int(asked[1]), last))
            found = {n for n in self.server.mails if first <= n <= end}
        self.say("* SEARCH " + " ".join(map(str, sorted(found))))
        self.say(f"{tag} OK done")
        return True

    def on_uid_fetch(self, tag: str, rest: str) -> bool:
        asked = re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", rest, re.IGNORECASE)
        assert asked, rest
        uid, most = int(asked[1]), int(asked[2])
        if uid in self.server.mails:
            data = self.server.mails[uid][:most]
            self.sock.sendall(
                f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n"
            )
        self.say(f"{tag} OK done")
        return True

    def on_uid_store(self, tag: str, rest: str) -> bool:
        asked = re.fullmatch(r"UID STORE (\d+) \+FLAGS \(\\(Seen|Flagged)\)", rest, re.IGNORECASE)
        assert asked, rest
        (self.server.seen if asked[2] == "Seen" else self.server.flagged).add(int(asked[1]))
        self.say(f"* 1 FETCH (UID {asked[1]} FLAGS (\\{asked[2]}))")
        self.say(f"{tag} OK done")
        return True

    def on_logout(self, tag: str, rest: str) -> bool:
        self.say("* BYE")
        self.say(f"{tag} OK done")
        return False


@contextmanager
def imap(mails: dict[int, bytes], **options: object) -> Iterator[ImapServer]:
    server = ImapServer(mails, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()
