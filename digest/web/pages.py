"""Answers: the pages of templates/web/ with the headers that every page with a form or a token has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from digest.app import App
from digest.formats.frame import feeds_of
from digest.model import Subscriber
from digest.render import clean, sender_of

# No script, nothing from elsewhere, in nobody's frame; a form posts to this site only.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
# For published files: the feeds bring a style sheet of their own (feed.css).
FILE_POLICY = POLICY.replace("style-src", "style-src 'self'")
ALWAYS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
PRIVATE = {
    **ALWAYS,
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": POLICY,
}


class Pages:
    """Makes the answers of one site."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.root = urlsplit(app.config.site.url).path

    def page(
        self,
        name: str,
        *,
        title: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> Response:
        """The page of templates/web/NAME.html. Raises RenderError."""
        site, home_url = self._app.config.site, self._app.config.home_url
        home = urlsplit(home_url).path
        text = self._app.renderer.render(
            f"web/{name}.html",
            title=f"{title}: {clean(site.title)}",
            heading=title,
            description=title,
            site_title=clean(site.title),
            home_url=home,
            feeds_url=f"{home}feeds/",
            page_url=f"{site.url}subscribe/",
            subscribe_url=f"{self.root}subscribe/",
            feeds=feeds_of(home_url),
            sender=sender_of(site),
            **variables,
        )
        return HTMLResponse(text, status_code=status, headers={**PRIVATE, **(headers or {})})

    def problem(
        self, status: int, title: str, text: str, *, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page that says what is wrong with a request, and how to go on."""
        return self.page("problem", title=title, status=status, headers=headers, text=text)

    def here(self, url: str) -> str:
        """An address of this site without scheme and host, so that it works under whatever name the site was asked for."""
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def link(self, what: str, token: str) -> str:
        """The path of a page for the holder of a token. What is no token is not repeated."""
        return f"{self.root}{what}/?t={token}"


def masked(subscriber: Subscriber) -> str:
    """An address as its owner knows it again and others cannot read it: re****@mail.example."""
    local, _, domain = subscriber.address.rpartition("@")
    return f"{local[:2] if len(local) > 3 else local[:1]}****@{domain}"
