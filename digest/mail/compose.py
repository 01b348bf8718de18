"""Editions → a message: each fragment built once, each choice of them composed once, filled in for each reader.

A paper is rendered and encoded once, however many readers chose it: what they are sent holds references to the same bytes. So
memory stays flat with any number of readers and choices.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from digest.choices import Positions, choose
from digest.config import Config, slugs_of
from digest.mail.budget import LIMIT, WARN, Plan, fit_plan
from digest.mail.headers import Postmark, list_head
from digest.mail.parts import (
    HTML_TYPE,
    PERSONAL,
    TEXT_TYPE,
    Part,
    cut,
    flow,
    fragment_mark,
    mark,
    quoted_printable,
)
from digest.model import Delivery, Edition, Entry, Letter, Message, Page, Preferences, Said, Section
from digest.patterns import late
from digest.render import (
    EditionView,
    PaperView,
    Renderer,
    clean,
    sender_of,
    view_edition,
    view_paper,
)
from digest.text import isolate, truncate
from digest.tokens import Tokens
from digest.words import WEEKDAYS, counted, day_month, in_words

log = logging.getLogger("digest.mail")

SUBJECT_CHARS = 70
NAME_CHARS = 36
SUBJECT_NAMES = 6
# Choices kept composed: references to shared fragments, and some 15 kB of their own.
KEPT_CHOICES = 2000
KEPT_EDITIONS = 64
NAMES = 5  # of sources that said the same
# What the frame around some of the papers may have more than that around all of them: another preheader, of 110 characters.
OTHER_WORDS = 1400


class Composed(Struct, frozen=True, kw_only=True):
    """A choice of papers as a message, ready for any number of readers. `html` is None for plain text only.

    `dropped` is how many papers the byte budget left out, `without_gist` how many stand without their gist.
    """

    subject: str
    head: bytes
    boundary: str
    text: Part
    html: Part | None
    postmark: Postmark
    digest: str
    dropped: int = 0
    without_gist: int = 0

    def message(self, copy: Delivery | Letter) -> Message:
        """The complete message (RFC 5322) of one copy, with CRLF line ends and no line above 998 octets.

        Raises MailError, permanent, for an address that no header can carry.
        """
        sender = self.postmark.sender(copy.subscriber)
        return Message(pieces=self._pieces(copy, sender), sender=sender)

    def _pieces(self, copy: Delivery | Letter, sender: str | None) -> tuple[bytes, ...]:
        facts = self.postmark.facts(copy.subscriber, self.digest)
        head = self.postmark.head(copy, facts, sender) + self.head
        if self.html is None:
            return (head + TEXT_TYPE, *self.text.fill(facts))
        edge = f"--{self.boundary}".encode()
        return (
            head + b"\r\n" + edge + b"\r\n" + TEXT_TYPE,
            *self.text.fill(facts),
            edge + b"\r\n" + HTML_TYPE,
            *self.html.fill(facts),
            edge + b"--\r\n",
        )


def composer(
    config: Config,
    renderer: Renderer,
    tokens: Tokens,
    edition_of: Callable[[str, str], Edition],
) -> Callable[[Delivery], Message | None]:
    """What makes the message of a delivery; None where its reader chose nothing of it. For one run, and one thread at a time.

    `edition_of` gives an edition by its digest and id.
    """
    run = Composer(config, renderer, tokens, edition_of)

    def message(delivery: Delivery) -> Message | None:
        composed = run.composed(delivery)
        return None if composed is None else composed.message(delivery)

    return message


class _Prepared:
    """An edition with its papers in words, and what has been made of them for any choice."""

    def __init__(self, edition: Edition, page: str) -> None:
        self.edition = edition
        self.views = {id(entry): view_paper(entry, page) for entry in edition.entries}
        self.encoded: dict[tuple[int, bool, bool], bytes] = {}


class _Papers:
    """The papers of one mail in HTML, with marks that stand for them while the frame around them is rendered."""

    def __init__(self, editions: Sequence[_Prepared], renderer: Renderer) -> None:
        self._owners = {id(view): each for each in editions for view in each.views.values()}
        self._renderer = renderer
        self.fragments: list[bytes] = []

    def mark(self, paper: PaperView, pick: bool, with_gist: bool) -> str:
        """The mark of a paper's rows, which are rendered and encoded when they are first asked for."""
        encoded, key = self._owners[id(paper)].encoded, (id(paper), pick, with_gist)
        if key not in encoded:
            encoded[key] = _rows(self._renderer, paper, pick, with_gist)[1]
        self.fragments.append(encoded[key])
        return fragment_mark(len(self.fragments) - 1)

    def size(self, mark: str) -> int:
        return len(self.fragments[int(mark[1:-2])])


