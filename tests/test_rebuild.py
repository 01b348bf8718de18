"""What is published edition by edition is what a rebuild writes, byte for byte; and a rebuild touches nothing that is right."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from xml.sax.saxutils import escape

import pytest
from msgspec import Struct
from msgspec.structs import replace

from conftest import sizes
from digest.app import App, open_app
from digest.calendar import EASTERN
from digest.config import Config
from digest.configfile import load_config
from pages import tree

FIRST = datetime(2026, 11, 2, 6, tzinfo=UTC)
NAMES = (
    "Ada Fenwick", "Bo Okafor", "Chidi Holm", "Dana Roth", "Edda Ito", "Femi Lund", "Gil Sato", "Hana Vik", "李 明", "Noémie Caron",
)  # fmt: skip
WORDS = ("moth", "heron", "otter", "lynx", "newt", "stoat", "wren", "carp", "toad", "ibex")
CATEGORIES = ("cs.CL", "cs.CV", "math.PR", "q-bio.PE", "stat.ML")
CONFIG = """
[site]
url = "https://papers.example.org/"
timezone = "Europe/Berlin"
[store]
url = "sqlite:///digest.db"
[web]
enabled = {web}
[mail]
folder = "outbox"
[[source]]
name = "arxiv"
path = "arxiv"
[[source]]
name = "hub"
path = "hub"
[[source]]
name = "dump"
path = "dump"
[[digest]]
name = "daily"
title = "All papers"
path = ""
updates = true
authors = ["Ada Fenwick", "Nobody Yet"]
[[digest.topics]]
name = "Moths"
any = ["moth"]
[[digest.topics]]
name = "Water & shore"
slug = "water"
any = ["otter", "heron", "carp"]
[[digest.topics]]
name = "Numbers"
categories = ["math.PR"]
[[digest.searches]]
name = "Toads of late"
query = "toad -newt"
[[digest]]
name = "preprints"
title = "Preprints only"
path = "preprints"
sources = ["arxiv"]
[[digest.topics]]
name = "Language"
categories = ["cs.CL"]
[[digest]]
name = "hub-only"
title = "From the hub"
sources = ["hub"]
picks = 0
"""


class Invented(Struct):
    """A paper as it stands today."""

    number: int
    version: int
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    title: str
    abstract: str

    @property
    def arxiv(self) -> str:
        return f"26{11 + self.number // 90000:02}.{self.number % 90000 + 10000:05}"


def paper(number: int, dice: Random) -> Invented:
    word, other = dice.sample(WORDS, 2)
    return Invented(
        number=number,
        version=1,
        authors=tuple(dice.sample(NAMES, dice.randint(1, 4))),
        categories=tuple(dice.sample(CATEGORIES, dice.randint(1, 2))),
        title=f"The {word} and the {other}: study {number}",
        abstract=f"We watch the {word} number {number} for {number + 3} days. It prefers shade {number % 13} to sun. "
        f"Survey {number * 7919} confirms the count of {number * 31} nests of the {other}.",
    )


def arxiv_page(day: date, shown: list[tuple[Invented, str]]) -> str:
    stamp = format_datetime(datetime(day.year, day.month, day.day, tzinfo=EASTERN))
    items = "".join(
        f"<item><title>{escape(p.title)}</title><link>https://arxiv.org/abs/{p.arxiv}</link>"
        f"<description>arXiv:{p.arxiv}v{p.version} Announce Type: {announce} \nAbstract: {escape(p.abstract)}</description>"
        f'<guid isPermaLink="false">oai:arXiv.org:{p.arxiv}v{p.version}</guid>'
        f"{''.join(f'<category>{c}</category>' for c in p.categories)}<pubDate>{stamp}</pubDate>"
        f"<arxiv:announce_type>{announce}</arxiv:announce_type><dc:creator>{', '.join(p.authors)}</dc:creator></item>\n"
        for p, announce in shown
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>'
        "<title>cs updates on arXiv.org</title><link>https://rss.arxiv.org/rss/cs</link><description>New</description>"
        f"<pubDate>{stamp}</pubDate>\n{items}</channel></rss>\n"
    )


def hub_page(day: date, shown: list[Invented]) -> str:
    return json.dumps(
        [
            {
                "paper": {
                    "id": p.arxiv,
                    "title": p.title,
                    "summary": p.abstract,
                    "authors": [{"name": name} for name in p.authors],
                    "submittedOnDailyAt": f"{day}T02:00:00.000Z",
                    "upvotes": p.number * 7 % 50,
                    "ai_keywords": [p.title.split()[1]],
                },
                "organization": {"fullname": f"Institute {p.number % 5}"},
            }
            for p in shown
        ]
    )


def dump_page(shown: list[Invented]) -> str:
    """Titles and abstracts only, some of papers that came with an id before."""
    head = "Daily Papers\n\nGet trending papers in your email inbox!\n\nSubscribe\n\n"
    return head + "\n\n".join(f"{p.title}\n\n{p.abstract} {p.abstract}" for p in shown)


def put(folder: Path, name: str, text: str | None) -> None:
    for old in folder.iterdir():
        old.unlink()
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")


def steps(folder: Path, seed: int) -> Iterator[dict[str, Any]]:
    """Day by day what the sources show, and how the run of that moment is called."""
    dice = Random(seed)
    known: list[Invented] = []
    now, before = FIRST, ""
    for n in count():
        day = now.date()
        fresh = [paper(len(known) + k, dice) for k in range(dice.choice((0, 1, 3, 8)) if n > 4 else 4)]
        known += fresh
        shown = [(p, dice.choice(("new", "new", "new", "cross"))) for p in fresh]
        # Older papers come in a new version, with another title or other authors, are cross-listed later, or are withdrawn.
        for old in dice.sample(known, min(len(known), dice.choice((0, 1, 2)))):
            if old not in fresh:
                old.version += 1
                old.title = f"{old.title} again" if dice.random() < 0.5 else old.title
                old.authors = dice.choice((old.authors, (*old.authors, "Ida Late")))
                shown.append((old, dice.choice(("replace", "replace", "cross", "replace-cross"))))
        put(folder / "arxiv", f"{day}.xml", arxiv_page(day, shown) if shown else None)
        hub = dice.sample(known, min(len(known), dice.choice((0, 2, 5))))
        put(folder / "hub", f"{day}.json", hub_page(day, hub) if hub else None)
        dumped = [
            *dice.sample(known, min(len(known), 2)),
            *(paper(50_000 + len(known) + k, dice) for k in range(2)),
        ]
        put(folder / "dump", f"{day}.txt", dump_page(dumped) if dice.random() < 0.3 else None)
        kind = (
            ("plain", "half", "plain", "late")[n] if n < 4 else dice.choice(("plain",) * 8 + ("half", "late"))
        )
        if before == "half":
            yield {"now": now, "again": True}
        elif kind == "late":  # a day that is made up for, after the days behind it
            yield {"now": now, "day": day - timedelta(days=dice.randint(1, 9))}
        else:
            yield {"now": now}
        before = kind
        now += timedelta(hours=2) if kind == "half" else timedelta(days=dice.choice((1, 1, 1, 3)))


def configured(folder: Path, *, web: bool = True, pages: tuple[str, ...] | None = None) -> Config:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("arxiv", "hub", "dump"):
        (folder / name).mkdir()
    (folder / "config.toml").write_text(CONFIG.format(web=str(web).lower()), encoding="utf-8")
    config = load_config(folder / "config.toml", {})
    if pages is None:
        return config
    return replace(config, digest=tuple(replace(digest, pages=pages) for digest in config.digest))


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {name: body for name, (body, _) in tree(folder).items()}


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Files that only one of them has, or that differ, each with the first line that does."""
    found = []
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            found.append(f"{name}: only {'published' if name in one else 'rebuilt'}")
        elif one[name] != other[name]:
            lines = zip(one[name].split(b"\n"), other[name].split(b"\n"), strict=False)
            first = next(((a, b) for a, b in lines if a != b), (b"", b"more or fewer lines"))
            found.append(f"{name}: published {first[0][:200]!r}, rebuilt {first[1][:200]!r}")
    return found


