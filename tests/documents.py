"""The project's own documents, cut into what can be compared with the code: sections, code blocks, tables, links."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("feeds/*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of the same or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(
        rf"^{re.escape(heading)}$\n(.*?)(?=^#{{1,{level}}} |\Z)", blanked(text), re.MULTILINE | re.DOTALL
    )
    assert found, f"no heading {heading!r}"
    return text[found.start(1) : found.end(1)]


def blanked(text: str) -> str:
    """The text with the lines of its code blocks emptied in place, so that a # in them is no heading."""
    return re.sub(
        r"^```.*?^```$", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.MULTILINE | re.DOTALL
    )


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language; "" is a block without one."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for name, body in fences if name == language]


def rows(text: str) -> list[list[str]]:
    """The cells of the table rows in a text, without headings and rulers."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    cells = [[c.replace("\\|", "|").strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row[0].startswith("`") or row[0].isdigit()]


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    heads = re.findall(r"(?m)^#+ (.+)$", blanked(file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


@cache
def links_of(file: Path) -> list[str]:
    text = blanked(file.read_text(encoding="utf-8"))
    return [
        link
        for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
        for link in link
        if link
    ]
