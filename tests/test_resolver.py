"""DNS asked for real: a small server on this machine answers, fails, is silent, or cuts short."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from digest.errors import DnsError
from digest.resolver import lookup, own_addresses

Answer = Callable[[dns.message.Message], dns.message.Message | None]
LONG = "v=DKIM1; k=rsa; p=" + "A" * 400


def zone(query: dns.message.Message) -> dns.message.Message | None:
    """The answer to a question; None: silence."""
    name, reply = query.question[0].name.to_text(), dns.message.make_response(query)
    records = {
        "two.example.": ("TXT", '"v=spf1 ip4:203.0.113.9 -all"', '"other"'),
        "long.example.": ("TXT", f'"{LONG[:255]}" "{LONG[255:]}"'),
        "odd.example.": ("TXT", '"caf\\195\\169 \\027[31m \\255"'),
        "mail.example.": ("MX", "10 MX1.Example.org.", "20 mx2.example.org."),
        "none.example.": ("MX", "0 ."),
        "big.example.": ("TXT", *(f'"{n:03} {"x" * 240}"' for n in range(40))),
        "9.113.0.203.in-addr.arpa.": ("PTR", "Mail.Example.org."),
        "six.example.": ("AAAA", "2001:db8::9"),
    }
    if name == "silent.example.":
        return None
    if name == "broken.example.":
        reply.set_rcode(dns.rcode.SERVFAIL)
    elif name == "refused.example.":
        reply.set_rcode(dns.rcode.REFUSED)
    elif name == "alias.example.":
        reply.answer += [
            dns.rrset.from_text(name, 60, "IN", "CNAME", "two.example."),
            dns.rrset.from_text("two.example.", 60, "IN", "TXT", '"aliased"'),
        ]
    elif name in records:
        kind, *texts = records[name]
        if query.question[0].rdtype == dns.rrset.from_text(name, 60, "IN", kind, texts[0]).rdtype:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *texts))
    else:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


class Server:
    """A name server on UDP and TCP of one port; over UDP big answers come truncated."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.asked: list[str] = []
        for work in (self._datagrams, self._streams):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        for sock in (self.udp, self.tcp):
            # Wakes the thread that waits on it; close alone would not.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _datagrams(self) -> None:
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            query = dns.message.from_wire(data)
            self.asked.append(f"udp {query.question[0].name}")
            reply = zone(query)
            if reply is not None:
                if len(reply.to_wire(max_size=65535)) > 1200:
                    reply = dns.message.make_response(query)
                    reply.flags |= dns.flags.TC
                self.udp.sendto(reply.to_wire(), peer)

    def _streams(self) -> None:
        while True:
            try:
                stream, _ = self.tcp.accept()
            except OSError:
                return
            with stream, stream.makefile("rb") as file:
                (size,) = struct.unpack("!H", file.read(2))
                query = dns.message.from_wire(file.read(size))
                self.asked.append(f"tcp {query.question[0].name}")
                reply = zone(query)
                if reply is not None:
                    wire = reply.to_wire(max_size=65535)
                    stream.sendall(struct.pack("!H", len(wire)) + wire)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def ask(server: Server, name: str, kind: str, timeout_s: float = 60.0) -> list[str]:
    return lookup(name, kind, servers=["127.0.0.1"], port=server.port, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("two.example", "TXT", ["other", "v=spf1 ip4:203.0.113.9 -all"]),
        ("two.example", "MX", []),
        ("gone.example", "TXT", []),
        ("long.example", "TXT", [LONG]),
        ("alias.example", "TXT", ["aliased"]),
        ("mail.example", "MX", ["10 mx1.example.org", "20 mx2.example.org"]),
        ("none.example", "MX", ["0 ."]),
        ("9.113.0.203.in-addr.arpa", "PTR", ["mail.example.org"]),
        ("six.example", "AAAA", ["2001:db8::9"]),
    ],
)
def test_records_come_as_text(server: Server, name: str, kind: str, records: list[str]) -> None:
    assert ask(server, name, kind) == records


def test_signs_that_would_move_a_terminal_are_replaced(server: Server) -> None:
    assert ask(server, "odd.example", "TXT") == ["café \ufffd[31m \ufffd"]


def test_an_answer_too_big_for_a_datagram_is_asked_for_again_by_tcp(server: Server) -> None:
    assert len(ask(server, "big.example", "TXT")) == 40
    assert server.asked == ["udp big.example.", "tcp big.example."]


@pytest.mark.parametrize("name", ["broken.example", "refused.example"])
def test_a_server_that_fails_is_not_a_name_that_does_not_exist(server: Server, name: str) -> None:
    with pytest.raises(DnsError, match="every server refused or failed") as caught:
        ask(server, name, "TXT")
    assert caught.value.name == name
    assert f"{name} (TXT) could not be asked" in str(caught.value)


def test_silence_ends_in_time_and_is_no_answer(server: Server) -> None:
    start = time.monotonic()
    with pytest.raises(DnsError, match=r"no answer within 0\.2 s"):
        ask(server, "silent.example", "TXT", timeout_s=0.2)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "name", ["a..example", "x" * 64 + ".example", ".".join(["abcdefgh"] * 40), "\udcff.example"]
)
def test_what_is_no_name_is_told(server: Server, name: str) -> None:
    with pytest.raises(DnsError, match="could not be asked"):
        ask(server, name, "TXT")
    assert server.asked == []


def test_the_addresses_of_this_machine_are_public_ones_or_none() -> None:
    from ipaddress import ip_address

    assert all(ip_address(address).is_global for address in own_addresses())