def _rows(renderer: Renderer, paper: PaperView, pick: bool, with_gist: bool) -> tuple[str, bytes]:
    """The rows of a paper in HTML, and encoded."""
    return _made_rows(renderer.macro("edition-paper.html", "pick" if pick else "row"), paper, with_gist)


@lru_cache(maxsize=500)  # an edition's copy on the web and its mail have the same
def _made_rows(macro: Callable[..., str], paper: PaperView, with_gist: bool) -> tuple[str, bytes]:
    rows = macro(paper, with_gist)
    return rows, quoted_printable(rows)


class Composer:
    """The fragments and choices of one run."""

    def __init__(
        self,
        config: Config,
        renderer: Renderer,
        tokens: Tokens,
        edition_of: Callable[[str, str], Edition],
    ) -> None:
        self._config, self._renderer, self._edition_of = config, renderer, edition_of
        self._postmark = Postmark(config, tokens)
        self._prepared = lru_cache(KEPT_EDITIONS)(self._prepare)
        self._positions = lru_cache(KEPT_CHOICES * 2)(self._choose)
        self._choice = lru_cache(KEPT_CHOICES)(self._compose)
        self._frame = lru_cache(KEPT_EDITIONS)(self._frame_size)
        self._nothing = lru_cache(KEPT_EDITIONS)(self._compose_nothing)

    def composed(self, delivery: Delivery) -> Composed | None:
        """The message of a delivery, before anything personal; None where nothing of it was chosen, and its reader does not ask to
        hear that."""
        ids = delivery.editions or (delivery.edition,)
        preferences = delivery.subscriber.preferences
        positions = self._positions(delivery.digest, ids, preferences)
        if positions is None:
            return self._nothing(delivery.digest, ids, preferences.text_only) if preferences.empty else None
        return self._choice(delivery.digest, ids, positions, preferences.text_only)

    def _prepare(self, digest: str, edition_id: str) -> _Prepared:
        edition = self._edition_of(digest, edition_id)
        page = f"{self._config.digest_url(digest)}{edition.path}"
        return _Prepared(edition, page)

    def _choose(self, digest: str, ids: tuple[str, ...], preferences: Preferences) -> Positions | None:
        slugs = slugs_of(self._config.digest_named(digest).topics)
        return choose([self._prepared(digest, each).edition for each in ids], preferences, slugs=slugs)

    def _compose(self, name: str, ids: tuple[str, ...], positions: Positions, text_only: bool) -> Composed:
        prepared = [self._prepared(name, each) for each in ids]
        editions = [each.edition for each in prepared]
        edition = merged(editions, positions)
        variables = self._facts(name, edition, editions, prepared)
        view: EditionView = variables["edition"]
        papers = _Papers(prepared, self._renderer)
        whole = sum(map(len, positions)) == sum(each.count for each in editions)
        frame = self._frame(name, ids) + (0 if whole else OTHER_WORDS)
        plan = fit_plan(edition, view, papers.mark, frame, papers.size)
        variables["sections"] = plan.sections
        composed = replace(
            self._composed(name, "edition", variables, edition.guid, text_only, papers.fragments),
            dropped=view.count - plan.shown,
            without_gist=plan.without_gist,
        )
        _warn(edition, composed)
        return composed

    def _composed(
        self,
        name: str,
        template: str,
        variables: dict[str, Any],
        guid: str,
        text_only: bool,
        fragments: Sequence[bytes] = (),
    ) -> Composed:
        """A message by templates/NAME.txt and .html, with marks for what is personal."""
        variables = variables | self._marks()
        text = cut(self._renderer.render(f"{template}.txt", **variables), html=False)
        html = None
        if not text_only:
            html = cut(self._renderer.render(f"{template}.html", **variables), html=True, fragments=fragments)
        subject = variables["subject"]
        # "=_" never stands in quoted-printable (RFC 2045, 6.7), so no body can hold the boundary.
        boundary = f"=_{sha256(f'{guid} {subject}'.encode()).hexdigest()[:24]}"
        kind = "" if text_only else f'multipart/alternative; boundary="{boundary}"'
        return Composed(
            subject=subject,
            head=list_head(subject, self._config, self._config.digest_named(name), kind),
            boundary=boundary,
            text=text,
            html=html,
            postmark=self._postmark,
            digest=name,
        )

    def _compose_nothing(self, name: str, ids: tuple[str, ...], text_only: bool) -> Composed:
        """Of these editions no paper was chosen."""
        editions = [self._prepared(name, each).edition for each in ids]
        first = editions[0].date
        when = "on" if first == editions[-1].date else "since"
        url = self._config.digest_url(name)
        variables = self._nothing_facts(name) | {
            "subject": self._told_apart(
                f"Nothing among your choices {when} {WEEKDAYS[first.weekday()]}, {day_month(first)}", name
            ),
            "day": editions[-1].date,
            "editions": [
                {"date": e.date, "part": e.part, "count": e.count, "url": f"{url}{e.path}"} for e in editions
            ],
        }
        return self._composed(name, "nothing", variables, editions[-1].guid, text_only)

    def notice(
        self, name: str, day: date, said: Sequence[Said], *, weekly: bool, text_only: bool
    ) -> Composed:
        """That there was no edition, last on `day`, and what the sources said then."""
        when = "in the week to" if weekly else "on"
        variables = self._nothing_facts(name) | {
            "subject": self._told_apart(
                f"No edition {when} {WEEKDAYS[day.weekday()]}, {day_month(day)}", name
            ),
            "day": day,
            "weekly": weekly,
            "said": [{"names": _names_in_words(each.names), "words": each.words} for each in said],
        }
        return self._composed(name, "nothing", variables, f"{name} {day}", text_only)

    def _told_apart(self, subject: str, name: str) -> str:
        """Where a reader may get two of them on one day, with the digest's title, if it has one of its own."""
        site, title = self._config.site, self._config.digest_named(name).title
        several = len(self._config.digest) > 1 and title not in ("", site.title)
        return truncate(f"{subject}: {clean(title)}", SUBJECT_CHARS) if several else subject

    def _nothing_facts(self, name: str) -> dict[str, Any]:
        return _site_facts(self._config, name) | {"editions": [], "said": [], "weekly": False}

    def _facts(
        self, name: str, edition: Edition, editions: Sequence[Edition], prepared: Sequence[_Prepared]
    ) -> dict[str, Any]:
        """What the templates are given of papers and editions; `edition` is what all `editions` have for this reader."""
        url = self._config.digest_url(name)
        views = {key: view for each in prepared for key, view in each.views.items()}
        view = view_edition(edition, site=self._config.site, url=url, paper=lambda entry: views[id(entry)])
        earlier = [{"date": e.date, "part": e.part, "url": f"{url}{e.path}"} for e in editions[:-1]]
        return _variables(edition, view, self._config, self._renderer) | {"earlier": earlier}

    def _marks(self) -> dict[str, str]:
        marks = {fact: mark(fact) for fact in PERSONAL}
        return marks if self._config.web.enabled else marks | {"manage_url": ""}

    def _frame_size(self, name: str, ids: tuple[str, ...]) -> int:
        """The bytes around the papers, at most: as if every topic were there, and cut."""
        prepared = [self._prepared(name, each) for each in ids]
        editions = [each.edition for each in prepared]
        variables = self._facts(name, merged(editions), editions, prepared)
        return _frame_bytes(variables["edition"], variables, self._renderer)


