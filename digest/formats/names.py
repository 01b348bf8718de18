"""Names of authors in the parts that a list of references sorts and abbreviates by. Pure; what has no parts stays whole."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from digest.patterns import late
from digest.render import clean

# Written in small letters before a family name (BibTeX's "von" part, CSL's non-dropping particle).
_PARTICLES = frozenset(
    ["af", "al", "auf", "av", "bin", "bint", "ibn", "d'", "da", "dal", "dalla", "dalle", "dallo", "das", "de", "degli",
     "dei", "del", "dela", "della", "delle", "dello", "den", "der", "des", "di", "do", "dos", "du", "el", "i", "la", "las",
     "le", "les", "li", "lo", "los", "'t", "te", "ten", "ter", "to", "und", "v", "van", "vom", "von", "vor", "y", "z", "ze",
     "zu", "zum", "zur", "à"]
)  # fmt: skip
# Written with a capital, and a part of the family name all the same.
_FIRST_OF_FAMILY = re.compile("Ó|Ní|Nic|Uí|Mac|St\\.?")
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|VI{0,3}")
# Letters of names whose parts have no space between them, or stand in another order.
_FIRST_WHOLE = "\u3040"
_WHOLE = late("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
# Two names, or one of a firm: nobody can say where it is to be divided. At an end it is a name: "Metin And".
_SEVERAL = re.compile(r"(?<=\S )(?:and|&)(?= \S)", re.I)
_GROUP = re.compile(r"(?:Collaboration|Consortium|Team|Group|Project|Initiative|Committee)", re.I)


class Name(Struct, frozen=True):
    """`literal` alone, for a name that is not divided, or else `family` with what there is of the others."""

    literal: str = ""
    given: str = ""
    particle: str = ""
    family: str = ""
    suffix: str = ""

    @property
    def sorted(self) -> str:
        """ "van der Berg, Jan" or "King, Martin, Jr.": how RIS wants it, and what reads it by its commas. (BibTeX has its own.)"""
        last = " ".join(filter(None, (self.particle, self.family)))
        return self.literal or ", ".join(filter(None, (last, self.given, self.suffix)))


@lru_cache(maxsize=4096)
def name_of(text: str) -> Name:
    """ "Jan van der Berg", "van der Berg, Jan" → the same parts. Single names, names in Han, kana or hangul, those of groups
    and those with "and" stay whole; "" gives an empty name."""
    plain = clean(text).strip(" ,;")
    parts = [part.strip() for part in plain.split(",") if part.strip()]
    if not parts or len(parts) > 3 or _SEVERAL.search(plain):
        return Name(literal=plain)
    if max(plain) >= _FIRST_WHOLE and _WHOLE.search(plain):
        return Name(literal=plain)
    if len(parts) == 3:
        return _divided(parts[2], parts[0], parts[1])
    if len(parts) == 2:
        return (
            _in_order(parts[0], parts[1]) if _SUFFIX.fullmatch(parts[1]) else _divided(parts[1], parts[0], "")
        )
    return _in_order(plain, "")


def _in_order(text: str, suffix: str) -> Name:
    """Given names first."""
    words = text.split(" ")
    if not suffix and len(words) > 2 and _SUFFIX.fullmatch(words[-1]):
        suffix = words.pop()
    if len(words) < 2 or _GROUP.fullmatch(words[-1]) or words[0].casefold() == "the":
        return Name(literal=f"{' '.join(words)} {suffix}".strip())
    first = next(
        (
            n
            for n, word in enumerate(words[1:-1], 1)
            if word in _PARTICLES or _FIRST_OF_FAMILY.fullmatch(word)
        ),
        len(words) - 1,
    )
    return _divided(" ".join(words[:first]), " ".join(words[first:]), suffix)


def _divided(given: str, last: str, suffix: str) -> Name:
    words = last.split(" ")
    count = next((n for n, word in enumerate(words[:-1]) if word not in _PARTICLES), len(words) - 1)
    return Name(given=given, particle=" ".join(words[:count]), family=" ".join(words[count:]), suffix=suffix)
