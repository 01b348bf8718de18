"""An SMTP server in a process of its own that notes each mail it takes: `counting_sink.py FILE` prints its port.

A line of FILE is the number of the connection, the recipient and the Message-ID, written before the mail is said to be taken; and
`end N` when a connection ends, with `quit` behind it where the client said so.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import sys

END = b"\r\n.\r\n"
OFFERED = b"250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n"
MESSAGE_ID = re.compile(rb"(?mi)^Message-ID:\s*(\S+)")


class Client:
    def __init__(self, sock: socket.socket, number: int, log: int) -> None:
        self.sock, self.number, self.log = sock, number, log
        self.rest, self.recipient = b"", b""
        self.in_message = self.quit = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"220 sink.example.org ESMTP\r\n")

    def heard(self, data: bytes) -> bool:
        """Answers what has come; False when the client has gone."""
        if not data:
            return False
        self.rest += data
        replies: list[bytes] = []
        while reply := self.one():
            replies.append(reply)
        self.sock.sendall(b"".join(replies))
        return not self.quit

    def one(self) -> bytes:
        if self.in_message:
            end = self.rest.find(END)
            if end < 0:
                return b""
            found = MESSAGE_ID.search(self.rest[: self.rest.find(b"\r\n\r\n")])
            message_id = found[1] if found else b"-"
            os.write(self.log, b"%d %s %s\n" % (self.number, self.recipient, message_id))
            self.in_message, self.rest = False, self.rest[end + len(END) :]
            return b"250 2.0.0 taken\r\n"
        line, found_end, rest = self.rest.partition(b"\n")
        if not found_end:
            return b""
        self.rest, verb = rest, line[:4].upper()
        if verb == b"RCPT":
            self.recipient = line[line.find(b"<") + 1 : line.find(b">")]
        elif verb == b"DATA":
            self.in_message = True
            return b"354 go on\r\n"
        elif verb == b"EHLO":
            return OFFERED
        elif verb == b"QUIT":
            self.quit = True
            return b"221 2.0.0 bye\r\n"
        return b"250 2.0.0 ok\r\n"


def serve(file: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    connections = 0
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    sock, _ = listener.accept()
                    connections += 1
                    selector.register(sock, selectors.EVENT_READ, Client(sock, connections, log))
                elif not still_there(key.data):
                    selector.unregister(key.data.sock)
                    key.data.sock.close()
                    os.write(log, b"end %d%s\n" % (key.data.number, b" quit" * key.data.quit))


def still_there(client: Client) -> bool:
    try:
        return client.heard(client.sock.recv(1 << 18))
    except OSError:
        return False


if __name__ == "__main__":
    serve(sys.argv[1])
