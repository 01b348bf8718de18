"""Cards of a page of daily papers, read without building their tree.

A card is split at its quotes: what stands between is tags and texts, and every other piece a value. Where the tags are all of
harmless kinds, each closed in its turn, and every value stands behind its `name=`, a parser would read the card so and not
otherwise, whatever its values and texts are; and it would be behind the card where it was before. So the card is taken out, a stub
stays for the parser, and what is wanted is found by its place. Cards of one layout have one form, whatever it is; a form is looked
at once. All else (other tags, a quote in a text, an odd reference, a place that is not plain) is left to the parser.

What is taken out costs no more than its length, so the guards of _bytes.py look at the rest only, which the parser is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec import Struct

from digest.patterns import late
from digest.sources import _stubs
from digest.sources._bytes import MAX_ATTRIBUTES

MARK = "cards-plainly-nested"
# The space before the link is where a link left open further up would show.
_STUB = f'<article class="{MARK}"> <a>x</a> x</article>'
_OPENING, _CLOSING = b"<article", b"</article>"
# Where one of these is open, an element may be put elsewhere than it stands, or be taken away.
_MOVERS = late(rb"<(?:table|template|frameset)", re.I)
_BETWEEN = late(rb'[ \t\n]*+(?>(</div>[ \t\n]*+<div(?>(?: class="[^"]*+")?)>[ \t\n]*+)?)')
_ODD_REFERENCE = late(_stubs.ODD_REFERENCE.encode())
MAX_CARD_BYTES = 30_000
# A form takes 5 µs for each of its tags: all of a page half a second at most.
MAX_FORMS, MAX_FORM_BYTES = 200, 5_000
_MAX_LOOKS = 10


class Card(NamedTuple):
    href: str
    title: str
    votes: str


class Row(Struct):
    """Cards with nothing between them, or with each in a `div` of its own."""

    cards: list[Card]
    in_divs: bool = False


def divided(page: bytes) -> tuple[bytes, list[Row]]:
    """`page` (UTF-8) with a stub for each unbroken row of cards, and the rows; the page itself where it has none."""
    if b"\0" in page or b"\r" in page:  # a parser changes them
        return page, []
    rest: list[bytes] = []
    rows: list[Row] = []
    forms: _Forms = {}
    taken = at = 0  # the end of the last card that was taken, of the last that was looked at
    while (close := page.find(_CLOSING, at)) >= 0:
        start, at = page.find(_OPENING, at, close), close + len(_CLOSING)
        card = _read(page[start:at], forms) if start >= 0 and at - start <= MAX_CARD_BYTES else None
        if not card:
            continue
        between = _BETWEEN.fullmatch(page, taken, start) if rows else None
        if not between:
            rest += (page[taken:start], _STUB.encode())
            rows.append(Row([]))
        elif between[1]:
            rows[-1].in_divs = True
        rows[-1].cards.append(card)
        taken = at
    frame = b"".join([*rest, page[taken:]])
    if _MOVERS.search(frame) or frame.count(MARK.encode()) != len(rows):
        return page, []
    return frame, rows


def hold(tree: Any, rows: list[Row]) -> bool:
    """Did all stubs come out of the parser as they went in, each in a place where it means what it says?"""
    stubs = tree.css(f".{MARK}")
    return len(stubs) == len(rows) and all(
        stub.html == _STUB
        and (stub.parent.tag == "div" or not row.in_divs)
        and _stubs.is_in_plain_boxes(stub)
        for stub, row in zip(stubs, rows, strict=True)
    )


# --- one card


class _Form(NamedTuple):
    """Where the parts of a card stand among its pieces; a text in the piece in which the tag before it ends.

    Of the value of each `class`: the text behind its tag, and whether it is all that the element holds; 0 for the class of a link.
    """

    href: int
    title: int
    classes: Mapping[int, tuple[int, bool]]


_Forms = dict[bytes, _Form | None]
_TEXT = late(rb'>[ \t\n]*+[^<" \t\n][^<"]*+')
_VOTES = late(rb"(?<![^ \t\n\f])leading-none(?![^ \t\n\f])")


def _read(card: bytes, forms: _Forms) -> Card | None:
    """None for a card that a parser has to read."""
    pieces = card.split(b'"')
    form = _form_of(_TEXT.sub(b">", b'"'.join(pieces[::2])), forms) if len(pieces) % 2 else None
    if not form or b"/papers/" not in pieces[form.href] or (b"&" in card and _ODD_REFERENCE.search(card)):
        return None
    votes = _votes(card, pieces, form)
    if votes is None:
        return None
    return Card(
        _stubs.unescaped(pieces[form.href].decode()), _stubs.unescaped(_text(pieces[form.title])), votes
    )


def _votes(card: bytes, pieces: list[bytes], form: _Form) -> str | None:
    """None where more than the first text of an element has to be known."""
    place = last = 0
    for _ in range(_MAX_LOOKS):
        if (at := card.find(b"leading-none", last)) < 0:
            return ""
        place += card.count(b'"', last, at)
        last = at + 1
        text, is_all = form.classes.get(place, (-1, True))
        if text == 0:
            return None
        if text > 0 and _VOTES.search(pieces[place]):
            said = _text(pieces[text]).strip()
            if said[:1].isdigit():
                return said if is_all else None
            if not said and not is_all:
                return None
    return None


def _text(piece: bytes) -> str:
    """From the end of a tag to the next one."""
    start = piece.index(b">") + 1
    return piece[start : piece.index(b"<", start)].decode()


# --- the form of a card


class _Tag(NamedTuple):
    """`values` are the places of its attributes' values, 0 for an attribute without one; `text` is that of the text behind it."""

    ends: bool
    name: bytes
    values: dict[bytes, int]
    text: int


