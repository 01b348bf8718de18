"""What templates may say beyond Jinja's own filters (docs/templates.md, "Filters")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from digest.text import display_width, truncate
from digest.words import counted, date_words, day_month, day_words, month_words


def filters() -> dict[str, Any]:
    """By the names that templates call them."""
    from digest.render.marked import facts, prose

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
