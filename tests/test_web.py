"""The web door over a real connection: each state has its page, GET changes nothing, and one POST is enough to leave."""

from __future__ import annotations

import json
import logging
import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from conftest import sizes
from digest.config import DigestConfig
from digest.model import Paper, Preferences
from webs import Clock, Site, config_of, serving, token_of, two_digests, wait_for

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MULTIPART = b'--frontier\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--frontier--\r\n'
SAID = "If this address can receive mail, a confirmation is on its way."


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(config_of(tmp_path)) as made:
        yield made


def tables(site: Site) -> dict[str, list[Any]]:
    """Every row of the store, as it is in the file."""
    with sqlite3.connect(site.app.config.store.url.removeprefix("sqlite:///")) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        # The index of words is without text of its own: the words are in another table.
        rows = {
            name: list(connection.execute(f'SELECT * FROM "{name}"'))
            for name in names
            if name != "shown_text"
        }
    connection.close()
    return rows


def settled(site: Site) -> dict[str, list[Any]]:
    """Every row of the store, once no letter is on its way."""

    def rows() -> dict[str, list[Any]] | None:
        found = tables(site)
        under_way = [row for row in found["letters"] if "queued" in row or "sending" in row]
        return None if under_way else found

    found: dict[str, list[Any]] = wait_for(rows)
    return found


def people(site: Site) -> dict[str, list[Any]]:
    """What the store has of subscribers, without the letters, which go out at their own time."""
    return {name: rows for name, rows in tables(site).items() if name not in ("letters", "meta")}


# ---------------------------------------------------------------- states and their pages


def test_a_subscription_begins_with_a_letter_and_ends_with_a_page_of_choices(site: Site) -> None:
    form = site.get("/subscribe/")
    assert (form.status, form.title) == (200, "Get it by email")
    fields = {"email": "reader@mail.example", "topics": "1", "topic": ["lm"], "frequency": "weekly"}
    asked = site.post("/subscribe", fields)
    assert (asked.status, SAID in asked.text) == (200, True)
    site.letters(1)
    found = site.app.store.subscriber("reader@mail.example")
    assert found is not None
    assert (found.status, found.preferences.topics, found.preferences.frequency) == (
        "pending",
        ("lm",),
        "weekly",
    )
    link = site.confirm(found)
    page = site.get(link)
    assert (page.title, site.again(found).status) == ("One more click", "pending")
    assert [form["action"] for form in page.page.select("form")] == [link]
    done = site.post(link)
    assert (done.status, done.title, site.again(found).status) == (200, "You are subscribed", "confirmed")
    for answer in (site.get(link), site.post(link)):
        assert answer.title == "You are subscribed already"
    manage = site.get(str(done.page.select("main a")[0]["href"]))
    assert manage.title == "Your subscription"
    assert "re****@mail.example" in manage.text
    assert "reader@mail.example" not in manage.text


def test_a_confirmation_link_ends_after_48_hours_and_offers_a_new_one(site: Site) -> None:
    reader = site.pending("reader@mail.example")
    site.app.send_letters()
    link = site.confirm(reader)
    site.clock.forward(hours=47, minutes=59)
    assert site.get(link).title == "One more click"
    site.clock.forward(minutes=2)
    for answer in (site.get(link), site.post(link)):
        assert (answer.status, answer.title) == (410, "This link has ended")
    assert site.again(reader).status == "pending"
    again = site.get(link).page.select_one("form")
    assert again is not None
    assert again.get_text(strip=True) == "Send a new one"
    before = len(site.outbox())
    assert SAID in site.post(str(again["action"])).text
    assert len(site.letters(before + 1)) == before + 1


def test_leaving_by_the_page_can_be_undone_for_a_day(site: Site) -> None:
    reader = site.reader(topics=("lm",))
    link = site.unsubscribe(reader)
    assert (site.get(link).title, site.again(reader).status) == ("Stop the mails?", "confirmed")
    left = site.post(link, ONE_CLICK)
    assert (left.title, site.again(reader).status) == ("You are unsubscribed", "unsubscribed")
    undo = str(left.page.select("main form")[0]["action"])
    assert (site.get(undo).title, site.again(reader).status) == ("Get the mails again?", "unsubscribed")
    back = site.post(undo)
    assert (back.title, site.again(reader).status) == ("You are subscribed again", "confirmed")
    assert site.again(reader).preferences == Preferences(topics=("lm",))
    site.post(link, ONE_CLICK)
    site.clock.forward(hours=25)
    assert (site.post(undo).status, site.again(reader).status) == (410, "unsubscribed")
    assert not site.get(link).page.select("main form")