_TAG = late(
    rb'<(/?)([a-z][a-z0-9]*+)((?>(?:[ \t\n]++[a-zA-Z][a-zA-Z0-9:_-]*+(?>(?:=")?))*))[ \t\n]*+(/?)>[ \t\n]*+'
)
_BLOCKS = frozenset(
    [b"div", b"ul", b"li", b"h3"]
)  # a paragraph is left to the parser, since it may be the abstract
_IN_LINE = frozenset([b"a", b"span", b"video", b"svg"])
_EMPTY = frozenset([b"img", b"input", b"br"])
_SHAPES = frozenset([b"path", b"circle", b"ellipse", b"rect", b"line", b"polyline", b"polygon"])
_NEVER_IN_ITSELF = frozenset([b"a", b"h3"])
_MAX_DEPTH = 50


def _form_of(tags: bytes, forms: _Forms) -> _Form | None:
    if tags not in forms:
        if len(forms) == MAX_FORMS or len(tags) > MAX_FORM_BYTES:
            return None
        forms[tags] = _form(tags)
    return forms[tags]


def _form(tags: bytes) -> _Form | None:
    """The places in a card of which only the tags are left, each value as one quote. None where the tags are not all harmless."""
    opened: list[bytes] = []
    links: list[tuple[int, int]] = []
    classes: dict[int, tuple[int, bool]] = {}
    read = _tags(tags)
    for tag, behind in pairwise(read):
        if tag.ends:
            if not opened or opened.pop() != tag.name:
                return None
            continue
        if not _may_open(tag, opened):
            return None
        if tag.name == b"a" and b"h3" in opened:
            links.append((tag.values.get(b"href", 0), tag.text if behind.ends else 0))
        if opened and tag.name not in _EMPTY and (place := tag.values.get(b"class")):
            classes[place] = (tag.text, behind.ends) if tag.name != b"a" else (0, False)
        if tag.name not in _EMPTY:
            opened.append(tag.name)
    if opened != [b"article"] or not read[-1].ends or len(links) != 1 or not all(links[0]):
        return None
    return _Form(*links[0], classes)


def _may_open(tag: _Tag, opened: list[bytes]) -> bool:
    """Does a parser open it where it stands, and close nothing for it?"""
    name = tag.name
    if not opened:
        return name == b"article"
    if name in _SHAPES or opened[-1] == b"svg" or opened[-1] in _SHAPES:
        return name in _SHAPES and opened[-1] == b"svg"
    if (
        len(opened) == _MAX_DEPTH
        or (name in _NEVER_IN_ITSELF and name in opened)
        or (b"href" in tag.values and name != b"a")
    ):
        return False
    if name in _BLOCKS:
        return name != b"li" or opened[-1] == b"ul"
    return name in _IN_LINE or name in _EMPTY


def _tags(tags: bytes) -> list[_Tag]:
    """Empty where anything else stands there, or a parser might not take all attributes as they are."""
    read: list[_Tag] = []
    at = values = 0
    while found := _TAG.match(tags, at):
        end, name, attributes, itself = found.groups()
        places: dict[bytes, int] = {}
        for attribute in attributes.lower().split():
            label, valued, _ = attribute.partition(b"=")
            if label in places:
                return []
            values += bool(valued)
            places[label] = 2 * values - 1 if valued else 0
        if (end and (places or itself)) or (itself and name not in _EMPTY) or len(places) > MAX_ATTRIBUTES:
            return []
        read.append(_Tag(bool(end), name, places, 2 * values))
        at = found.end()
    return read if at == len(tags) else []
