"""What browsers print above and below each sheet of a page, as texts of such PDF files have it: `11/19/26, 9:15 AM   Mathematics`
and `https://arxiv.org/list/math/new   3/46`, or each of the four on a line of its own; Firefox writes "3 of 46" beside the time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from digest.patterns import late

HEAD_BYTES = 300
MAX_LINES = 300_000
MAX_FOOT_BYTES = 700
_NEAR = 4  # lines, blank ones too
_STAMPED = (
    rb"\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? \d{1,2}[:.]\d\d(?:(?: |\xc2\xa0|\xe2\x80\xaf)?[AaPp]\.?[Mm]\.?)?"
)
_STAMP = late(_STAMPED)
_FOOT = late(rb"(?:https?://\S{1,500} +)?(?:Page )?(\d{1,4})(?:/| of )(\d{1,4})(?: +" + _STAMPED + rb")?")
_ADDRESS = late(rb"https?://\S{1,500}")
_ENDS = (b".", b"!", b"?", b":")


def without_sheets(body: bytes) -> bytes:
    """The text without these lines; as it is where there are no numbers of sheets that go up, or one without an address."""
    if body.lstrip()[:1] in (b"<", b"{", b"[") or not (b"\f" in body or _STAMP.search(body[:HEAD_BYTES])):
        return body
    lines = [line.strip() for line in body.split(b"\n", MAX_LINES)]
    feet = _feet(lines)
    above = {
        at for foot in feet if (at := _filled(lines, foot, -1)) is not None and _ADDRESS.fullmatch(lines[at])
    }
    is_one = len(feet) == 1 and (above or lines[feet[0]].startswith(b"http"))
    if len(lines) > MAX_LINES or not (len(feet) > 1 or is_one):
        return body
    frame = {*feet, *above}
    titles: dict[int, bytes] = {}  # what may be the title, by its place
    for start in (-1, *feet):
        at = _filled(lines, start, 1)
        if at is not None and (stamp := _STAMP.match(lines[at])):
            frame.add(at)
            at = _filled(lines, at, 1) if stamp.end() == len(lines[at]) else None
        if at is not None:
            titles[at] = lines[at]
    often = Counter(titles.values())
    frame.update(at for at, title in titles.items() if often[title] * 2 > len(feet) > 1)
    return _joined(lines, frame)


def _feet(lines: list[bytes]) -> list[int]:
    """The lines with the numbers of sheets, where these go up, one for most of the sheets that they say there are."""
    feet: list[int] = []
    numbers: list[int] = []
    totals: set[bytes] = set()
    for at, line in enumerate(lines):
        if line[-1:].isalnum() and len(line) < MAX_FOOT_BYTES and (foot := _FOOT.fullmatch(line)):
            feet.append(at)
            numbers.append(int(foot[1]))
            totals.add(foot[2])
    if len(totals) != 1 or not all(before < after for before, after in pairwise(numbers)):
        return []
    return feet if numbers[-1] <= int(totals.pop()) and numbers[-1] < len(numbers) * 2 else []


def _filled(lines: list[bytes], at: int, step: int) -> int | None:
    """The place of the next line that says something, before or behind this one, if it is near."""
    places = range(at + step, at + step * (_NEAR + 1), step)
    return next((place for place in places if 0 <= place < len(lines) and lines[place]), None)


def _joined(lines: list[bytes], frame: set[int]) -> bytes:
    """What is left, with no blank line where a paragraph goes on from one sheet to the next."""
    width = max((len(line) for at, line in enumerate(lines) if at not in frame), default=0)
    kept: list[bytes] = []
    between = False  # two sheets
    for at, line in enumerate(lines):
        if at in frame:
            between = True
        elif line or not between:
            if (
                between
                and kept
                and (last := _pop_blanks(kept))
                and (last.endswith(_ENDS) or len(last) * 3 < width * 2)
            ):
                kept.append(b"")
            kept.append(line)
            between = False
    _pop_blanks(kept)
    return b"\n".join([*kept, b""])


def _pop_blanks(kept: list[bytes]) -> bytes:
    """The last line that says something, without the blank ones behind it."""
    while kept and not kept[-1]:
        kept.pop()
    return kept[-1] if kept else b""
