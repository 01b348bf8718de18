"""Hostile listings, each made again from its name: mutations of pages, pages of a wrong kind, pages spoken in a grammar.

Those that are hostile by their size or shape are in hostile_sizes.py.
"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PAGES = Path(__file__).parent / "listings"
SELECTED = Path(__file__).parent / "selectors"
MAX_BYTES = 2_000_000  # of a mutated page; the sizes themselves are tried elsewhere


class Page(NamedTuple):
    """A page to start from. `kind` is "auto" where nobody says which it is."""

    name: str
    kind: str
    body: bytes


class Case(NamedTuple):
    """A hostile listing and the kind it is read as. The name is enough to make it again."""

    name: str
    kind: str
    body: bytes


@cache
def corpus(shared: Path | None = None) -> tuple[Page, ...]:
    """The pages of this folder in the order of their names, and those of `shared` where it is given."""
    found = [
        Page(str(path.relative_to(PAGES)), "auto" if path.parent.name == "none" else path.parent.name, path.read_bytes())
        for path in sorted(PAGES.glob("*/*"))
        if not path.name.endswith(".papers.json")
    ]  # fmt: skip
    found += [
        Page(f"selectors/{path.name}", "selectors", path.read_bytes())
        for path in sorted(SELECTED.glob("*.html"))
    ]
    if shared:
        found += [
            Page(f"shared/{path.relative_to(shared)}", "auto", path.read_bytes())
            for path in sorted(shared.rglob("*"))
            if path.is_file() and path.suffix != ".toml" and path.stat().st_size < MAX_BYTES
        ]
    return tuple(found)


# --- mutations

Mutation = Callable[[bytes, random.Random], bytes]
NOISE = b"<>&\"'\0\xff\xd8\xc3{}[]\\$ \n\r\t/ab;:,=-!?#%0"
MARKS = "\u202e\u202d\u2066\u2067\u2069\u200b\u200e\ufeff\x00\x07\x1b\x7f\x85\u2028\ufffe\U000e0041\u0301"
NASTY = (
    "", " ", "null", "0", "-1", "9" * 400, "1e999", "NaN", "\u0663\u0664", "\u00b2\u2460", "--", "<b>", "</title>", "]]>",
    "<![CDATA[", "<!--", "-->", "&amp;amp;lt;b&gt;", "&#0;", "&#x110000;", "&#55296;", "&bogus;", "&nbsp;", "javascript:alert(1)",
    "data:text/html,x", "http://[::1", "http://a@b/", "https://example.org:99999/", "//example.org", "http://\u202egro.example/",
    "file:///etc/passwd", "10.1000/\u202ex", "arXiv:2611.00001v0", "hep-th/9901001", "2611.99999v99999999999", "$\\emph{",
    "\\\\", "{", "}", "$$$$", "\\\"", "`'", "et al. (99999999999999999999 additional authors not shown)", ", " * 50, " and " * 50,
    "0000-00-00", "2026-02-31T25:61:61Z", "Thu, 99 Foo 99999 99:99:99 +9999", "\u202eabc\u202c", "A" * 3000, MARKS, "\ud800",
    "\U0001f600" * 9, "\u05d0\u05d1", "e\u0301" * 30, "{{ 7*7 }}", "%s%n", "../../etc/passwd", "<script>alert(1)</script>",
)  # fmt: skip
ENCODINGS = (
    "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig", "utf-7", "shift_jis", "euc-jp", "gb18030",
    "big5", "koi8-r", "cp1251", "cp1255", "cp1252", "iso-8859-15", "cp037", "iso2022_jp", "hz",
)  # fmt: skip
DECLARED = (
    *ENCODINGS, "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "hex", "base64", "zlib", "rot13", "bz2",
    "quopri", "uu", "mbcs", "oem", "x-user-defined", "none", "utf-9", "-", "....", "A" * 190, "ascii", "charmap", "palmos",
)  # fmt: skip
_JSON_PROPS = re.compile(rb'data-props="([^"]*)"')


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _at(body: bytes, dice: random.Random) -> int:
    return dice.randrange(len(body) + 1)


def _border(body: bytes, dice: random.Random) -> int:
    """A place where something begins: a tag, an object, a line."""
    at = _at(body, dice)
    found = re.compile(rb"[<{\[\n,]").search(body, at)
    return found.start() if found else at


def _span(body: bytes, dice: random.Random) -> tuple[int, int]:
    ends = (
        (_border(body, dice), _border(body, dice))
        if dice.random() < 0.7
        else (_at(body, dice), _at(body, dice))
    )
    return min(ends), max(ends)


def cut(body: bytes, dice: random.Random) -> bytes:
    return body[: _at(body, dice)]


def beheaded(body: bytes, dice: random.Random) -> bytes:
    return body[_at(body, dice) :]


def flipped(body: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(dice.choice((1, 3, 30, 300)) if damaged else 0):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def noisy(body: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 30)):
        at = _at(body, dice)
        body = body[:at] + bytes(dice.choices(NOISE, k=dice.randint(0, 5))) + body[at + dice.randint(0, 3) :]
    return body


def doubled(body: bytes, dice: random.Random) -> bytes:
    start, end = _span(body, dice)
    times = min(dice.choice((2, 5, 100, 6_000)), 1 + 400_000 // (end - start + 1))
    return body[:start] + body[start:end] * times + body[end:]


def removed(body: bytes, dice: random.Random) -> bytes:
    start, end = _span(body, dice)
    return body[:start] + body[end:]


def swapped(body: bytes, dice: random.Random) -> bytes:
    a, b, c, d = sorted(_border(body, dice) for _ in range(4))
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def unbalanced(body: bytes, dice: random.Random) -> bytes:
    """Some of the closing tags or brackets gone, doubled or of another name."""
    some, share = (
        dice.choice((rb"</[^>]*>", rb"<[a-zA-Z][^>]*>", rb"[\]}]", rb"[\"']", rb"\n")),
        dice.random() * 0.3,
    )

    def other(found: re.Match[bytes]) -> bytes:
        if dice.random() > share:
            return found[0]
        return dice.choice((b"", found[0] * 2, b"</p>", b"<b>", b"</item>", b"{"))

    return re.sub(some, other, body)


def attributed(body: bytes, dice: random.Random) -> bytes:
    """Attributes more than a tag has, of one name or of many."""
    count = dice.choice((1, 20, 900, 3_000))
    more = b"".join(
        b" x%d=%s" % (n * dice.randint(0, 1), dice.choice((b"1", b'"<>"', b"'", b'"&#0;"')))
        for n in range(count)
    )
    spots = [found.end() for found in re.finditer(rb"<[a-zA-Z][\w:-]*", body)] or [0]
    at = dice.choice(spots)
    return body[:at] + more + body[at:]


def referenced(body: bytes, dice: random.Random) -> bytes:
    names = (
        b"&nbsp;",
        b"&amp;amp;lt;",
        b"&#x1F;",
        b"&#55296;",
        b"&bogus;",
        b"&#1114112;",
        b"&#0;",
        b"&",
        b"&#",
        b"&lt;b&gt;",
        b"&e;",
    )
    return re.sub(rb" ", lambda found: dice.choice(names) if dice.random() < 0.1 else found[0], body)


def encoded(body: bytes, dice: random.Random) -> bytes:
    return _text(body).encode(dice.choice(ENCODINGS), "replace")


def declared(body: bytes, dice: random.Random) -> bytes:
    """Says of itself an encoding that it does not have, or that nobody should decode."""
    name = dice.choice(DECLARED).encode()
    if dice.random() < 0.5:
        body = encoded(body, dice)
    said, times = re.subn(
        rb"((?:encoding|charset)\s*=\s*[\"']?)[\w.:-]+", lambda found: found[1] + name, body, count=1
    )
    if times:
        return said
    return dice.choice((b'<?xml version="1.0" encoding="%s"?>' % name, b'<meta charset="%s">' % name)) + body


def packed(body: bytes, dice: random.Random) -> bytes:
    packed_body = gzip.compress(body, mtime=0)
    return dice.choice(
        (packed_body, packed_body[: len(packed_body) // 2], b"\n" + packed_body, body[:300] + packed_body)
    )


def nulled(body: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.2:
        return b"\0".join(body[n : n + 1] for n in range(len(body)))
    for _ in range(dice.randint(1, 40)):
        at = _at(body, dice)
        body = body[:at] + b"\0" * dice.randint(1, 4) + body[at:]
    return body


def marked(body: bytes, dice: random.Random) -> bytes:
    """Control and direction marks, and what only looks like white space, in every third word."""
    return re.sub(rb" ", lambda found: _bytes(dice.choice(MARKS)) if dice.random() < 0.3 else found[0], body)


def numbered(body: bytes, dice: random.Random) -> bytes:
    """Numbers that nobody can count with."""
    odd = (
        b"9" * 30,
        b"9" * 5_000,
        b"-1",
        b"0",
        b"1e999",
        "٣".encode(),
        "²".encode(),
        b"99999999999",
        b"0x1F",
        b"1.5",
        b"NaN",
        b"18446744073709551616",
    )
    share = dice.choice((0.02, 0.3))
    return re.sub(rb"\d+", lambda found: dice.choice(odd) if dice.random() < share else found[0], body)


def opened(body: bytes, dice: random.Random) -> bytes:
    """Something opens that never ends."""
    at = _border(body, dice)
    what = (
        b"<![CDATA[",
        b"<!--",
        b"<!DOCTYPE r [",
        b"<?x ",
        b"<script>",
        b"<textarea>",
        b"<title>",
        b"<svg>",
        b"<template>",
        b'<a href="',
        b'"',
        b"<!ENTITY a ",
    )
    return body[:at] + dice.choice(what) + body[at:]


def nested(body: bytes, dice: random.Random) -> bytes:
    at = _border(body, dice)
    return (
        body[:at]
        + dice.choice((b"<div>", b"<b>", b"[", b'{"a":', b"<item>", b"<p><a>"))
        * dice.choice((10, 300, 3_000))
        + body[at:]
    )


def lined(body: bytes, dice: random.Random) -> bytes:
    end = dice.choice(
        (
            b"\r",
            b"\r\n",
            b"\n\n\n",
            b"",
            b" ",
            "\u2028".encode(),
            "\u0085".encode(),
            b"\v",
            b"\n" + b" " * 3_000,
        )
    )
    return body.replace(b"\n", end)


def lengthened(body: bytes, dice: random.Random) -> bytes:
    words = [found.span() for found in re.finditer(rb"[A-Za-z]{4,}", body)]
    if not words:
        return body
    start, end = dice.choice(words)
    times = min(dice.choice((100, 20_000)), MAX_BYTES // (end - start))
    return body[:end] + body[start:end] * times + body[end:]


def renamed(body: bytes, dice: random.Random) -> bytes:
    """One of its names is another, everywhere: a tag, a class, a key, a label."""
    names = sorted(set(re.findall(rb"[A-Za-z_-]{3,20}", body)))
    return body.replace(dice.choice(names), dice.choice((*names[:50], b"", b"x:y", b"A"))) if names else body


def same_everywhere(body: bytes, dice: random.Random) -> bytes:
    """Items share one id, one address."""
    for pattern in (
        rb"\d{4}\.\d{4,5}",
        rb"10\.\d{4,9}/[\w.-]+",
        rb"https?://[\w./?=&;-]+",
        rb"\"id\":\s*\"[^\"]*\"",
    ):
        found = re.search(pattern, body)
        if found and dice.random() < 0.7:
            body = re.sub(pattern, found[0].replace(b"\\", b""), body)
    return body


def worded(body: bytes, dice: random.Random) -> bytes:
    """What stands between tags, quotes or at the end of a line is something nasty here and there."""
    pattern = dice.choice((rb"(?<=>)[^<>]+(?=<)", rb'(?<=")[^"<>\n]+(?=")', rb"(?<=: )[^\n]+"))
    return re.sub(
        pattern, lambda found: _bytes(dice.choice(NASTY)) if dice.random() < 0.15 else found[0], body
    )


def escaped(body: bytes, dice: random.Random) -> bytes:
    """Lone surrogates and controls as JSON escapes them."""
    marks = (b"\\ud800", b"\\udfff\\ud800", b"\\u0000", b"\\u202e", b"\\u001b", b"\\x", b"\\u12", b"\\/")
    return re.sub(
        rb"(?<=[a-z]) (?=[a-z])", lambda found: dice.choice(marks) if dice.random() < 0.2 else found[0], body
    )


def revalued(body: bytes, dice: random.Random) -> bytes:
    """Values of a JSON page, or of the JSON in a page, are of another type than anybody expects."""
    if found := _JSON_PROPS.search(body):
        inside = revalued(html.unescape(_text(found[1])).encode(), dice)
        return (
            body[: found.start(1)]
            + _bytes(html.escape(inside.decode("utf-8", "surrogatepass")))
            + body[found.end(1) :]
        )
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return worded(body, dice)
    share = dice.choice((0.01, 0.05, 0.3))
    shown = json.dumps(_other(data, dice, share), ensure_ascii=dice.random() < 0.5)
    return _bytes(shown.replace('"@HUGE@"', dice.choice(("9" * 5_000, "-" + "9" * 400, "1e400", "0.1e-999"))))


def _other(value: Any, dice: random.Random, share: float) -> Any:
    if dice.random() < share:
        odd = (
            None,
            True,
            False,
            0,
            -1,
            1.5,
            10**30,
            2**63,
            2**64,
            float("nan"),
            float("inf"),
            "",
            [],
            {},
            [None],
            [[]],
        )
        around = (
            {"": None},
            [value],
            {"value": value},
            {"text": value},
            {"$numberInt": value},
            str(value),
            [value, value],
        )
        return dice.choice((*odd, *around, "@HUGE@", dice.choice(NASTY)))
    if isinstance(value, dict):
        return {
            name: _other(inner, dice, share) for name, inner in value.items() if dice.random() > share / 4
        }
    if isinstance(value, list):
        return [_other(inner, dice, share) for inner in value]
    return value


MUTATIONS: tuple[Mutation, ...] = (
    cut, beheaded, flipped, noisy, doubled, removed, swapped, unbalanced, attributed, referenced, encoded, declared, packed, nulled,
    marked, numbered, opened, nested, lined, lengthened, renamed, same_everywhere, worded, escaped, revalued, revalued,
)  # fmt: skip


def mutated(seed: int, shared: Path | None = None) -> Case:
    """A page with one to three things done to it: read by its looks, or as what it was before."""
    dice = random.Random(f"mutated {seed}")
    page = dice.choice(corpus(shared))
    body, done = page.body, []
    for _ in range(dice.choice((1, 1, 2, 3))):
        mutation = dice.choice(MUTATIONS)
        body = mutation(body, dice)[:MAX_BYTES]
        done.append(mutation.__name__)
    kind = page.kind if page.kind == "selectors" or dice.random() < 0.5 else "auto"
    return Case(f"mutated {seed} ({page.name}: {', '.join(done)})", kind, body)


RUN_BYTES = 300_000
RUNS = (
    *" \t\n\u00a0é\u2011A1,.-(<&\"'{$\\[]|", "\r\n", " \t", " a", "a\n", " ,", ": ", ". ", "; ", "* ", "|x", "<p>", "<a", "</p>",
    "<!", "<?", "</1", "<b", "</b", "<i/", "<!--", "<a/b=", '<a b="', "<a b='", "<b x>", '="', "<![CDATA[", "]]>", "<dt>", "<item>",
    "<li>", "&#", "&a", '"{', '{"a":', "[[", "\\u", "\\a", "\\\\\n", "$x$", "{\\em ", "(a", "[1]", "1. ", "10.", "http://",
    "arXiv:", " and ", " et al", "Author(s):", "Abstract", "TI  - ", "@a{", "O_FIG", " O_LI",
)  # fmt: skip


def repeated(seed: int, shared: Path | None = None) -> Case:
    """A page with one sign or word written 300,000 bytes long somewhere in it, and now and then nothing behind that."""
    dice = random.Random(f"repeated {seed}")
    page, sign = dice.choice(corpus(shared)), dice.choice(RUNS)
    at, run = _at(page.body, dice), _bytes(sign)
    body = page.body[:at] + run * (RUN_BYTES // len(run)) + (page.body[at:] if dice.random() < 0.7 else b"")
    return Case(f"repeated {seed} ({page.name}: {sign!r})", page.kind, body)


def crossed(kinds: list[str], shared: Path | None = None) -> Iterator[Case]:
    """Every page forced on the parser of every kind."""
    for page in corpus(shared):
        for kind in kinds:
            if kind != page.kind:
                yield Case(f"crossed ({page.name} as {kind})", kind, page.body)
