"""What templates may say beyond Jinja's own filters (docs/templates.md, "Filters")."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from digest.text import display_width, isolate, truncate
from digest.words import counted, date_words, day_month, day_words, month_words

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
    if text.isascii():
        return []
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PRINTABLE_ASCII)
    return list(filter(_is_other, rest.decode("utf-8", "surrogatepass")))


# Mathematics that could not be turned into letters: `$20` is money, since a formula has no space just inside its
# signs and no digit after them.
_FORMULA = re.compile(r"\$(?=[^\s$])[^$\n]*(?<=[^\s$])\$(?!\d)|\\\(.+?\\\)")


@cache
def filters() -> dict[str, Any]:
    """By the names that templates call them."""
    from jinja2 import pass_eval_context
    from markupsafe import Markup, escape

    def piece(text: str) -> Markup:
        """A text of another script in a span of its own, formulas as code."""
        escaped = escape(text)
        if "$" in text or "\\(" in text:
            parts, end = [], 0
            for match in _FORMULA.finditer(text):
                parts += [
                    escape(text[end : match.start()]),
                    Markup("<code>"),
                    escape(match[0]),
                    Markup("</code>"),
                ]
                end = match.end()
            escaped = Markup("").join([*parts, escape(text[end:])])
        # Names of authors are isolated one by one.
        if "\u2068" in text or not (others := _others(text)):
            return escaped
        mostly = 2 * sum(map(str.isalpha, others)) > sum(map(str.isalpha, text))
        language = next((tag for tag, script in _LANGUAGES if mostly and re.search(script, text)), "")
        lang = Markup(' lang="{}"').format(language) if language else ""
        return Markup('<span{} dir="auto">{}</span>').format(lang, escaped)

    @pass_eval_context
    def prose(context: EvalContext, text: str) -> str:
        return piece(text) if context.autoescape else text if "\u2068" in text else isolate(text)

    @pass_eval_context
    def facts(context: EvalContext, items: Iterable[str]) -> str:
        shown = [prose(context, item) for item in items if item]
        separator: str = Markup(" · ") if context.autoescape else " · "
        return separator.join(shown)

    def fit(names: Sequence[str], width: int) -> str:
        """As many names as fit, at least a part of the first."""
        text = truncate(names[0], width) if names else ""
        for name in names[1:]:
            if len(text) + 2 + len(name) > width:
                break
            text = f"{text}, {name}"
        return text

    def column(text: str, width: int) -> str:
        """A cell of a text table: cut or filled to this many columns."""
        shown = truncate(text, width) if display_width(text) > width else text
        return shown + " " * max(0, width - display_width(shown))

    return {
        "prose": prose,
        "column": column,
        "facts": facts,
        "fit": fit,
        "date_words": date_words,
        "day_words": day_words,
        "day_month": day_month,
        "month_words": month_words,
        "counted": counted,
        "truncated": truncate,
    }
