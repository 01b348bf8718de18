"""Bytes that are not UTF-8, and of which nobody says what they are → the likeliest encoding, by the letters that it gives."""

from __future__ import annotations

import codecs
import re

from digest.patterns import late

_LOOKED_AT = 200_000
_TAG = late(rb"<[^<>]*>")
_LETTERS = late(rb"[A-Za-z]")
_HIGH = late(rb"[\xc0-\xff]")
_KANA = late("[ぁ-んァ-ヶー]")
_HANGUL = late("[가-힣]")
# The signs that make up a fifth of Chinese texts, in the two ways of writing.
_SIMPLE = late(
    "[的一是不了人在有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后法用与]"
)
_FULL = late(
    "[的一是不了人在有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可裡後法用與]"
)
_NO_WORDS = late("[\\x00-\u2fff\u3000-\u303f\uff00-\uff60\uffe0-\uffff]")
# What is looked for, and of how many of 100 signs it is the least. In this order: nearly all bytes are some Chinese.
_EAST_ASIAN = (
    ("euc_jp", _KANA, 20),
    ("cp932", _KANA, 20),
    ("cp949", _HANGUL, 85),
    ("gb18030", _SIMPLE, 6),
    ("big5hkscs", _FULL, 6),
)


def likeliest(body: bytes) -> str:
    """Python's name of an encoding."""
    words = _TAG.sub(b" ", body[:_LOOKED_AT])
    few = len(_LETTERS.findall(words)) / 2  # signs of another writing in a text of Latin letters
    if len(words) - len(words.translate(None, bytes(range(128, 256)))) > few:
        for name, signs, least in _EAST_ASIAN:
            if _share(words, name, signs) >= least:
                return name
    return _of_one_byte(words, few)


def _share(words: bytes, name: str, signs: re.Pattern[str]) -> float:
    """How many of 100 signs are some of these; 0 where it cannot be this encoding."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(words)  # the last sign may be cut
    except UnicodeError:
        return 0
    text = _NO_WORDS.sub("", text)
    return 100 * len(signs.findall(text)) / len(text) if text else 0


def _of_one_byte(words: bytes, few: float) -> str:
    """By the share of high letters: Latin text has few, Thai many below 0xC0, Hebrew only 0xE0–0xFA. Most Cyrillic ones are small,
    which KOI8 has before the capitals."""
    high = _HIGH.findall(words)
    low = len(words) - len(words.translate(None, bytes(range(0xA1, 0xC0))))
    if low > len(high) / 3 and low + len(high) > few:
        return "cp874"
    if len(high) <= few:
        return "cp1252"
    if sum(0xE0 <= c[0] <= 0xFA for c in high) >= 0.97 * len(high):
        return "cp1255"
    return "koi8-r" if sum(c[0] < 0xE0 for c in high) > 0.6 * len(high) else "cp1251"
