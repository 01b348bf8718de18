"""DMARC (RFC 7489): the record of From's domain, and whether envelope and signature are of the same house. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from digest.addresses import ascii_domain
from digest.config import Config
from digest.mail.dkim_record import tags as tags_of
from digest.mail.spf import Lookup

# Level, what was looked at, what was found and the mend.
Finding = tuple[Literal["ok", "warning", "fault"], str, str]

LOOK = "Send yourself one with `digest send --to` and look into its header Authentication-Results"
# Parents under which anybody may have a name: two brothers below them are strangers.
_REGISTRIES = frozenset({"ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"})


class Domains:
    """The domains that receivers compare: of From, of the envelope and of the signature."""

    def __init__(self, config: Config) -> None:
        self.sender = _domain(config.mail.address)
        self.envelope = _domain(config.mail.bounces) or self.sender
        self.signature = ""
        if config.mail.dkim.selector:
            self.signature = ascii_domain(config.mail.dkim.domain) or self.sender


def dmarc_findings(domains: Domains, lookup: Lookup) -> Iterator[Finding]:
    """The DMARC record of From's domain, and whether From is aligned with what SPF and DKIM vouch for."""
    write = f'_dmarc.{domains.sender}. TXT "v=DMARC1; p=none; rua=mailto:postmaster@{domains.sender}"'
    name, records = _dmarc_records(domains.sender, lookup)
    if not records:
        yield "fault", "dmarc", f"_dmarc.{domains.sender} has no record. Write {write}"
        yield from _aligned(domains, {})
        return
    if len(records) > 1:
        yield "fault", "dmarc", f"{name} has {len(records)} DMARC records, so none counts. Keep one: {write}"
        return
    tags = tags_of(records[0])
    policy = tags.get("sp", tags.get("p", "")) if name != f"_dmarc.{domains.sender}" else tags.get("p", "")
    if policy.lower() not in ("none", "quarantine", "reject"):
        said = f'says p="{policy}"' if policy else "has no p="
        yield "fault", "dmarc", f"{name} {said}, and needs p=none, quarantine or reject. Write {write}"
    elif not re.match(r"\s*mailto:[^@\s]+@[^@\s]+", tags.get("rua", ""), re.I):
        yield (
            "warning",
            "dmarc",
            f"{name}: p={policy}, and nobody gets the reports. Add rua=mailto:postmaster@{domains.sender}",
        )
    else:
        yield "ok", "dmarc", f"{name}: p={policy}"
    yield from _aligned(domains, tags)


def _dmarc_records(domain: str, lookup: Lookup) -> tuple[str, list[str]]:
    """The DMARC records that count for a domain, its own or of the nearest parent that has some, and their name."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        name = f"_dmarc.{'.'.join(labels[start:])}"
        records = [text for text in lookup(name, "TXT") if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
        if records:
            return name, records
    return f"_dmarc.{domain}", []


def _aligned(domains: Domains, tags: dict[str, str]) -> Iterator[Finding]:
    """Is From of the same house as the envelope (SPF) or the signature (DKIM)? One is enough; both survive forwarding."""
    spf = _alignment(domains.sender, domains.envelope, strict=tags.get("aspf", "") == "s")
    dkim = _alignment(domains.sender, domains.signature, strict=tags.get("adkim", "") == "s")
    both = f"From {domains.sender}, envelope {domains.envelope}, " + (
        f"signature {domains.signature}" if domains.signature else "signature by the relay"
    )
    if spf == "yes" and dkim in ("yes", "unsigned"):
        yield "ok", "alignment", both
    elif spf == "yes" or dkim == "yes":
        other, mode = ("dkim.domain", "adkim") if spf == "yes" else ("bounces", "aspf")
        where = (
            "to the domain of from itself" if tags.get(mode) == "s" else "to the domain of from, or below it"
        )
        yield "warning", "alignment", f'{both}: only one of two is aligned. Set [mail] "{other}" {where}.'
    elif "perhaps" in (spf, dkim):
        yield (
            "warning",
            "alignment",
            f"{both}: aligned only if one house owns what they share, which is not known here. {LOOK} for dmarc=pass.",
        )
    elif dkim == "unsigned":
        yield (
            "warning",
            "alignment",
            f'{both}: the envelope is not aligned, so all hangs on the relay. Set [mail] "bounces" to an address at '
            f"{domains.sender}, or see that it signs with d={domains.sender}.",
        )
    else:
        yield (
            "fault",
            "alignment",
            f"{both}: neither is aligned with From, so DMARC fails. "
            f'Write [mail] bounces = "bounces@{domains.sender}" and leave dkim.domain out.',
        )


def _alignment(sender: str, other: str, *, strict: bool) -> str:
    """yes, no, perhaps or (without a domain) unsigned. Relaxed alignment wants the same organisation (RFC 7489, 3.1): the same
    domain or a parent is one; two brothers may be."""
    if not other:
        return "unsigned"
    if sender == other:
        return "yes"
    if strict:
        return "no"
    parent, child = sorted((sender, other), key=len)
    if child.endswith(f".{parent}") and not _is_registry(parent):
        return "yes"
    shared = _shared_parent(sender, other)
    return "perhaps" if shared and not _is_registry(shared) else "no"


def _shared_parent(one: str, other: str) -> str:
    shared: list[str] = []
    for a, b in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if a != b:
            break
        shared.insert(0, a)
    return ".".join(shared)


def _is_registry(domain: str) -> bool:
    """A guess without the list of public suffixes: com, co.uk, ac.jp."""
    labels = domain.split(".")
    return len(labels) < 2 or (len(labels) == 2 and labels[0] in _REGISTRIES and len(labels[1]) == 2)


def _domain(address: str) -> str:
    return ascii_domain(address.rpartition("@")[2]) or ""
