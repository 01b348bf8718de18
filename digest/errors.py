"""Everything that can go wrong, in one tree. Messages are for the operator: what happened, where, what to do.

    DigestError
     ├ ConfigError      .problems .path .key    ├ StoreError       StoreBusy · StoreSlow · StoreUndone ·
     │                                          │                  SchemaTooNew
     ├ FetchError       .url .status            ├ RenderError      .template .line
     │   └ FetchTimeout · FetchTooLarge         ├ PublishError     .path
     │     FetchRefused                         ├ MailError        .reply_code .permanent .in_doubt
     ├ ParseError       .source .url            ├ LeaseHeld        .holder
     │   └ ListingChanged                       ├ TokenError       TokenExpired · TokenInvalid
     ├ DnsError         .name                   ├ UsageError
                                                └ Stopped

"Not modified" and "nothing new today" are results, not errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


class DigestError(Exception):
    """Any failure this program names. `str(error)` is one message with its remedy."""


class UsageError(DigestError):
    """A command was called in a way it cannot be carried out; exit code 2."""


class ConfigError(DigestError):
    """One or more faults of the configuration, all found in one go; exit code 2."""

    def __init__(self, problems: Sequence[str] | str, *, path: str = "", key: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.path, self.key = path, key
        super().__init__("\n".join(self.problems))


class FetchError(DigestError):
    """A listing could not be had. `status` is the HTTP status code, where there was an answer."""

    outcome: Literal["unreachable", "refused"] = "unreachable"

    def __init__(self, message: str, *, url: str = "", status: int | None = None) -> None:
        self.url, self.status = url, status
        super().__init__(message)


class FetchTimeout(FetchError):
    """The deadline of the source passed before the whole listing had arrived."""


class FetchTooLarge(FetchError):
    """The listing is larger than `max_bytes`."""

    outcome: Literal["unreachable", "refused"] = "refused"


class FetchRefused(FetchError):
    """We may not or will not ask: scheme, address rules, robots.txt."""

    outcome: Literal["unreachable", "refused"] = "refused"


class ParseError(DigestError):
    """A listing was had, and no papers could be read from it although it does not say that it is empty."""

    def __init__(self, message: str, *, source: str = "", url: str = "") -> None:
        self.source, self.url = source, url
        super().__init__(message)


class ListingChanged(ParseError):
    """A landmark that every page of this kind has is missing: the site changed its markup, or this is another page."""


class StoreError(DigestError):
    """The store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Another process kept the store locked for longer than we wait."""


class StoreSlow(StoreError):
    """What was asked took longer than it may, and was ended."""


class StoreUndone(StoreError):
    """The database ended the transaction (a deadlock, a lost connection) and kept nothing of it: it may be done again."""


class SchemaTooNew(StoreError):
    """The store was written by a newer version of this program."""


class LeaseHeld(DigestError):
    """Another run holds the lease; exit code 4."""

    def __init__(self, message: str, *, holder: str = "") -> None:
        self.holder = holder
        super().__init__(message)


class Stopped(DigestError):
    """The program was told to end before the day was finished; the next run goes on from there."""


class RenderError(DigestError):
    """A template is missing, broken, or asks for a variable that does not exist."""

    def __init__(self, message: str, *, template: str = "", line: int | None = None) -> None:
        self.template, self.line = template, line
        super().__init__(message)


class PublishError(DigestError):
    """A file below `site.output` could not be written."""

    def __init__(self, message: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class TokenError(DigestError):
    """A link that gives no right to anything."""


class TokenInvalid(TokenError):
    """Not one of ours, of another purpose, altered, or of somebody who was erased."""


class TokenExpired(TokenError):
    """One of ours whose time has passed. `subscriber_id` is whose it is."""

    def __init__(self, message: str, *, subscriber_id: int) -> None:
        self.subscriber_id = subscriber_id
        super().__init__(message)


class DnsError(DigestError):
    """A name could not be asked in DNS, which says nothing of whether it exists. Only `digest doctor` asks."""

    def __init__(self, message: str, *, name: str = "") -> None:
        self.name = name
        super().__init__(message)


class MailError(DigestError):
    """The mail server or the outbox cannot be used at all (one refused recipient is a Receipt, not an error).

    `permanent`: trying again without a change of the configuration is of no use. `in_doubt`: the whole message was
    handed over and the answer to it never came, so that nobody knows whether it was taken (RFC 1047).
    """

    def __init__(
        self, message: str, *, reply_code: int | None = None, permanent: bool = False, in_doubt: bool = False
    ) -> None:
        self.reply_code, self.permanent, self.in_doubt = reply_code, permanent, in_doubt
        super().__init__(message)