def merged(editions: Sequence[Edition], positions: Positions | None = None) -> Edition:
    """One edition of the papers at these positions (of all), under the name of the last; sections of one slug are one."""
    every = (tuple(range(edition.count)) for edition in editions)
    chosen = [frozenset(each) for each in (every if positions is None else positions)]
    kept = [
        (entry, section)
        for edition, wanted in zip(editions, chosen, strict=True)
        for position, (entry, section) in enumerate(_shown(edition))
        if position in wanted
    ]
    sections: dict[str, tuple[str, list[Entry]]] = {}
    # The newest edition has the sections in the order of today's configuration; what only older ones have stands behind.
    for edition in reversed(editions):
        for section in edition.sections:
            sections.setdefault(section.slug, (section.name, []))
    for entry, found in kept:
        if found is not None:
            sections[found.slug][1].append(entry)
    return replace(
        editions[-1],
        picks=tuple(entry for entry, section in kept if section is None),
        sections=tuple(
            Section(name=name, slug=slug, entries=tuple(entries))
            for slug, (name, entries) in sections.items()
            if entries
        ),
    )


def _shown(edition: Edition) -> list[tuple[Entry, Section | None]]:
    """The entries in the order of show, each with its section; None for a pick."""
    return [(entry, None) for entry in edition.picks] + [
        (entry, section) for section in edition.sections for entry in section.entries
    ]


