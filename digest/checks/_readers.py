"""What is wrong with the keys that decide what readers see: theme, followed authors, saved searches, kinds of pages."""

from __future__ import annotations

import re
from difflib import get_close_matches

from digest.checks._forms import form_problems, label_problems
from digest.config import PAGES, RULE_FIELDS, DigestConfig, SiteConfig, has_word, nearest


def theme_problems(site: SiteConfig) -> list[str]:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", site.theme):
        return []
    return [f'[site]: "theme" is {site.theme!r}. Write the name of a folder of themes, theme = "plain".']


def rule_problems(digest: DigestConfig, sources: list[str]) -> list[str]:
    """Of `include`, `exclude` and the words of topics: rules that fit every paper, fields that are none but resemble one, and
    names that are no source, which leave out everything or nothing."""
    rules = {'"include"': digest.include, '"exclude"': digest.exclude}
    rules |= {f'topic "{topic.name}": "any"': topic.any for topic in digest.topics}
    found = []
    for where, written in rules.items():
        for rule in written:
            field, colon, value = rule.partition(":")
            field = field.strip().casefold()
            if not has_word(rule):
                found.append(
                    f"{where} has {rule!r}, which has no word in it and would fit every paper. Write a word, or take it out."
                )
            elif (
                colon
                and value[:1].strip()
                and field not in RULE_FIELDS
                and get_close_matches(field, RULE_FIELDS)
            ):
                found.append(
                    f'{where} has {rule!r}: there is no field "{field}". {nearest(field, list(RULE_FIELDS))}'
                )
            elif field == "source" and value.strip().casefold() not in [name.casefold() for name in sources]:
                found.append(
                    f"{where} has {rule!r}, which is no [[source]]. {nearest(value.strip(), sources) if sources else ''}".rstrip()
                )
    return found


def view_problems(digest: DigestConfig) -> list[str]:
    """Of `authors`, `searches` and `pages`; what a query says, searching.py judges."""
    found = [
        f'"pages" has "{name}", of which there are no pages. {nearest(name, list(PAGES))}'
        for name in digest.pages
        if name not in PAGES
    ]
    if "authors" in digest.pages and "papers" not in digest.pages:
        found.append(
            '"pages" has "authors" without "papers", whose pages lead to theirs. Add "papers", or take "authors" out.'
        )
    found += [
        f'"authors" has {name!r}, which is no name. Write it as the papers do, "Ada Fenwick".'
        for name in digest.authors
        if not re.search(r"\w", name)
    ]
    found += label_problems("searches", digest.searches, "Give each its own name.")
    for search in digest.searches:
        if not re.search(r"\w", search.name):
            found.append('a search has an empty "name". Write the heading of its page.')
        found += form_problems("search", search)
    return found
