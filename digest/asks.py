"""Which addresses a source is asked at: its own, those of the days that may still grow, those of days that were missed. Pure.

A listing day is not complete when it is first read: papers are added for days, and stand on no other day. So a source
whose address names a day, or can, is asked again for the days before, each until it has stayed the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from digest.calendar import arxiv_days
from digest.config import SourceConfig

# A day that stayed the same for so long after its end is asked no more.
SETTLED_DAYS = 3
# Days that are asked for by date after downtime, or with `--since`: no run asks a site for years.
MAX_MISSED_DAYS = 90
DATE = "{date}"


class Ask(Struct, frozen=True, kw_only=True):
    """One address to ask for: `day` is the listing day that it is asked for, where it names one. `route` is the further
    address of the same listing that it belongs to, as the configuration has it; "" for the source's own."""

    url: str
    day: date | None = None
    route: str = ""


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a listing day: is it still open, was it ever read, and since when does it stay the same (or is asked in
    vain)?"""

    open: bool
    read: bool
    since: date


def day_address(source: SourceConfig) -> str:
    """The source's address of a day, with `{date}` in its place; "" where days have no address.

    The operator's own `{date}`, or what is known of a site: Hugging Face's `/papers/date/…` and `/api/daily_papers?date=…`.
    """
    if DATE in source.url:
        return source.url
    parts = urlsplit(source.url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path.rstrip("/")
    if path.endswith("/api/daily_papers") and "date" not in query:
        # An answer is cut at 50 unless more is asked for.
        asked = urlencode({"limit": "100", **query})
        return urlunsplit(parts._replace(query=f"date={DATE}&{asked}"))
    is_hugging_face = parts.hostname in ("huggingface.co", "www.huggingface.co")
    if path.endswith("/papers") and (is_hugging_face or source.kind == "huggingface"):
        return urlunsplit(parts._replace(path=f"{path}/date/{DATE}"))
    return ""


def on_day(url: str, day: date) -> str:
    """An address of a day: `url` with the day in the place of `{date}`; another one stays as it is."""
    return url.replace(DATE, day.isoformat())


def missed_address(source: SourceConfig) -> str:
    """The address of a day that was missed, for a listing whose own address shows the newest day only; "" where there is none.

    arXiv's `/list/…/new` has `/catchup/…/DATE`, in the same layout.
    """
    parts = urlsplit(source.url)
    steps = parts.path.strip("/").split("/")
    if len(steps) < 3 or steps[-3] != "list" or steps[-1] != "new":
        return ""
    path = "/".join(["", *steps[:-3], "catchup", steps[-2], DATE])
    return urlunsplit(parts._replace(path=path, query="abs=True"))


def first_asks(
    source: SourceConfig, *, until: date, known: Mapping[date, Known], since: date | None = None
) -> list[Ask]:
    """What to ask a source for in a run whose newest listing day is `until`, oldest day first.

    Without dated addresses that is the source's own. Else the days within its window that are open, those missed since the
    newest one read, those asked for in vain, `until` itself, and all since a given day that were never read. On first use
    that is `until` alone: the past was not asked for.
    """
    address = day_address(source)
    if not address:
        return [Ask(url=source.url)]
    return [Ask(url=on_day(address, day), day=day) for day in wanted_days(source, until, known, since)]


def days_before(source: SourceConfig, day: date) -> list[Ask]:
    """The days of a source's window before `day`, newest first; none where days have no address."""
    address = day_address(source)
    days = [day - timedelta(days=n) for n in range(1, source.lookback_days + 1)] if address else []
    return [Ask(url=on_day(address, before), day=before) for before in days]


def wanted_days(
    source: SourceConfig, until: date, known: Mapping[date, Known], since: date | None
) -> list[date]:
    """The days that `first_asks` asks for, oldest first."""
    read = [day for day in _read_days(known) if day <= until]
    begin = min((max(read) + timedelta(days=1) if read else until), until)
    days = set(_never_read(begin, until, known, since)) | {until}
    # Also one whose window has passed meanwhile: a last look.
    days |= {day for day in read if known[day].open}
    return sorted(days | set(_in_vain(source, until, known)))


def _never_read(begin: date, until: date, known: Mapping[date, Known], since: date | None) -> list[date]:
    """The days from `begin` on that nothing is known of, and those from `since` on that were never read."""
    oldest = until - timedelta(days=MAX_MISSED_DAYS)
    first = max(min(begin, since or begin), oldest)
    return [
        day
        for day in _span(first, until)
        if day not in known or (since is not None and day >= since and not known[day].read)
    ]


def _in_vain(source: SourceConfig, until: date, known: Mapping[date, Known]) -> list[date]:
    """The days that were asked for and not had, and are not given up."""
    read = _read_days(known)
    return [
        day
        for day, state in known.items()
        if day <= until and not state.read and not has_given_up(source, state.since, until, read)
    ]


def has_given_up(source: SourceConfig, tried: date, today: date, read: Collection[date]) -> bool:
    """Is a day that was asked for in vain since `tried` asked for no more? After as long as a growing day is asked for, as far
    as other days could be `read` meanwhile: a site that was down, or a machine that was off, says nothing of one day."""
    newest = max((day for day in read if day <= today), default=today)
    answered = min(today, newest + timedelta(days=1))
    tries = timedelta(days=max(source.lookback_days, 1))
    return answered - tried > tries or today - tried > timedelta(days=MAX_MISSED_DAYS)


def _read_days(known: Mapping[date, Known]) -> list[date]:
    return [day for day, state in known.items() if state.read]


def missed_asks(
    source: SourceConfig, *, newest: date | None, known: Mapping[date, Known], since: date | None = None
) -> list[Ask]:
    """The announcement days between the newest one read before and `newest`, the day that the listing shows now.

    Also those that were asked for in vain or not read to their end, and with `since` all from there on that were never read.
    Empty for sources that have no address of such days.
    """
    address = missed_address(source)
    if not address or newest is None:
        return []
    last = max((day for day, state in known.items() if day < newest and state.read), default=newest)
    days = set(_never_read(last, newest, known, since)) | set(_in_vain(source, newest, known))
    read = _read_days(known)
    days |= {
        day
        for day, state in known.items()
        if state.open and not has_given_up(source, state.since, newest, read)
    }
    listed = arxiv_days(min(days, default=newest), newest)
    return [Ask(url=on_day(address, day), day=day) for day in listed if day in days and day != newest]


def is_settled(day: date, *, changed: date, today: date, window_days: int) -> bool:
    """Will a day be asked no more? When it has stayed the same for three days after its end, or its window is over."""
    return today - max(day, changed) > timedelta(days=SETTLED_DAYS) or today - day > timedelta(
        days=window_days
    )


def _span(first: date, last: date) -> Sequence[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
