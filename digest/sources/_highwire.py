"""Marks that HighWire leaves in the texts of bioRxiv and medRxiv, in their feeds and wherever these go: `O_` opens, `C_` closes.

Small capitals, headings, lists, and the graphical abstract with the words round its picture.
"""

from __future__ import annotations

import re

from digest.patterns import late

_PICTURE = late(
    r"\s*(?:\b(?:TOC Graphic|Graphical (?:Abstract|TOC))\s*)?O_(FIG|TBL|TEXTBOX)\b.{0,5000}?(?:C_\1|\Z)",
    re.S | re.I,
)
_CAPITALS = late(r"O_(SCPLOW|SCPCAP)(.{0,300}?)C_\1", re.S)
_HEADING = late(r"\s*O_ST_ABS(.{0,100}?)C_ST_ABS\s*", re.S)
_LIST = late(r"\s*[OC]_LI(?!NK)\s*")
_LIST_END = late(r"C_LI(?=\s|O_LI|\Z)")
_LABEL = late(r"ABSTRACT\s*(?=[A-Z0-9])")


def without_marks(text: str) -> str:
    """A text of one line as it was before; of the headings of an abstract what index services make: `Methods: …`."""
    if "C_" not in text:
        return text
    marked = text
    if "O_FIG" in text or "O_TBL" in text or "O_TEXTBOX" in text:
        text = _PICTURE.sub(" ", text)
    text = _CAPITALS.sub(r"\2", text)
    if text != marked:  # the label of an abstract is in small capitals
        text = _LABEL.sub("", text, count=1) if text.startswith("ABSTRACT") else text
    text = _HEADING.sub(r" \1: ", text)
    if "O_LI" in text and _LIST_END.search(text):
        text = _LIST.sub(" ", text)
    return " ".join(text.split()) if text != marked else text
