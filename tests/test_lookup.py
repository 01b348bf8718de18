# ruff: noqa: F811 - fixtures are imported by name
"""Papers known by their title alone are looked up after the mail is out: politely, within a budget, and never in doubt."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import msgspec
import pytest

from digest import matching
from digest.app import App, open_app
from digest.config import Config, LookupConfig
from digest.configfile import load_config
from digest.errors import ConfigError
from digest.fetch import MemoryTurns
from digest.model import LookupReport, Paper, RunReport
from digest.pipeline.lookup import look_up
from digest.pipeline.replay import replay
from digest.store import Store, open_store
from fetch_servers import Reply, gaps
from pages import installation, tree
from services import LocalFetcher, Services, record
from store_contract import (  # noqa: F401
    NOW,
    issue,
    paper,
    sight,
    store,
    store_url,
)

DAY = timedelta(days=1)
KILNS = (
    "Kilns forget what was fired in them. We give a kiln a memory of forty glazes and let it choose the next firing by itself. "
    "In three harbours the potters broke fewer bowls, and the glaze of the year was found a month earlier than by hand."
)
BELLS = (
    "Slow bells are heard farther than quick ones. We cast nine bells, ring them over a winter in two valleys, and measure with "
    "shepherds at which distance a herd turns home; the slowest bell turned every herd, and no goat was lost in the snow."
)
AUTHORS = ("Ada Kiln", "Bo Tide")
INTERVAL_S = 0.05


@pytest.fixture
def services() -> Iterator[Services]:
    made = Services()
    with made:
        yield made


def ask(
    store: Store,
    services: Services,
    *,
    days: float = 0,
    stop: Event | None = None,
    contact: str = "",
    interval_s: float = INTERVAL_S,
    only: str = "",
    turns: MemoryTurns | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    **config: object,
) -> LookupReport:
    if only:
        config["services"] = (only,)
    now = NOW + days * DAY
    fetcher = LocalFetcher(stop=stop or Event(), arxiv_interval_s=interval_s, turns=turns)
    return look_up(
        store,
        LookupConfig(**{"enabled": True, **config}),  # type: ignore[arg-type]
        lambda source: fetcher.visit(source, now=now),
        now=now,
        clock=lambda: now,
        stopped=(stop or Event()).is_set,
        contact=contact,
        bases=services.bases,
        arxiv_interval_s=interval_s,
        monotonic=monotonic,
    )


def counts(report: LookupReport) -> tuple[int, int, int, int]:
    return report.looked_up, report.hits, report.misses, report.failed


def issued(store: Store, *papers: Paper) -> None:
    sight(store, *papers)
    issue(store)


def number(store: Store, title: str) -> int:
    return store.find_papers(title)[0].id


# --- what is found, and what is not


def test_a_paper_is_found_at_the_first_service_that_knows_it(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.records["arxiv"] = [
        record("Kilns That Remember", KILNS, arxiv="2611.00001v2", doi="10.5555/kilns", authors=AUTHORS)
    ]
    assert counts(ask(store, services)) == (1, 1, 0, 0)
    assert services.questions == ["arxiv"]
    story = store.story(number(store, "arxiv:2611.00001"))
    assert story is not None
    assert (story.paper.title, story.paper.abstract) == ("Kilns That Remember", KILNS)
    assert story.paper.ids == {"arxiv": "2611.00001", "doi": "10.5555/kilns"}
    assert story.paper.authors == AUTHORS
    assert story.paper.links["abstract"] == "https://arxiv.org/abs/2611.00001"
    assert [(look.service, look.outcome, look.retry_at) for look in story.lookups] == [
        ("lookup:arxiv", "hit", None)
    ]


def test_who_does_not_know_it_is_followed_by_the_next(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.records["semanticscholar"] = [record("Kilns That Remember", KILNS, doi="10.5555/kilns")]
    assert counts(ask(store, services, contact="editor@example.org")) == (1, 1, 0, 0)
    assert services.questions == ["arxiv", "crossref", "semanticscholar"]
    assert services.asked_for("crossref")[0]["mailto"] == "editor@example.org"
    assert number(store, "doi:10.5555/kilns") == number(store, "Kilns That Remember")


def test_crossref_is_understood(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.records["crossref"] = [
        record("Kilns that remember", KILNS, doi="10.5555/Kilns", authors=AUTHORS)
    ]
    assert counts(ask(store, services, only="crossref")) == (1, 1, 0, 0)
    assert services.questions == ["crossref"]
    story = store.story(number(store, "doi:10.5555/kilns"))
    assert story is not None
    assert story.paper.authors == AUTHORS


def test_near_titles_and_other_abstracts_are_not_taken(store: Store, services: Services) -> None:
    issued(store, paper("PROP: Kilns That Remember", abstract=KILNS))
    services.records["arxiv"] = [
        record("B-PROP: Kilns That Remember", KILNS, arxiv="2611.00001v1"),
        record("PROP: Kilns That Remember", BELLS, arxiv="2611.00002v1"),
    ]
    services.records["crossref"] = [record("PROP: Kilns That Remember", "", doi="10.5555/kilns")]
    services.records["semanticscholar"] = [record("Kilns That Remember", KILNS, doi="10.5555/other")]
    assert counts(ask(store, services)) == (1, 0, 1, 0)
    assert services.questions == ["arxiv", "crossref", "semanticscholar"]
    story = store.story(number(store, "PROP: Kilns That Remember"))
    assert story is not None
    assert story.paper.ids == {}
    assert not store.find_papers("arxiv:2611.00001")


def test_a_withdrawn_record_gives_its_id_and_withdraws_nothing(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.records["arxiv"] = [
        record("Kilns That Remember", KILNS, arxiv="2611.00001v2", comment="This paper has been withdrawn")
    ]
    assert counts(ask(store, services)) == (1, 1, 0, 0)
    assert store.waiting("daily") == []


# --- it is not new again


def test_the_same_paper_met_later_under_its_id_is_neither_new_nor_updated(
    store: Store, services: Services
) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.records["arxiv"] = [record("Kilns That Remember", KILNS, arxiv="2611.00001v1", authors=AUTHORS)]
    ask(store, services)
    later = [
        paper(
            "Kilns That Remember",
            abstract=KILNS,
            ids={"arxiv": "2611.00001"},
            authors=AUTHORS,
            announce="new",
        ),
        paper("Kilns Remember Everything", abstract=BELLS, ids={"arxiv": "2611.00001"}, version=1),
    ]
    for days, shown in enumerate(later, 1):
        assert sight(store, shown, source="arxiv", days=days, updates=("daily",)) == ["seen"]
    assert store.waiting("daily") == []
    newer = paper(
        "Kilns That Remember", abstract=KILNS, ids={"arxiv": "2611.00001"}, version=2, announce="replace"
    )
    assert sight(store, newer, source="arxiv", days=3, listed_on=NOW.date() + 3 * DAY) == ["updated"]


def test_it_is_joined_to_the_paper_that_was_known_under_the_id(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    sight(store, paper("Kilns with Memory", ids={"arxiv": "2611.00001"}), followers=("daily",))
    services.records["arxiv"] = [record("Kilns That Remember", KILNS, arxiv="2611.00001v1")]
    ask(store, services)
    assert number(store, "Kilns That Remember") == number(store, "arxiv:2611.00001")
    assert counts(ask(store, services, days=99)) == (0, 0, 0, 0)


# --- how often


def test_nothing_is_asked_twice(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS), paper("Slow Bells", abstract=BELLS))
    services.records["arxiv"] = [record("Kilns That Remember", KILNS, arxiv="2611.00001v1")]
    assert counts(ask(store, services)) == (2, 1, 1, 0)
    assert len(services.questions) == 4
    assert counts(ask(store, services, days=6.9)) == (0, 0, 0, 0)
    assert len(services.questions) == 4
    assert counts(ask(store, services, days=7)) == (1, 0, 1, 0)
    assert counts(ask(store, services, days=36.9)) == (0, 0, 0, 0)
    assert counts(ask(store, services, days=37)) == (1, 0, 1, 0)
    assert counts(ask(store, services, days=3700)) == (0, 0, 0, 0)


def test_a_failure_is_tried_again_after_one_two_four_and_seven_days(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    services.instead = dict.fromkeys(services.bases, Reply(status=404))
    assert counts(ask(store, services)) == (1, 0, 0, 1)
    for days in (1, 3, 7, 14, 21):
        assert counts(ask(store, services, days=days - 0.1)) == (0, 0, 0, 0)
        assert counts(ask(store, services, days=days)) == (1, 0, 0, 1)
    assert len(services.questions) == 6 * 3


def test_newest_papers_first_and_no_more_than_per_run(store: Store, services: Services) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(5)])
    assert counts(ask(store, services, per_run=2, only="arxiv")) == (2, 0, 2, 0)
    assert [q["search_query"] for q in services.asked_for("arxiv")] == [
        'ti:"kiln number 4"',
        'ti:"kiln number 3"',
    ]
    assert counts(ask(store, services, only="arxiv")) == (3, 0, 3, 0)


@pytest.mark.parametrize("off", [{"enabled": False}, {"per_run": 0}, {"seconds": 0}, {"services": ()}])
def test_switched_off_it_asks_nobody(store: Store, services: Services, off: dict[str, object]) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    config = msgspec.structs.replace(LookupConfig(enabled=True), **off)
    report = look_up(
        store,
        config,
        lambda source: LocalFetcher().visit(source, now=NOW),
        now=NOW,
        clock=lambda: NOW,
        stopped=lambda: False,
        bases=services.bases,
    )
    assert counts(report) == (0, 0, 0, 0)
    assert services.asked == []


# --- manners, and services that fail


def test_arxiv_is_asked_with_a_rest_between_two_questions(store: Store, services: Services) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(4)])
    ask(store, services, only="arxiv", interval_s=0.1)
    assert len(services.questions) == 4
    assert min(gaps(services.pages_asked)) >= 0.1


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=503),
        Reply(status=403),
        Reply(status=429, headers={"Retry-After": "3600"}),
        Reply(b"<html><title>Sign in</title></html>"),
        Reply(b""),
        Reply(b"{"),
        socket.socket.close,
    ],
    ids=["503", "403", "429", "login", "empty", "cut", "closed"],
)
def test_a_service_that_fails_is_left_alone_and_the_others_go_on(
    store: Store, services: Services, fault: object
) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS), paper("Slow Bells", abstract=BELLS))
    services.instead["arxiv"] = fault  # type: ignore[assignment]
    services.records["crossref"] = [record("Kilns That Remember", KILNS, doi="10.5555/kilns")]
    assert counts(ask(store, services)) == (2, 1, 0, 1)
    (bells,) = [
        found
        for found in store.lookups_between(None, NOW + DAY)
        if found.paper_id == number(store, "Slow Bells")
    ]
    assert (bells.outcome, bells.service) == ("failed", "lookup:arxiv")
    # Tried again at once where the host may only be busy, but no more once it was given up.
    assert services.questions.count("arxiv") <= 3
    assert services.questions[-3:] == ["crossref", "semanticscholar", "crossref"]


def test_a_retry_after_is_kept_to_by_the_next_run(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS), paper("Slow Bells", abstract=BELLS))
    services.instead["crossref"] = Reply(status=429, headers={"Retry-After": "3600"})
    turns = MemoryTurns()
    for _ in range(2):
        assert counts(ask(store, services, only="crossref", turns=turns)) == (1, 0, 0, 1)
    assert services.questions == ["crossref"]


def test_where_no_service_is_left_the_other_papers_wait(store: Store, services: Services) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(9)])
    services.instead = dict.fromkeys(services.bases, Reply(status=404))
    assert counts(ask(store, services)) == (1, 0, 0, 1)
    assert services.questions == ["arxiv", "crossref", "semanticscholar"]
    assert len(store.unresolved(now=NOW, limit=99)) == 8


def test_a_service_that_drips_takes_no_more_than_its_share_of_the_time(
    store: Store, services: Services
) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(9)])

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not services.stopped.wait(0.02):
            connection.sendall(b" ")

    services.instead["crossref"] = drip
    began = time.monotonic()
    report = ask(store, services, seconds=1.0, only="crossref")
    assert counts(report) == (1, 0, 0, 1)
    assert services.questions == ["crossref"]
    assert time.monotonic() - began < 20  # of a million steps of 0.02 s


def test_when_the_time_is_used_up_the_rest_waits_for_the_next_run(store: Store, services: Services) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(9)])
    hour_glass = [0.0]

    def take_time(service: str) -> None:
        hour_glass[0] += 40

    services.when_asked = take_time
    report = ask(store, services, seconds=100, only="crossref", monotonic=lambda: hour_glass[0])
    assert counts(report) == (3, 0, 3, 0)
    assert report.seconds == 120
    assert services.questions == ["crossref"] * 3
    assert len(store.unresolved(now=NOW, limit=99)) == 6


def test_arxiv_is_not_asked_where_its_rests_do_not_fit_into_the_time(
    store: Store, services: Services
) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    assert counts(ask(store, services, seconds=9, interval_s=3.0, monotonic=lambda: 0.0)) == (0, 0, 0, 0)
    assert services.asked == []


def test_a_paper_for_which_the_time_ran_out_between_two_services_is_tried_again(
    store: Store, services: Services
) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    hour_glass = [0.0]
    services.when_asked = lambda service: hour_glass.__setitem__(0, 100.0)
    assert counts(ask(store, services, seconds=100, monotonic=lambda: hour_glass[0])) == (1, 0, 0, 1)
    assert services.questions == ["arxiv"]
    assert counts(ask(store, services, days=1)) == (1, 0, 1, 0)


def test_told_to_stop_it_ends_and_keeps_what_was_found(store: Store, services: Services) -> None:
    issued(store, *[paper(f"Kiln Number {n}", abstract=f"{KILNS} {n}") for n in range(3)])
    services.records["crossref"] = [record("Kiln Number 2", f"{KILNS} 2", doi="10.5555/k2")]
    stop = Event()
    services.when_asked = lambda service: stop.set() if len(services.questions) == 2 else None
    assert counts(ask(store, services, stop=stop, only="crossref")) == (2, 1, 1, 0)
    assert services.questions == ["crossref"] * 2
    assert store.find_papers("doi:10.5555/k2")


def test_told_to_stop_between_two_services_the_paper_stays_due(store: Store, services: Services) -> None:
    issued(store, paper("Kilns That Remember", abstract=KILNS))
    stop = Event()
    services.when_asked = lambda service: stop.set()
    assert counts(ask(store, services, stop=stop)) == (0, 0, 0, 0)
    assert services.questions == ["arxiv"]
    assert len(store.unresolved(now=NOW, limit=9)) == 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('services = ["arxiv", "crosref"]', 'Did you mean "crossref"?'),
        ("per_run = -1", '"per_run" is -1'),
        ("seconds = -0.1", '"seconds" is -0.1'),
    ],
)
def test_a_service_that_nobody_knows_and_a_budget_that_cannot_be_are_told(
    tmp_path: Path, table: str, told: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[site]\nurl = "https://papers.example.org/"\n[lookup]\n{table}\n')
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_config(file, {})


def test_all_services_that_can_be_configured_can_be_asked() -> None:
    assert set(LookupConfig().services) == set(matching.BASES)


# --- in a whole run


def dump(*papers: tuple[str, str]) -> bytes:
    """Text saved from a page of cards: titles and abstracts, and nothing else."""
    return (
        b"\n\n".join(
            f"{title}\n\n{abstract}".encode() for title, abstract in (("Daily Papers", "Nov 19"), *papers)
        )
        + b"\n"
    )


@pytest.fixture
def config(tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name, base in services.bases.items():
        monkeypatch.setitem(matching.BASES, name, base)
    return installation(tmp_path, lookup=LookupConfig(enabled=True))


def run(config: Config, now: datetime = NOW, **options: object) -> RunReport:
    with local_app(config, now) as app:
        return app.daily(now, **options)  # type: ignore[arg-type]


def local_app(config: Config, now: datetime = NOW) -> App:
    app = open_app(config, clock=lambda: now)
    app.arxiv_interval_s = INTERVAL_S
    app.__dict__["fetcher"] = LocalFetcher(resolve=config.resolve, arxiv_interval_s=INTERVAL_S, stop=app.stop)
    return app


def put(config: Config, name: str, *papers: tuple[str, str]) -> None:
    (config.resolve("inbox") / name).write_bytes(dump(*papers))


KNOWN = ("Kilns That Remember: Slow Firing for Fast Readers", KILNS)
UNKNOWN = ("Slow Bells and the Herds That Hear Them", BELLS)


def found_at_arxiv(services: Services) -> None:
    services.records["arxiv"] = [record(*KNOWN, arxiv="2611.00001v1", authors=AUTHORS)]


def site(config: Config) -> dict[str, tuple[bytes, int]]:
    return tree(config.resolve(config.site.output))


def test_what_is_found_shows_in_archive_and_feeds_and_not_in_what_was_sent(
    config: Config, services: Services
) -> None:
    put(config, "a.txt", KNOWN, UNKNOWN)
    found_at_arxiv(services)
    with local_app(msgspec.structs.replace(config, lookup=LookupConfig(enabled=False))) as app:
        app.daily(NOW)
        before = app.store.edition("daily", NOW.date())
    plain = site(config)
    assert services.asked == []
    report = run(config, NOW + timedelta(hours=1))
    assert counts(report.lookups) == (2, 1, 1, 0)
    shown = site(config)
    changed = {name for name in shown if shown[name][0] != plain[name][0]}
    folder = f"{NOW:%Y/%m/%d}"
    assert changed >= {"rss.xml", "atom.xml", "feed.json", f"{folder}/index.html", f"{folder}/papers.json"}
    assert changed.isdisjoint({f"{folder}/email.html", f"{folder}/email.txt"})
    for name in ("feed.json", f"{folder}/index.html", f"{folder}/papers.json"):
        assert b"https://arxiv.org/abs/2611.00001" in shown[name][0]
        assert b"Ada Kiln" in shown[name][0]
    items = [msgspec.json.decode(files["feed.json"][0])["items"] for files in (plain, shown)]
    for key in ("id", "date_published", "date_modified"):
        assert [item.get(key) for item in items[0]] == [item.get(key) for item in items[1]]
    with local_app(config) as app:
        assert app.store.edition("daily", NOW.date()) == before


def test_a_rebuild_gives_the_same_pages_and_touches_none(config: Config, services: Services) -> None:
    put(config, "a.txt", KNOWN, UNKNOWN)
    found_at_arxiv(services)
    run(config)
    written = site(config)
    with local_app(config) as app:
        assert app.rebuild().written == 0
    assert site(config) == written
    shutil.rmtree(config.resolve(config.site.output))
    with local_app(config) as app:
        app.rebuild()
    assert {name: body for name, (body, _) in site(config).items()} == {
        name: body for name, (body, _) in written.items()
    }


def test_an_older_edition_is_completed_in_the_run_that_finds_it(config: Config, services: Services) -> None:
    put(config, "a.txt", KNOWN)
    services.instead = dict.fromkeys(services.bases, Reply(status=404))
    assert counts(run(config).lookups) == (1, 0, 0, 1)
    services.instead = {}
    found_at_arxiv(services)
    put(config, "b.txt", UNKNOWN)
    page = config.resolve(config.site.output) / f"{NOW:%Y/%m/%d}" / "index.html"
    assert b"2611.00001" not in page.read_bytes()
    assert counts(run(config, NOW + DAY).lookups) == (2, 1, 1, 0)
    assert b"https://arxiv.org/abs/2611.00001" in page.read_bytes()


def test_after_a_run_that_died_before_it_could_show_a_find_the_next_one_shows_it(
    config: Config, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(config, "a.txt", KNOWN)
    found_at_arxiv(services)
    publish = App.publish

    def die_the_second_time(app: App, **options: bool) -> object:
        monkeypatch.setattr(App, "publish", die)
        return publish(app, **options)

    def die(app: App, **options: bool) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(App, "publish", die_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    monkeypatch.setattr(App, "publish", publish)
    page = config.resolve(config.site.output) / f"{NOW:%Y/%m/%d}" / "index.html"
    assert b"2611.00001" not in page.read_bytes()
    put(config, "b.txt", UNKNOWN)
    run(config, NOW + DAY)
    assert b"https://arxiv.org/abs/2611.00001" in page.read_bytes()
    assert len(services.asked_for("arxiv")) == 2  # what was found was kept


def test_met_again_under_its_id_a_paper_stands_in_no_second_edition(
    config: Config, services: Services
) -> None:
    put(config, "a.txt", KNOWN)
    found_at_arxiv(services)
    run(config)
    entry = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><link>https://example.org/</link><description>D</description>'
        f"<item><title>{KNOWN[0]}</title><link>https://arxiv.org/abs/2611.00001</link><description>{KILNS}</description></item>"
        "</channel></rss>"
    )
    (config.resolve("inbox") / "b.xml").write_text(entry)
    report = run(config, NOW + DAY)
    assert [(source.new, source.updated) for source in report.sources] == [(0, 0)]
    assert [digest.edition for digest in report.digests] == [None]


def test_a_dry_run_looks_nothing_up(config: Config, services: Services) -> None:
    put(config, "a.txt", KNOWN)
    assert counts(run(config, dry_run=True).lookups) == (0, 0, 0, 0)
    assert services.asked == []


def test_the_mail_is_out_before_anybody_is_asked(config: Config, services: Services) -> None:
    put(config, "a.txt", KNOWN)
    outbox = config.resolve("outbox")
    mails: list[int] = []
    services.when_asked = lambda service: mails.append(len(list(outbox.glob("*.eml"))))
    with local_app(config) as app:
        app.store.add_subscriber("reader@example.org", digests=(), now=NOW)
        app.daily(NOW)
    assert mails == [1, 1, 1]


def test_a_paper_split_off_from_what_was_found_does_not_show_it(config: Config, services: Services) -> None:
    put(config, "a.txt", KNOWN)
    found_at_arxiv(services)
    run(config)
    with local_app(config) as app:
        app.store.split(app.store.find_papers(KNOWN[0])[0].id, ["arxiv:2611.00001"], NOW + timedelta(hours=1))
        app.rebuild()
    page = config.resolve(config.site.output) / f"{NOW:%Y/%m/%d}" / "index.html"
    assert b"2611.00001" not in page.read_bytes()


def test_a_day_with_finds_is_replayed_byte_for_byte(
    config: Config, services: Services, tmp_path: Path
) -> None:
    put(config, "a.txt", KNOWN)
    found_at_arxiv(services)
    run(config)
    put(config, "b.txt", UNKNOWN, KNOWN)
    run(config, NOW + DAY)
    for day in (NOW.date(), (NOW + DAY).date()):
        with local_app(config) as app, open_store(f"sqlite:///{tmp_path}/{day}.db") as fresh:
            found = replay(day, app.store, fresh, config)
            assert [item.same for item in found] == [True], found[0].differences