def test_choices_are_kept_and_said(site: Site) -> None:
    reader = site.reader()
    link = site.manage(reader)
    changed = {
        "topics": "1", "topic": ["vi"], "frequency": "weekly", "weekly_on": "2", "hour": "7", "timezone": "Asia/Tokyo",
        "most": "10", "follow": "speech*\nauthor:Zoë", "mute": "survey", "text": "1", "empty": "1",
    }  # fmt: skip
    answer = site.post(link, changed)
    status = answer.page.select_one("[role=status]")
    assert status is not None
    assert (answer.status, status.get_text()) == (200, "Saved. Your next mail will have 1 topic.")
    assert site.again(reader).preferences == Preferences(
        topics=("vi",), frequency="weekly", weekly_on=2, hour=7, timezone="Asia/Tokyo", most=10,
        follow=("speech*", "author:Zoë"), mute=("survey",), text_only=True, empty=True,
    )  # fmt: skip
    shown = site.get(link).page
    assert [box["name"] for box in shown.select("input[type=checkbox][checked]")] == [
        "topic",
        "text",
        "empty",
    ]
    assert [box["value"] for box in shown.select("input[name=topic][checked]")] == ["vi"]
    assert [option["value"] for option in shown.select("option[selected]")] == ["2", "7", "10"]
    assert shown.select("textarea")[0].get_text() == "\nspeech*\nauthor:Zoë"


def test_a_pause_ends_on_its_day(site: Site) -> None:
    reader = site.reader()
    answer = site.post(site.manage(reader), {"pause": "2026-12-24"})
    assert "Saved. No mail comes until Thursday, 24 December 2026." in answer.text
    assert (site.again(reader).status, site.again(reader).paused_until) == ("paused", date(2026, 12, 24))
    assert "Paused: no mail before Thursday, 24 December 2026." in site.get(site.manage(reader)).text
    site.post(site.manage(reader), {"pause": ""})
    assert site.again(reader).status == "confirmed"


def test_choices_can_be_saved_on_the_day_a_pause_ends_before_any_run(site: Site) -> None:
    reader = site.reader()
    site.post(site.manage(reader), {"pause": "2026-12-24"})
    site.clock.now = datetime(2026, 12, 24, 0, 30, tzinfo=UTC)
    before = tables(site)
    shown = site.get(site.manage(reader))
    assert "Paused" not in shown.text and b"2026-12-24" not in shown.body
    assert tables(site) == before
    fields = {tag["name"]: tag.get("value", "") for tag in shown.page.select("input[name=pause]")}
    assert site.post(site.manage(reader), {**fields, "hour": "9"}).status == 200
    assert (site.again(reader).status, site.again(reader).preferences.hour) == ("confirmed", 9)


def test_the_page_of_choices_says_when_the_next_mail_is_due(tmp_path: Path) -> None:
    config = replace(config_of(tmp_path), digest=(DigestConfig(name="daily", schedule="0 7 * * mon-fri"),))
    with serving(config) as site:
        reader = site.reader()
        link = site.manage(reader)
        assert (
            "Next mail: Thursday, 19 November 2026, 07:00 (Europe/Berlin), if there is something new."
            in site.get(link).text
        )
        site.post(
            link,
            {"frequency": "weekly", "weekly_on": "2", "hour": "9", "timezone": "Asia/Tokyo", "empty": "1"},
        )
        assert "Next mail: Wednesday, 25 November 2026, 09:00 (Asia/Tokyo)." in site.get(link).text
        site.post(link, {"frequency": "weekly", "weekly_on": "4", "timezone": "Europe/Berlin"})
        assert "Next mail: Friday, 20 November 2026, 07:00 (Europe/Berlin), if" in site.get(link).text
        site.post(link, {"pause": "2026-12-24"})
        assert "Next mail" not in site.get(link).text
    with serving(replace(config, digest=(DigestConfig(name="daily"),))) as site:
        assert "Next mail" not in site.get(site.manage(site.reader("other@mail.example"))).text


def test_topics_say_how_many_papers_they_bring(site: Site) -> None:
    def notes(path: str) -> dict[str, str]:
        boxes = site.get(path).page.select("label:has(input[name=topic])")
        return {
            box.input["value"]: box.select("span")[-1].get_text() for box in boxes if box.select("span.m")
        }  # type: ignore[index, misc]

    manage = site.manage(site.reader())
    assert notes("/subscribe/") == notes(manage) == {}
    for day in (16, 17, 18, 19):
        papers = [
            Paper(key=f"arxiv:2611.{day}{n:03}", title=f"{'Language model' if n < 8 else 'Kiln'} {day} {n}")
            for n in range(9)
        ]
        at = datetime(2026, 11, day, 5, tzinfo=UTC)
        site.app.store.record_sightings(
            "one", papers, now=at, listed_on=None, followers=["daily"], updates_for=set()
        )
        site.app.issue_edition(site.app.config.digest[0], day=at.date(), now=at, again=False)
    site.app.rebuild()
    assert notes("/subscribe/") == notes(manage) == {"lm": "about 8 a day", "other": "about 1 a day"}


