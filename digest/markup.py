"""Tags of HTML, JATS and MathML in titles and abstracts: what is one and goes, and what merely looks like one and stays.

Everything here is pure, never raises on any string, and costs next to nothing on text without a `<`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from digest import tex
from digest.patterns import late

_BLOCKS = (
    "address article aside blockquote body br center dd div dl dt figure figcaption footer h1 h2 h3 h4 h5 h6 head header hr html"
    " li main nav ol p pre section table tbody td tfoot th thead title tr ul mspace"
)
_INLINES = (
    "a abbr acronym audio b bdi bdo big button canvas cite code data del dfn em embed font form i iframe img input ins kbd"
    " label link map mark math meta noscript object option param picture q s samp script select small source span strike"
    " strong style sub sup svg textarea time tt u var video wbr mi mn mo mrow msub msup msubsup mfrac msqrt mtext mstyle"
    " mover munder munderover mmultiscripts mprescripts mroot mpadded mphantom mfenced menclose semantics annotation"
    " annotation-xml inline-formula inline-graphic tex-math italic bold sc scp"
)
# Words that a text may name between such brackets too: they are tags where one of them is closed.
_CLOSED_BLOCKS = "sec st list list-item disp-formula mtable mtr mtd"
_CLOSED_INLINES = (
    "emphasis xref ext-link uri named-content styled-content monospace roman sans-serif overline underline"
)
_BLOCK_NAMES = frozenset([*_BLOCKS.split(" "), *_CLOSED_BLOCKS.split(" ")])
_TAG_NAMES = frozenset([*_BLOCKS.split(" "), *_INLINES.split(" ")])
_CLOSED_NAMES = frozenset([*_CLOSED_BLOCKS.split(" "), *_CLOSED_INLINES.split(" ")])
_TAG = late(
    r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9:_-]*+)"
    r"(?P<attributes>(?>(?>\s*[A-Za-z_:@][\w:.@-]*\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))*))(?:\s+[a-z]+)?\s*/?>"
)
_DECLARATION = late(r"<!doctype[^<>]*>|<!\[CDATA\[|\]\]>|<\?xml[^<>]*\?>", re.I)
# IOP writes formulas as instructions: `<?CDATA $x^2$?>`
_INSTRUCTED = late(r"<\?CDATA\s([^<>]{0,5000}?)\?>")
# A formula in TeX, and beside it the same in MathML
_BESIDE = late(r"</(?:\w{1,20}:)?tex-math>\s*(?=<(?:\w{1,20}:)?math\b)", re.I)
_MATH_END = late(r"</(?:\w{1,20}:)?math>", re.I)
# The second of two parts of MathML is the raised or lowered one.
_SECOND = late(
    r"<(?P<p>(?:\w{1,20}:)?)(?:mi|mn|mo|mtext)\b[^<>]*>\s*([^<>\s]{1,12})\s*</(?P=p)(?:mi|mn|mo|mtext)>\s*</(?P=p)(msu[bp])>"
)
_ROW = late(
    r"<(?P<p>(?:\w{1,20}:)?)mrow\b[^<>]*>((?:\s*<(?P=p)(?:mi|mn|mo|mtext)\b[^<>]*>[^<>]{1,12}</(?P=p)(?:mi|mn|mo|mtext)>){1,6})"
    r"\s*</(?P=p)mrow>\s*</(?P=p)(msu[bp])>"
)
# A fraction of two such parts; without a line between them they are no fraction.
_SIGN = r"<(?P=p)(?:mi|mn|mo|mtext)\b[^<>]*>\s*[^<>\s]{1,12}\s*</(?P=p)(?:mi|mn|mo|mtext)>"
_PART = rf"({_SIGN}|<(?P=p)mrow\b[^<>]*>(?:\s*{_SIGN}){{1,6}}\s*</(?P=p)mrow>)"
_FRACTION = late(
    rf"<(?P<p>(?:\w{{1,20}}:)?)mfrac\b(?![^<>]*linethickness)[^<>]*>\s*{_PART}\s*{_PART}\s*</(?P=p)mfrac>"
)
_LEAF = late(r"<[^<>]*>|\s")
_SCRIPT = late(r"<(script|style|svg)\b", re.I)
_CLOSING = late(r"</([A-Za-z][\w:-]*)")
# `<sup>2</sup>`, Crossref's `<jats:sup>2</jats:sup>`, with what an XML document declares: `<sup xmlns="…">`; in italics too.
_RAISED = late(
    r"<(?P<name>(?:\w{1,20}:)?(?P<sign>su[bp]))(?:\s[^<>]*+)?>\s*+"
    r"(?:<(?P<face>(?:\w{1,20}:)?(?:i|em|b|italic|bold))>\s*+)?"
    r"(?P<text>[^<>]{1,12}?)\s*+(?(face)</(?P=face)>\s*+)</(?P=name)>",
    re.I,
)


def strip_tags(text: str) -> str:
    """`text` without HTML, JATS and MathML tags. A `<` that opens no such tag is a sign and stays: `a<b and c>d`."""
    if "<!" in text or "<?" in text or "]]>" in text:
        if "<?CDATA" in text:
            text = _INSTRUCTED.sub(r"\1", text)
        text = _DECLARATION.sub(" ", _without(text, re.compile("<!--"), lambda _: "-->"))
    if "</" in text:
        if "tex-math>" in text:
            text = _told_once(text)
        text = _without(text, _SCRIPT, lambda found: f"</{found[1]}>")
        text = _RAISED.sub(_raised, text)
        if "msu" in text:
            text = _SECOND.sub(_second, _ROW.sub(_second, text))
        if "mfrac" in text:
            text = _FRACTION.sub(lambda found: f"{_in_brackets(found[2])}/{_in_brackets(found[3])}", text)
    closed = {name.lower() for name in _CLOSING.findall(text)}

    def shown(found: re.Match[str]) -> str:
        name = found["name"].lower()
        prefix, _, bare = name.rpartition(":")
        is_tag = (
            bare in _TAG_NAMES or prefix in ("jats", "mml", "m") or (bare in _CLOSED_NAMES and name in closed)
        )
        if not is_tag and not (bare == "none" and found[0].endswith("/>")):
            return found[0]
        # `x <b> y`: one letter without its closing tag is rather a variable.
        is_letter = len(bare) == 1 and bare != "p"
        if is_letter and not found["end"] and not found["attributes"] and name not in closed:
            return found[0]
        return " " if bare in _BLOCK_NAMES else ""

    return _TAG.sub(shown, text)


def without_attributes(text: str) -> str:
    """`text` with the attributes of tags left out that have character references in them."""
    return _TAG.sub(
        lambda found: f"<{found['end']}{found['name']} of=it>" if "&" in found["attributes"] else found[0],
        text,
    )


def _without(text: str, opening: re.Pattern[str], closing: Callable[[re.Match[str]], str]) -> str:
    """`text` without what stands between each opening and its closing mark."""
    kept: list[str] = []
    lower, at = text.lower(), 0
    while found := opening.search(lower, at):
        end = lower.find(mark := closing(found), found.end())
        if end < 0:
            break
        kept.append(text[at : found.start()])
        at = end + len(mark)
    return " ".join([*kept, text[at:]])


def _told_once(text: str) -> str:
    """`text` without the MathML of formulas that stand before it in TeX."""
    kept: list[str] = []
    at = 0
    while (found := _BESIDE.search(text, at)) and (end := _MATH_END.search(text, found.end())):
        kept.append(text[at : found.end()])
        at = end.end()
    return "".join([*kept, text[at:]])


def _raised(found: re.Match[str]) -> str:
    sign = "^" if found["sign"].lower() == "sup" else "_"
    return tex.script(sign, found["text"]) or found["text"]


def _in_brackets(part: str) -> str:
    """The signs of a part of MathML, in brackets where they are several."""
    signs = _LEAF.sub("", part)
    return f"({signs})" if part.count("</") > 2 else signs


def _second(found: re.Match[str]) -> str:
    """The raised or lowered part of a formula in MathML in the signs for it, where each of its characters has one."""
    sign = "^" if found[3] == "msup" else "_"
    shown = tex.script(sign, _LEAF.sub("", found[2]).replace("−", "-"))
    return f"{shown}</{found['p']}{found[3]}>" if shown else found[0]