def happened(app: App) -> set[str]:
    """What is hard about publishing one by one, as far as these editions have it."""
    kinds = set()
    for digest in app.config.digest:
        editions = sorted(app.store.all_editions(digest.name), key=lambda edition: edition.number)
        entries = [entry for edition in editions for entry in edition.entries]
        dates = [edition.date for edition in editions]
        facts = {
            "several digests": digest != app.config.digest[0] and bool(editions),
            "second part": any(edition.part > 1 for edition in editions),
            "out of order": dates != sorted(dates),
            "new version": any(entry.change == "updated" for entry in entries),
            "shown again": len({entry.paper.key for entry in entries}) < len(entries),
        }
        kinds |= {kind for kind, fact in facts.items() if fact}
    return kinds


def prove(
    folder: Path, editions: int, seed: int, *, web: bool = True, pages: tuple[str, ...] | None = None
) -> str:
    config = configured(folder, web=web, pages=pages)
    output = folder / "feeds"
    issued = runs = 0
    for step in steps(folder, seed):
        with open_app(config, clock=lambda step=step: step["now"]) as app:
            report = app.daily(**step)
        runs += 1
        issued += sum(digest.edition is not None for digest in report.digests)
        if issued >= editions:
            break
        assert runs < 4 * editions
    published = bytes_below(output)
    shutil.rmtree(output)
    with open_app(config) as app:
        app.rebuild()
        rebuilt = bytes_below(output)
        assert differences(published, rebuilt) == []
        before = tree(output)
        assert app.rebuild().written == 0
        with app.alone():
            assert app.publish().written == 0
        kinds = happened(app)
    assert tree(output) == before
    assert kinds == {"several digests", "second part", "out of order", "new version", "shown again"}
    return f"{issued} editions in {runs} runs: {len(rebuilt)} files, {sum(map(len, rebuilt.values())):,} bytes, identical"


