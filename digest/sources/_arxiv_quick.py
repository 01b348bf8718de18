"""Entries of an arXiv page exactly as arXiv's own templates write them, read without building their tree.

A page is divided: what has the whole form of an entry, every tag and attribute of it, is taken out and read by one regular
expression; in its place a stub goes to the parser with the rest of the page. Where a stub comes back whole and in a list,
an entry would have come back whole there too: a stub begins and ends as an entry does, and opens nothing that it does not
close. All else (another form, a comment, a quoted value around it) is left to the parser, so that nothing is guessed.
"""

from __future__ import annotations

import re
from typing import Any

from digest import identity
from digest.patterns import late
from digest.sources import _arxiv, _stubs

# Nothing is read a second way: every loop is possessive.
_TEXT = "[^<]*+"
# Of no other class: a part of an entry is found by its class, whatever the tag.
_MORE = r'(?>(?: (?:data-arxiv-id|data-doi|rel)="[^"]*+"| class="link-[a-z]++(?>(?: link-[a-z]++)*)")*)'
_RICH = rf'{_TEXT}(?>(?:<a href="[^"<]*+"{_MORE}>{_TEXT}</a>{_TEXT})*)'
_FORM = (
    r"<dt>\s*+<a name='item[0-9]{1,9}+'>\[(?P<number>[0-9]{1,9}+)\]</a>\s*+"
    r'<a href ?+="(?P<href>/abs/(?P<id>[\w.-]++(?>(?:/[0-9]++)?)))" title="Abstract" id="(?P=id)">\s*+arXiv:(?P=id)\s*+</a>'
    r'(?P<mark>[^<\[]*+)\[<a href="/pdf/(?P=id)" title="Download PDF" id="pdf-(?P=id)" aria-labelledby="pdf-(?P=id)">pdf</a>'
    r'(?>(?:, <a href="(?P<html>[^"]*+)" title="View HTML" id="html-(?P=id)" aria-labelledby="html-(?P=id)"'
    r' rel="noopener noreferrer" target="_blank">html</a>)?)'
    r'(?>(?:, <a href="/format/(?P=id)" title="Other formats" id="oth-(?P=id)" aria-labelledby="oth-(?P=id)">other</a>)?)\s*+\]\s*+'
    r"</dt>\s*+<dd>\s*+<div class='meta'>\s*+<div class='list-title mathjax'><span class='descriptor'>Title:</span>"
    rf"(?P<title>{_TEXT})</div>\s*+<div class='list-authors'>"
    rf'(?P<authors>{_TEXT}(?>(?:<a href="[^"]*+"(?>(?: rel="nofollow")?)>(?!<){_TEXT}</a>{_TEXT})+))</div>\s*+'
    rf"(?>(?:<div class='list-comments mathjax'><span class='descriptor'>Comments:</span>(?P<comment>{_RICH})</div>\s*+)?)"
    rf"(?>(?:<div class='list-journal-ref'><span class='descriptor'>Journal-ref:</span>(?P<journal>{_TEXT})</div>\s*+)?)"
    rf"(?>(?:<div class='list-doi'><span class='descriptor'>DOI:</span>(?P<doi>{_RICH})</div>\s*+)?)"
    r"<div class='list-subjects'><span class='descriptor'>Subjects:</span>\s*+"
    rf'<span class="primary-subject">(?P<subjects>{_TEXT}</span>{_TEXT})</div>\s*+'
    rf"(?>(?:<p class='mathjax'>(?P<abstract>{_RICH}(?>(?:<br ?+/?+>{_RICH})*))</p>\s*+)?)</div>\s*+</dd>\s*+"
)
_ENTRY = late(_FORM.encode())
_ODD_REFERENCE, _ODD_BYTES = late(_stubs.ODD_REFERENCE), late(_stubs.ODD_REFERENCE.encode())
# In what is known to be an entry:
_LINK = late('<a href="([^"]*)"(?: [a-z-]+="[^"]*")*>([^<]*)</a>')
_NAME = late('<a href="[^"]*+"[^>]*+>([^<]*+)</a>')
_BREAK = late("<br[^>]*>")

