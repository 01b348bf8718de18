"""For a CSS selector that finds nothing: the nearest thing that is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from digest.patterns import late
from digest.sources._elements import attribute_of

if TYPE_CHECKING:
    from bs4 import Tag

_ASIDE = late(r"\[[^\]]*\]|\"[^\"]*\"|'[^']*'|::?[\w-]+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?")
_NAME = late(r"([.#]?)([A-Za-z_][\w-]*)")


def tags_of(within: Sequence[Tag]) -> Iterator[Tag]:
    from bs4 import Tag

    return (tag for root in within for tag in root.descendants if isinstance(tag, Tag))


def _names_in(tag: Tag) -> Iterator[str]:
    yield tag.name
    yield from (f".{name}" for name in islice(filter(None, tag.get_attribute_list("class")), 50))
    if name := attribute_of(tag, "id"):
        yield f"#{name}"


def nearest(css: str, within: Sequence[Tag]) -> str:
    """What is there in place of what a selector asks for: names that resemble its own, where it breaks, or what is frequent."""
    present: Counter[str] = Counter(name for tag in tags_of(within) for name in set(_names_in(tag)))
    wanted = [mark + name for mark, name in _NAME.findall(_ASIDE.sub(" ", css))]
    place = "there" if len(within) > 1 else "on the page"
    missing = [name for name in wanted if name not in present]
    for name in missing:
        if close := _resembling(name, present):
            return f'"{name}" is not {place}; nearest: {_counted(close, present)}.'
    # `div.paper` where the class is that of an article: name the article.
    known = {name for name in wanted if name in present and name[0] == "."}
    frequent = _frequent(within, known) or _frequent(within, set())
    if missing:
        return f'"{missing[0]}" is not {place}.' + (f" What is: {frequent}." if frequent else "")
    return _where_it_breaks(css, within) or (f"What is {place}: {frequent}." if frequent else "")


def _resembling(name: str, present: Counter[str]) -> list[str]:
    """Up to two names of the page that resemble one: of the same sort, or the same name of another sort (`paper`, `.paper`)."""
    bare, mark = name.lstrip(".#"), name[0] if name[0] in ".#" else ""
    if not mark and re.fullmatch("h[1-6]", name):
        return sorted(n for n in present if re.fullmatch("h[1-6]", n))[:2]
    same_sort = [n for n in present if (n[0] if n[0] in ".#" else "") == mark]
    if close := get_close_matches(name, same_sort, n=2, cutoff=0.6 if mark else 0.75):
        return close
    holding = [n for n, _ in present.most_common() if mark and len(bare) > 3 and bare in n]
    return [n for n in present if n.lstrip(".#") == bare] or holding[:2]


def _counted(names: Sequence[str], present: Counter[str]) -> str:
    return ", ".join(f'"{name}" ({present[name]})' for name in names)


def _frequent(within: Sequence[Tag], classes: set[str]) -> str:
    """The commonest elements with a class (or with one of these classes), as selectors."""
    counts: Counter[str] = Counter()
    for tag in tags_of(within):
        for name in islice(filter(None, tag.get_attribute_list("class")), 1):
            if not classes or f".{name}" in classes:
                counts[f"{tag.name}.{name}"] += 1
    return _counted([name for name, _ in counts.most_common(3)], counts)


def _where_it_breaks(css: str, within: Sequence[Tag]) -> str:
    """`"div.list" finds 1, but "div.list article" nothing`: every name is there, only not in this place."""
    if "," in css or "[" in css or "(" in css:
        return ""
    import soupsieve

    steps = css.split()
    count = 0
    for end in range(1, len(steps)):
        if steps[end - 1] in (">", "+", "~"):
            continue
        before, count = count, sum(len(soupsieve.select(" ".join(steps[:end]), root)) for root in within)
        if not count:
            return (
                f'Already "{" ".join(steps[:end])}" finds nothing, after {before} for what stands before it.'
            )
    return (
        f'"{" ".join(steps[:-1]).rstrip(" >+~")}" finds {count}, and none of them has what follows.'
        if count
        else ""
    )
