"""Titles and abstracts as plain text: cleaned once, on the way in; and what outputs need of text: gist, cuts, lines, links.

Everything here is pure, never raises on any string, and costs next to nothing on text that needs no cleaning.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from digest import tex
from digest.markup import strip_tags, without_attributes
from digest.patterns import late

MAX_GIST_CHARS = 200
MAX_SEARCHED_CHARS = 4000
ELLIPSIS = "…"


# --- cleaning

_ENTITY = late(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# What stays of Cf: the joiners that emoji, Persian and Indic scripts need, the plain direction marks, and the tags of flags.
_KEPT_FORMAT = frozenset("\u200c\u200d\u200e\u200f\u061c") | {chr(c) for c in range(0xE0020, 0xE0080)}
_NONCHARACTERS = frozenset(
    [chr(c) for c in range(0xFDD0, 0xFDF0)]
    + [chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)]
)


def clean(text: str) -> str:
    r"""`text` as one line of plain text: entities decoded (also those escaped twice), tags, control characters and lone
    surrogates gone, white space collapsed, TeX as far as known in Unicode (tex.plain).

    `<` as a sign of mathematics and `$20` stay. `clean("a <i>b</i>  &amp;amp; c\n5\\%")` → `"a b & c 5%"`.
    """
    return line_and_clean(text)[1]


def line_and_clean(text: str) -> tuple[str, str]:
    """`text` with its white space collapsed, and what `clean` makes of it: one and the same string where nothing is to be done."""
    line = text.strip()
    rest = _rest(line)
    if "  " in line or not rest.isprintable():  # no other white space is printable
        line = " ".join(line.split())
        rest = _rest(line)
    if not rest or _is_plain(rest):
        return line, line  # as most are
    text = decode_entities(line) if "&" in rest else line
    if text is not line or not rest.isprintable():
        text = strip_controls(text)
    if "<" in text:
        text = strip_tags(text)
    if text is not line:
        text = one_line(text)
    if "\\" in text or "$" in text or "~" in text or "`" in text:
        text = tex.plain(text)
        if "  " in text or text[:1] == " " or text[-1:] == " ":  # it adds no other white space
            text = " ".join(text.split())
    return line, text


_SHORT = 500  # characters: what takes longer to be encoded and translated than to be asked for each sign
_PLAIN_ASCII = bytes({*range(32, 127)} - {*b"&<\\$~`"})


def _rest(text: str) -> str:
    """`text` without what of ASCII can be shown and begins nothing that is to be decoded: for most texts nothing is left."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN_ASCII)
    return rest.decode("utf-8", "surrogatepass") if rest else ""


def _is_plain(rest: str) -> bool:
    """Can every character be shown, and does none begin what is to be decoded? Asked of what `_rest` leaves."""
    return not rest or (rest.isprintable() and not rest.encode("ascii", "ignore"))


def are_clean(texts: Sequence[str], chars: int) -> bool:
    """Are these what `clean` would make of them, none empty and none longer than `chars`? Where it says no, some may be all the
    same."""
    row = f" {' '.join(texts)} "  # in which a space at an end, and an empty text, is a second one
    if "  " in row or (len(row) > chars and max(map(len, texts)) > chars):
        return False
    if len(row) > _SHORT:
        return _is_plain(_rest(row))
    return row.isprintable() and not (
        "&" in row or "<" in row or "\\" in row or "$" in row or "~" in row or "`" in row
    )


def one_line(text: str) -> str:
    """`text` with its white space collapsed, none at its ends."""
    text = text.strip()
    if "  " in text or not is_printable(text):  # no other white space is printable
        return " ".join(text.split())
    return text


_PRINTABLE_ASCII = bytes(range(32, 127))


def is_printable(text: str) -> bool:
    """text.isprintable(), which looks each character up in a table, for a fourth of its time where the text is long."""
    if len(text) < 100:
        return text.isprintable()
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PRINTABLE_ASCII)
    return not rest or rest.decode("utf-8", "surrogatepass").isprintable()


def decode_entities(text: str) -> str:
    """Character references decoded, those escaped up to three times too. A bare `&` or `&name` without `;` stands. Attributes of a
    tag that hold some go with them: a quotation mark there would end one too early."""
    for _ in range(3):
        if "<" in text:
            text = without_attributes(text)
        decoded = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if decoded == text:
            break
        text = decoded
    return text


def strip_controls(text: str) -> str:
    """`text` without control characters, lone surrogates, noncharacters and invisible marks. Line ends and tabs become spaces, what
    is in the place of windows-1252's quotation marks and dashes those."""
    if is_printable(text):
        return text
    return text.translate(_SEEN)


