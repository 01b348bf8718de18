"""A site built by the whole program, with an edition of 1, 30 or 500 papers, and what the checks of its pages look at."""

from __future__ import annotations

import email
import email.policy
import json
import re
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from random import Random

from bs4 import BeautifulSoup

from digest.app import open_app
from digest.config import Config
from digest.configfile import load_config
from pages import tree
from test_rebuild import Invented, arxiv_page, paper
from webs import Site

URL = "https://papers.example.org/"
NOW = datetime(2026, 11, 18, 6, tzinfo=UTC)
READER = "reader@mail.example"
PUBLISHER = "Example Reading Group, 1 Library Lane, 1000 Exampleton"
LONG = "W" * 142
# What a title is, and what its heading on a page holds then (ux.md, 5). The mail's subject and text part show the same words.
TITLES = {
    "أين ذهبت الحركات؟ تشكيل النص العربي": '<span dir="auto">أين ذهبت الحركات؟ تشكيل النص العربي</span>',
    "一个没有空格的很长的标题用来测试换行": '<span dir="auto" lang="zh">一个没有空格的很长的标题用来测试换行</span>',
    "Owls 🦉 and people 👩‍🔬 in the wild": "Owls 🦉 and people 👩‍🔬 in the wild",
    "Training for $20 or $30 an hour": "Training for $20 or $30 an hour",
    r"About 90\% of readers are \emph{slow}": "About 90% of readers are slow",
    r"See \href{https://example.org/x}{the appendix} first": "See the appendix first",
    "Sorting in $O(n)$ without tears": "Sorting in O(n) without tears",
    r"A bound of $\mathfrak{q}_{ij}^{\star\star}$ for trees": r"A bound of <code>$\mathfrak{q}_{ij}^{\star\star}$</code> for trees",
    "Of <b>bold</b> claims": "Of bold claims",
    "Tom &amp;amp; Jerry &lt;3": "Tom &amp; Jerry &lt;3",
    LONG: LONG,
}
CONFIG = """
[site]
title = "Paper Digest"
url = "https://papers.example.org/"
timezone = "Europe/Berlin"
publisher = "Example Reading Group"
postal_address = "1 Library Lane, 1000 Exampleton"
THEME
[store]
url = "sqlite:///digest.db"
[web]
enabled = WEB
[mail]
folder = "outbox"
from = "Paper Digest <digest@papers.example.org>"
[[source]]
name = "hub"
path = "hub"
[[source]]
name = "arxiv"
path = "arxiv"
[[digest]]
name = "daily"
title = "Paper Digest"
path = ""
schedule = "0 7 * * mon-fri"
authors = ["Ada Fenwick"]
[[digest.topics]]
name = "Moths & other night flyers"
slug = "moths"
any = ["moth"]
[[digest.topics]]
name = "Water"
any = ["otter", "heron", "carp"]
[[digest.topics]]
name = "Numbers"
categories = ["math.PR"]
[[digest.searches]]
name = "Toads of late"
query = "toad"
"""


def hub_page(day: date, papers: list[Invented]) -> str:
    entries = []
    for p in papers:
        entry = {
            "id": p.arxiv, "title": p.title, "summary": p.abstract, "authors": [{"name": name} for name in p.authors],
            "submittedOnDailyAt": f"{day}T02:00:00.000Z", "upvotes": p.number * 7 % 50, "ai_keywords": p.title.split()[:1],
            "githubRepo": f"https://code.example.org/{p.number}",
        }  # fmt: skip
        entries.append({"paper": entry, "organization": {"fullname": f"Institute {p.number % 5}"}})
    return json.dumps(entries)


