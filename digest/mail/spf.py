"""SPF (RFC 7208): a domain's record with all that it includes, asked once, then judged as often as one likes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

Lookup = Callable[[str, str], list[str]]
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# RFC 7208, 4.6.4: terms that ask DNS, and those of them that find nothing, before a receiver gives up.
MOST_LOOKUPS = 10
MOST_VOID = 2
# Where a record goes round in circles, we stop as well.
_ENOUGH = 4 * MOST_LOOKUPS
_BITS = r"/(?:0|[1-9][0-9]{0,2})"
_MECHANISM = re.compile(
    rf"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::(.+?))?((?:{_BITS})?(?:/{_BITS})?)", re.I
)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.I)
# RFC 7208, 7.1: what is asked for ends in a name that may be one of the top, or in a macro.
_MACRO = r"%(?:\{[slodiphv][0-9]*r?[-.+,/_=]*\}|[%_-])"
_TOP = r"(?:[0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])"
_DOMAIN = re.compile(rf"(?:{_MACRO}|[!-$&-~])*(?:\.{_TOP}\.?|{_MACRO})", re.I)
_MACRO_STRING = re.compile(r"(?:%(?:\{[slodiphcrtv][0-9]*r?[-.+,/_=]*\}|[%_-])|[!-$&-~])*", re.I)
_EVERYBODY: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class Term(Struct, frozen=True):
    """A mechanism. `networks` is whom it names; `record` is what an include leads to; `unknown`: it depends on the mail."""

    sign: str
    name: str
    networks: tuple[Network, ...] = ()
    record: Record | None = None
    unknown: bool = False


class Record(Struct, frozen=True):
    """The SPF record of a domain. `text` is "" where there is none; `redirect` is what stands in for its "all"; with `unknown`
    that depends on the mail."""

    domain: str
    text: str
    terms: tuple[Term, ...]
    redirect: Record | None = None
    unknown: bool = False


class Spf(Struct, frozen=True, kw_only=True):
    """What was found: the record, how much a receiver asks at most to weigh it, and what is wrong with it."""

    record: Record
    lookups: int
    void: int
    problems: tuple[str, ...]

    @property
    def ending(self) -> str:
        """The sign of the "all" that is reached in the end; "" where there is none, "%" where it depends on the mail."""
        record: Record | None = self.record
        while record is not None:
            for term in record.terms:
                if term.name == "all":
                    return term.sign
            if record.unknown:
                return "%"
            record = record.redirect
        return ""

    def result(self, address: str) -> str:
        """What a receiver concludes of mail from an address: pass, fail, softfail, neutral, permerror; or "unknown" where
        that depends on the mail (macros, ptr). An IPv4 address that is written as IPv6 is one of IPv4 (RFC 7208, 5)."""
        if self.problems or self.lookups > MOST_LOOKUPS or self.void > MOST_VOID:
            return "permerror"
        asked = ip_address(address)
        return _result(self.record, getattr(asked, "ipv4_mapped", None) or asked)


def read_spf(domain: str, lookup: Lookup) -> Spf | None:
    """The SPF of a domain; None where it has no record. What `lookup` raises goes through."""
    texts = spf_texts(domain, lookup)
    if not texts:
        return None
    walk = _Walk(lookup)
    record = walk.record(domain, texts)
    return Spf(record=record, lookups=walk.lookups, void=walk.void, problems=tuple(walk.problems))


def spf_texts(domain: str, lookup: Lookup) -> list[str]:
    """The TXT records of a domain that are SPF (RFC 7208, 4.5)."""
    return _only_spf(lookup(domain, "TXT"))


def _only_spf(texts: list[str]) -> list[str]:
    return [text for text in texts if re.match(r"v=spf1( |$)", text, re.I)]


class _Walk:
    """Asks for a record and everything below it, and counts."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.lookups = self.void = 0
        self.problems: list[str] = []

    def record(self, domain: str, texts: list[str]) -> Record:
        if len(texts) != 1:
            self.problems.append(
                f"{domain} has {len(texts)} records that begin with v=spf1, and must have one"
                if texts
                else f"{domain}, which it names, has no SPF record"
            )
            return Record(domain, "", ())
        terms, modifiers = [], dict[str, str]()
        for word in texts[0].split(" ")[1:]:
            if modifier := _MODIFIER.fullmatch(word):
                self._modify(modifiers, modifier[1].lower(), modifier[2], f"{domain}: {word!r}")
            elif found := _MECHANISM.fullmatch(word):
                terms.append(self._term(found, word, domain))
            elif word:
                self.problems.append(f"{domain}: {word!r} is no term of SPF")
        has_all = any(term.name == "all" for term in terms)
        if has_all or not (redirect := modifiers.get("redirect")):
            return Record(domain, texts[0], tuple(terms))
        further = self._other(redirect)
        return Record(domain, texts[0], tuple(terms), further, unknown=further is None)

    def _modify(self, modifiers: dict[str, str], name: str, value: str, said: str) -> None:
        """Notes a modifier; those that mean something have a name to ask for, and stand once (RFC 7208, 6)."""
        has_meaning = name in ("redirect", "exp")
        if not (_DOMAIN if has_meaning else _MACRO_STRING).fullmatch(value):
            self.problems.append(f"{said} is no term of SPF")
        elif has_meaning and name in modifiers:
            self.problems.append(f"{said} stands there a second time")
        else:
            modifiers[name] = value

    def _other(self, domain: str) -> Record | None:
        """What an include or redirect leads to; None where that depends on the mail, or we have asked enough."""
        self.lookups += 1
        if "%" in domain or self.lookups > _ENOUGH:
            return None
        domain = domain.removesuffix(".")
        return self.record(domain, _only_spf(self._asked(domain, "TXT")))

    def _term(self, found: re.Match[str], word: str, domain: str) -> Term:
        sign, name, value, mask = found[1] or "+", found[2].lower(), found[3] or "", found[4]
        if name in ("ip4", "ip6"):
            return Term(sign, name, self._network(name, value, mask, word, domain))
        needs_name, may_have_mask = name in ("include", "exists"), name in ("a", "mx")
        fits = bool(_DOMAIN.fullmatch(value)) and name != "all" if value else not needs_name
        if not fits or (mask and not may_have_mask):
            self.problems.append(f"{domain}: {word!r} is no term of SPF")
            return Term(sign, name)
        if name == "all":
            return Term(sign, name)
        if name == "include":
            record = self._other(value)
            return Term(sign, name, record=record, unknown=record is None)
        self.lookups += 1
        if name == "ptr" or "%" in value:
            return Term(sign, name, unknown=True)
        host = value.removesuffix(".") or domain
        if name == "exists":
            return Term(sign, name, _EVERYBODY if self._asked(host, "A") else ())
        return Term(sign, name, self._hosts(name, host, mask, word))

    def _network(self, name: str, value: str, mask: str, word: str, domain: str) -> tuple[Network, ...]:
        try:
            network = ip_network(f"{ip_address(value)}{mask}", strict=False)
        except ValueError:
            network = None
        if network is None or network.version != int(name[2]):
            self.problems.append(f"{domain}: {word!r} is no network")
            return ()
        return (network,)

    def _hosts(self, name: str, host: str, mask: str, word: str) -> tuple[Network, ...]:
        bits = re.fullmatch(r"(?:/([0-9]{1,2}))?(?://([0-9]{1,3}))?", mask)
        if bits is None or int(bits[1] or 32) > 32 or int(bits[2] or 128) > 128:
            self.problems.append(f"{host}: {word!r} is no term of SPF")
            return ()
        hosts = [host]
        if name == "mx":
            hosts = [mx.split()[-1] for mx in self._asked(host, "MX")]
        if len(hosts) > MOST_LOOKUPS:
            self.problems.append(
                f"{host} has {len(hosts)} mail servers, and {word!r} may name {MOST_LOOKUPS}"
            )
            return ()
        found = []
        for each in hosts:
            addresses = self._lookup(each, "A") + self._lookup(each, "AAAA")
            self.void += not addresses
            found += [f"{a}/{(bits[2] or 128) if ':' in a else (bits[1] or 32)}" for a in addresses]
        return tuple(ip_network(text, strict=False) for text in found)

    def _asked(self, name: str, kind: str) -> list[str]:
        answer = self._lookup(name, kind)
        self.void += not answer
        return answer


def _result(record: Record, address: Address) -> str:
    unknown: set[str] = set()  # signs of terms that depend on the mail
    for term in record.terms:
        names_it = _matches(term, address)
        if names_it is None:
            unknown.add(term.sign)
        elif names_it:
            # What depends on the mail stood before: it might have decided otherwise.
            return _RESULTS[term.sign] if unknown <= {term.sign} else "unknown"
    if unknown or record.unknown:
        return "unknown"
    return _result(record.redirect, address) if record.redirect is not None else "neutral"


def _matches(term: Term, address: Address) -> bool | None:
    """Does a term name an address? None where that depends on the mail."""
    if term.unknown:
        return None
    if term.record is not None:
        result = _result(term.record, address)
        return None if result == "unknown" else result == "pass"
    return term.name == "all" or any(
        address in network for network in term.networks if network.version == address.version
    )