def _seen(c: str) -> str:
    if c.isprintable():
        return c
    if c in "\t\n\v\f\r\x85\u2028\u2029" or c.isspace():
        return " "
    if c in _KEPT_FORMAT:
        return c
    if "\x80" <= c <= "\x9f":  # of windows-1252, as browsers take them
        return c.encode("latin-1").decode("cp1252", "ignore")
    return "" if c in _NONCHARACTERS or unicodedata.category(c) in ("Cc", "Cf", "Cs") else c


class _Seen(dict[int, str]):
    """A table for str.translate that is filled as characters are met."""

    def __missing__(self, code: int) -> str:
        shown = self[code] = _seen(chr(code))
        return shown


_SEEN = _Seen()


# --- cutting


def _span_at(text: str, at: int) -> int:
    """Where the formula or address begins that a cut at `at` would split; `at` if none."""
    for start, end in tex.formula_spans(text):
        if start < at < end:
            return start
    for found in _WEB.finditer(text):
        if found.start() < at < found.end():
            return found.start()
    return at


_ZWJ = "\u200d"


def _joins(before: str, after: str) -> bool:
    """May no cut go between these two: is it one grapheme? (Unicode TR 29, without the Hangul syllables in parts)"""
    if before == _ZWJ or after == _ZWJ or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return True
    return "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f"


def _border(text: str, at: int) -> int:
    """The last grapheme border at or before `at`."""
    while 0 < at < len(text) and _joins(text[at - 1], text[at]):
        at -= 1
    flags = 0
    while flags < at and _is_flag(text[at - 1 - flags]):
        flags += 1
    return at - 1 if flags % 2 and _is_flag(text[at : at + 1]) else at


