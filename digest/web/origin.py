"""Does a form come from a page of ours?"""

from __future__ import annotations

from urllib.parse import urlsplit


def is_foreign(origin: str | None, host: str, site_url: str) -> bool:
    """True where a browser says that a form was posted from a page of another site (Origin, RFC 6454).

    Nothing and "null" are let pass: our own pages ask browsers to tell nobody where they come from, and then they say "null".
    """
    if origin is None or origin == "null":
        return False
    site = urlsplit(site_url)
    try:
        posted = urlsplit(origin)
    except ValueError:
        return True
    ours = (host.lower(), site.netloc.lower())
    return posted.scheme not in ("http", "https") or posted.netloc.lower() not in ours
