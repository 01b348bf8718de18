"""Pages of invented papers for tests, and a small installation to run them through."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape
from zlib import crc32

from digest.config import (
    Config,
    DigestConfig,
    LookupConfig,
    MailConfig,
    SiteConfig,
    SourceConfig,
    StoreConfig,
    TopicConfig,
)

ROOT = Path(__file__).parent.parent


def rss(papers: Iterable[tuple[str, str]], *, host: str = "journal.example.org") -> bytes:
    """An RSS 2.0 feed of (title, abstract); each has a link of its own, made of its title."""
    items = "".join(
        f"<item><title>{escape(title)}</title><link>https://{host}/{crc32(title.encode()):08x}</link>"
        f"<description>{escape(abstract)}</description></item>"
        for title, abstract in papers
    )
    channel = f"<title>A journal</title><link>https://{host}/</link><description>New</description>{items}"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>{channel}</channel></rss>'.encode()


def invented(first: int, count: int) -> list[tuple[str, str]]:
    """Papers whose titles and abstracts share no more than good English has to."""
    animals = ("moth", "heron", "otter", "lynx", "newt", "stoat", "wren", "carp", "toad", "ibex")
    places = ("harbours", "attics", "quarries", "orchards", "tunnels", "marshes", "libraries")
    return [
        (
            f"The {animals[n % 10]} of {places[n % 7]}: study {n}",
            f"We watch the {animals[n % 10]} number {n} in {places[n % 7]} for {n + 3} days. "
            f"It prefers shade {n % 13} to sun. Survey {n * 7919} confirms the count of {n * 31} nests.",
        )
        for n in range(first, first + count)
    ]


def installation(tmp_path: Path, *, store: str = "", **parts: object) -> Config:
    """A configuration below `tmp_path` with one source, the folder `inbox`, and mail into the folder `outbox`."""
    (tmp_path / "inbox").mkdir(exist_ok=True)
    made = {
        "site": SiteConfig(url="https://papers.example.org/", timezone="Europe/Berlin", templates="own"),
        "store": StoreConfig(url=store or f"sqlite:///{tmp_path}/digest.db"),
        "source": (SourceConfig(name="inbox", path="inbox"),),
        "digest": (
            DigestConfig(
                name="daily",
                title="Paper Digest",
                path="",
                topics=(
                    TopicConfig(name="Moths", any=("moth",)),
                    TopicConfig(name="Water", any=("otter", "heron", "carp")),
                ),
            ),
        ),
        "mail": MailConfig(folder="outbox", from_="Paper Digest <digest@papers.example.org>"),
        "lookup": LookupConfig(enabled=False),
        "file": str(tmp_path / "config.toml"),
    }
    return Config(**{**made, **parts})  # type: ignore[arg-type]


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder: its bytes and the time it was last written."""
    return {
        str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }
