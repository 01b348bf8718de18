"""Are these two the same paper? Keys, strongest first, and the rules by which a weak key may stand.

The ladder: arXiv id without version, DOI, OpenReview id, other ids, canonical URL, title, abstract. An id is final; an
address, a title or an abstract is evidence, and `same_work` weighs it against what else both sides say.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from difflib import SequenceMatcher
from functools import cache, lru_cache
from hashlib import blake2b
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from digest.identity._ids import (
    URLS_REMEMBERED,
    arxiv_id,
    canonical_url,
    doi,
    is_arxiv_id,
    is_plain_arxiv,
    is_web_address,
    led_to,
    normalise_ids,
    of_all_versions,
)
from digest.model import Paper
from digest.patterns import late

__all__ = [
    "COMMON_WORDS",
    "Known",
    "abstract_key",
    "arxiv_id",
    "canonical_url",
    "doi",
    "id_keys",
    "ids_conflict",
    "is_arxiv_id",
    "is_revised",
    "is_web_address",
    "keys",
    "known_ids",
    "ladder",
    "led_to",
    "likeness",
    "name_words",
    "normalise_ids",
    "page_url",
    "primary_key",
    "rung",
    "same_work",
    "text_hash",
    "title_key",
]

STRONG_RUNGS = ("arxiv", "doi", "openreview")
# Of papers that have neither an id nor a page of their own.
NAMELESS = frozenset({"title", "abstract", "shown"})
MIN_ABSTRACT_CHARS = 200
LONG_ABSTRACT_WORDS = 40
MAX_KEY_CHARS = 400  # PostgreSQL refuses an index row above about 2,700 bytes
MAX_EDITED_WORDS = 6
MAX_COMPARED_WORDS = 1200  # difflib is quadratic; no honest abstract is longer


class Known(Struct, frozen=True, kw_only=True):
    """What is remembered of a paper when a listing shows one that may be the same. `announced_on` is the last listing day."""

    ids: dict[str, str] = {}
    urls: tuple[str, ...] = ()
    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    version: int | None = None
    announced_on: date | None = None


# --- folding text

_LONG_NUMBER = late(r"&#[0-9]{1000,};?")
_TAGS = late(
    r"</?(?:i|b|u|em|strong|su[bp]|span|p|br|a|div|tt|code|small|ul|ol|li|jats:[\w-]+|mml:[\w-]+)(?:\s[^<>]*)?/?>",
    re.I,
)
_LINK = late(r"(?:https?|ftp)://.*|\bwww\..*|(?<![\w.-])(?:[\w-]+\.)+[a-z]{2,}/.*", re.I)
_LINK_WORDS = late(r"\bthis (?:https?|ftp) url\b", re.I)  # what arXiv's HTML shows for an address
MAX_WORD_CHARS = 400
_TEX_COMMAND = late(r"\\([A-Za-z]+)\*?")
_TEX_ACCENT = late(r"\\(?:[`'\"^~=.]|[cvuHkrbdt](?=\s*\{))")
_TEX_MARKS = (
    "textit textbf textsc texttt textrm textsf textsuperscript textsubscript emph underline text mathrm mathbf mathit mathcal"
    " mathbb mathsf mathtt mathfrak mathscr boldsymbol bm operatorname rm bf it sf tt sc cal em left right big Big bigl bigr"
    " displaystyle ensuremath mbox hbox protect xspace times cdot to rightarrow leftarrow leftrightarrow infty pm mp leq geq le"
    " ge lt gt ll gg neq ne sim simeq approx equiv propto in subset cup cap quad qquad ldots dots cdots langle rangle circ"
    " partial nabla int sum prod sqrt frac hat bar tilde vec widehat widetilde overline prime dagger otimes oplus url href"
)
_TEX_DROPPED = frozenset(_TEX_MARKS.split())
_TEX_LETTERS = {
    "aa": "a", "AA": "a", "o": "o", "O": "o", "l": "l", "L": "l", "i": "i", "j": "j", "ae": "ae", "AE": "ae", "oe": "oe",
    "OE": "oe", "ss": "ss", "dj": "d", "DJ": "d", "ell": "l", "star": "*", "ast": "*", "textregistered": "", "sharp": "#",
    "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varsigma": "sigma", "varrho": "rho", "varpi": "pi",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon phi chi"
    " psi omega"
)
_UNICODE = {0x3B1 + i: name for i, name in enumerate(_GREEK.split())}
_UNICODE |= dict.fromkeys(range(0x300, 0x370), "")  # combining accents
_UNICODE |= {
    ord(a): b
    for a, b in {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}.items()
}
_UNICODE |= {ord(c): "" for c in "\u00ad\u200b\u200c\u200d\u2060\ufeff"}
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_ASCII_WORD = late(r"[a-z0-9]+")
# In half the time of one with +: its first letter is searched for.
_NOT_ASCII = late(r"[^\x00-\x7f][^\x00-\x7f]*")
_ASCII = bytes(range(128))
_NO_ASCII_WORD = bytes(byte for byte in _ASCII if not chr(byte).isalnum())
_LOWER_ASCII = bytes(range(256)).lower()
# Indic and other vowel signs are marks, not \w, and tell words apart; +, * and # tell "A" from "A*" and "C" from "C++".
_TITLE_TOKEN = late(r"\d+(?:\.\d+)+|\d+|(?:[^\W\d_]|[\u0900-\u109f])+|[+*#]")
_ASCII_TITLE_TOKEN = late(r"[0-9]+(?:\.[0-9]+)*|[a-z+*#]+")

_DROPPED = "${}^`'\u2019\u2018"


def _tex_command(found: re.Match[str]) -> str:
    name = found[1]
    return "" if name in _TEX_DROPPED else _TEX_LETTERS.get(name, name)


def _fold(text: str) -> str:
    """Lower case without markup, TeX, accents and ligatures; white space and punctuation stand."""
    text = _without_accents(_without_markup(text))
    text = text.lower() if text.isascii() else text.casefold()
    for mark in _DROPPED:
        if mark in text:
            text = text.replace(mark, "")
    return text


def _without_markup(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "&" in text:
        # int() takes 4,300 digits. What html.unescape makes of a number that no character has:
        text = html.unescape(_LONG_NUMBER.sub("\ufffd", text) if "&#" in text else text)
    if "<" in text:
        text = _TAGS.sub("", text)
    if "\\" in text:
        text = re.sub(r"\\[^A-Za-z]", " ", _TEX_COMMAND.sub(_tex_command, _TEX_ACCENT.sub("", text)))
    return text


def _without_accents(text: str) -> str:
    return text if text.isascii() else _NOT_ASCII.sub(_plain_letters, text)


def _plain_letters(found: re.Match[str]) -> str:
    """Letters between two of ASCII, without accents and ligatures. What decomposes stays between them, so that most texts need
    it for a word or two only."""
    text = found[0]
    for _ in range(2):  # case folding and decomposition feed each other (ΐ, İ)
        text = _replaced(unicodedata.normalize("NFKD", text).casefold())
    return text.casefold()


def _replaced(text: str) -> str:
    """`text.translate(_UNICODE)`, which asks for each letter of a text anew: most texts have few that are to be replaced."""
    for mark in set(text):
        if (letters := _UNICODE.get(ord(mark))) is not None:
            text = text.replace(mark, letters)
    return text


def _run_together(text: str) -> str:
    """The folded words of a text without what stands between them: `"".join(_words(text))`, in a tenth of the time."""
    bare = _without_accents(_without_markup(text)).encode("utf-8", "surrogatepass")
    folded = bare.translate(_LOWER_ASCII, _NO_ASCII_WORD)  # what is not ASCII is folded by now
    words = folded.decode("utf-8", "surrogatepass")
    if words.isascii():
        return words
    for mark in set(folded.translate(None, _ASCII).decode("utf-8", "surrogatepass")):
        if not (
            mark.isalnum()
            or "\u3040" <= mark <= "\u30ff"
            or "\u3400" <= mark <= "\u9fff"
            or "\uf900" <= mark <= "\ufaff"
        ):
            words = words.replace(mark, "")
    return words


def _words(text: str) -> list[str]:
    """The folded words of a text; a CJK character counts as one."""
    folded = _fold(text)
    return (_ASCII_WORD if folded.isascii() else _any_word()).findall(folded)


@cache
def _any_word() -> re.Pattern[str]:
    return re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")  # 6 ms, which most listings can do without


def text_hash(text: str) -> str:
    """Twenty hexadecimal digits that stand for a text (a lone surrogate is no hindrance)."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


