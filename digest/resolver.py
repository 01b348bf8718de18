"""DNS: what a name says of itself. Only `digest doctor` asks; nothing that mails waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from digest.errors import DnsError

if TYPE_CHECKING:
    from dns.rdata import Rdata
    from dns.resolver import Resolver

TIMEOUT_S = 5.0
# Of documentation (RFC 5737, 3849): nothing is sent there, the system only says from where it would.
_FAR = ("192.0.2.1", "2001:db8::1")


def lookup(
    name: str, kind: str, *, servers: Sequence[str] = (), port: int = 53, timeout_s: float = TIMEOUT_S
) -> list[str]:
    """The records of a name and kind ("TXT", "MX", "A", "AAAA", "PTR") as text, sorted: servers give them in any order.

    TXT: its strings joined, as RFC 7208 (3.3) and RFC 6376 (3.6.2.2) want. MX: "10 mail.example.org", and "0 ." where no mail
    is taken. Names are in lower case and without the last dot. [] where the name does not exist or has no such record.
    `servers` are addresses that take the place of the system's own; all of it ends within `timeout_s`. Raises DnsError when
    the name could not be asked.
    """
    import dns.exception
    import dns.resolver

    try:
        resolver = _resolver(servers, port, timeout_s)
        answer = resolver.resolve(name, kind, search=False, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return []
    except dns.resolver.NoResolverConfiguration:
        reason = "this machine names no server to ask; look into /etc/resolv.conf"
    except dns.exception.Timeout:
        reason = f"no answer within {timeout_s:g} s"
    except dns.resolver.NoNameservers:
        reason = "every server refused or failed"
    except (dns.exception.DNSException, OSError, ValueError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
    else:
        return sorted(_text(record) for record in answer.rrset or ())
    raise DnsError(
        f"{name} ({kind}) could not be asked in DNS: {reason}. Try again; then check the name and its name servers.",
        name=name,
    )


def _resolver(servers: Sequence[str], port: int, timeout_s: float) -> Resolver:
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=not servers)
    if servers:
        resolver.nameservers, resolver.port = list(servers), port
    resolver.lifetime, resolver.timeout = timeout_s, timeout_s / 2
    return resolver


def _text(record: Rdata) -> str:
    from dns.rdtypes.txtbase import TXTBase

    if isinstance(record, TXTBase):
        text = b"".join(record.strings).decode("utf-8", "replace")
        # Strangers write it, and it is shown on a terminal.
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    text = record.to_text().lower()
    return text if text.endswith(" .") else text.removesuffix(".")


def own_addresses() -> list[str]:
    """The public addresses from which this machine connects to others, IPv4 before IPv6; [] behind a translator (NAT)."""
    import socket

    found = []
    for far in _FAR:
        family = socket.AF_INET6 if ":" in far else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((far, 53))
                found.append(str(sock.getsockname()[0]))
        except OSError:  # no road of this family
            continue
    return [address for address in found if ip_address(address.partition("%")[0]).is_global]


def is_open(host: str, port: int) -> bool:
    """Does anybody take connections there?"""
    import socket

    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_S):
            return True
    except OSError:
        return False
