"""Who asked to hear also when there is nothing new is told so, once, and why; nobody else is."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.config import Config, DigestConfig, MailConfig, SmtpConfig, SourceConfig
from digest.errors import MailError, RenderError
from digest.mail.notices import notices
from digest.model import (
    Delivery,
    Letter,
    Outcome,
    Preferences,
    RunReport,
    Said,
    SourceReport,
    Subscriber,
)
from digest.outcomes import said_to_readers
from digest.tokens import Tokens
from editions import KEY, config_of, delivery_to, message_to, rich, shipped
from pages import installation, invented, rss
from smtp_servers import serving
from test_mail_compose import assert_well_formed

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)  # a Thursday
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WISH = Preferences(empty=True)


def site(tmp_path: Path, **changes: object) -> Config:
    """An installation with an empty inbox, a reader who wants to hear of nothing, and one who does not."""
    (tmp_path / "inbox").mkdir()
    config = installation(tmp_path, **changes)
    add(config, "ada@example.org", WISH)
    add(config, "bob@example.org", Preferences())
    return config


def add(config: Config, address: str, preferences: Preferences, digests: tuple[str, ...] = ()) -> Subscriber:
    with open_app(config) as app:
        return app.store.add_subscriber(address, digests=digests, preferences=preferences, now=NOW)[0]


def put(tmp_path: Path, first: int, count: int) -> None:
    (tmp_path / "inbox" / f"{first}.xml").write_bytes(rss(invented(first, count)))


def run(config: Config, now: datetime = NOW, **options: object) -> RunReport:
    with open_app(config, clock=lambda: now) as app:
        return app.daily(now, **options)  # type: ignore[arg-type]


def send(config: Config, now: datetime) -> None:
    with open_app(config, clock=lambda: now) as app:
        app.send()


def mails(tmp_path: Path) -> list[EmailMessage]:
    """Oldest first."""
    found = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in (tmp_path / "outbox").glob("*.eml")
    ]
    return sorted(found, key=lambda mail: (mail["Date"].datetime, mail["To"]))  # type: ignore[arg-type]


def subjects(tmp_path: Path) -> list[tuple[str, str]]:
    return [(mail["To"], mail["Subject"]) for mail in mails(tmp_path)]


def by_smtp(port: int) -> MailConfig:
    smtp = SmtpConfig(host="127.0.0.1", port=port, security="none", timeout_s=10)
    return MailConfig(transport="smtp", smtp=smtp, from_="Paper Digest <digest@papers.example.org>")


LATER = "could not be reached; what is missing comes in a later edition"
NONE_THURSDAY = ("ada@example.org", "No edition on Thursday, 19 November")


def test_a_day_without_an_edition_is_told_with_its_reason(tmp_path: Path) -> None:
    config = site(tmp_path)
    report = run(config)
    assert report.digests[0].notices == 1
    assert subjects(tmp_path) == [NONE_THURSDAY]
    (mail,) = mails(tmp_path)
    text = mail.get_body(("plain",)).get_content().replace(" \n", " ")  # type: ignore[union-attr]
    assert "There is no edition of this day." in text
    assert "* inbox: " in text and "hear also when there is nothing new" in text
    assert "List-Unsubscribe" in mail and "daily" in mail["List-Id"]


def test_further_runs_of_the_day_tell_nobody_again(tmp_path: Path) -> None:
    config = site(tmp_path)
    run(config)
    for hours in (1, 2):
        assert run(config, NOW + hours * HOUR).digests[0].notices == 0
    send(config, NOW + 3 * HOUR)
    assert subjects(tmp_path) == [NONE_THURSDAY]
    assert run(config, NOW + DAY).digests[0].notices == 1
    assert subjects(tmp_path)[1:] == [("ada@example.org", "No edition on Friday, 20 November")]


def test_a_day_with_an_edition_has_no_notice(tmp_path: Path) -> None:
    config = site(tmp_path)
    put(tmp_path, 0, 3)
    assert run(config).digests[0].notices == 0
    assert run(config, NOW + HOUR).digests[0].notices == 0
    assert [to for to, _ in subjects(tmp_path)] == ["ada@example.org", "bob@example.org"]


def test_a_dry_run_counts_the_notices_and_sends_none(tmp_path: Path) -> None:
    config = site(tmp_path)
    assert run(config, dry_run=True).digests[0].notices == 1
    send(config, NOW)
    assert subjects(tmp_path) == []


def test_what_is_read_by_hand_and_days_that_are_over_tell_nobody(tmp_path: Path) -> None:
    config = site(tmp_path)
    (tmp_path / "other").mkdir()
    assert run(config, adhoc=[SourceConfig(name="other", path="other")]).digests[0].notices == 0
    assert run(config, day=date(2026, 11, 18)).digests[0].notices == 0
    assert subjects(tmp_path) == []


def test_papers_that_come_before_the_hour_of_the_reader_take_the_notice_back(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "eve@example.org", Preferences(empty=True, hour=20))
    assert run(config).digests[0].notices == 2
    put(tmp_path, 0, 3)
    assert run(config, NOW + 2 * HOUR).digests[0].edition is not None
    send(config, NOW + 16 * HOUR)
    heard = [to for to, subject in subjects(tmp_path) if "No edition" in subject]
    assert heard == ["ada@example.org"]
    assert [to for to, subject in subjects(tmp_path) if "3 papers" in subject] == [
        "ada@example.org",
        "bob@example.org",
        "eve@example.org",
    ]


def test_who_wants_one_mail_a_week_hears_once_a_week_and_only_of_a_week_without_an_edition(
    tmp_path: Path,
) -> None:
    config = site(tmp_path)
    add(config, "wim@example.org", Preferences(empty=True, frequency="weekly", hour=8))  # on Fridays
    days = [NOW + n * DAY for n in range(2, 23)]  # three weeks from Saturday on
    for day in days:
        if day == days[8]:
            put(tmp_path, 0, 3)
        run(config, day)
        send(config, day + 6 * HOUR)
    heard = [subject for to, subject in subjects(tmp_path) if to == "wim@example.org"]
    assert [heard[0], heard[2]] == [
        "No edition in the week to Friday, 27 November",
        "No edition in the week to Friday, 11 December",
    ]
    assert heard[1].startswith("3 papers") and len(heard) == 3


def test_who_wants_one_mail_a_week_on_a_day_without_a_run_hears_of_the_week_too(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "wim@example.org", Preferences(empty=True, frequency="weekly", weekly_on=5))
    for day in range(4, 9):  # from Monday to Friday
        run(config, NOW + day * DAY)
    assert heard(tmp_path, "wim") == []
    send(config, NOW + 9 * DAY + 17 * HOUR)
    assert heard(tmp_path, "wim") == ["No edition in the week to Friday, 27 November"]


def test_while_a_later_run_of_the_day_is_to_come_nobody_is_told(tmp_path: Path) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily", schedule="0 7,12,18 * * *"),))
    told = [run(config, NOW + hours * HOUR).digests[0].notices for hours in (0, 5, 11)]
    assert told == [0, 0, 1]


def test_a_run_of_tomorrow_is_none_that_is_to_come(tmp_path: Path) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily", schedule="0 7 * * *"),))
    assert run(config).digests[0].notices == 1


@pytest.mark.parametrize("what", ["leave", "erase", "pause", "wish", "digest"])
def test_who_changes_their_mind_before_it_is_due_hears_nothing(tmp_path: Path, what: str) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily"), DigestConfig(name="coast", path="coast")))
    eve = add(config, "eve@example.org", Preferences(empty=True, hour=20), ("daily",))
    assert run(config).digests[0].notices == 2
    choices = {"digests": ("daily",), "preferences": eve.preferences, "paused_until": None}
    with open_app(config) as app:
        if what == "leave":
            assert app.store.leave(eve.id, now=NOW)
        elif what == "erase":
            assert app.store.erase_subscriber(eve.address, now=NOW) is not None
        else:
            choices |= {
                "pause": {"paused_until": date(2026, 12, 1)},
                "wish": {"preferences": Preferences(hour=20)},
                "digest": {"digests": ("coast",)},
            }[what]
            assert app.store.set_choices(eve.id, now=NOW, **choices)  # type: ignore[arg-type]
    send(config, NOW + 16 * HOUR)
    assert {to for to, _ in subjects(tmp_path)} == {"ada@example.org"}


def test_notices_of_several_digests_on_one_day_are_told_apart(tmp_path: Path) -> None:
    digests = (
        DigestConfig(name="daily"),
        DigestConfig(name="coast", path="coast", title="Coast & <tide> " * 9),
    )
    run(site(tmp_path, digest=digests))
    found = [subject for _, subject in subjects(tmp_path)]
    assert sorted(found)[0] == NONE_THURSDAY[1]
    assert sorted(found)[1].startswith(f"{NONE_THURSDAY[1]}: Coast & <tide> Coast")
    assert len(found) == 2 and max(map(len, found)) <= 70


def test_readers_hear_of_the_digests_that_they_read(tmp_path: Path) -> None:
    config = site(
        tmp_path,
        digest=(
            DigestConfig(name="daily"),
            DigestConfig(name="coast", title="The coast", path="coast", sources=("none",)),
        ),
    )
    add(config, "eve@example.org", WISH, ("coast",))
    run(config)
    lists = sorted(
        (mail["To"], mail["List-Id"].partition("<")[2].partition(".")[0]) for mail in mails(tmp_path)
    )
    assert lists == [("ada@example.org", "coast"), ("ada@example.org", "daily"), ("eve@example.org", "coast")]


def test_what_failed_is_said_first_and_no_address_of_a_source(tmp_path: Path) -> None:
    sources = (
        SourceConfig(name="inbox", path="inbox"),
        SourceConfig(name="gone", url="http://127.0.0.1:9/secret-key", allow_private=True),
    )
    config = site(tmp_path, source=sources)
    put(tmp_path, 0, 3)
    run(config, NOW - DAY)
    report = run(config)
    assert [source.outcome for source in report.sources] == ["quiet", "unreachable"]
    (mail,) = [mail for mail in mails(tmp_path) if "No edition" in mail["Subject"]]
    text = " ".join(mail.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    failed = text.index("* gone: could not be reached; what is missing comes in a later edition")
    assert failed < text.index("* inbox: nothing new")
    assert b"127.0.0.1" not in mail.as_bytes() and b"secret" not in mail.as_bytes()


def test_papers_that_rules_leave_out_are_not_called_none(tmp_path: Path) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily", include=("nothing like it",)),))
    put(tmp_path, 0, 3)
    assert run(config).digests[0].dropped == 3
    (mail,) = mails(tmp_path)
    text = " ".join(mail.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    assert "inbox: new papers, none of which is meant for this digest" in text
    assert run(config, NOW + HOUR).digests[0].dropped == 0  # they are left out for good, and told of once


def test_a_notice_of_a_digest_that_is_gone_keeps_no_other_letter_from_going(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "eve@example.org", Preferences(empty=True, hour=20))
    run(config)
    renamed = installation(tmp_path, digest=(DigestConfig(name="weekly"),))
    with open_app(renamed, clock=lambda: NOW + 16 * HOUR) as app:
        asked = app.store.add_pending(
            "new@example.org", digests=(), preferences=Preferences(), consent="form", now=NOW
        )
        app.store.queue_letter(asked.id, "confirm", message_id="<1.letter@papers.example.org>", now=NOW)
        assert (app.send_letters().accepted, app.send_letters().rejected) == (1, 0)
    assert subjects(tmp_path)[-1][0] == "new@example.org" or len(subjects(tmp_path)) == 2


def heard(tmp_path: Path, who: str) -> list[str]:
    return [subject for to, subject in subjects(tmp_path) if to == f"{who}@example.org"]


def test_an_hour_at_or_before_the_run_puts_no_notice_off_for_ever(tmp_path: Path) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily", schedule="0 7 * * *"),))
    add(config, "eve@example.org", Preferences(empty=True, hour=7))
    add(config, "wim@example.org", Preferences(empty=True, hour=6, frequency="weekly"))
    for day in range(9):
        run(config, NOW + day * DAY + timedelta(seconds=1))  # nobody sends but the run
    assert heard(tmp_path, "eve") == heard(tmp_path, "ada")[:-1]
    assert len(heard(tmp_path, "ada")) == 9
    assert heard(tmp_path, "wim") == [
        "No edition in the week to Thursday, 19 November",
        "No edition in the week to Thursday, 26 November",
    ]


def test_weekdays_are_told_of_their_days_only_and_never_beside_an_edition(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "eve@example.org", Preferences(empty=True, frequency="weekdays"))
    for day in range(2, 5):  # Saturday, Sunday, and Monday with an edition
        if day == 4:
            put(tmp_path, 0, 3)
        run(config, NOW + day * DAY)
        send(config, NOW + day * DAY + 17 * HOUR)
    assert len(heard(tmp_path, "ada")) == 3
    assert [subject[:8] for subject in heard(tmp_path, "eve")] == ["3 papers"]


def test_a_notice_that_is_put_off_goes_with_the_next_run_and_hides_no_later_one(tmp_path: Path) -> None:
    with serving(lambda verb, line: b"450 4.2.0 greylisted" if verb == "RCPT" else None) as server:
        config = site(tmp_path, mail=by_smtp(server.port))
        run(config)
        assert server.recipients() == []
    with serving() as server:
        config = installation(tmp_path, mail=by_smtp(server.port))
        run(config, NOW + DAY)
        told = [
            line for mail in server.taken for line in mail.data.decode().splitlines() if "Subject" in line
        ]
        assert sorted(told) == [
            "Subject: No edition on Friday, 20 November",
            "Subject: No edition on Thursday, 19 November",
        ]


def test_a_broken_template_keeps_no_edition_from_going(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "eve@example.org", Preferences(empty=True, hour=20))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "nothing.txt").write_text("{{ broken")
    assert run(config).digests[0].notices == 2
    put(tmp_path, 0, 3)
    run(config, NOW + HOUR)
    send(config, NOW + 16 * HOUR)
    assert [to for to, _ in subjects(tmp_path)] == ["ada@example.org", "bob@example.org", "eve@example.org"]
    with open_app(config) as app, pytest.raises(RenderError, match=r"nothing\.txt"):
        app.check_templates(NOW)


def test_a_server_that_wants_none_is_left_alone_by_notices_that_nobody_waits_for(tmp_path: Path) -> None:
    with serving() as server:
        config = site(tmp_path, mail=by_smtp(server.port))
        for number in range(30):
            add(config, f"reader{number}@example.org", WISH)
        server.answer = lambda verb, line: b"421 4.7.0 too busy" if verb == "MAIL" else None
        run(config)
        made = server.connections
        for minutes, connections in ((1, made), (6, made + 1)):
            with open_app(config, clock=lambda at=NOW + minutes * MINUTE: at) as app:
                app.send(notices_s=30)
            assert server.connections == connections
        server.answer = lambda verb, line: None
        send(config, NOW + HOUR)  # by hand, at once
    assert len(set(server.recipients())) == len(server.taken) == 31


def test_a_run_that_is_made_after_midnight_tells_of_its_own_day(tmp_path: Path) -> None:
    config = site(tmp_path, digest=(DigestConfig(name="daily", schedule="50 23 * * *"),))
    late = datetime(2026, 11, 19, 23, 10, tzinfo=UTC)  # ten past midnight in Berlin
    assert run(config, late, due_day=date(2026, 11, 19)).digests[0].notices == 1
    assert subjects(tmp_path) == [NONE_THURSDAY]


def test_a_fault_of_the_week_is_told_though_the_source_came_back(tmp_path: Path) -> None:
    config = site(tmp_path)
    add(config, "wim@example.org", Preferences(empty=True, frequency="weekly"))
    put(tmp_path, 0, 3)
    run(config, NOW)  # its papers are known from then on
    (tmp_path / "inbox" / "0.xml").rename(tmp_path / "0.xml")
    for day in range(2, 8):
        run(config, NOW + day * DAY)
    (tmp_path / "0.xml").rename(tmp_path / "inbox" / "0.xml")
    send(config, NOW + 2 * DAY)
    assert run(config, NOW + 8 * DAY).sources[0].outcome == "quiet"
    mail = [mail for mail in mails(tmp_path) if mail["To"] == "wim@example.org"][-1]
    text = " ".join(mail.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    assert mail["Subject"] == "No edition in the week to Friday, 27 November"
    assert "There was no edition for you in the week to this day." in text
    assert "* inbox: could not be reached" in text


@pytest.mark.parametrize(
    ("outcome", "new", "why", "said"),
    [
        ("new", 2, "2 new of 3 papers listed.", "new papers, none of which is meant for this digest"),
        ("new", 0, "1 updated of 3 listed.", "new versions of known papers, which this digest does not show"),
        ("quiet", 0, "All 3 papers listed were known before.", "nothing new"),
        ("holiday", 0, "The page is empty: no list of Friday.", "the page is empty: no list of Friday"),
        ("not-yet", 0, "It is expected; waited until 08:00; the edition goes out", "it is expected"),
        ("unreachable", 0, "A listing failed: https://x.example/?key=1", LATER),
    ],
)
def test_readers_hear_what_concerns_them(outcome: Outcome, new: int, why: str, said: str) -> None:
    assert said_to_readers(SourceReport(name="s", kind="feed", outcome=outcome, new=new, why=why)) == said


# ---------------------------------------------------------------- what it looks like


def notice(*said: Said, **preferences: object) -> EmailMessage:
    reader = replace(delivery_to().subscriber, preferences=Preferences(**preferences))  # type: ignore[arg-type]
    letter = Letter(
        id=3, kind="notice", subscriber=reader, message_id="<20261126.notice.1@papers.example.org>", date=NOW,
        attempt=1, digest="daily", day=date(2026, 11, 26),
    )  # fmt: skip
    made = notices(config_of(), shipped(), Tokens(KEY), lambda digest, day, days: said)(letter)
    assert_well_formed(made.data)
    mail = email.message_from_bytes(made.data, policy=email.policy.default)
    assert isinstance(mail, EmailMessage) and not mail.defects
    return mail


def test_a_notice_is_a_mail_of_the_list(tmp_path: Path) -> None:
    mail = notice(Said(names=("arxiv",), words="no listing is made for Thursday 2026-11-26 (Thanksgiving)"))
    assert mail["Subject"] == "No edition on Thursday, 26 November"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = (part.get_content() for part in mail.iter_parts())  # type: ignore[union-attr]
    for body in (text, html):
        assert "Thursday, 26 November 2026" in body
        assert "no listing is made for Thursday 2026-11-26 (Thanksgiving)" in " ".join(body.split())
        assert "/unsubscribe/?t=" in body and "/manage/?t=" in body
    assert max(map(len, text.splitlines())) <= 78


def test_many_sources_that_say_the_same_are_counted() -> None:
    names = tuple(f"s{n}" for n in range(9))
    text = next(notice(Said(names=names, words="nothing new")).iter_parts()).get_content()  # type: ignore[union-attr]
    assert "* s0, s1, s2, s3, s4 and 4 more: nothing new" in text
    assert "What the sources said" not in next(notice().iter_parts()).get_content()  # type: ignore[union-attr]


def test_a_hostile_name_of_a_source_stays_text() -> None:
    mail = notice(Said(names=("<b>x</b>\r\nBcc: y",), words="nothing new"))
    html = list(mail.iter_parts())[1].get_content()  # type: ignore[union-attr]
    assert "<b>x" not in html and "Bcc" not in mail


def test_text_only_is_one_part() -> None:
    assert notice(text_only=True).get_content_type() == "text/plain"


def to_who(preferences: Preferences) -> Delivery:
    made = delivery_to()
    return replace(made, subscriber=replace(made.subscriber, preferences=preferences))


def test_an_edition_without_anything_chosen_is_said_to_who_wants_to_hear_it() -> None:
    edition = rich()
    chosen = Preferences(topics=(), follow=("nothing like it",))
    assert message_to(to_who(chosen), edition) is None
    made = message_to(to_who(replace(chosen, empty=True)), edition)
    assert made is not None
    assert_well_formed(made.data)
    mail = email.message_from_bytes(made.data, policy=email.policy.default)
    assert mail["Subject"] == "Nothing among your choices on Thursday, 19 November"
    for part in mail.iter_parts():  # type: ignore[attr-defined]
        body = " ".join(part.get_content().split())
        assert f"None of the {edition.count} new papers is among what you chose." in body
        assert "https://papers.example.org/2026/11/19/" in body


def test_a_notice_of_no_digest_is_refused_for_good() -> None:
    letter = Letter(
        id=3, kind="notice", subscriber=delivery_to().subscriber, message_id="<3@x>", date=NOW, attempt=1,
        digest="gone", day=date(2026, 11, 26),
    )  # fmt: skip
    with pytest.raises(MailError) as refused:
        notices(config_of(), shipped(), Tokens(KEY), lambda digest, day, days: ())(letter)
    assert refused.value.permanent