@lru_cache(maxsize=4096)
def _folded_title(title: str) -> str:
    text, folded = _fold(title), ""
    if "," in text:
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    for token in (_ASCII_TITLE_TOKEN if text.isascii() else _TITLE_TOKEN).findall(text):
        folded += f" {token}" if token[0].isdigit() and folded[-1:].isdigit() else token
    return folded or " ".join(unicodedata.normalize("NFKC", title).casefold().split())


def title_key(title: str) -> str:
    """`title:…`, equal for titles that differ only in case, Unicode form, accents, white space, punctuation, TeX or HTML marks.

    Empty for an empty title. Nothing fuzzy: one more letter is another title.
    """
    folded = _folded_title(title)
    return f"title:{text_hash(folded)}" if folded else ""


def _abstract_words(abstract: str) -> list[str]:
    return _words(_without_links(abstract))


def _without_links(text: str) -> str:
    if "/" in text or "www." in text:
        if "  " in text or not text.isprintable():  # white space other than a blank between words
            text = " ".join(text.split())
        for mark in ("/", "www."):
            text = _without_links_at(mark, text)
    return _LINK_WORDS.sub(" ", text) if " URL" in text else text


def _without_links_at(mark: str, text: str) -> str:
    """Only words that have the mark are looked at: few do."""
    kept, done, at = "", 0, text.find(mark)
    while at >= 0:
        start, end = text.rfind(" ", done, at) + 1, text.find(" ", at)
        end = len(text) if end < 0 else end
        kept += text[done:start] + _without_link(text[start:end])
        done, at = end, text.find(mark, end)
    return kept + text[done:]


