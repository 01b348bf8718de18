"""GET /search/ and the feeds of a search. Nothing here changes anything."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from digest.app import App
from digest.app.search import Found, search, shown
from digest.config import DigestConfig
from digest.errors import StoreSlow, UsageError
from digest.formats import Publication
from digest.formats.feeds import documents
from digest.formats.frame import FEEDS, FeedLink, frame
from digest.formats.items import FEED_ITEMS, Feed, make_item, unique
from digest.formats.search import PER_PAGE, SearchView, page_variables, view_hit
from digest.render import clean
from digest.searching import Query
from digest.web.conditions import names_tag
from digest.web.pages import ALWAYS, FILE_POLICY, POLICY

# A search that takes longer is ended. Strangers may ask for anything.
LIMIT_S = 1.0
AT_ONCE = 2
WAITING = 20
# Nobody reads further, and each page costs as much as all before it.
MAX_PAGE = 500
_HEADERS = {
    **ALWAYS,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "X-Robots-Tag": "noindex",
}
_TYPES = {file: kind for _, file, kind in FEEDS}


SLOW = (
    "This search took too long. Leave out some of the words with a star, or search for more letters of them."
)


class SearchDoor:
    """The search of one digest, at `search/` below its root. `app` is one that nothing else uses: a search, however long, keeps
    no other door waiting."""

    def __init__(self, app: App, digest: DigestConfig) -> None:
        self._app, self._digest, self._names = app, digest, [digest.name]
        config = app.config
        self._url = config.digest_url(digest.name)
        self._path = f"{urlsplit(self._url).path}search/"
        # Addresses without scheme and host: they work under whatever name the site was asked for.
        self._publication = Publication(config=config, digest=digest, url=urlsplit(self._url).path)

    def page(self, request: Request) -> Response:
        """A page of results; the box and the help alone where nothing is searched for. 422 for a search that makes no sense."""
        text = str(request.query_params.get("q", ""))
        if not text.strip():
            return self._page()
        number = _number(str(request.query_params.get("page", "")))
        try:
            with self._app.store.within(LIMIT_S):
                found = search(
                    self._app, text, digests=self._names, limit=PER_PAGE, offset=(number - 1) * PER_PAGE
                )
        except UsageError as error:
            return self._page(status=422, query=text, error=_sentence(str(error)))
        except StoreSlow:
            return self._page(status=503, query=text, error=SLOW)
        return self._page(query=text, found=self._view(found, number))

    def _view(self, found: Found, number: int) -> SearchView:
        shown_until = (number - 1) * PER_PAGE + len(found.hits)
        more = found.hits and shown_until < found.total and number < MAX_PAGE
        return SearchView(
            query=found.query.text,
            total=found.total,
            first=(number - 1) * PER_PAGE + 1,
            papers=tuple(view_hit(hit, found.query, self._publication) for hit in found.hits),
            previous_url=self._address(found.query, number - 1) if number > 1 else "",
            next_url=self._address(found.query, number + 1) if more else "",
            feeds=[
                FeedLink(name, f"{self._path}{file}?q={quote(found.query.text)}", kind)
                for name, file, kind in FEEDS
            ],
        )

    def _address(self, query: Query, number: int) -> str:
        return f"{self._path}?q={quote(query.text)}{f'&page={number}' if number > 1 else ''}"

    def _page(
        self, *, status: int = 200, query: str = "", error: str = "", found: SearchView | None = None
    ) -> Response:
        variables = page_variables(self._publication, query=query, error=error, found=found)
        text = self._app.renderer.render(
            "archive/search.html",
            **(
                frame(self._publication)
                | {"page_url": f"{self._url}search/", "search_script": ""}
                | variables
            ),
        )
        return HTMLResponse(text, status_code=status, headers=_HEADERS)

    # ------------------------------------------------------------ feeds

    def feed(self, request: Request) -> Response:
        """The newest 50 papers of a search as RSS, Atom or JSON Feed, by the last part of the address; 304 for who has them."""
        file = request.url.path.rpartition("/")[2]
        try:
            text = str(request.query_params.get("q", ""))
            with self._app.store.within(LIMIT_S):
                found = search(self._app, text, digests=self._names, limit=FEED_ITEMS, order="newest")
        except UsageError as error:
            return PlainTextResponse(f"{_sentence(str(error))}\n", status_code=422, headers=_HEADERS)
        except StoreSlow:
            return PlainTextResponse(f"{SLOW}\n", status_code=503, headers=_HEADERS)
        body = self._documents(found)[file]
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        # A feed brings its style sheet, as published files do.
        headers = {**_HEADERS, "ETag": tag, "Content-Security-Policy": FILE_POLICY}
        if names_tag(request.headers.get("if-none-match", "").strip(), tag, weakly=True):
            return Response(status_code=304, headers=headers)
        # Browsers apply the style sheet of a feed only to this type.
        kind = "application/xml" if file.endswith(".xml") else _TYPES[file]
        return Response(body, media_type=kind, headers=headers)

    def _documents(self, found: Found) -> dict[str, bytes]:
        said = quote(found.query.text)
        rss, atom, json = (f"{self._url}search/{file}?q={said}" for _, file, _ in FEEDS)
        items = [
            make_item(each.entry, each.edition, f"{self._url}{each.edition.path}")
            for each in shown(self._app, found.hits)
        ]
        home = f"{self._url}search/?q={said}"
        changed = self._app.store.newest_issued(self._digest.name)
        return documents(
            Feed(
                # A hub is told of files only: who waited for it to speak of a search would wait for ever (W3C WebSub, 4).
                site=replace(self._app.config.site, hub=""),
                root=self._url,
                id=home,
                title=clean(f"{found.query.text}: {self._publication.title}"),
                description=clean(f"New papers that match the search {found.query.text}"),
                home=home,
                urls=(rss, atom, json),
                items=unique(items),
                # What a search finds no longer was there once; nobody remembers what strangers search for.
                changed=changed and changed.replace(microsecond=0),
            )
        )


def _number(text: str) -> int:
    """The number of a page; 1 for what is none."""
    return min(max(int(text), 1), MAX_PAGE) if text.isascii() and text.isdecimal() and len(text) < 6 else 1


def _sentence(text: str) -> str:
    return clean(text[:1].upper() + text[1:])
