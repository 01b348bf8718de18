"""The operator's side of subscribing: checked addresses, added, removed, erased and allowed again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from digest.errors import UsageError
from digest.model import Subscriber

if TYPE_CHECKING:
    from digest.store import Store


def checked_address(text: str, *, tests: bool = True) -> str:
    """The one mail address in `text` in its normal form: domain in lower case and as A-labels (RFC 5891).

    Raises UsageError for anything else: two addresses, control characters, no domain, a local part beyond ASCII; and, unless
    `tests`, a domain in .test, which no mail reaches but that of an operator who tries something out (RFC 6761, 6.2).
    """
    from email_validator import EmailNotValidError, validate_email

    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:100])
    try:
        valid = validate_email(
            text.strip(" "),
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=tests,
            strict=True,  # no more than 64 octets before the @ (RFC 5321, 4.5.3.1.1)
        )
    except EmailNotValidError as error:
        raise UsageError(
            f"{shown!r} is no mail address: {str(error).rstrip('.')}. Write it as name@example.org."
        ) from None
    assert valid.ascii_email is not None
    return valid.ascii_email


def add(
    store: Store, addresses: Sequence[str], *, digests: Sequence[str], now: datetime
) -> list[tuple[Subscriber, bool]]:
    """Each address as a confirmed subscriber, and whether it is newly so; all of them or, when one is wrong, none.

    The operator answers for it that they asked. Raises UsageError for a bad or suppressed address.
    """
    checked = [checked_address(address) for address in addresses]
    with store.together():
        for address in checked:
            if reason := why_never(store, address):
                raise UsageError(
                    f"{address} is suppressed: {reason}. Nothing was added. "
                    f"If its owner asked for mail again: `digest subscribers allow {address}`, then add it."
                )
        return [store.add_subscriber(address, digests=digests, now=now) for address in checked]


def why_never(store: Store, address: str) -> str:
    """Why an operator cannot put this address on the list, in words; "" where nothing speaks against it."""
    known, gone = store.subscriber(address), store.suppression(address)
    if gone is not None:
        return _REASONS[gone.reason]
    return _REASONS["bounced"] if known is not None and known.status == "suppressed" else ""


def has_left(store: Store, address: str) -> bool:
    """Did its owner leave, and not come back since? Who is asked again, by a stranger perhaps, has left for as long as no answer
    came."""
    known = store.subscriber(address)
    return known is not None and (
        known.status == "unsubscribed" or (known.status == "pending" and store.had_left(known.id))
    )


_REASONS = {
    "bounced": "its mailbox does not take mail",
    "complained": "its owner complained",
    "erased": "its owner left and had all data erased",
}


def remove(store: Store, addresses: Sequence[str], *, now: datetime) -> list[tuple[str, bool]]:
    """Each address and whether it was subscribed until now. What is queued for it is not sent any more."""
    return [(address, store.remove_subscriber(_normal(address), now=now)) for address in addresses]


def _normal(address: str) -> str:
    """The address as `add` would have stored it. What is no address at all may still be removed as it is."""
    try:
        return checked_address(address)
    except UsageError:
        return address.strip()


def erase(store: Store, address: str, *, now: datetime) -> list[str] | None:
    """Erases all data of an address; the Message-IDs of the mails sent to it, None where it was unknown."""
    return store.erase_subscriber(_normal(address), now=now)


def allow(store: Store, address: str, *, now: datetime) -> bool:
    """Lifts a suppression: the address may be added, or subscribe itself. False where there was none."""
    return store.allow_address(_normal(address), now=now)
