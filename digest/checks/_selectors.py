"""What a selector of kind "selectors" may be: parts, names, and where each may look."""

from __future__ import annotations

import re

from msgspec import Struct

from digest.config import SourceConfig, nearest

# What each selector of a page finds; all but empty and next inside an item. The first two are needed.
SELECTORS = (
    "item", "title", "link", "abstract", "authors", "date", "pdf", "doi", "categories", "empty", "next",
)  # fmt: skip


class Selector(Struct, frozen=True):
    """A selector of the configuration in its parts: `~ css@attribute`. `follows`: it looks behind the item, not inside.
    `css` is empty where the element itself is meant."""

    text: str
    css: str
    attribute: str = ""
    follows: bool = False


def selector_of(text: str) -> Selector:
    """The parts of a selector as it is written in the configuration."""
    found = re.fullmatch(r"\s*(~?)\s*(.*?)\s*(?:@([A-Za-z_:][\w:.-]*))?\s*", text, re.S)
    css = found[2] if found else text
    follows = bool(found and found[1])
    return Selector(text, "" if css == ":scope" else css, (found and found[3]) or "", follows)


def css_problem(css: str) -> str:
    """What is wrong with a CSS selector, and what to do; "" where it can be used, or means the element itself."""
    if not css:
        return ""
    import warnings

    import soupsieve  # what BeautifulSoup selects with

    try:
        with warnings.catch_warnings():  # the old name of a pseudo-class still does its work
            warnings.simplefilter("ignore")
            soupsieve.compile(css)
    except (soupsieve.SelectorSyntaxError, ValueError, NotImplementedError, RecursionError) as error:
        what = str(error).partition("\n")[0].rstrip(".:")
        return f"no CSS selector: {what}. Try it in the console of a browser, document.querySelectorAll."
    return ""


def selector_problems(source: SourceConfig) -> list[str]:
    """What is wrong with the selectors of a source, each with its mend; those of another kind have none."""
    if source.kind != "selectors":
        if not source.selectors:
            return []
        return [
            f'"selectors" are read with kind = "selectors", and this is "{source.kind}". Set the kind, or take them out.'
        ]
    found = []
    for name in ("item", "title"):
        if not source.selectors.get(name, "").strip():
            example = {"item": "article.paper", "title": "h2 a"}[name]
            found.append(
                f'kind "selectors" needs "{name}". Write selectors = {{ …, {name} = "{example}" }} '
                "with the CSS selector that finds it."
            )
    for name, text in source.selectors.items():
        if name not in SELECTORS:
            found.append(f'"selectors" has an unknown name "{name}". {nearest(name, list(SELECTORS))}')
        elif not (selector := selector_of(text)).css and not selector.attribute and text.strip() != ":scope":
            if name not in ("item", "title"):
                found.append(f'selector "{name}" is empty. Write a CSS selector, or leave "{name}" out.')
        elif problem := css_problem(selector.css) or _place_problem(name, selector):
            found.append(f'selector "{name}" = {text!r}: {problem}')
    return found


def _place_problem(name: str, selector: Selector) -> str:
    """An item and what looks at the whole page cannot look behind an item, nor be the element itself."""
    if name not in ("item", "empty", "next"):
        return ""
    if selector.follows or not selector.css:
        return "it looks at the whole page, so it can neither begin with ~ nor be without a CSS selector. Write one."
    if name == "item" and selector.attribute:
        return f"an item is an element, no attribute. Take @{selector.attribute} away."
    return ""
