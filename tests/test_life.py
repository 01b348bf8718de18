"""A subscriber's whole life in a real browser, on wide and narrow screens, with scripts and without; and how its pages look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from test_look import CONTRAST
from webs import Site, config_of, serving, two_digests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

READER = "reader@mail.example"


def local(site: Site, url: str) -> str:
    """An address of the public site at the server of this test."""
    parts = urlsplit(url)
    return f"http://127.0.0.1:{site.port}{parts.path}{'?' + parts.query if parts.query else ''}"


def text_of(file: Path) -> str:
    message = BytesParser(policy=policy.default).parsebytes(file.read_bytes())
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_in(file: Path, door: str) -> str:
    found = re.search(rf"https://\S+/{door}/\?t=[\w-]+", text_of(file))
    assert found, text_of(file)
    return found[0]


def said(page: Page) -> str:
    return page.locator("[role=status]").inner_text()


@pytest.mark.parametrize(
    ("width", "scripts"),
    [
        pytest.param(1200, True, id="1200-scripts"),
        pytest.param(1200, False, id="1200-no-scripts", marks=pytest.mark.torture),
        pytest.param(375, True, id="375-scripts", marks=pytest.mark.torture),
        pytest.param(375, False, id="375-no-scripts"),
    ],
)
def test_a_subscribers_whole_life(browser: Browser, tmp_path: Path, width: int, scripts: bool) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=scripts)
    context.set_default_timeout(60_000)
    with serving(config_of(tmp_path)) as site:
        try:
            live(context.new_page(), site)
        finally:
            context.close()


def live(page: Page, site: Site) -> None:
    app = site.app
    app.rebuild()

    # Subscribes on the home page, with all ticked but one.
    page.goto(local(site, "/"))
    page.get_by_label("Email address").fill(READER)
    page.get_by_label("How often").select_option("weekdays")
    page.get_by_label("Vision & video").uncheck()
    page.get_by_role("button", name="Send me the confirmation mail").click()
    assert said(page) == "If this address can receive mail, a confirmation is on its way."
    (letter,) = site.letters(1)

    # Confirms by the link in the mail.
    page.goto(local(site, link_in(letter, "confirm")))
    pending = app.store.subscriber(READER)
    assert pending is not None
    assert (pending.status, pending.preferences.topics) == ("pending", ("lm", "other"))
    page.get_by_role("button", name="Yes, send me the mails").click()
    assert said(page).startswith("Confirmed.")
    assert site.again(pending).status == "confirmed"

    # Changes topics.
    page.get_by_role("link", name="Choose what you get").click()
    page.get_by_label("Vision & video").check()
    page.get_by_label("Language models").uncheck()
    page.get_by_label("At most").select_option("10 papers")
    page.get_by_label("Every day").check()
    page.get_by_label("Never show").fill("survey\ncategory:cs.XX")
    page.get_by_role("button", name="Save changes").click()
    assert said(page) == "Saved. Your next mail will have 2 topics."
    assert page.get_by_label("Vision & video").is_checked()
    assert not page.get_by_label("Language models").is_checked()
    chosen = site.again(pending).preferences
    assert (chosen.topics, chosen.most, chosen.frequency) == (("vi", "other"), 10, "daily")
    assert chosen.mute == ("survey", "category:cs.XX")

    # Receives the next edition.
    report = app.daily(site.clock())
    assert (report.deliveries.accepted, report.deliveries.rejected) == (1, 0)
    (mail,) = set(site.letters(2)) - {letter}

    # Unsubscribes by the link in it, and takes that back.
    page.goto(local(site, link_in(mail, "unsubscribe")))
    assert site.again(pending).status == "confirmed"
    page.get_by_role("button", name="Unsubscribe").click()
    assert said(page).startswith("No further mail goes to re****@mail.example.")
    assert site.again(pending).status == "unsubscribed"
    page.get_by_role("button", name="Undo").click()
    assert said(page).startswith("Undone.")
    assert site.again(pending).status == "confirmed"
    assert site.again(pending).preferences == chosen

    # Has all data deleted.
    page.goto(local(site, link_in(mail, "manage")))
    page.get_by_role("link", name="Unsubscribe and delete my data").click()
    assert app.store.subscriber(READER) is not None
    page.get_by_role("button", name="Unsubscribe and delete my data").click()
    assert said(page).startswith("Your address and all that belonged to it are deleted.")
    assert (app.store.subscribers(), site.outbox()) == ([], [])
    page.go_back()
    page.goto(local(site, f"/manage/?{urlsplit(app.subscriptions.manage_url(pending)).query}"))
    assert page.locator("h1").inner_text() == "This link leads nowhere"


# ---------------------------------------------------------------- how the pages look


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """A site with two digests of long names, and the address of a page in each state."""
    long = "A digest with a name of a length that nobody would choose, and Unbrokenandendlesswords" + "w" * 60
    config = two_digests(config_of(tmp_path_factory.mktemp("looks")))
    config = replace(config, digest=(config.digest[0], replace(config.digest[1], title=long)))
    with serving(config) as site:
        site.app.rebuild()
        pending, reader = site.pending("pending@mail.example"), site.reader()
        expired = site.confirm(pending)
        long_reader = site.reader("a.reader.with.a.long.name@" + "long-" * 11 + "x.example")
        left = site.reader("left@mail.example")
        site.app.store.leave(left.id, now=site.clock())
        site.clock.forward(hours=49)
        left_now = site.reader("left-now@mail.example")
        site.app.store.leave(left_now.id, now=site.clock())
        yield (
            site,
            {
                "home": "/",
                "subscribe": "/subscribe/",
                "confirm": site.confirm(pending),
                "confirmed": site.confirm(reader),
                "expired": expired,
                "unknown": "/manage/?t=x",
                "manage": site.manage(reader),
                "manage-long": site.manage(long_reader),
                "unsubscribe": site.unsubscribe(long_reader),
                "unsubscribed": site.manage(left_now),
                "erase": site.manage(reader).replace("/manage/", "/erase/"),
                "missing": "/no/such/page",
            },
        )


STATES = [
    "home", "subscribe", "confirm", "confirmed", "expired", "unknown", "manage", "manage-long", "unsubscribe",
    "unsubscribed", "erase", "missing",
]  # fmt: skip
# What a posted form can bring, by the state whose page has it.
POSTED = {"subscribe-error": "subscribe", "manage-error": "manage", "saved": "manage", "erased": "erase"}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    return browser.new_page()


def show(tab: Page, shown: tuple[Site, dict[str, str]], state: str) -> None:
    site, paths = shown
    look(tab, 1200)
    tab.goto(local(site, paths[POSTED.get(state, state)]))
    if state == "subscribe-error":
        tab.evaluate("document.querySelector('main form').noValidate = true")
        tab.get_by_label("Email address").fill("nobody@@mail.example")
        tab.get_by_role("button").click()
    if state == "manage-error":
        tab.get_by_label("in the time zone").fill("Europe/Atlantis-of-a-very-long-name")
        tab.get_by_label("Never show").fill("x" * 101)
    if state in ("manage-error", "saved"):
        tab.get_by_role("button", name="Save changes").click()
        tab.wait_for_selector("[role=alert]" if state == "manage-error" else "[role=status]")


def look(tab: Page, width: int, scheme: Any = "light") -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    tab.emulate_media(color_scheme=scheme)


@pytest.fixture(scope="module")
def still(browser: Browser) -> Page:
    """A tab of its own for what is only looked at."""
    return browser.new_page()


@pytest.fixture(scope="module", params=[*STATES, "subscribe-error", "manage-error", "saved"])
def opened(request: pytest.FixtureRequest, still: Page, shown: tuple[Site, dict[str, str]]) -> Page:
    """The page of each state, gone to once."""
    show(still, shown, request.param)
    return still


def test_nothing_scrolls_sideways_at_320_pixels(opened: Page) -> None:
    look(opened, 320)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 320


# A box and its label are one target; the trap is for machines.
TARGETS = """() => [...document.querySelectorAll('a, button, input, select, textarea')].filter(e => {
  if (e.classList.contains('skip') || e.type === 'hidden' || e.closest('.hp') || !e.getClientRects().length) return false;
  return !(getComputedStyle(e).display === 'inline' && [...e.parentElement.childNodes].some(
    n => n.nodeType === 3 && /\\w{2}/.test(n.textContent)));
}).map(e => [e.outerHTML.slice(0, 60), (e.closest('label.ck') || e).getBoundingClientRect().height])"""


def test_every_target_is_44_pixels_high_at_375(opened: Page) -> None:
    look(opened, 375)
    targets = opened.evaluate(TARGETS)
    assert len(targets) >= 4
    assert [target for target in targets if target[1] < 43.9] == []


# Borders of fields against what is behind them (WCAG 2.2, 1.4.11).
BORDERS = """() => {
  const channels = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => channels(c).slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (channels(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('input[type=email], input[type=text], input[type=date], select, textarea')]
    .filter(e => !e.closest(".hp")).map(e => {
      const [a, b] = [getComputedStyle(e).borderTopColor, behind(e.parentElement)].map(light);
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_fields_stand_out_in_both_schemes(opened: Page, scheme: str) -> None:
    look(opened, 1200, scheme)
    pairs = opened.evaluate(CONTRAST)
    assert len(pairs) >= 3
    assert {pair: ratio for pair, ratio in pairs.items() if ratio < 4.5} == {}
    assert [ratio for ratio in opened.evaluate(BORDERS) if ratio < 3] == []


@pytest.mark.parametrize("state", ["subscribe-error", "manage-error"])
def test_an_error_is_tied_to_its_field(tab: Page, shown: tuple[Site, dict[str, str]], state: str) -> None:
    show(tab, shown, state)
    wrong = tab.locator("[aria-invalid=true]")
    assert wrong.count() >= 1
    for field in wrong.all():
        error = tab.locator(f"#{field.get_attribute('aria-describedby')}")
        assert error.get_attribute("role") == "alert"
        assert error.inner_text()


def test_the_trap_is_seen_by_nobody_and_reached_by_no_key(
    tab: Page, shown: tuple[Site, dict[str, str]]
) -> None:
    show(tab, shown, "subscribe")
    trap = tab.locator("[name=website]")
    box = trap.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] < 0
    assert trap.evaluate("e => e.tabIndex") == -1
    assert trap.evaluate("e => e.closest('[aria-hidden=true]') !== null")


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(
    tab: Page, shown: tuple[Site, dict[str, str]]
) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    show(tab, shown, "manage")
    assert asked == [local(shown[0], shown[1]["manage"])]
    assert tab.locator("script").count() == 0
