"""Text of papers as HTML: escaped, other scripts in spans of their own, formulas as code. Imported with Jinja only."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import pass_eval_context
from markupsafe import Markup, escape

from digest.text import isolate

if TYPE_CHECKING:
    from jinja2.nodes import EvalContext

# Scripts that one language writes; Han alone is taken for Chinese, since kana would have told Japanese apart.
_LANGUAGES = (
    ("ja", "[\u3040-\u30ff]"),
    ("ko", "[\uac00-\ud7af]"),
    ("zh", "[\u3400-\u9fff\U00020000-\U0003ffff]"),
    ("he", "[\u0590-\u05ff]"),
    ("th", "[\u0e00-\u0e7f]"),
)
# Where the letters of other scripts begin and end: Cyrillic to Tibetan and further, kana, Han, hangul, Arabic forms, the
# right-to-left scripts beyond the first plane, rare Han. A pattern of them would take 20 ms to compile.
_OTHER_SCRIPTS = (
    "\u0400\u2000\u3040\u3100\u3400\ua000\uac00\ud7b0\ufb1d\ufe00\ufe70\ufefd\U00010800\U00011000\U0001e800\U0001f000"
    "\U00020000\U00040000"
)
_PRINTABLE_ASCII = bytes(range(32, 127))


def _is_other(letter: str) -> bool:
    return bisect(_OTHER_SCRIPTS, letter) % 2 == 1


def _others(text: str) -> list[str]:
    """The signs of other scripts in a text. What is ASCII is taken away at once."""
    if text.isascii() or max(text) < _OTHER_SCRIPTS[0]:
        return []
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PRINTABLE_ASCII)
    return list(filter(_is_other, rest.decode("utf-8", "surrogatepass")))


# Mathematics that could not be turned into letters: `$20` is money, since a formula has no space just inside its
# signs and no digit after them.
_FORMULA = re.compile(r"\$(?=[^\s$])[^$\n]*(?<=[^\s$])\$(?!\d)|\\\(.+?\\\)")


@pass_eval_context
def prose(context: EvalContext, text: str) -> str:
    """A text of others, in whichever kind of template."""
    return piece(text) if context.autoescape else text if "\u2068" in text else isolate(text)


@pass_eval_context
def facts(context: EvalContext, items: Iterable[str]) -> str:
    """Those of the texts that say something, in one line."""
    shown = " · ".join([prose(context, item) for item in items if item])
    return Markup(shown) if context.autoescape else shown  # noqa: S704 (its parts are escaped)


def piece(text: str) -> Markup:
    """A text of another script in a span of its own, formulas as code."""
    has_formula = "$" in text or "\\(" in text
    if not has_formula and text.isascii():
        return escape(text)
    escaped = _with_formulas(text) if has_formula else escape(text)
    # Names of authors are isolated one by one.
    if "\u2068" in text or not (others := _others(text)):
        return escaped
    mostly = 2 * sum(map(str.isalpha, others)) > sum(map(str.isalpha, text))
    language = next((tag for tag, script in _LANGUAGES if mostly and re.search(script, text)), "")
    lang = Markup(' lang="{}"').format(language) if language else ""
    return Markup('<span{} dir="auto">{}</span>').format(lang, escaped)


def _with_formulas(text: str) -> Markup:
    parts, end = [], 0
    for match in _FORMULA.finditer(text):
        parts += [escape(text[end : match.start()]), Markup("<code>"), escape(match[0]), Markup("</code>")]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
