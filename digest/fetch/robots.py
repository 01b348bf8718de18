"""robots.txt (RFC 9309): what a site lets programs read, asked once for each origin and remembered for a day at most."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec.structs import replace
from protego import Protego
from urllib3.response import HTTPResponse

from digest.errors import FetchError, FetchRefused, FetchTimeout
from digest.fetch.addresses import Place, place_of, redirected
from digest.fetch.body import read_body
from digest.fetch.faults import wrong_status
from digest.fetch.manners import Errand, Manners
from digest.fetch.turns import Turns
from digest.fetch.wire import Answer
from digest.patterns import late

AGENT = "paper-digest"

_REDIRECTS = 5
# RFC 9309, 2.5: at least 500 KiB are read; what comes after them does not count.
_MAX_BYTES = 500 * 1024
_DAY_S = 24 * 3600
# However short a site wants its file to be kept: a visit of many pages asks for it once.
_LEAST_S = 600
_DELAY_AT_MOST_S = 30.0

# Interfaces that their owners publish for programs, with terms of their own. Their robots.txt is for crawlers (that of arXiv's
# keeps all of them out, and arXiv's word on robots sends programs to just these): it is not asked here.
_FOR_PROGRAMS = (
    ("export.arxiv.org", "/api/query"),
    ("export.arxiv.org", "/oai2"),
    ("oaipmh.arxiv.org", "/oai"),
    ("api.crossref.org", "/"),
    ("api.semanticscholar.org", "/"),
    ("api.openalex.org", "/"),
    ("api.datacite.org", "/"),
    ("doaj.org", "/api/"),
    ("dblp.org", "/search/publ/api"),
    ("eutils.ncbi.nlm.nih.gov", "/entrez/eutils/"),
)

_USER_AGENT = late(r"^([ \t]*user[- ]?agent[ \t]*:)[ \t]*([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)


def is_for_programs(host: str, path: str) -> bool:
    """Is this path, as it is sent, one of an interface that its owner publishes for programs?"""
    plain = not any(step in (".", "..") for step in path.replace("%2e", ".").replace("%2E", ".").split("/"))
    return plain and any(host == known and _below(path, start) for known, start in _FOR_PROGRAMS)


def _below(path: str, start: str) -> bool:
    return path == start or path.startswith(start if start.endswith("/") else f"{start}/")


class Rules:
    """What one robots.txt says to us."""

    def __init__(self, text: str) -> None:
        named = {_token(found[2]) for found in _USER_AGENT.finditer(text)}
        self.agent = AGENT if AGENT in named else "*"
        # The library also takes "paper" for our name, and does not know "paper-digest/1.0"; RFC 9309, 2.2.1 says neither.
        self._rules = Protego.parse(_USER_AGENT.sub(lambda found: f"{found[1]} {_token(found[2])}", text))

    def allow(self, url: str) -> bool:
        return self._rules.can_fetch(url, AGENT)

    @property
    def delay_s(self) -> float:
        """Seconds that the site wants between two requests (Crawl-delay; no standard, but asked for), at most 30."""
        return min(self._rules.crawl_delay(AGENT) or 0.0, _DELAY_AT_MOST_S)


def _token(value: str) -> str:
    """The product token of a user-agent line: ours, "*", or one that is neither."""
    if value.strip() == "*":
        return "*"
    found = re.match(r"[a-z_-]*", value.strip().lower())
    return AGENT if found is not None and found[0] == AGENT else "somebody-else"


class Robots:
    """The rules of the origins that are asked."""

    def __init__(self, manners: Manners, turns: Turns) -> None:
        self._manners, self._turns = manners, turns
        self._parsed: dict[str, tuple[str, Rules]] = {}

    def delay_for(self, place: Place, errand: Errand) -> float:
        """The seconds that the site wants between two requests. Raises FetchRefused where its robots.txt keeps us out, and
        FetchError where that cannot be had: then nothing is asked (RFC 9309, 2.3.1.4)."""
        if is_for_programs(place.host, place.target.partition("?")[0]):
            return 0.0
        rules = self._rules(place, errand)
        if not rules.allow(place.url):
            raise FetchRefused(
                f"{place.url}: robots.txt of this site keeps out programs (User-agent: {rules.agent}). Read its feed or API "
                "instead, ask the site, or save the page in a browser and give its path.",
                url=place.url,
            )
        return rules.delay_s

    def _rules(self, place: Place, errand: Errand) -> Rules:
        text = self._turns.robots(place.origin, now=datetime.now(UTC))
        if text is None:
            text = self._ask(place, errand)
        known = self._parsed.get(place.origin)
        if known is None or known[0] != text:
            known = self._parsed[place.origin] = (text, Rules(text))
        return known[1]

    def _ask(self, place: Place, errand: Errand) -> str:
        file = replace(place_of(f"{place.origin}/robots.txt"), about=place.url)
        try:
            answer = self._answer(file, errand)
        except FetchRefused:
            raise
        except FetchError as error:
            kind = FetchTimeout if isinstance(error, FetchTimeout) else FetchError
            raise kind(
                f"{place.url}: not asked, since robots.txt of its site cannot be had: "
                f"{str(error).removeprefix(f'{place.url}: ')}",
                url=place.url,
                status=error.status,
            ) from error
        # 4xx, or redirects without end: there is none, and everything is allowed (RFC 9309, 2.3.1.2 and 2.3.1.3).
        text = answer.body.decode("utf-8-sig", "replace") if 200 <= answer.status < 300 else ""
        until = datetime.now(UTC) + timedelta(seconds=_kept_for(answer.headers.get("Cache-Control", "")))
        self._turns.remember_robots(place.origin, text, until=until)
        return text

    def _answer(self, place: Place, errand: Errand) -> Answer:
        for _ in range(_REDIRECTS + 1):
            read = partial(_read, url=place.name)
            answer = self._manners.get(place, errand, headers={}, read=read)
            if answer.status >= 500:
                raise wrong_status(place.name, answer.status)
            if not answer.location:
                break
            try:
                place = replace(redirected(place, answer.location, errand.source), about=place.name)
            except FetchRefused as error:
                raise FetchRefused(
                    f"{place.name}: robots.txt of its site leads on to {error}", url=place.name
                ) from error
        return answer


def _read(response: HTTPResponse, url: str) -> bytes:
    if not 200 <= response.status < 300:
        return b""
    return read_body(response, url=url, max_bytes=_MAX_BYTES, cut=True)


def _kept_for(cache_control: str) -> float:
    """Seconds for which a robots.txt with this Cache-Control counts."""
    found = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", cache_control, re.IGNORECASE)
    return min(max(float(found[1]) if found else _DAY_S, _LEAST_S), _DAY_S)
