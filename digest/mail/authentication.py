"""What receivers can find out about our mail in DNS: SPF, DKIM, DMARC, PTR. What is wrong, and the record to write. Pure.

The rules are those of large receivers for who sends many mails (since February 2024): SPF and DKIM, DMARC, a From that is
aligned with one of them, addresses with a name (PTR), and an unsubscribe link of one click (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Literal

from digest.config import Config
from digest.errors import DnsError
from digest.mail import dkim_record
from digest.mail.dmarc import LOOK, Domains, Finding, dmarc_findings
from digest.mail.spf import MOST_LOOKUPS, MOST_VOID, Lookup, Spf, read_spf, spf_texts

# Longer ones are folded by some mail programs on the way, and the button is gone.
LINK_CHARS = 70
# A token that never ends (digest/tokens.py), after the page that takes it.
_LINK_TAIL = len("unsubscribe/?t=") + 22


def findings(
    config: Config, *, lookup: Lookup, outgoing_addresses: Sequence[str], dkim_key: bytes | None
) -> list[Finding]:
    """What DNS says of mail from this configuration, each finding with its mend. `lookup` gives the records of a name and
    kind as text (digest.resolver.lookup); a name that cannot be asked (DnsError) is a warning.

    `outgoing_addresses` are those from which mail leaves this machine for the world; none where a relay sends it, or where
    they are not known. `dkim_key` is the private key (PEM) where [mail], "dkim" names one that can be read.
    """
    domains = Domains(config)
    if "." not in domains.sender:
        return [
            (
                "fault",
                "from",
                f'"{domains.sender}" is no domain of the public DNS. Write [mail] from = "Paper Digest <digest@your.domain>".',
            )
        ]
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("spf", lambda: _spf(config, domains, lookup, outgoing_addresses)),
        ("dkim", lambda: _dkim(config, domains, lookup, dkim_key)),
        ("dmarc", lambda: dmarc_findings(domains, lookup)),
        ("ptr", lambda: _ptr(config, lookup, outgoing_addresses)),
        ("mx", lambda: _mx(domains, lookup)),
    ]
    found: list[Finding] = []
    for what, check in checks:
        try:
            found += check()
        except DnsError as error:
            found.append(("warning", what, str(error)))
    return found


def link_findings(config: Config) -> Iterator[Finding]:
    """What can be said of the unsubscribe links without asking anybody."""
    url = config.site.url
    if not config.web.enabled:
        yield (
            "warning",
            "unsubscribe",
            "by mail only: [web] enabled = false. Large receivers want one click (RFC 8058): run `digest serve`, enabled = true.",
        )
    elif not url.startswith("https://"):
        yield (
            "fault",
            "unsubscribe",
            f'one click needs https (RFC 8058), and [site] "url" is {url}. Get a certificate and write https://.',
        )
    elif len(url) + _LINK_TAIL > LINK_CHARS:
        yield (
            "warning",
            "unsubscribe",
            f"links have {len(url) + _LINK_TAIL} characters; above {LINK_CHARS} some mail programs break them. "
            f'Choose a [site] "url" of at most {LINK_CHARS - _LINK_TAIL} characters.',
        )
    else:
        yield "ok", "unsubscribe", f"one click, {len(url) + _LINK_TAIL} characters of {LINK_CHARS}"


# ---------------------------------------------------------------- SPF


def _spf(
    config: Config, domains: Domains, lookup: Lookup, outgoing_addresses: Sequence[str]
) -> Iterator[Finding]:
    domain = domains.envelope
    ours = (
        " ".join(f"ip{ip_address(address).version}:{address}" for address in outgoing_addresses)
        or "include:<as your relay's manual says>"
    )
    write = f'{domain}. TXT "v=spf1 {ours} -all"'
    spf = read_spf(domain, lookup)
    if spf is None:
        yield "fault", "spf", f"{domain} has no SPF record. Write {write}"
        return
    problem = _spf_problem(spf, domain, lookup, write)
    if problem:
        yield "fault", "spf", problem
        return
    yield _spf_ending(spf, domain)
    yield from _spf_coverage(config, spf, domain, outgoing_addresses)


def _spf_problem(spf: Spf, domain: str, lookup: Lookup, write: str) -> str:
    """Why no receiver can use the record at all, and the mend."""
    if spf.problems and len(texts := spf_texts(domain, lookup)) > 1:
        return f"{domain} has {len(texts)} SPF records, so none counts (RFC 7208, 4.5). Join them into one: {write}"
    if spf.problems:
        return f"{'; '.join(spf.problems)}. Receivers then ignore all of it. Mend it, as in {write}"
    if spf.lookups > MOST_LOOKUPS:
        return (
            f"{domain} asks for {spf.lookups} lookups or more, and receivers stop at {MOST_LOOKUPS} (RFC 7208, 4.6.4). "
            f"Take out includes that you do not need, or write their addresses as ip4: and ip6:."
        )
    if spf.void > MOST_VOID:
        return (
            f"{spf.void} of the names in the record of {domain} do not exist, and receivers stop after {MOST_VOID}. "
            "Take them out."
        )
    return ""


def _spf_ending(spf: Spf, domain: str) -> Finding:
    cost = f"{domain}, {spf.lookups} of {MOST_LOOKUPS} lookups"
    if spf.ending == "+":
        return (
            "fault",
            "spf",
            f'{cost}: "all" lets everybody send in your name. Write -all at its end.',
        )
    if spf.ending in ("", "?"):
        end = f"ends in {spf.ending}all" if spf.ending else 'has no "all" at its end'
        return "warning", "spf", f"{cost}: it {end}, so it forbids nobody. Write -all (or ~all) at its end."
    if spf.ending == "%":
        return "ok", "spf", f"{cost}, and where it leads to depends on the mail"
    return "ok", "spf", f"{cost}, ends in {spf.ending}all"


def _spf_coverage(
    config: Config, spf: Spf, domain: str, outgoing_addresses: Sequence[str]
) -> Iterator[Finding]:
    for address in outgoing_addresses:
        result = spf.result(address)
        term = f"ip{ip_address(address).version}:{address}"
        if result == "pass":
            yield "ok", "spf", f"{address} may send for {domain}"
        elif result == "unknown":
            yield "warning", "spf", f"whether {address} may send depends on the mail. {LOOK} for spf=pass."
        else:
            yield (
                "fault",
                "spf",
                f"{address}, from which mail leaves, may not send for {domain} ({result}). Add {term} to the record "
                f"before its all: {_with_term(spf, term)}",
            )
    if not outgoing_addresses:
        relay = config.mail.smtp.host
        record = spf.record
        if not (any(term.name != "all" for term in record.terms) or record.redirect or record.unknown):
            yield (
                "fault",
                "spf",
                f'{domain} lets nobody send: "{record.text}". Add what the manual of your relay {relay} names, '
                "include:… before its all.",
            )
        else:
            yield (
                "ok",
                "spf",
                f"from which addresses {relay} sends cannot be seen from here. {LOOK} for spf=pass.",
            )


def _with_term(spf: Spf, term: str) -> str:
    words = spf.record.text.split()
    return f'{spf.record.domain}. TXT "{" ".join([words[0], term, *words[1:]])}"'


# ---------------------------------------------------------------- DKIM


def _dkim(config: Config, domains: Domains, lookup: Lookup, key: bytes | None) -> Iterator[Finding]:
    selector, domain = config.mail.dkim.selector, domains.signature
    if not selector:
        yield (
            "ok",
            "dkim",
            f"{config.mail.smtp.host} must sign for {domains.sender}; that cannot be seen from here. "
            f"{LOOK} for dkim=pass and header.d={domains.sender}; else sign here, [mail] dkim.",
        )
        return
    if key is None:
        return  # doctor has said why the key cannot be read
    name = f"{selector}._domainkey.{domain}"
    problem = dkim_record.key_problem(key)
    if problem:
        yield "fault", "dkim", problem
        return
    write = f"{name}. TXT {_strings(dkim_record.record_of(key))}"
    records = lookup(name, "TXT")
    if not records:
        yield "fault", "dkim", f"{name} has no record. Write {write}"
    elif len(records) > 1:
        yield "fault", "dkim", f"{name} has {len(records)} TXT records and must have one. Keep {write}"
    elif problem := dkim_record.record_problem(records[0]):
        yield "fault", "dkim", f"{name}: {problem}. Write {write}"
    elif not dkim_record.verifies(key, records[0], selector=selector, domain=domain):
        yield (
            "fault",
            "dkim",
            f"{name} holds another key than {config.mail.dkim.key_file}: a mail signed here does not verify. Write {write}",
        )
    else:
        yield "ok", "dkim", f"{name}: a mail signed here verifies, {dkim_record.bits(key)} bits"
        yield from _dkim_advice(name, records[0], key)


def _dkim_advice(name: str, record: str, key: bytes) -> Iterator[Finding]:
    """Of a record and a key that do their work, what could be better."""
    bits = dkim_record.bits(key)
    if bits < dkim_record.ADVISED_BITS:
        yield (
            "warning",
            "dkim",
            f"the key has {bits} bits; {dkim_record.ADVISED_BITS} are advised (RFC 8301). "
            f"{dkim_record.MAKE}, with a new selector.",
        )
    if "y" in dkim_record.tags(record).get("t", "").split(":"):
        yield (
            "warning",
            "dkim",
            f'{name} says t=y, "testing", so receivers may ignore the signature. Take t=y out of the record.',
        )


# ---------------------------------------------------------------- PTR and MX


def _ptr(config: Config, lookup: Lookup, outgoing_addresses: Sequence[str]) -> Iterator[Finding]:
    if not outgoing_addresses:
        yield "ok", "ptr", f"the names of its addresses are the business of {config.mail.smtp.host}"
    for address in outgoing_addresses:
        reverse = ip_address(address).reverse_pointer
        names = lookup(reverse, "PTR")
        kind = "AAAA" if ":" in address else "A"
        confirmed = [name for name in names if _has_address(name, kind, address, lookup)]
        if not names:
            yield (
                "fault",
                "ptr",
                f"{address} has no name, and large receivers refuse it. Have its owner (your provider) write "
                f"{reverse}. PTR mail.your.domain., and write mail.your.domain. {kind} {address}",
            )
        elif not confirmed:
            yield (
                "fault",
                "ptr",
                f"{address} is called {names[0]}, and {names[0]} has another address. Write {names[0]}. {kind} {address}",
            )
        else:
            yield "ok", "ptr", f"{address} is {confirmed[0]}, and {confirmed[0]} is {address}"


def _has_address(name: str, kind: str, address: str, lookup: Lookup) -> bool:
    return any(ip_address(found) == ip_address(address) for found in lookup(name, kind))


def _mx(domains: Domains, lookup: Lookup) -> Iterator[Finding]:
    for domain in dict.fromkeys((domains.envelope, domains.sender)):
        what = "reports of failed mail" if domain == domains.envelope else "answers of readers"
        write = f"Write {domain}. MX 10 mail.{domain}."
        # Falls to a warning where it is about answers: mail still goes out.
        level: Literal["fault", "warning"] = "fault" if domain == domains.envelope else "warning"
        hosts = [record.split()[-1] for record in lookup(domain, "MX")]
        if hosts == ["."]:
            yield level, "mx", f"{domain} says that it takes no mail (RFC 7505); {what} get lost. {write}"
        elif hosts:
            lost = [host for host in hosts if not (lookup(host, "A") or lookup(host, "AAAA"))]
            if len(lost) == len(hosts):
                yield level, "mx", f"{', '.join(lost)}, which takes mail to {domain}, has no address. {write}"
            else:
                yield "ok", "mx", f"mail to {domain} goes to {next(h for h in hosts if h not in lost)}"
        elif lookup(domain, "A") or lookup(domain, "AAAA"):
            yield "warning", "mx", f"{domain} has no MX; some servers send it nothing. {write}"
        else:
            yield (
                level,
                "mx",
                f"{domain} takes no mail: no MX, no address. {what.capitalize()} get lost. {write}",
            )


def _strings(text: str) -> str:
    """Text as a zone file wants it: in quoted strings of at most 255 characters (RFC 1035, 3.3)."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
