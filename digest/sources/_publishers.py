"""What publishers put around the abstract in the descriptions of their feeds, or in its place.

Of Atypon (ACS, Annual Reviews and others), Elsevier's ScienceDirect, the American Physical Society and Nature, as their feeds are
quoted in other programs' tests and documents: their lines about where a paper stands are no abstract.
"""

from __future__ import annotations

import re

from digest.patterns import late
from digest.text import clean

_MAX_LINE = 400
# "Journal of Ponds, Volume 1, Issue 2, Page 1-2, May 2024."
_PLACE = late(
    r"[^;:!?]{1,150}?, (?:Volume|Vol\.) [^.;!?]{1,150}, (?:[A-Z][a-z]+ )?(?:\d{1,2}, )?\d{4}\s*\.?", re.S
)
# ScienceDirect: "Publication date: …", "Source: …", "Author(s): …", each a paragraph, and no abstract.
_SOURCE = late(r"\s*(?:<p>)?\s*Publication date:.{0,600}?\bAuthor\(s\):(.*)", re.S)
# "<p>Author(s): Ada Okoye and Bo Lindal</p><p>The abstract …</p><br/>[Phys. Rev. X 1, 2] Published Wed Jan 03, 2024"
_BY = late(r"\s*<p>\s*Author\(s\):(.{1,5000}?)</p>\s*(?=\S)", re.S)
_PUBLISHED = late(
    r"(?:<br\s*/?>|</?p>|\s)*\[[^\[\]<>]{1,120}\] Published [A-Z][A-Za-z]{2} [A-Z][a-z]{2} \d\d, \d{4}\s*(?:</p>)?\s*$"
)
# "<p>Nature, Published online: 03 January 2024; <a href="…">doi:10.…</a></p>A sentence."
_ONLINE = late(
    r"\s*<p>[^<>]{1,100}, Published online: [^<>;]{1,40};\s*(?:<a\b[^<>]{0,300}>)?\s*doi:[^<>]{1,100}(?:</a>)?\s*</p>"
)
_HEADING = late(r"\s*<(h[1-6]|b|strong)>\s*Abstract\s*:?\s*</\1>\s*(?:<br\s*/?>)?", re.I)


def abstract_of(text: str) -> tuple[str, str]:
    """The abstract in a description, HTML as it stands, and the authors that it names; empty where it has none."""
    if "," not in text:
        return text, ""
    if "Author(s):" in text:
        if found := _SOURCE.fullmatch(text):
            return "", found[1]
        if found := _BY.match(text):
            return _PUBLISHED.sub("", text[found.end() :]), found[1]
    if "Published online:" in text[:300]:
        return _ONLINE.sub("", text, count=1), ""
    if len(text) <= _MAX_LINE and "Vol" in text and _PLACE.fullmatch(clean(text)):
        return "", ""
    return text, ""


def without_heading(text: str) -> str:
    """The same without the heading "Abstract" before it."""
    return _HEADING.sub("", text, count=1) if "bstract" in text[:100] or "BSTRACT" in text[:100] else text