def truncate(text: str, limit: int) -> str:
    """`text` in at most `limit` characters: whole if it fits, else cut at a word (in Han and the like between signs) with `…`.

    Never cut inside a grapheme, a formula or an address; a text of one word too long is cut within the word.
    """
    if len(text) <= limit:
        return text
    at = _border(text, max(limit - 1, 0))
    whole = _span_at(text, at)
    if not (text[at : at + 1].isspace() or (at and _is_wide(text[at - 1]))):
        space = text.rfind(" ", 0, at)
        if space > 0 and (space >= limit // 3 or whole < at):
            at = space
    at = min(at, whole) if whole > 0 else at
    kept = text[:at].rstrip().rstrip(",;:–—-([{“‘")
    return kept.rstrip() + ELLIPSIS if limit > 0 else ""


# --- gist

# The sign comes first, whatever follows on it: a search for one of several signs skips what is none.
_SENTENCE_END = late(r"[.!?。！？](?:(?<=[.!?])[)\]\"'”’»]*\s+(?=[\"'“‘«(\[$\\]*[^\W_a-z])|(?<![.!?])(?!$))")
_ABBREVIATION = late(
    r"(?:\b(?:e\.g|i\.e|a\.k\.a|w\.r\.t|i\.i\.d|et al|cf|vs|viz|resp|approx|ca|Figs?|Tabs?|Eqs?|Secs?|Sects?|Refs?|Nos?|Vols?|Chs?"
    r"|pp?|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|Inc|Ltd|Co|Corp|Univ|Dept|Thm|Prop|Def|Lem|Cor|Alg|App|Ph\.D|U\.S|etc)|(?<![\w.])[A-Z]|\b[A-Z]\.[A-Z])\.$"
)
_DID = (
    "propos|present|introduc|develop|show|demonstrat|prov|stud|investigat|examin|explor|describ|design|build|built|creat|construct|deriv|establish"
    "|analy[sz]|address|tackl|report|find|found|observ|releas|provid|offer|evaluat|benchmark|compar|extend|formulat|formaliz|formalis|argu|unveil"
    "|revisit|devis|collect|train|launch|survey|review|obtain|give|calculat|comput|measur|discover|identif|suggest|employ|apply|model|detect"
    "|characteri|estimat|consider|generaliz|generalis"
)
# Asked of the text in small letters: twice as fast as to ignore the case of each.
_AUTHORS_DID = late(
    r"\b(?:(?:(?:we|this (?:paper|work|article|study|report|survey|thesis|letter|note|review|position paper|technical report)"
    r"|the authors|the present (?:paper|work|study)|our (?:work|paper|study))\b[^.]{0,80}?"
    r"|(?:here|herein|in this (?:paper|work|article|study|report|survey|thesis|letter|note))\b[^.]{0,120}?)"
    rf"\b(?:{_DID})|is (?:proposed|presented|introduced)\b)"
)


def sentences(text: str) -> list[str]:
    """The sentences of a text of one line. Abbreviations ("e.g.", "et al.", "Fig. 3"), initials, decimals and URLs end none."""
    return [sentence for sentence in _sentences(text) if sentence]


def _sentences(text: str) -> Iterator[str]:
    start = 0
    formulas = tex.formula_spans(text)
    for end in _SENTENCE_END.finditer(text):
        stop = end.start() + 1
        if _ABBREVIATION.search(text, max(start, stop - 12), stop) or any(a < stop < b for a, b in formulas):
            continue
        yield text[start : end.end()].strip()
        start = end.end()
    yield text[start:].strip()


@lru_cache(maxsize=500)  # asked for by a new paper's edition, its own page and the index of a static host
def gist(abstract: str, summary: str = "") -> str:
    """One sentence of at most 200 characters that says what a paper is about; empty where there is nothing to say it from.

    The first sentence of `summary` if the source has one, else the first of the abstract that says what the authors did
    ("we propose", "this paper shows"), else its first. Cut at a word with `…`, never inside a formula or an address.
    """
    if summary:
        return truncate(sentences(summary)[0] if len(summary) > MAX_GIST_CHARS else summary, MAX_GIST_CHARS)
    first = ""
    for sentence in filter(None, _sentences(abstract[:MAX_SEARCHED_CHARS])):
        first = first or sentence
        if _AUTHORS_DID.search(sentence.lower()):
            return truncate(sentence, MAX_GIST_CHARS)
    return truncate(first, MAX_GIST_CHARS)


# --- links

_HOSTS = (
    r"(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|huggingface\.co|hf\.co|zenodo\.org|modelscope\.cn|kaggle\.com"
    r"|sourceforge\.net|figshare\.com|osf\.io|gitee\.com|git\.sr\.ht)/|(?:[\w-]+\.)+(?:github|gitlab|readthedocs)\.io\b|www\.(?:[\w-]+\.)+[a-z]{2,}"
)
_WEB = late(
    rf"https?://[^\s<>\"“”’…|^{{}}\\]+|(?<![\w@./-])(?:{_HOSTS})[^\s<>\"“”’…|^{{}}\\]*", re.IGNORECASE
)
_INNER_DOT = late(r"\.\S")  # every address has one, most abstracts have none
_SIGN_OF_LINK = late(r"\.(?:com|org|co|cn|net|ht|io)\b")
_PLAIN_ADDRESS = late(r"https?://([a-z0-9.-]++)((?>(?:/[\w./~%+,=&;:!$'()*@-]*+)?))", re.ASCII)
_CODE_HOSTS = frozenset(
    ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com", "git.sr.ht", "sourceforge.net"]
)
_DATA_HOSTS = (
    "zenodo.org",
    "figshare.com",
    "osf.io",
    "dataverse.harvard.edu",
    "dataverse.org",
    "physionet.org",
)
_CLOSERS = {")": "(", "]": "[", "》": "《", "）": "（"}


def links_in(text: str) -> dict[str, str]:
    """The first of each kind of address in an abstract: `code`, `model`, `data`, `page` (a project page, or else any other).

    Absolute http(s) addresses; `github.com/x/y` gets its scheme. The sentence's full stop, comma or closing bracket is left out.
    Addresses of papers (arxiv.org, doi.org) are none.
    """
    if not _INNER_DOT.search(text):
        return {}
    if "/" not in text and "www." not in text and ".io" not in text:
        return {}
    if "://" not in text and "www." not in text and not _SIGN_OF_LINK.search(text):
        return {}
    links: dict[str, str] = {}
    other = ""
    if "\\" in text:
        text = text.replace("\\_", "_").replace("\\%", "%").replace("\\#", "#").replace("\\~{}", "~")
    for found in _WEB.finditer(text, _first_place(text)):
        url = _without_tail(found[0])
        kind = _kind_of(url := url if "://" in url else f"https://{url}")
        if kind == "other":
            other = other or url
        elif kind:
            links.setdefault(kind, url)
    if other:
        links.setdefault("page", other)
    return links


def _first_place(text: str) -> int:
    """Before this there is no address: the start of the first word with a scheme, a "www." or a known ending."""
    if not text.isascii():
        return 0
    lower = text.lower()
    sign = _SIGN_OF_LINK.search(lower)
    places = (lower.find("://"), lower.find("www."), sign.start() if sign else -1)
    return text.rfind(" ", 0, min((place for place in places if place >= 0), default=0)) + 1


def _without_tail(url: str) -> str:
    while url:
        last = url[-1]
        if last in ".,;:!?'`*。，、；" or (last in _CLOSERS and url.count(last) > url.count(_CLOSERS[last])):
            url = url[:-1]
        else:
            break
    return url


def _kind_of(url: str) -> str:
    host, inside = _host_and_path(url)
    host = host.removeprefix("www.")
    path = [piece for piece in inside.split("/") if piece]
    if "." not in host or host.endswith(("arxiv.org", "doi.org")):
        return ""
    if host in _CODE_HOSTS:
        return "code" if len(path) >= 2 else "other" if path else ""
    if host in ("huggingface.co", "hf.co"):
        return _hub_kind(path)
    if host == "modelscope.cn" and path:
        return "data" if path[0] == "datasets" else "model"
    if host.endswith(_DATA_HOSTS) or (host == "kaggle.com" and path[:1] in (["datasets"], ["competitions"])):
        return "data" if path else ""
    return "page" if host.endswith((".github.io", ".gitlab.io")) else "other"


def _host_and_path(url: str) -> tuple[str, str]:
    """Of an address without a name of a user; no host for any other, and for what is no address."""
    if plain := _PLAIN_ADDRESS.fullmatch(url):  # as most are: a fifth of the time that urlsplit takes
        return plain[1], plain[2]
    try:
        parts = urlsplit(url)
        return ("" if "@" in parts.netloc else parts.hostname or ""), parts.path
    except ValueError:
        return "", ""


def _hub_kind(path: list[str]) -> str:
    if not path or path[0] == "papers":
        return ""
    if path[0] == "datasets":
        return "data"
    return "model" if len(path) >= 2 and path[0] != "spaces" else "other"


# --- width, lines, direction


def _is_wide(c: str) -> bool:
    return unicodedata.east_asian_width(c) in ("W", "F")


def display_width(text: str) -> int:
    """Columns that `text` takes in a terminal or a text mail: Han and emoji two, combining marks and joiners none."""
    if text.isascii() or (
        max(text) < "\u0300" and "\xad" not in text
    ):  # before the first combining mark only a soft hyphen
        return len(text)
    return sum(2 if _is_wide(c) else 0 if _is_hollow(c) else 1 for c in text)


def _is_hollow(c: str) -> bool:
    return unicodedata.category(c) in ("Mn", "Me", "Cf")


_NOT_FIRST = frozenset("。，、；：？！）」』】》〉〕”’…・ー々")


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns (display_width), broken at spaces and between wide signs. Empty for no text.

    An address stays whole on its line however long it is; any other word too wide is broken at a grapheme border.
    """
    lines: list[str] = []
    line = ""
    for piece, spaced in _pieces(text, width):
        joined = f"{line} {piece}" if spaced and line else line + piece
        if line and display_width(joined) > width:
            lines.append(line)
            line = piece
        else:
            line = joined
    return [*lines, line] if line else lines


def _pieces(text: str, width: int) -> list[tuple[str, bool]]:
    """What must stay together, each with whether a space stands before it."""
    pieces: list[tuple[str, bool]] = []
    for word in text.split():
        if word.isascii() and (len(word) <= width or "://" in word):
            pieces.append((word, True))
        else:
            pieces += [(part, at == 0) for at, part in enumerate(_parts(word, width))]
    return pieces


def _parts(word: str, width: int) -> list[str]:
    if "://" in word:
        return [word]
    parts: list[str] = []
    start, columns, flags = 0, 0, 0
    for at, c in enumerate(word):
        taken = display_width(c)
        flags = flags + 1 if _is_flag(c) else 0
        torn = at == 0 or _joins(word[at - 1], c) or flags % 2 == 0 < flags or c in _NOT_FIRST
        if not torn and (columns + taken > width or _is_wide(word[at - 1]) or _is_wide(c)):
            parts.append(word[start:at])
            start, columns = at, 0
        columns += taken
    return [*parts, word[start:]]


def _is_flag(c: str) -> bool:
    """Regional indicators: two of them are one flag."""
    return "\U0001f1e6" <= c <= "\U0001f1ff"


def is_rtl(text: str) -> bool:
    """Do letters that are written from right to left occur?"""
    if text.isascii() or max(text) < "\u0590":  # before the first of these scripts, Hebrew
        return False
    return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)


def isolate(text: str) -> str:
    """`text` between U+2068 and U+2069 if right-to-left letters occur, so that it does not turn its neighbours around (UAX 9)."""
    return f"\u2068{text}\u2069" if is_rtl(text) else text