def test_a_wrong_choice_changes_nothing_and_stands_beside_its_field(site: Site) -> None:
    reader = site.reader()
    before = people(site)
    answer = site.post(site.manage(reader), {"timezone": "<b>Atlantis</b>", "hour": "7", "mute": "survey"})
    assert (answer.status, people(site)) == (422, before)
    field = answer.page.select_one("input[name=timezone]")
    assert field is not None
    assert (field["value"], field["aria-invalid"]) == ("<b>Atlantis</b>", "true")
    error = answer.page.select_one(f"#{field['aria-describedby']}[role=alert]")
    assert error is not None
    assert "is not a time zone" in error.get_text()
    assert [option["value"] for option in answer.page.select("option[selected]")] == ["7"]


def test_data_are_given_out_and_deleted(site: Site) -> None:
    site.post("/subscribe/", {"email": "r.eader@mail.example"})
    site.letters(1)
    reader = site.app.store.subscriber("r.eader@mail.example")
    assert reader is not None
    site.post(site.confirm(reader))
    link = site.manage(reader)
    answer = site.post(link.replace("/manage/", "/export/"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="subscription.json"'
    assert json.loads(answer.body)["address"] == "r.eader@mail.example"
    erase = link.replace("/manage/", "/erase/")
    assert (site.get(erase).title, len(site.app.store.subscribers())) == ("Delete your data?", 1)
    assert site.post(erase).title == "Your data are deleted"
    assert (site.app.store.subscribers(), site.outbox()) == ([], [])
    for path in (link, erase, site.unsubscribe(reader)):
        assert (site.get(path).status, site.post(path).status) == (404, 404)
    assert site.post(link.replace("/manage/", "/export/")).status == 404
    for file in Path(site.app.config.file).parent.rglob("*"):
        assert not file.is_file() or b"r.eader@" not in file.read_bytes(), file


def test_a_mail_that_cannot_be_removed_is_told_to_the_operator_alone(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.post("/subscribe/", {"email": "r.eader@mail.example"})
    (letter,) = site.letters(1)
    reader = site.app.store.subscriber("r.eader@mail.example")
    assert reader is not None
    site.post(site.confirm(reader))
    letter.unlink()
    letter.mkdir()
    assert site.post(site.manage(reader).replace("/manage/", "/erase/")).title == "Your data are deleted"
    assert f"{letter} is a mail to a reader who was erased" in caplog.text


def test_each_state_is_told_to_who_holds_the_link_of_choices(site: Site) -> None:
    pending = site.pending("a@mail.example")
    assert site.get(site.manage(pending)).title == "Not confirmed yet"
    left = site.reader("b@mail.example")
    site.app.store.leave(left.id, now=site.clock())
    page = site.get(site.manage(left))
    assert page.title == "You are unsubscribed"
    assert {"Undo", "Download my data", "Delete my data"} <= {b.get_text() for b in page.page.select(".btn")}
    refused = site.reader("c@mail.example")
    site.app.store.suppress_subscriber(refused.id, "bounced", now=site.clock())
    for path in (site.manage(refused), site.unsubscribe(refused)):
        page = site.get(path)
        assert (page.status, page.title) == (200, "No mail goes to you")
        assert "Undo" not in page.text
    # A wrong choice is not complained of to who has none.
    for changed in ({"most": "10"}, {"most": "ten"}):
        assert site.post(site.manage(pending), changed).title == "Not confirmed yet"
        assert site.post(site.manage(left), changed).title == "You are unsubscribed"
        assert site.post(site.manage(refused), changed).title == "No mail goes to you"


def test_who_was_refused_after_leaving_is_told_so_instead_of_taken_back(site: Site) -> None:
    reader = site.reader()
    left = site.post(site.unsubscribe(reader), ONE_CLICK)
    undo = str(left.page.select("main form")[0]["action"])
    site.app.store.suppress_subscriber(reader.id, "bounced", now=site.clock())
    for answer in (site.get(undo), site.post(undo)):
        assert (answer.status, answer.title) == (200, "No mail goes to you")
    assert site.again(reader).status == "suppressed"


def test_no_page_shows_the_whole_address_to_who_holds_a_link(site: Site) -> None:
    """A mail may be handed on with its links."""
    reader, pending = site.reader("reader@mail.example"), site.pending("newcomer@mail.example")
    erase = site.manage(reader).replace("/manage/", "/erase/")
    pages = [site.get(path) for path in (site.manage(reader), erase, site.unsubscribe(reader))]
    pages += [site.get(site.confirm(pending)), site.post(site.confirm(pending))]
    pages += [site.post(site.unsubscribe(reader), ONE_CLICK)]
    undo = str(pages[-1].page.select("main form")[0]["action"])
    pages += [site.get(undo), site.post(undo)]
    for page in pages:
        assert page.status == 200
        assert b"****@mail.example" in page.body, page.title
        assert b"reader@" not in page.body and b"newcomer@" not in page.body, page.title


def test_with_several_digests_one_chooses_among_them(tmp_path: Path) -> None:
    with serving(two_digests(config_of(tmp_path))) as site:
        form = site.get("/subscribe/").page
        assert [box["value"] for box in form.select("input[name=digest][checked]")] == ["daily", "weekly"]
        site.post(
            "/subscribe/",
            {"email": "a@mail.example", "digest": "weekly", "topics": "1", "topic": ["ce", "other"]},
        )
        found = site.app.store.subscriber("a@mail.example")
        assert found is not None
        assert (found.digests, found.preferences.topics) == (("weekly",), None)
        wrong = site.post("/subscribe/", {"email": "b@mail.example", "digests": "1"})
        assert (wrong.status, "Choose at least one of them." in wrong.text) == (422, True)
        assert site.app.store.subscriber("b@mail.example") is None


# ---------------------------------------------------------------- subscribing, and its abuse


def test_the_answer_to_a_subscription_is_the_same_for_every_address(site: Site) -> None:
    site.reader("known@mail.example")
    site.pending("pending@mail.example")
    bounced = site.reader("bounced@mail.example")
    site.app.store.suppress_subscriber(bounced.id, "bounced", now=site.clock())
    left = site.reader("left@mail.example")
    site.app.store.leave(left.id, now=site.clock())
    erased = site.reader("erased@mail.example")
    site.post(site.manage(erased).replace("/manage/", "/erase/"))
    answers = [
        site.post("/subscribe/", {"email": f"{name}@mail.example"})
        for name in ("new", "known", "pending", "bounced", "left", "erased", "NEW", "Known")
    ]
    plain = [(a.status, a.body, {k: v for k, v in a.headers.items() if k != "date"}) for a in answers]
    assert all(answer == plain[0] for answer in plain)
    assert plain[0][0] == 200


def test_a_filled_trap_gets_the_same_answer_and_nothing_is_done(site: Site) -> None:
    honest = site.post("/subscribe/", {"email": "a@mail.example"})
    before = people(site)["subscribers"]
    caught = site.post("/subscribe/", {"email": "b@mail.example", "website": "https://evil.example"})
    assert caught.body == honest.body
    assert people(site)["subscribers"] == before


@pytest.mark.parametrize(
    "address",
    [
        "", " ", "nobody", "a@b@c.example", "a@mail.example,b@mail.example", "a@mail.example b@mail.example",
        "a@mail.example\nBcc: b@mail.example", "a@mail.example\r\n.", "a\x00@mail.example", "a" * 300 + "@mail.example",
        "a@" + "b" * 300 + ".example", "ünïcode@mail.example", "<script>alert(1)</script>@mail.example", '"><b>@mail.example',
        "a@localhost", "a@[127.0.0.1]", "\u202ea@mail.example", "a@test", "a@mail.test", "a@mail.invalid", "a@mail.localhost",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_beside_the_field_and_nothing_is_sent(site: Site, address: str) -> None:
    before = people(site)
    answer = site.post("/subscribe/", {"email": address, "frequency": "weekly"})
    assert (answer.status, people(site)) == (422, before)
    field = answer.page.select_one("input[type=email]")
    assert field is not None
    error = answer.page.select_one(f"#{field['aria-describedby']}[role=alert]")
    assert error is not None
    assert error.get_text(strip=True)
    assert not answer.page.select("main b, script")
    assert [option["value"] for option in answer.page.select("option[selected]")] == ["weekly"]


def test_a_domain_of_another_script_is_taken_as_its_a_label(site: Site) -> None:
    assert site.post("/subscribe/", {"email": "Reader@münchen.example"}).status == 200
    assert [s.address for s in site.app.store.subscribers()] == ["Reader@xn--mnchen-3ya.example"]


def test_limits_hold_for_every_address_alike_and_say_when_to_come_again(tmp_path: Path) -> None:
    with serving(config_of(tmp_path, per_network_per_hour=3)) as site:
        site.reader("known@mail.example")
        for n in range(3):
            assert site.post("/subscribe/", {"email": f"r{n}@mail.example"}).status == 200
        refused = [
            site.post("/subscribe/", {"email": a})
            for a in ("known@mail.example", "new@mail.example", "r1@mail.example")
        ]
        assert {answer.status for answer in refused} == {429}
        assert len({answer.body for answer in refused}) == 1
        assert all(3500 < int(answer.headers["retry-after"]) <= 3601 for answer in refused)
        assert site.app.store.subscriber("new@mail.example") is None
        # Looking, changing and leaving are not limited.
        assert site.get("/subscribe/").status == 200


@pytest.mark.parametrize("posts", sizes(100, 10_000))
def test_posts_from_500_networks_bring_one_letter_to_their_victim(tmp_path: Path, posts: int) -> None:
    with serving(config_of(tmp_path, proxies=("127.0.0.1",))) as site:
        for n in range(posts):
            client = f"10.{n % 500 // 250}.{n % 250}.{n % 7 + 1}"
            answer = site.post(
                "/subscribe/",
                {"email": "victim@mail.example"},
                **{"X-Forwarded-For": f"203.0.113.{n % 250}, {client}"},
            )
            assert answer.status == 200
        site.letters(1)
        letters = tables(site)["letters"]
    assert len(letters) == 1
    assert len(site.outbox()) == 1


@pytest.mark.parametrize(
    ("proxies", "of_another_network"),
    [pytest.param((), 429, id="without a proxy"), pytest.param(("127.0.0.1",), 200, id="behind a proxy")],
)
def test_the_limit_of_a_network_holds_behind_a_proxy_and_cannot_be_dodged_by_a_header(
    tmp_path: Path, proxies: tuple[str, ...], of_another_network: int
) -> None:
    with serving(config_of(tmp_path, per_network_per_hour=2, proxies=proxies)) as site:

        def status(n: int, forwarded: str) -> int:
            fields = {"email": f"r{n}@mail.example"}
            return site.post("/subscribe/", fields, **{"X-Forwarded-For": forwarded}).status

        said = [status(n, f"203.0.{n}.1, 198.51.100.{n}") for n in range(5)]
        assert said == [200, 200, 429, 429, 429]
        assert status(5, "198.51.100.1, 192.0.2.5") == of_another_network


# ---------------------------------------------------------------- one click


@pytest.mark.parametrize(
    "how", ["urlencoded", "multipart", "without a body", "without a slash", "from a mail program's page"]
)
def test_one_post_unsubscribes_without_redirect_or_cookie(site: Site, how: str) -> None:
    reader = site.reader()
    link = site.unsubscribe(reader)
    headers = {"Origin": "https://mail.example"} if how.startswith("from") else {}
    if how == "multipart":
        headers["Content-Type"] = "multipart/form-data; boundary=frontier"
    body: bytes | dict[str, str] = {"multipart": MULTIPART, "without a body": b""}.get(how, ONE_CLICK)
    path = link.replace("/?", "?") if how == "without a slash" else link
    for _ in range(2):
        answer = site.post(path, body, **headers)
        assert answer.status == 200
        assert not {"location", "set-cookie"} & answer.headers.keys()
        assert site.again(reader).status == "unsubscribed"


@pytest.mark.parametrize("count", sizes(150, 1000))
def test_every_one_of_many_unsubscribe_addresses_works_by_one_post(site: Site, count: int) -> None:
    readers = [
        site.app.store.add_subscriber(f"r{n}@mail.example", digests=["daily"], now=site.clock())[0]
        for n in range(count)
    ]
    paths = [site.unsubscribe(reader) for reader in readers]
    assert max(len(f"https://papers.example.org{path}") for path in paths) <= 70
    for reader, path in zip(readers, paths, strict=True):
        answer = site.post(path, ONE_CLICK)
        assert answer.status == 200
        assert not {"location", "set-cookie"} & answer.headers.keys()
        assert site.again(reader).status == "unsubscribed"
    assert all(site.post(path, ONE_CLICK).status == 200 for path in paths[:100])
    assert site.app.store.subscribers("confirmed") == []


# ---------------------------------------------------------------- what changes nothing


@pytest.mark.parametrize("times", sizes(150, 10_000))
def test_looking_changes_nothing(site: Site, times: int) -> None:
    """Mail scanners open every link, in every way."""
    pending, reader = site.pending("p@mail.example"), site.reader("r@mail.example")
    left = site.reader("l@mail.example")
    site.app.store.leave(left.id, now=site.clock())
    undo = site.path(site.app.subscriptions.undo_url(left, site.clock()))
    paths = ["/subscribe", "/subscribe/", "/healthz", "/metrics", "/", "/nothing", undo]
    for one in (pending, reader, left):
        paths += [site.manage(one), site.unsubscribe(one), site.manage(one).replace("/manage/", "/erase/")]
        paths += [
            site.manage(one).replace("/manage/", f"/{door}/")
            for door in ("export", "again", "confirm", "undo")
        ]
    paths += [site.confirm(pending), site.unsubscribe(reader) + "&List-Unsubscribe=One-Click"]
    site.app.send_letters()
    before = settled(site)
    for n in range(times):
        answer = site.ask(("GET", "HEAD")[n // len(paths) % 2], paths[n % len(paths)])
        assert answer.status in (200, 404, 405, 410)
        assert "set-cookie" not in answer.headers
    assert settled(site) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_refused_with_those_that_are_allowed(site: Site, method: str) -> None:
    reader = site.reader()
    before = people(site)["subscribers"]
    for path, allowed in (
        (site.unsubscribe(reader), {"GET", "HEAD", "POST"}),
        (site.manage(reader), {"GET", "HEAD", "POST"}),
        (site.manage(reader).replace("/manage/", "/export/"), {"POST"}),
        ("/subscribe", {"GET", "HEAD", "POST"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/metrics", {"GET", "HEAD"}),
        ("/index.html", {"GET", "HEAD"}),
    ):
        answer = site.ask(method, path)
        assert answer.status == 405
        assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed
    assert people(site)["subscribers"] == before


@pytest.mark.parametrize("times", sizes(12, 500))
def test_a_token_of_another_purpose_or_with_a_bit_turned_opens_nothing(site: Site, times: int) -> None:
    reader = site.reader()
    pending = site.pending("p@mail.example")
    tokens = {
        "confirm": token_of(site.confirm(pending)),
        "manage": token_of(site.manage(reader)),
        "unsubscribe": token_of(site.unsubscribe(reader)),
        "undo": token_of(site.app.subscriptions.undo_url(reader, site.clock())),
    }
    before = people(site)["subscribers"]
    tried = 0
    for purpose, token in tokens.items():
        wrong = [other for name, other in tokens.items() if name != purpose]
        random_bits = random.Random(purpose)
        for number in range(times):
            turned = list(token)
            for _ in range(1 + number % 2):  # of one bit alone there are not so many
                place = random_bits.randrange(len(token))
                turned[place] = chr(ord(turned[place]) ^ 1 << random_bits.randrange(7))
            wrong.append("".join(turned))
        wrong += ["", "x", token + "A", token[:-1], token * 2, "A" * 22, "%00", "ü" * 22]
        for bad in set(wrong) - {token}:
            for method in ("GET", "POST"):
                answer = site.ask(method, f"/{purpose}/?t={quote(bad)}", b"" if method == "POST" else None)
                assert answer.status == 404, bad
                assert answer.title == "This link leads nowhere"
                tried += 1
        for method in ("GET", "POST"):
            assert site.ask(method, f"/{purpose}/").status == 404
    assert tried > 5 * times
    assert people(site)["subscribers"] == before


# ---------------------------------------------------------------- bodies, headers, origins


@pytest.mark.parametrize(
    "written",
    [
        "{t}.",
        "{t})",
        "<{t}>",
        "{t}%3E",
        "{t}%22,",
        "{t}/",
        "3D{t}",
        "=3D{t}",
        "{a}%20{b}",
        "{a}=%0D%0A{b}",
        "{t}%E2%80%8B",
        "{c}",
    ],
)
def test_a_link_that_a_mail_program_has_damaged_still_leads_out(site: Site, written: str) -> None:
    reader = site.reader()
    token = token_of(site.unsubscribe(reader))
    twice = "".join(f"%25{ord(letter):02X}" for letter in token)
    path = f"/unsubscribe/?t={written.format(t=token, a=token[:9], b=token[9:], c=twice)}"
    assert site.get(path).title == "Stop the mails?"
    assert site.again(reader).status == "confirmed"
    assert site.post(path, b"List-Unsubscribe=One-Click").status == 200
    assert site.again(reader).status == "unsubscribed"


def test_a_form_of_another_site_does_nothing(site: Site) -> None:
    reader = site.reader()
    before = people(site)["subscribers"]
    for path in ("/subscribe/", site.manage(reader), site.manage(reader).replace("/manage/", "/erase/")):
        answer = site.post(path, {"email": "b@mail.example"}, Origin="https://evil.example")
        assert (answer.status, answer.title) == (403, "Not from here")
    assert people(site)["subscribers"] == before
    for origin in ("null", f"http://127.0.0.1:{site.port}", "https://papers.example.org"):
        assert site.post(site.manage(reader), {"most": "10"}, Origin=origin).status == 200


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_above_64_kilobytes_is_refused_before_it_is_read(site: Site, stated: bool) -> None:
    reader = site.reader()
    before = people(site)["subscribers"]
    for path in ("/subscribe/", site.manage(reader), site.unsubscribe(reader)):
        body = b"email=" + b"a" * 70_000
        if stated:
            answer = site.post(path, body)
        else:
            chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            answer = raw(site, path, b"Transfer-Encoding: chunked", chunked)
        assert answer.status == 413
    assert people(site)["subscribers"] == before


def raw(site: Site, path: str, header: bytes, body: bytes) -> object:
    """A request whose bytes are ours alone."""
    import http.client
    import socket

    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n".encode()
        )
        connection.sendall(head + header + b"\r\n\r\n" + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        response.read()
        return response


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"email=%ff%fe", 400),
        ("application/x-www-form-urlencoded; charset=utf-16", b"\xff\xfee\x00", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 2000), 400),
        ("application/json", b'{"email": "a@mail.example"}', 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=frontier", b"no such thing", 400),
        (
            "multipart/form-data; boundary=frontier",
            b"--frontier\r\nContent-Disposition: form-data\r\n\r\n1\r\n--frontier--\r\n",
            400,
        ),
        (
            "multipart/form-data; boundary=frontier",
            b'--frontier\r\nContent-Disposition: form-data; name="email"; filename="x"\r\n\r\n1\r\n--frontier--\r\n',
            400,
        ),
        ("", b"", 422),
        ("text/plain", b"a", 415),
    ],
)
def test_a_body_that_is_no_form_is_refused_in_words(site: Site, kind: str, body: bytes, status: int) -> None:
    before = people(site)
    answer = site.post("/subscribe/", body, **{"Content-Type": kind})
    assert (answer.status, people(site)) == (status, before)
    assert answer.title


def test_a_form_that_never_comes_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.web.forms.BODY_S", 0.1)
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        connection.sendall(b"POST /subscribe/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nemail")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_multipart_form_subscribes_too(site: Site) -> None:
    body = MULTIPART.replace(b"List-Unsubscribe", b"email").replace(
        b"One-Click", "a@münchen.example".encode()
    )
    assert (
        site.post("/subscribe/", body, **{"Content-Type": "multipart/form-data; boundary=frontier"}).status
        == 200
    )
    assert site.app.store.subscriber("a@xn--mnchen-3ya.example") is not None


def test_every_page_keeps_what_it_knows_to_itself(site: Site) -> None:
    reader, pending = site.reader(), site.pending("p@mail.example")
    paths = [
        "/subscribe",
        "/nothing",
        "/manage/?t=x",
        site.confirm(pending),
        site.manage(reader),
        site.unsubscribe(reader),
    ]
    for path in paths:
        answer = site.get(path)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        for rule in ("default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy
        assert not {"set-cookie", "server"} & answer.headers.keys()
        page = answer.page
        assert page.select_one("meta[name=robots][content='noindex, nofollow']") is not None
        assert not page.select("script, img, link[rel=stylesheet], link[rel=canonical], iframe")
        assert len(page.select("h1")) == 1
        for field in page.select("input:not([type=hidden]), select, textarea"):
            assert field.find_parent("label") or page.select_one(f"label[for='{field['id']}']"), field
        for form in page.select("form"):
            assert str(form["action"]).startswith("/")
        ids = [tag["id"] for tag in page.select("[id]")]
        assert len(ids) == len(set(ids))


def test_logs_hold_no_address_and_no_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(config_of(tmp_path)) as site:
        site.post("/subscribe/", {"email": "canary@mail.example"})
        site.letters(1)
        reader = site.reader("second-canary@mail.example")
        paths = [site.manage(reader), site.unsubscribe(reader)]
        for path in paths:
            site.get(path)
            site.post(path, ONE_CLICK)
        site.post("/subscribe/", {"email": "third-canary@@mail.example"})
    text = caplog.text
    assert "canary" not in text
    assert not [path for path in paths if token_of(path) in text]


# ---------------------------------------------------------------- published files


def publish(folder: Path) -> Path:
    feeds = folder / "feeds"
    (feeds / "2026").mkdir(parents=True)
    (feeds / "index.html").write_text("<h1>Home</h1>")
    (feeds / "2026" / "index.html").write_text("<h1>The year</h1>")
    (feeds / "rss.xml").write_text("<rss/>")
    (folder / "secret.txt").write_text("secret")
    (feeds / "linked").symlink_to(folder / "secret.txt")
    return feeds


def test_before_the_first_run_the_home_of_a_digest_says_when_it_is_due(tmp_path: Path) -> None:
    digests = (DigestConfig(name="daily", schedule="0 7 * * mon-fri"), DigestConfig(name="co", path="co"))
    with serving(replace(config_of(tmp_path), digest=digests)) as site:
        home = site.get("/")
        assert (home.status, home.title) == (404, "No edition yet")
        assert "The first one is due every weekday at 07:00 (Europe/Berlin)." in home.text
        assert "The first one appears when there are new papers." in site.get("/co/").text
        assert site.get("/2026/").title == "No such page"


def test_everything_else_is_a_published_file(site: Site) -> None:
    assert site.get("/").status == 404  # nothing is published yet
    publish(Path(site.app.config.file).parent)
    assert site.get("/").title == "Home"
    assert site.get("/2026/").title == "The year"
    moved = site.get("/2026")
    assert (moved.status, moved.headers["location"]) == (307, "/2026/")
    feed = site.get("/rss.xml")
    assert (feed.headers["content-type"], feed.body) == ("application/xml", b"<rss/>")
    again = site.ask("GET", "/rss.xml", headers={"If-None-Match": feed.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    missing = site.get("/2025/")
    assert (missing.status, missing.title) == (404, "No such page")
    assert missing.page.select_one("main a[href='/']") is not None
    assert site.get("/healthz").headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/2026/../../secret.txt", "//secret.txt",
        "/%2fetc/passwd", "//etc/passwd", "/..\\secret.txt", "/linked", "/%00", "/index.html%00", "/" + "a" * 5000, "/%ff",
        "/2026/%2e%2e/%2e%2e/secret.txt", "/digest.db", "/../digest.db", "/.%2e/digest.db", "/config.toml", "/.", "/~root",
        "//evil.example/..", "/CON", "/index.html/",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(site: Site, path: str) -> None:
    publish(Path(site.app.config.file).parent)
    answer = site.get(path)
    assert answer.status in (200, 307, 404)
    assert answer.status != 200 or answer.title in ("Home", "The year")
    assert answer.headers.get("location", "/") == "/"
    assert b"secret" not in answer.body
    assert b"SQLite" not in answer.body


def test_a_site_below_a_path_keeps_to_it(tmp_path: Path) -> None:
    with serving(config_of(tmp_path, url="https://example.org/papers/")) as site:
        publish(tmp_path)
        assert (site.get("/papers/").title, site.get("/papers").headers["location"]) == ("Home", "/papers/")
        assert site.get("/papers/2026").headers["location"] == "/papers/2026/"
        form = site.get("/papers/subscribe/").page.select_one("form")
        assert form is not None
        assert form["action"] == "/papers/subscribe/"
        reader = site.reader()
        assert site.unsubscribe(reader).startswith("/papers/unsubscribe/?t=")
        assert site.post(site.unsubscribe(reader), ONE_CLICK).status == 200
        assert site.get("/papers/healthz").status == 200
        for path in ("/", "/subscribe/", "/healthz", "/unsubscribe/"):
            assert site.get(path).status == 404


def test_a_store_that_fails_is_said_without_a_word_of_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    reader = site.reader()
    assert site.get(site.manage(reader)).status == 200
    with sqlite3.connect(site.app.config.store.url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE subscribers")
    connection.close()
    answer = site.get(site.manage(reader))
    assert (answer.status, answer.title) == (503, "Not just now")
    assert "digest.db" not in answer.text
    assert "digest.db" in caplog.text


def test_a_broken_template_of_the_operators_is_an_answer_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "templates" / "web").mkdir(parents=True)
    (tmp_path / "templates" / "web" / "base.html").write_text("{{ nothing_of_the_kind }}")
    with serving(config_of(tmp_path)) as site:
        answer = site.get("/subscribe/")
    assert answer.status == 503
    assert "base.html" in caplog.text


def test_links_of_a_reader_who_was_erased_do_not_open_another(site: Site) -> None:
    first = site.reader("first@mail.example")
    links = [site.manage(first), site.unsubscribe(first)]
    site.post(site.manage(first).replace("/manage/", "/erase/"))
    second = site.reader("second@mail.example")
    for link in links:
        assert site.post(link, ONE_CLICK).status == 404
    assert site.again(second).status == "confirmed"


def test_a_clock_is_all_that_decides(tmp_path: Path) -> None:
    clock = Clock()
    with serving(config_of(tmp_path), clock) as site:
        reader = site.reader()
        clock.forward(days=4000)
        assert site.post(site.unsubscribe(reader), ONE_CLICK).status == 200
        assert site.again(reader).status == "unsubscribed"


def test_no_answer_comes_so_soon_that_it_says_something_of_the_address(site: Site) -> None:
    """A suppressed address costs the store less than a new one; both answers wait for the same moment, as the trap's does."""
    site.reader("known@mail.example")
    gone = site.reader("gone@mail.example")
    site.app.store.suppress_subscriber(gone.id, "bounced", now=site.clock())
    for fields in (
        {"email": "known@mail.example"},
        {"email": "gone@mail.example"},
        {"email": "new@mail.example"},
        {"email": "new@mail.example", "website": "a robot was here"},
    ):
        started = time.monotonic()
        assert SAID in site.post("/subscribe/", fields).text
        assert time.monotonic() - started >= 0.01