@pytest.mark.parametrize(("seed", "web"), [(1, True), pytest.param(2, False, marks=pytest.mark.torture)])
def test_twelve_editions_published_one_by_one_are_those_of_a_rebuild(
    tmp_path: Path, seed: int, web: bool
) -> None:
    prove(tmp_path / "here", 12, seed, web=web)


@pytest.mark.parametrize("pages", [(), pytest.param(("papers",), marks=pytest.mark.torture)], ids=str)
def test_so_are_those_of_an_archive_with_fewer_kinds_of_pages(tmp_path: Path, pages: tuple[str, ...]) -> None:
    prove(tmp_path / "here", 12, 3, web=False, pages=pages)


@pytest.mark.torture
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_100_editions_published_one_by_one_are_those_of_a_rebuild(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    said = prove(tmp_path / "here", 100, seed)
    with capsys.disabled():
        sys.stdout.write(f"\n{said}\n")


@pytest.mark.parametrize("runs", sizes(6, 40))
def test_a_rebuild_after_every_single_run_finds_nothing_to_write(tmp_path: Path, runs: int) -> None:
    """What an edition changes beside its own pages is written in the run that issues it, not in a later one."""
    config = configured(tmp_path / "here")
    for n, step in enumerate(steps(tmp_path / "here", 6)):
        with open_app(config, clock=lambda step=step: step["now"]) as app:
            app.daily(**step)
            before = bytes_below(tmp_path / "here" / "feeds")
            app.rebuild()
        assert differences(before, bytes_below(tmp_path / "here" / "feeds")) == [], f"run {n + 1}: {step}"
        if n + 1 == runs:
            break


class Ended(BaseException):
    """The process ends here."""


def ends_at_the_first_old_file(folder: Path) -> Callable[[str, str], None]:
    """A rename that ends the process where it would replace a page of a paper below this folder."""

    def rename(temporary: str, target: str) -> None:
        if Path(target).exists() and target.startswith(f"{folder}/papers/"):
            raise Ended
        Path(temporary).rename(target)

    return rename


def run(config: Config, step: dict[str, Any]) -> None:
    with open_app(config, clock=lambda: step["now"]) as app:
        app.daily(**step)


@pytest.mark.parametrize("odd", [True, pytest.param(False, marks=pytest.mark.torture)])
def test_a_run_that_ended_between_new_files_and_old_ones_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: bool
) -> None:
    config = configured(tmp_path / "here")
    output = tmp_path / "here" / "feeds"
    ended = 0
    for n, step in zip(range(8), steps(tmp_path / "here", 6), strict=False):
        folder = output if (n % 2 == 1) is odd else output / "preprints"
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", ends_at_the_first_old_file(folder))
            try:
                run(config, step)
            except Ended:
                ended += 1
        run(config, step)
    published = bytes_below(output)
    with open_app(config) as app:
        app.rebuild()
    assert differences(published, bytes_below(output)) == []
    assert ended > 2


def test_a_first_publication_that_ended_between_new_files_and_old_ones_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path / "here")
    output = tmp_path / "here" / "feeds"
    for _, step in zip(range(2), steps(tmp_path / "here", 6), strict=False):
        run(config, step)
    whole = bytes_below(output)
    # As an older program left it: another look of the pages, and no feed of editions.
    (output / "editions.xml").unlink()
    for page in (output / "papers").rglob("index.html"):
        page.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", ends_at_the_first_old_file(output))
        with pytest.raises(Ended), open_app(config) as app, app.alone():
            app.publish()
    with open_app(config) as app, app.alone():
        app.publish()
    assert differences(bytes_below(output), whole) == []


def test_a_file_that_was_damaged_or_deleted_is_mended_by_a_rebuild(tmp_path: Path) -> None:
    config = configured(tmp_path / "here")
    output = tmp_path / "here" / "feeds"
    for n, step in enumerate(steps(tmp_path / "here", 7)):
        with open_app(config, clock=lambda step=step: step["now"]) as app:
            app.daily(**step)
        if n == 7:
            break
    whole = bytes_below(output)
    dice = Random(7)
    for name in dice.sample(sorted(whole), 12):
        file = output / name
        file.unlink() if dice.random() < 0.5 else file.write_bytes(file.read_bytes()[: dice.randrange(40)])
    with open_app(config) as app:
        app.rebuild()
    assert differences(whole, bytes_below(output)) == []
