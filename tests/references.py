"""Small readers of BibTeX and RIS, after the specifications and not after our writer, so that tests compare what comes back."""

from __future__ import annotations

import re
from typing import NamedTuple

_MACROS = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
_SIGNS = {
    "textbackslash": "\\",
    "textbraceleft": "{",
    "textbraceright": "}",
    "textasciitilde": "~",
    "textasciicircum": "^",
}


class Entry(NamedTuple):
    kind: str
    key: str
    fields: dict[str, str]


def read_bibtex(text: str) -> list[Entry]:
    """The entries of a .bib file, values as TeX source. Braces count as in BibTeX: a backslash before one changes nothing."""
    entries, at = [], 0
    while head := re.compile(r"\s*@([a-z]+)\{([^\s,{}\"#%'()=~\\]+),").match(text, at):
        fields, at = {}, head.end()
        while name := re.compile(r"\s*([A-Za-z]+)\s*=\s*").match(text, at):
            start = at = name.end()
            if text[at] == "{":
                depth = 0
                while True:
                    depth += {"{": 1, "}": -1}.get(text[at], 0)
                    at += 1
                    if depth == 0:
                        break
                value = text[start + 1 : at - 1]
            else:
                macro = re.compile("[a-z]+").match(text, at)
                assert macro, text[at : at + 40]
                assert macro[0] in _MACROS
                value, at = macro[0], macro.end()
            assert name[1].lower() not in fields
            fields[name[1].lower()] = value
            assert text[at] == ",", text[at : at + 40]
            at += 1
        end = re.compile(r"\s*\}").match(text, at)
        assert end, text[at : at + 40]
        entries.append(Entry(head[1], head[2], fields))
        at = end.end()
    assert not text[at:].strip(), text[at : at + 40]
    return entries


def of_tex(source: str) -> str:
    """What TeX prints of a value: only the signs of our writer are known, anything else is an error."""
    printed, at = [], 0
    while at < len(source):
        sign = source[at]
        if sign == "\\":
            command = re.compile(r"\\([a-z]+)\{\}|\\([&%$#_])").match(source, at)
            assert command, source[at : at + 40]
            printed.append(_SIGNS[command[1]] if command[1] else command[2])
            at = command.end()
            continue
        assert sign not in "&%$#_^~", source[at : at + 40]
        printed.append("" if sign in "{}" else sign)
        at += 1
    return "".join(printed)


def names_of(source: str) -> list[str]:
    """The names of an author field: apart at "and" outside braces."""
    names, depth, start = [], 0, 0
    for at, sign in enumerate(source):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0 and re.compile(r" and ", re.I).match(source, at):
            names.append(source[start:at])
            start = at + 5
    return [*names, source[start:]] if source else []


def read_ris(text: str) -> list[list[tuple[str, str]]]:
    """The records of a .ris file as tags and values."""
    assert "\n" not in text.replace("\r\n", "")
    records: list[list[tuple[str, str]]] = []
    for line in filter(None, text.split("\r\n")):
        found = re.fullmatch(r"([A-Z][A-Z0-9])  - (.*)", line)
        assert found, line
        if found[1] == "TY":
            records.append([])
        records[-1].append((found[1], found[2]))
    assert all(record[-1] == ("ER", "") for record in records)
    return records
