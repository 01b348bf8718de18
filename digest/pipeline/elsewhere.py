"""Elsewhere: what was published is copied to each [[publish]] target, and the WebSub hub is told of the feeds that changed.

Nothing here raises for the world outside: a target or hub that is down is reported, and the next run sends what it lacks.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from digest.config import Config
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES
from digest.model import PublishReport
from digest.website import Website

log = logging.getLogger(__name__)

_FEEDS = (*(file for _, file, _ in FEEDS), *EDITIONS_FILES)
_OF_AN_EDITION = re.compile(r"(^|/)[0-9]{4}/[0-9]{2}/[0-9]{2}/")


def send_elsewhere(
    config: Config,
    website: Website,
    report: PublishReport,
    *,
    user_agent: str,
    title: str = "",
    done: Callable[[], None] = lambda: None,
) -> PublishReport:
    """The report with what each target took and how many feeds the hub was told of. `title` names what was published, where
    that is wanted (a commit); `done` is called after each target."""
    targets = []
    for target in config.publish:
        if target.enabled:
            from digest.targets import publish_to

            targets.append(
                publish_to(
                    target,
                    website.root,
                    order=website.changed,
                    base=config.resolve("."),
                    title=title,
                    author=config.mail.from_,
                )
            )
            done()
    feeds = feed_urls(config.site.url, website.changed)
    pinged = unpinged = 0
    if config.site.hub and feeds:
        from digest.websub import ping

        pinged, unpinged = ping(config.site.hub, feeds, user_agent=user_agent)
    for told in targets:
        if told.error:
            log.info("%s: %s", told.name, told.error)
    return replace(report, targets=tuple(targets), pinged=pinged, unpinged=unpinged)


def feed_urls(site_url: str, paths: Sequence[str]) -> list[str]:
    """The addresses of the feeds among the files that were written. The feed of one edition never changes: it is none of them."""
    return [
        f"{site_url}{path}"
        for path in paths
        if path.rpartition("/")[2] in _FEEDS and not _OF_AN_EDITION.search(path)
    ]
