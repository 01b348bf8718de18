"""Marks that HighWire leaves in the texts of bioRxiv and medRxiv, in their feeds and wherever these go: `O_` opens, `C_` closes.

Small capitals, headings, lists, and the graphical abstract with the words round its picture; signs by their names, as `{beta}`.
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

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho final sigma tau upsilon phi chi psi"
    " omega"
)
_SIGNS = {name: chr(0x3B1 + i) for i, name in enumerate(_GREEK.split()) if name != "final"}
_SIGNS |= {name.capitalize(): letter.upper() for name, letter in _SIGNS.items()}
_SIGNS |= {"micro": "µ", "+/-": "±", "degrees": "°", "middle dot": "·", "angstrom": "Å", "approx": "≈"}
_SIGN = late(r"(?<![\^_])\{(" + "|".join(map(re.escape, _SIGNS)) + r")\}")


def with_signs(text: str) -> str:
    """A text with the signs that it names: "IFN{gamma}" → "IFNγ". Where TeX is written, braces are its own."""
    return text if "\\" in text or "$" in text else _SIGN.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    return _SIGNS[found[1]]


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


# "Ponds [version 2; peer review: 1 approved, 1 not approved]": F1000Research and its like
_REVIEWED = late(r"\s*\[version \d{1,2}; [^\[\]]{3,200}\]\Z")


def without_review(title: str) -> str:
    """A title without the state of its review, which is another from week to week."""
    return _REVIEWED.sub("", title) if title.endswith("]") and "[version " in title else title
