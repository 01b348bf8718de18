"""Text that programs make of a page with its links in it, as Markdown (`[words](address)`, `[words][1]` and `[1]: address` at the
end) or with numbers and a list of addresses at the end (lynx), read as the same text without them; and texts that were broken
into lines at some column."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from itertools import islice, pairwise

from digest.patterns import late

MAX_CHARS = 20_000_000
MIN_COUNTED = 5  # links
MAX_WIDTH = 200  # of a text that a program broke into lines

# What stands in the text in place of a link of these words to this address.
Say = Callable[[str, str], str]

# Programs break addresses behind hyphens, as they do words.
_ADDRESS_IN = r"(?:[^()\s<>-]|-\n?){0,2000}"
_IMAGE = late(rf"!\[[^\[\]]{{0,300}}\](?:\({_ADDRESS_IN}(?:\s{{1,5}}\"[^\"]{{0,300}}\")?\)|\[\d{{1,6}}\])")
_LINK = late(
    r"(?<!\\)\[((?:\[\d{1,6}\]|\\.|[^\[\]\\]){0,8000})\]"
    rf"\(<?({_ADDRESS_IN}(?:\([^()\s<>]{{0,300}}\)[^()\s<>]{{0,300}})?)>?(?:\s{{1,5}}\"[^\"]{{0,300}}\")?\)",
    re.S,
)
_HEADING = late(r"^ {0,3}#{1,6}[ \t]{1,9}", re.M)
_UNDERLINE = late(r"^(?:-{3,}|={3,})[ \t]*$", re.M)
_TO_PAPER = late(r"\]\(<?(?:https?://[\w.-]{1,100})?/(?:papers|abs)/[\w.-]{1,30}")
# "[words][1]", the words with a picture's in brackets before them, and "[1]: address" on a line of its own.
_REFERRED = late(
    r"(?<!\\)\[((?:\[[^\[\]\n\\]{0,100}\]|\\.|[^\[\]\\]){0,8000})\]\[(\d{1,6})\]",
    re.S,
)
_DEFINED = late(r"^ {0,3}\[(\d{1,6})\]:[ \t]{1,9}<?(\S{1,2000}?)>?[ \t]*(?:[ \t][\"'(].{0,300})?$", re.M)
_IS_PAPER = late(r"(?:https?://[\w.-]{1,100})?/(?:papers|abs)/[\w.-]{1,30}")
# What is left of a page where a program took its tags alone away; the signs of tags stay, since what reads the parts asks for them.
_REFERENCE = late(
    r"&(?!(?:lt|gt|amp|quot|#60|#62|#38|#x3[cCeE]|#x26);)(?:#\d{2,7}|#[xX][0-9a-fA-F]{2,6}|[A-Za-z]{2,30}\d{0,2});"
)
_TRAILING = late(r"(?<![ \t])[ \t]++\n")
_ESCAPED_SIGN = late(r"\\([_*])")
_BROKEN = late(r"\\{1,2}(?=\s)")
_OWN = late(r"https?://(?:[\w-]{1,60}\.){0,3}(?:arxiv\.org|huggingface\.co(?!/(?:datasets|spaces)/))/")
_ESCAPED = late(r"\\([\[\]_*#.!()-])")
_LIST = late(r"^[ \t]*(?:References|Visible links)[ \t]*$", re.M)
_ADDRESS = late(r"^[ \t]*(\d{1,6})\. (\S{1,2000})[ \t]*$", re.M)
# The words of a link go on in the lines below it.
_NUMBERED = late(
    r"\[(\d{1,6})\](?=[^\s\[\]])([^\[\]\n]{0,1000}(?:\n[ \t]+[^\s\[\]*+·][^\[\]\n]{0,1000}){0,9})"
)
_BEGINS_WITH_LINK = late(
    r"\[(?:\d{1,6}\]\s{0,9}[^\s\],]|!\[|[^\[\]\"{}]{0,200}\]\(|\[?(?!true|false|null|NaN|Infinity)[A-Za-z][^\[\]\"{}]{0,200}\])"
)


def begins_with_link(text: str) -> bool:
    """Does this text begin with a link, and not as a list of JSON does?"""
    return _BEGINS_WITH_LINK.match(text) is not None


def in_words(words: str, address: str) -> str:
    """The words of a link, and behind them the address, but for those that lead about the site itself."""
    if not address.startswith(("https://", "http://")) or address in words or _OWN.match(address):
        return words
    if words[:3] == "10." and address.endswith(doi := words.strip(" _\n")):
        return doi
    return f"{words} {address}"


def width_of(lines: Sequence[str]) -> int:
    """At how many columns this text was broken into lines; 0 where it was not: hardly a line ends then where a word had no room."""
    width = max((len(line) for line in lines if " " in line.strip()), default=0)
    if not 30 <= width <= MAX_WIDTH:
        return 0
    pairs = [(here, after) for here, after in pairwise(lines) if here.strip() and after.strip()]
    full = sum(goes_on(here, after, width) for here, after in pairs)
    return width if full > 2 and full * 8 >= len(pairs) else 0


def goes_on(line: str, following: str, width: int) -> bool:
    """Had the first word of the following line no room in this one, so that it may be one line with it?"""
    word = following.split(maxsplit=1)[:1]
    return bool(word) and len(line) + 1 + len(word[0]) > width


def without_links(text: str, say: Say = in_words) -> str:
    """The text with the words of its links for them, or what is to be said of these; as it is where it has none to papers."""
    if len(text) > MAX_CHARS:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&nbsp;" in text or "&#" in text:
        text = _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
    if "](" in text and _TO_PAPER.search(text):
        text = _TRAILING.sub("\n", text)
        text = _ESCAPED_SIGN.sub(r"\1", _UNDERLINE.sub("", _HEADING.sub("", without_images(text))))
        return _LINK.sub(lambda link: say(_shown(link), link[2].replace("\n", "")), text)
    if "]: " in text and _names_papers(defined := dict(_DEFINED.findall(text)), text):
        text = _UNDERLINE.sub("", _HEADING.sub("", without_images(_DEFINED.sub("", text))))
        return _REFERRED.sub(lambda link: say(_shown(link), defined.get(link[2], "")), text)
    found = list(_LIST.finditer(text))
    addresses = dict(_ADDRESS.findall(text, found[-1].end())) if found else {}
    if not addresses:
        return _without_numbers(text, say)
    return _NUMBERED.sub(lambda link: say(link[2], addresses.get(link[1], "")), text[: found[-1].start()])


def _names_papers(defined: dict[str, str], text: str) -> bool:
    """Are there papers among these addresses, and none of the list missing that the links of the text go to?"""
    if not any(map(_IS_PAPER.match, defined.values())):
        return False
    return max(map(int, defined)) >= max((int(found[2]) for found in _REFERRED.finditer(text)), default=0)


def _without_numbers(text: str, say: Say) -> str:
    """The same of a text that was cut before the list of its addresses."""
    if _are_counted(_REFERRED, 2, text):
        return _REFERRED.sub(lambda link: say(_shown(link), ""), without_images(_DEFINED.sub("", text)))
    return _NUMBERED.sub(lambda link: say(link[2], ""), text) if _are_counted(_NUMBERED, 1, text) else text


def _are_counted(link: re.Pattern[str], group: int, text: str) -> bool:
    """Do the first links of a text have numbers that go up from the first ones, as programs count them?"""
    numbers = list(dict.fromkeys(int(found[group]) for found in islice(link.finditer(text), 20)))
    return len(numbers) >= MIN_COUNTED and numbers[0] <= 2 and numbers == sorted(numbers)


def unescaped(text: str) -> str:
    """The text without the strokes that Markdown has before signs which would be marks."""
    return _ESCAPED.sub(r"\1", text)


def without_images(text: str) -> str:
    return _IMAGE.sub("", text) if "![" in text else text


def _shown(link: re.Match[str]) -> str:
    """The words of a link, and where these are arXiv's "this https URL", the address. Lines in them end with backslashes."""
    words = unescaped(_BROKEN.sub("", link[1]) if "\\" in link[1] else link[1])
    return link[2].replace("\n", "") if words.strip().startswith("this http") else words