class Built:
    """A site with two editions, of yesterday and of today, and the mails that its reader got of both."""

    def __init__(self, folder: Path, papers: int, *, theme: str = "", web: bool = True) -> None:
        self.folder, self.papers = folder, papers
        self.config = _configured(folder, theme, web)
        self.output = folder / "feeds"
        dice = Random(papers)
        yesterday = [paper(n, dice) for n in range(9)]
        today = [paper(9 + n, dice) for n in range(papers)]
        for p, title in zip(today[:1] if papers == 1 else today[2:], reversed(TITLES), strict=False):
            p.title = title
        for n, batch in enumerate((yesterday, today)):
            self._run(NOW + timedelta(days=n), batch)

    def _run(self, now: datetime, batch: list[Invented]) -> None:
        day = now.date()
        third = max(1, len(batch) // 3)
        (self.folder / "hub" / "day.json").write_text(hub_page(day, batch[:-third] or batch))
        shown = [(p, "new") for p in batch[-third:]] if len(batch) > 1 else []
        (self.folder / "arxiv" / "day.xml").unlink(missing_ok=True)
        if shown:
            (self.folder / "arxiv" / "day.xml").write_text(arxiv_page(day, shown), encoding="utf-8")
        with open_app(self.config, clock=lambda: now) as app:
            if not app.store.subscribers():
                app.store.add_subscriber(READER, digests=(), now=now)
            report = app.daily(now)
        edition = report.digests[0].edition
        assert edition is not None
        assert edition.papers == len(batch)

    @cached_property
    def files(self) -> dict[str, bytes]:
        return {name: body for name, (body, _) in tree(self.output).items()}

    @cached_property
    def pages(self) -> dict[str, BeautifulSoup]:
        """Every page of the archive by path, of a large one the longest 40 of each kind; the mail's copies are mails."""
        kinds: dict[str, list[str]] = {}
        for name in sorted(self.files, key=lambda name: -len(self.files[name])):
            if name.endswith(".html") and not name.endswith("email.html"):
                kinds.setdefault(kind_of(name), []).append(name)
        names = sorted(name for found in kinds.values() for name in found[:40])
        return {name: BeautifulSoup(self.files[name], "lxml") for name in names}

    @cached_property
    def mails(self) -> list[EmailMessage]:
        """Yesterday's and today's."""
        found = []
        for file in (self.folder / "outbox").glob("*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            found.append(mail)
        return sorted(found, key=lambda mail: mail["Date"].datetime)

    @property
    def day(self) -> str:
        return f"{NOW + timedelta(days=1):%Y/%m/%d}/"

    def one_of_each_kind(self) -> list[str]:
        """Of pages that differ in what they are about only, the longest."""
        kinds: dict[str, list[str]] = {}
        for name in self.pages:
            kinds.setdefault(kind_of(name), []).append(name)
        return sorted(max(names, key=lambda name: len(self.files[name])) for names in kinds.values())


def _configured(folder: Path, theme: str, web: bool) -> Config:
    for name in ("hub", "arxiv"):
        (folder / name).mkdir(parents=True)
    text = CONFIG.replace("WEB", str(web).lower()).replace("THEME", f'theme = "{theme}"' if theme else "")
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return load_config(folder / "config.toml", {})


def kind_of(path: str) -> str:
    """papers/2611.10001/index.html → papers/*/index.html"""
    parts = path.split("/")
    if re.fullmatch(r"\d{4}", parts[0]):
        return "/".join(["#"] * (len(parts) - 1) + [parts[-1]])
    return "/".join([parts[0], *["*"] * (len(parts) - 2), parts[-1]]) if len(parts) > 2 else path


def parts_of(mail: EmailMessage) -> tuple[str, str]:
    """Text and HTML, in the order in which they stand."""
    first, second = mail.iter_parts()
    assert (first.get_content_type(), second.get_content_type()) == ("text/plain", "text/html")
    return first.get_content().replace("\r\n", "\n"), second.get_content().replace("\r\n", "\n")


def unflowed(text: str) -> str:
    """Paragraphs of a format=flowed text joined again (RFC 3676, 4.2)."""
    lines = [line.removeprefix(" ") for line in text.splitlines()]
    return "".join(line if line.endswith(" ") and line != "-- " else f"{line}\n" for line in lines)


def forms_of(site: Site) -> dict[str, str]:
    """A path of the web door for each state that it has a page for."""
    n = len(site.app.store.subscribers())
    pending, reader = site.pending(f"pending{n}@mail.example"), site.reader(f"one{n}@mail.example")
    left = site.reader(f"two{n}@mail.example")
    paths = {"subscribe": "/subscribe/", "confirm": site.confirm(pending), "confirmed": site.confirm(reader)}
    paths |= {
        "manage": site.manage(reader),
        "unsubscribe": site.unsubscribe(reader),
        "unknown": "/manage/?t=x",
    }
    paths["erase"] = paths["manage"].replace("/manage/", "/erase/")
    site.app.store.leave(left.id, now=site.clock())
    return paths | {
        "left": site.unsubscribe(left),
        "undo": site.unsubscribe(left).replace("/unsubscribe/", "/undo/"),
        "missing": "/nowhere/",
    }
