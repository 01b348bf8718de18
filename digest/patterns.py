"""Regular expressions that are compiled when they are first used: a run loads three hundred and uses a third of them."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def late(pattern: AnyStr, flags: int | re.RegexFlag = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, but a mistake in the pattern is raised when it is first used; a test uses them all."""
    return cast("re.Pattern[AnyStr]", _Late(pattern, flags))


class _Late:
    """Takes over each method of its pattern when that is first asked for, so that later calls go straight to it."""

    def __init__(self, *made_of: Any) -> None:
        self._made_of = made_of

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copying and the like
            raise AttributeError(name)
        found = getattr(re.compile(*self._made_of), name)
        setattr(self, name, found)
        return found
