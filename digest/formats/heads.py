"""Heads and ends of our feeds, with marks for `%`: feedgen makes them, once and for all.

`make heads` writes them into _heads.py, since its import alone would take 70 ms and 15 MiB of every run (2026-11); a test makes
them anew and compares.

What feedgen leaves to its caller, seen in 1.0.0: it stamps feeds with the time of the build unless told otherwise, takes the
RSS channel's link from whichever link came last, writes none of a channel's links but the first to itself, and has no
stylesheet instruction.
"""

from __future__ import annotations

from typing import Any

from digest.formats.frame import FEEDS

RSS, ATOM = FEEDS[0][2], FEEDS[1][2]
_EPOCH = "1970-01-01T00:00:00+00:00"
_EPOCH_RSS = "Thu, 01 Jan 1970 00:00:00 +0000"


def rss_head() -> tuple[str, str]:
    """The head of an RSS feed, and what closes it."""
    generator = _generator()
    generator.link(href="%(own)s", rel="self", type=RSS)
    # Last, since feedgen takes the last link for the channel's.
    generator.link(href="%(home)s", rel="alternate", type="text/html")
    text = generator.rss_str(pretty=True).decode().replace(_EPOCH_RSS, "%(updated)s")
    return _cut(text, f'rel="self" type="{RSS}"/>\n', "  </channel>")


def atom_head() -> tuple[str, str]:
    """The head of an Atom feed, and what closes it."""
    generator = _generator()
    generator.link(href="%(own)s", rel="self", type=ATOM)
    generator.link(href="%(home)s", rel="alternate", type="text/html")
    text = generator.atom_str(pretty=True).decode().replace(_EPOCH, "%(updated)s")
    return _cut(text, 'rel="alternate" type="text/html"/>\n', "</feed>")


def module() -> str:
    """The text of _heads.py."""
    (rss, rss_tail), (atom, atom_tail) = rss_head(), atom_head()
    named = {"RSS_HEAD": rss, "RSS_TAIL": rss_tail, "ATOM_HEAD": atom, "ATOM_TAIL": atom_tail}
    constants = "".join(
        f'{name} = {"b" if name.endswith("TAIL") else ""}"""\\\n{text}"""\n' for name, text in named.items()
    )
    return f'"""By feedgen: `make heads` writes this file (heads.py)."""\n\n# ruff: noqa: E501\n{constants}'


def _generator() -> Any:
    from feedgen.feed import FeedGenerator

    generator = FeedGenerator()
    # Items have dc:creator.
    generator.load_extension("dc", atom=False, rss=True)
    generator.id("%(id)s")
    generator.title("%(title)s")
    generator.description("%(about)s")
    generator.author({"name": "%(author)s"})
    generator.language("%(language)s")
    generator.generator("digest")
    generator.updated(_EPOCH)
    return generator


def _cut(text: str, link: str, end: str) -> tuple[str, str]:
    """Head and tail of a feed without entries: a mark after its last link, and the stylesheet before its root."""
    declaration, mark, rest = text.partition("?>\n")
    style = '<?xml-stylesheet type="text/css" href="%(style)s"?>\n'
    before, tag, tail = rest.partition(end)
    return f"{declaration}{mark}{style}{before.replace(link, link + '%(more)s')}", f"{tag}{tail}"


if __name__ == "__main__":
    print(module(), end="")