def web_copies(edition: Edition, config: Config, renderer: Renderer) -> list[Page]:
    """`email.html` and `email.txt` of an edition: the mail without anything personal."""
    digest, url = config.digest_named(edition.digest), config.digest_url(edition.digest)
    page = f"{url}{edition.path}"
    view = view_edition(edition, site=config.site, url=url, paper=lambda entry: view_paper(entry, page))
    variables = _variables(edition, view, config, renderer) | {"earlier": []}
    variables["sections"] = _planned(edition, view, variables, renderer).sections
    impersonal = dict.fromkeys(PERSONAL, "")
    folder = digest.folder + edition.path
    html = renderer.render("edition.html", **variables, **impersonal)
    text = renderer.render("edition.txt", **variables, **impersonal)
    flowed = "\n".join(flow(line) for line in text.splitlines())
    return [
        Page(path=f"{folder}email.html", body=html.encode()),
        Page(path=f"{folder}email.txt", body=f"{flowed}\n".encode()),
    ]


# ---------------------------------------------------------------- what the templates are given


def _planned(edition: Edition, view: EditionView, variables: dict[str, Any], renderer: Renderer) -> Plan:
    """The papers and gists that the byte budget has room for, as HTML."""
    sizes: dict[str, int] = {}

    def fragment(paper: PaperView, pick: bool, with_gist: bool) -> str:
        rows, encoded = _rows(renderer, paper, pick, with_gist)
        sizes[rows] = len(encoded)
        return rows

    return fit_plan(edition, view, fragment, _frame_bytes(view, variables, renderer), sizes.__getitem__)


def _frame_bytes(view: EditionView, variables: dict[str, Any], renderer: Renderer) -> int:
    """The size of the HTML without its papers, with the notes of cut sections and the longest personal facts."""
    sections = [
        {"name": s.name, "url": s.url, "count": s.count, "papers": [], "more": s.count} for s in view.sections
    ]
    marks = dict.fromkeys(PERSONAL, "x" * 320)
    return len(
        quoted_printable(renderer.render("edition.html", **variables | {"sections": sections, **marks}))
    )


def _variables(edition: Edition, view: EditionView, config: Config, renderer: Renderer) -> dict[str, Any]:
    subject = make_subject(edition, renderer)
    return {
        "edition": view,
        "subject": subject,
        "preheader": view.teaser if view.teaser != subject else f"{view.teaser} {view.title}",
        **_site_facts(config, edition.digest),
    }


def _site_facts(config: Config, digest: str) -> dict[str, Any]:
    url = config.digest_url(digest)
    return {
        "site_title": clean(config.digest_named(digest).title or config.site.title),
        "home_url": url,
        "feeds_url": f"{url}feeds/",
        "sender": sender_of(config.site),
    }


def _names_in_words(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMES
    return in_words([*names[:NAMES], f"{more} more"] if more > 1 else names)


def make_subject(edition: Edition, renderer: Renderer) -> str:
    """10 to 70 characters on one line: how many papers, and the names of the first."""
    subject = renderer.render(
        "subject.txt", count=edition.count, names=short_names(edition), date=edition.date
    )
    subject = " ".join(subject.split())
    return subject if len(subject) <= SUBJECT_CHARS else f"{subject[: SUBJECT_CHARS - 1].rstrip()}…"


_EMOJI = late(
    "[\u200b-\u200d\u2060\ufe0f\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\U000e0000-\U000e007f]"
)


def short_names(edition: Edition) -> list[str]:
    """Short names of the first papers: what stands before a title's colon, or its first words; without emoji, and each
    isolated when it runs from right to left."""
    found = []
    for entry in edition.entries[:SUBJECT_NAMES]:
        title = clean(entry.paper.title)
        if not title.isascii():
            title = " ".join(_EMOJI.sub("", title).split())
        head, colon, _ = title.partition(": ")
        name = head if colon and 2 < len(head) <= NAME_CHARS else truncate(title, NAME_CHARS)
        found += [isolate(name)] if name else []
    return found


def _warn(edition: Edition, composed: Composed) -> None:
    size = len(composed.html.encode(dict.fromkeys(PERSONAL, ""))) if composed.html else 0
    absent = {"paper": composed.dropped, "gist": composed.without_gist}
    if any(absent.values()):
        log.warning(
            "edition %s: the mail leaves out %s to stay below %d bytes; the page has them all. "
            "Narrow the digest with include or exclude rules, or split it in two.",
            edition.id, in_words([counted(n, word) for word, n in absent.items() if n]), LIMIT,
        )  # fmt: skip
    elif size > WARN:
        log.warning("edition %s: the mail's HTML has %d bytes; above %d it is cut.", edition.id, size, LIMIT)
