"""One address → its listing: redirects followed, each step allowed by the site, conditions sent where they belong."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from urllib3.response import HTTPResponse

from digest.errors import FetchError, FetchRefused
from digest.fetch.addresses import (
    Place,
    can_be_sent,
    check_headers,
    check_port,
    headers_for,
    place_of,
    redirected,
)
from digest.fetch.body import read_body
from digest.fetch.faults import wrong_status
from digest.fetch.files import date_in
from digest.fetch.manners import Errand, Manners
from digest.fetch.packing import MAGIC, unpacked
from digest.fetch.robots import Robots
from digest.fetch.wire import Answer
from digest.model import Listing, NotModified, Validators

_REDIRECTS = 5


class Asking:
    """Asks addresses for listings."""

    def __init__(self, manners: Manners, robots: Robots) -> None:
        self._manners, self._robots = manners, robots

    def ask(
        self, url: str, errand: Errand, *, validators: Validators | None, now: datetime
    ) -> Listing | NotModified:
        """The listing at an address, or that it is what it was. Raises FetchError for every other answer, and for none."""
        asked = place_of(url)
        check_headers(errand.source)
        check_port(asked, errand.source)
        answer, last, conditional = self._follow(asked, errand, validators)
        if answer.status == 304 and conditional:
            return NotModified(url=url)
        if answer.status != 200:
            raise wrong_status(url, answer.status)
        return Listing(
            location=url,
            body=answer.body,
            content_type=answer.headers.get("Content-Type", ""),
            base_url=last.url,
            fetched_at=now,
            listed_on=date_in(url),
            etag=answer.headers.get("ETag", ""),
            last_modified=answer.headers.get("Last-Modified", ""),
        )

    def _follow(
        self, asked: Place, errand: Errand, validators: Validators | None
    ) -> tuple[Answer, Place, bool]:
        """The answer at the end of the redirects, the place that gave it, and whether that was asked under a condition."""
        place = asked
        for _ in range(_REDIRECTS + 1):
            conditions = _conditions(place, asked, validators)
            try:
                answer = self._one(place, asked, errand, conditions)
            except FetchRefused as error:
                raise error if place is asked else _led_there(asked, error) from error
            if not answer.location:
                return answer, place, bool(conditions)
            try:
                place = redirected(place, answer.location, errand.source)
            except FetchRefused as error:
                raise _led_there(asked, error) from error
        raise FetchError(f"{asked.url}: more than {_REDIRECTS} redirects. Mend the address.", url=asked.url)

    def _one(self, place: Place, asked: Place, errand: Errand, conditions: dict[str, str]) -> Answer:
        delay = self._robots.delay_for(place, errand)
        headers = {**headers_for(place, errand.source), **conditions}
        read = partial(_read, url=asked.url, max_bytes=errand.source.max_bytes)
        return self._manners.get(place, errand, headers=headers, read=read, delay_s=delay)


def _read(response: HTTPResponse, url: str, max_bytes: int) -> bytes:
    if response.status != 200:
        return b""
    body = read_body(response, url=url, max_bytes=max_bytes)
    # A dump that is a gzip file itself; what was packed for the way as well is no page, and stays as it is.
    is_file = body.startswith(MAGIC) and not response.headers.get("Content-Encoding")
    return unpacked(body, url=url, max_bytes=max_bytes) if is_file else body


def _led_there(asked: Place, error: FetchRefused) -> FetchRefused:
    return FetchRefused(f"{asked.url} leads on to {error}", url=asked.url)


def _conditions(place: Place, asked: Place, validators: Validators | None) -> dict[str, str]:
    """The validators as they came, where they can mean something.

    They belong to the resource that gave them (RFC 9110, 8.8), and 15.4 has them replaced when a redirect is followed. At the
    address itself both go out; a server that redirects ignores them (13.2.1). Behind a redirect in the same origin only the
    entity tag does: a date would also fit a newer page at another address. Another origin never hears of them.
    """
    if validators is None or place.origin != asked.origin:
        return {}
    found = {"If-None-Match": validators.etag}
    if place.url == asked.url:
        found["If-Modified-Since"] = validators.last_modified
    return {name: value for name, value in found.items() if value and can_be_sent(value)}
