"""A day can be done again from the pages that were kept, and gives the same edition."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from digest.app import open_app
from digest.config import Config, StoreConfig
from digest.errors import UsageError
from digest.pipeline.replay import Replayed, replay
from digest.store import open_store
from pages import installation, invented, rss
from site_of_days import Site, serving
from test_cli import Shell, shell
from test_days_that_grow import DAY, MONDAY, at, config_for, month
from test_days_that_grow import run as run_days

__all__ = ["shell"]

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)


def put(tmp_path: Path, name: str, papers: list[tuple[str, str]]) -> None:
    (tmp_path / "inbox" / name).write_bytes(rss(papers))


def run(config: Config, now: datetime = NOW, **options: object) -> None:
    with open_app(config, clock=lambda: now) as app:
        app.daily(now, **options)  # type: ignore[arg-type]


def again(config: Config, day: date, tmp_path: Path) -> list[Replayed]:
    fresh = tmp_path / "fresh.db"
    fresh.unlink(missing_ok=True)
    with open_app(config) as app, open_store(f"sqlite:///{fresh}") as store:
        return replay(day, app.store, store, config)


def test_every_day_of_a_month_is_the_same_again_byte_for_byte(tmp_path: Path) -> None:
    with serving(Site(month(10), at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        for offset in range(10):
            site.now = at(MONDAY + offset * DAY, 7)
            run_days(config, site)
    for offset in range(10):
        found = again(config, MONDAY + offset * DAY, tmp_path)
        assert all(item.same for item in found), [item.differences for item in found]
        assert [item.sent.count > 0 for item in found if item.sent] == [True] * len(found)


def test_a_further_part_of_a_day_and_a_run_by_hand_are_the_same_again(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 4))
    run(config)
    put(tmp_path, "b.xml", invented(4, 3))
    run(config, NOW + timedelta(hours=1), again=True)
    found = again(config, NOW.date(), tmp_path)
    assert [(item.edition, item.same) for item in found] == [("2026-11-19", True), ("2026-11-19/2", True)]


def test_a_digest_that_is_gone_from_the_configuration_is_the_same_again_too(tmp_path: Path) -> None:
    config = installation(tmp_path)
    gone = msgspec.structs.replace(config.digest[0], name="gone", path="gone")
    put(tmp_path, "a.xml", invented(0, 4))
    run(msgspec.structs.replace(config, digest=(*config.digest, gone)))
    found = again(config, NOW.date(), tmp_path)
    assert [(item.edition, item.same) for item in found] == [("2026-11-19", True)] * 2


def test_a_day_whose_pages_of_the_week_before_are_gone_is_done_from_what_was_known(tmp_path: Path) -> None:
    config = installation(tmp_path)
    for n in range(5):
        put(tmp_path, "a.xml", invented(n * 3, 6))
        run(config, NOW + n * DAY)
    with open_app(config) as app:
        assert app.store.prune_pages(older_than=NOW + 3.5 * DAY, max_bytes=10**9) > 0
    found = again(config, (NOW + 4 * DAY).date(), tmp_path)
    assert [item.same for item in found] == [True], found[0].differences
    with pytest.raises(UsageError, match="no longer kept"):
        again(config, (NOW + DAY).date(), tmp_path)


def test_an_edition_that_was_tampered_with_is_not_the_same(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 4))
    run(config)
    with open_app(config) as app, app.store._db.writing():
        edition = app.store.edition("daily", NOW.date())
        assert edition is not None
        changed = msgspec.json.encode(msgspec.structs.replace(edition, picks=edition.picks[1:])).decode()
        app.store._db.execute("UPDATE editions SET snapshot = :s", {"s": changed})
    found = again(config, NOW.date(), tmp_path)
    assert [item.same for item in found] == [False]
    assert found[0].differences[0].startswith("only in the replay")


def test_an_edition_that_only_one_of_the_two_has_is_named_by_its_papers(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 2))
    run(config)
    (found,) = again(config, NOW.date(), tmp_path)
    sent, unsent = msgspec.structs.replace(found, again=None), msgspec.structs.replace(found, sent=None)
    assert not sent.same and not unsent.same
    assert [said.partition(":")[0] for said in sent.differences] == ["only in the edition that was sent"] * 2
    assert [said.partition(":")[0] for said in unsent.differences] == ["only in the replay"] * 2


def test_a_day_without_a_run_and_a_store_that_keeps_no_pages_say_so(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 4))
    keeps_none = msgspec.structs.replace(config, store=StoreConfig(url=config.store.url, keep_pages_days=0))
    run(keeps_none)
    with pytest.raises(UsageError, match="no run of 2026-11-18 is on record"):
        again(config, date(2026, 11, 18), tmp_path)
    with pytest.raises(UsageError, match="keep_pages_days"):
        again(config, NOW.date(), tmp_path)


def test_headers_of_a_source_stay_out_of_the_store(tmp_path: Path) -> None:
    config = installation(tmp_path)
    source = msgspec.structs.replace(config.source[0], headers={"Authorization": "canary-key"})
    put(tmp_path, "a.xml", invented(0, 2))
    run(msgspec.structs.replace(config, source=(source,)))
    with open_app(config) as app:
        rows = app.store.all_runs()
    assert rows[0].setup
    assert json.loads(rows[0].setup)["followers"] == {"inbox": ["daily"]}
    for file in tmp_path.glob("digest.db*"):
        assert b"canary-key" not in file.read_bytes()


def test_papers_said_to_be_one_are_one_in_the_replay_too(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 2))
    run(config)
    with open_app(config) as app:
        first, second = (entry.paper.key for entry in next(app.store.all_editions("daily")).entries)
        app.store.merge(first, second, NOW + timedelta(hours=1))
    (title, abstract), _ = invented(0, 2)
    put(tmp_path, "a.xml", [(title, abstract), *invented(2, 1)])
    run(config, NOW + DAY)
    for day in (NOW, NOW + DAY):
        assert [item.same for item in again(config, day.date(), tmp_path)] == [True]


def test_a_replay_that_fails_leaves_no_store_in_the_way_of_the_next(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 2))
    shell("run", "--date", "2026-11-19")
    kept = shell.folder / "50% of it?.db"
    shell("replay", "2020-01-01", "--into", kept.name, code=2)
    assert not kept.exists()
    shell("replay", "2026-11-19", "--into", kept.name)
    assert kept.exists()