def _without_link(word: str) -> str:
    return _LINK.sub("", word) if len(word) < MAX_WORD_CHARS else ""


def abstract_key(abstract: str) -> str:
    """`abstract:…`, equal for abstracts that differ only in links, markup, case, white space and punctuation.

    Empty for one of fewer than 200 folded characters: those are too often a notice that many papers share.
    """
    folded = _run_together(_without_links(abstract))
    return f"abstract:{text_hash(folded)}" if len(folded) >= MIN_ABSTRACT_CHARS else ""


# --- the ladder


def _key(kind: str, value: str) -> str:
    key = f"{kind}:{of_all_versions(value) if kind == 'doi' else value}"
    return key if len(key) <= MAX_KEY_CHARS else f"{kind}:#{text_hash(value)}"


@lru_cache(maxsize=URLS_REMEMBERED)
def _linked_ids(url: str) -> dict[str, str]:  # never changed by those who ask: the answer is remembered
    if found := arxiv_id(url):
        return {"arxiv": found[0]}
    if name := doi(url):
        return {"doi": name}
    parts = urlsplit(url)
    forum = parse_qs(parts.query).get("id", [""])[0]
    return (
        {"openreview": forum} if parts.hostname in ("openreview.net", "www.openreview.net") and forum else {}
    )


def known_ids(ids: Mapping[str, str], links: Mapping[str, str]) -> dict[str, str]:
    """The normalised ids of a paper, with those that its own page's address or PDF says. Links found in an abstract say nothing."""
    clean = normalise_ids(ids)
    for name in ("abstract", "pdf"):
        link = links.get(name)
        if link and not ("arxiv" in clean and clean["arxiv"] in link) and (url := canonical_url(link)):
            clean = _linked_ids(url) | clean
    return clean