MARK = "entries-as-arxiv-writes-them"
# The space before the link is where a link left open further up would show.
_STUB_DT, _STUB_DD = f'<dt class="{MARK}"> <a>x</a> x</dt>', "<dd> <div> <p>x</p> </div> </dd>"
_STUB, _MARK = (_STUB_DT + _STUB_DD).encode(), MARK.encode()

Entries = list[_arxiv.Shown]


def divided(page: bytes) -> tuple[bytes, list[Entries]]:
    """`page` with a stub for each unbroken row of entries, and the rows; the page itself where it has none.

    Raises UnicodeDecodeError for an entry that is not UTF-8: what is none of its parts is ASCII.
    """
    if b"\0" in page or b"\r" in page:  # which a parser changes
        return page, []
    pieces: list[bytes] = []
    rows: list[Entries] = []
    end = -1
    for found in _ENTRY.finditer(page):
        if (shown := _shown(page, found)) is None:
            continue
        if found.start() != end:
            pieces += (page[max(end, 0) : found.start()], _STUB)
            rows.append([])
        rows[-1].append(shown)
        end = found.end()
    rest = b"".join([*pieces, page[end:]])
    # Where the page has the mark itself, a stub that was lost might not be missed.
    return (rest, rows) if rows and rest.count(_MARK) == len(rows) else (page, [])


def hold(tree: Any, rows: list[Entries]) -> bool:
    """Did all stubs come out of the parser as they went in, each in a list that stands where lists stand?"""
    stubs = tree.css(f".{MARK}")
    return len(stubs) == len(rows) and all(
        stub.html == _STUB_DT
        and stub.next is not None
        and stub.next.html == _STUB_DD
        and stub.parent.tag == "dl"
        and _stubs.is_in_plain_boxes(stub)
        for stub in stubs
    )


def _shown(page: bytes, found: re.Match[bytes]) -> _arxiv.Shown | None:
    """The texts of an entry, as the parser would give them; None where it takes the parser to tell what a reference means."""
    number, href, _, mark, address, title, authors, comment, journal, doi, subjects, abstract = map(
        bytes.decode, found.groups(b"")
    )
    names = _NAME.split(authors)  # and what stands between them
    words = "".join(names)
    # The addresses of authors are full of references, and nobody reads them.
    start, end = found.span("authors")
    if _is_odd(page, found.start(), start) or _is_odd(page, end, found.end()):
        return None
    if "&" in words:
        if _ODD_REFERENCE.search("<".join(names)):
            return None
        words, names = _stubs.unescaped(words), [_stubs.unescaped(name) for name in names]
    return _arxiv.Shown(
        id=identity.arxiv_id(href),
        html=_stubs.unescaped(address) if "/html/" in address else "",
        number=int(number),
        mark=mark,
        title=_stubs.unescaped(title),
        authors=names[1::2],
        authors_text=" ".join(words.split()),
        comment=_rich(comment),
        journal=_stubs.unescaped(journal),
        doi="DOI:" + _stubs.unescaped(_LINK.sub(r"\2", doi)) if doi else "",
        subjects=_stubs.unescaped(subjects.replace("</span>", "")),
        abstract=_rich(abstract),
    )


def _is_odd(page: bytes, start: int, end: int) -> bool:
    """Does an odd reference stand there? Most have none at all, which is found out sooner."""
    return page.find(b"&", start, end) >= 0 and _ODD_BYTES.search(page, start, end) is not None


def _rich(text: str) -> str:
    """Line breaks as spaces, and addresses where arXiv shows "this https URL". Without the space around, lest it be kept twice."""
    if "<" in text:
        text = _LINK.sub(_address, text)
        if "<" in text:
            text = _BREAK.sub(" ", text)
    return _stubs.unescaped(text).strip()


def _address(found: re.Match[str]) -> str:
    return found[1] if _stubs.unescaped(found[2]).strip().startswith("this http") else found[2]