def page_url(links: Mapping[str, str]) -> str | None:
    """The canonical address of the paper's own page; None where it has none or where it only repeats an id."""
    link = links.get("abstract")
    if not link or is_plain_arxiv(link):
        return None  # what most papers have, without a look at the parts of the address
    url = canonical_url(link)
    return None if url is None or _linked_ids(url) else url


def id_keys(ids: Mapping[str, str], links: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that are ids, strongest first: arxiv, doi, openreview, others by name; last a DOI with its version, by which stores
    have known papers."""
    clean = known_ids(ids, links)
    kinds = list(clean)
    if len(kinds) > 1:
        kinds = [kind for kind in (*STRONG_RUNGS, *sorted(clean.keys() - set(STRONG_RUNGS))) if kind in clean]
    found = tuple(_key(kind, clean[kind]) for kind in kinds)
    name = clean.get("doi", "")
    return (*found, f"doi:{name}") if of_all_versions(name) != name else found


def _rungs(ids: Mapping[str, str], links: Mapping[str, str], title: str, abstract: str) -> Iterator[str]:
    """The keys from strong to weak, each made when it is asked for: most papers are settled by the first."""
    yield from id_keys(ids, links)
    yield from _weak_rungs(links, title, abstract)


def _weak_rungs(links: Mapping[str, str], title: str, abstract: str) -> Iterator[str]:
    if url := page_url(links):
        yield _key("url", url)
    yield title_key(title)
    yield abstract_key(abstract)


def ladder(ids: Mapping[str, str], links: Mapping[str, str], title: str, abstract: str) -> tuple[str, ...]:
    """Every key of a paper, strongest first: its ids, url, title, abstract."""
    return tuple(dict.fromkeys(key for key in _rungs(ids, links, title, abstract) if key))


def keys(paper: Paper, ids: Sequence[str] | None = None) -> tuple[str, ...]:
    """The match ladder of a paper, strongest key first, no key twice. Never empty for a paper with a title. Who has its `id_keys`
    already may give them."""
    strong = id_keys(paper.ids, paper.links) if ids is None else ids
    weak = _weak_rungs(paper.links, paper.title, paper.abstract)
    return tuple(dict.fromkeys(key for key in (*strong, *weak) if key))


def primary_key(ids: Mapping[str, str], links: Mapping[str, str], title: str, abstract: str = "") -> str:
    """The strongest key: `arxiv:2407.21783`, `doi:…`, …, `title:…`. Empty when nothing is given."""
    return next(filter(None, _rungs(ids, links, title, abstract)), "")


def rung(key: str) -> str:
    """The rung a key stands on: `arxiv`, `url`, `title`, …"""
    return key.partition(":")[0]


# --- may the match stand?

_COMMON_WORDS = (
    "a an and are as at be been between but by can for from has have in into is it its more most not of on one or our over such"
    " than that the their them these they this those to two was we were which while with however also using use used show shows"
    " propose proposed paper present based approach method methods results new both via through when where each other"
)
COMMON_WORDS = frozenset(_COMMON_WORDS.split())


def _jaccard(a: Sequence[str], b: Sequence[str]) -> float:
    left, right = set(a) - COMMON_WORDS, set(b) - COMMON_WORDS
    return len(left & right) / len(left | right) if left or right else 0.0


def _alike(a: str, b: str) -> bool:
    """Abstracts that speak for one paper: an absent one speaks for nothing."""
    if not a or not b:
        return False
    return not is_revised(a, b) or _jaccard(_abstract_words(a), _abstract_words(b)) >= 0.4


def likeness(a: str, b: str) -> float:
    """The share of the content words of two abstracts that both have, from 0 to 1; 0 where one has none."""
    return _jaccard(_abstract_words(a), _abstract_words(b))


def _strangers(a: str, b: str) -> bool:
    """Two long abstracts that share almost no content word."""
    if a == b or not a or not b:
        return False
    left, right = _abstract_words(a), _abstract_words(b)
    return min(len(left), len(right)) >= LONG_ABSTRACT_WORDS and _jaccard(left, right) < 0.1


def ids_conflict(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    """Both have an id of the same type, and they differ by more than the version of a preprint."""
    return any(
        b[kind] != value and _key(kind, b[kind]) != _key(kind, value)
        for kind, value in a.items()
        if kind in b
    )


def name_words(author: str) -> set[str]:
    """The folded words of a name, without initials."""
    return {word for word in _words(author) if len(word) > 1}


def _names(authors: Sequence[str]) -> set[str]:
    return {word for author in authors for word in name_words(author)}


def _other_authors(known: Known, paper: Paper) -> bool:
    left, right = _names(known.authors), _names(paper.authors)
    return bool(left) and bool(right) and not left & right


def _other_page(known: Known, paper: Paper) -> bool:
    url = page_url(paper.links)
    if url is None or url in known.urls:
        return False
    return any(urlsplit(other).netloc == urlsplit(url).netloc for other in known.urls)


def same_work(known: Known, paper: Paper, rung: str) -> bool:
    """May a match on this rung stand, given what both sides say of themselves?

    arXiv, DOI and OpenReview ids are final, but that a DOI shared by two arXiv papers does not make them one. The other
    rungs fall when both sides have an id of one type and the ids differ, and further: an address that many papers share (titles and
    abstracts speak of different things); a title on two pages of one site, by other authors, or with another long abstract;
    an abstract that another page of the same site or other authors show under another title (a publisher's notice).
    """
    if rung == "arxiv":
        return True
    ids = known_ids(paper.ids, paper.links)
    if rung in STRONG_RUNGS:
        return known.ids.get("arxiv", "") in (
            "",
            ids.get("arxiv", known.ids.get("arxiv", "")),
        )
    if ids_conflict(known.ids, ids):
        return False
    if rung == "title":
        doubt = _other_page(known, paper) or _other_authors(known, paper)
        return not (doubt and not _alike(known.abstract, paper.abstract)) and not _strangers(
            known.abstract, paper.abstract
        )
    if _folded_title(known.title) == _folded_title(paper.title):
        return rung == "abstract" or not _strangers(known.abstract, paper.abstract)
    near = _jaccard(_words(known.title), _words(paper.title)) >= 0.3
    if rung == "abstract":
        return near or not (_other_page(known, paper) or _other_authors(known, paper))
    return near or _alike(known.abstract, paper.abstract)


# --- really revised?


def is_revised(known_abstract: str, abstract: str) -> bool:
    """Is this another version of the abstract, by more than an editor's touch?

    True when the words inserted and deleted are more than six and more than a tenth of all words. Not counted: links, markup,
    TeX, case, punctuation, and what follows where one of the two ends (listings cut abstracts, also within a word).
    """
    if known_abstract == abstract or not known_abstract or not abstract:
        return False
    left, right = _abstract_words(known_abstract), _abstract_words(abstract)
    short, long = sorted(("".join(left), "".join(right)), key=len)
    if long.startswith(short):
        return False
    first, second = sorted((left[:MAX_COMPARED_WORDS], right[:MAX_COMPARED_WORDS]), key=len)
    cut = first[-1] != second[-1]
    if cut:
        # The shorter may end anywhere, also within a word; what the longer one has beyond that place is no change.
        first, second = first[:-1], second[: len(first) + MAX_EDITED_WORDS]
    a, b = _without_common_ends(first, second, behind=not cut)
    if len(a) + len(b) <= MAX_EDITED_WORDS:
        return False
    changes = [op[1:] for op in SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if op[0] != "equal"]
    if cut and changes[-1][0] == len(a):
        changes.pop()
    changed = sum((a1 - a0) + (b1 - b0) for a0, a1, b0, b1 in changes)
    return changed > max(MAX_EDITED_WORDS, len(second) / 10)


def _without_common_ends(a: list[str], b: list[str], *, behind: bool) -> tuple[list[str], list[str]]:
    start, end, shorter = 0, 0, min(len(a), len(b))
    while start < shorter and a[start] == b[start]:
        start += 1
    while behind and end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]
