"""Proceedings of Science (pos.sissa.it): the page of a conference, its contributions in sessions, with or without files."""

from __future__ import annotations

import re
from typing import Any

from digest import identity
from digest.errors import ListingChanged
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _names
from digest.sources._bytes import guard_html, guard_nesting, is_saved_whole, refused, unicode_text
from digest.sources._item import join
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural

MAX_LINKS = 100  # of one contribution
SITE = "https://pos.sissa.it/cgi-bin/reader/"
_CODE = late(r"PoS\s*\(([^()]+)\)\s*(\w+)")
_END = late(r"</html\s*>\s*(?:<!--(?:(?!-->).)*-->\s*)*$", re.I | re.S)
_ROWS = ("</tr>", "</li>", "</article>", "</div>")


def read(listing: Listing) -> Reading:
    """Contributions in page order, forewords and obituaries among them; the session is the category.

    Relative links, also those with blanks, become addresses: by the page's own address, else by that of Proceedings of
    Science. Raises ListingChanged for a page without contributions, since none says that it is empty.
    """
    guard_html(listing.body, listing.location)
    text, notes = unicode_text(listing), list[str]()
    if not _END.search(text[-4000:]) and not is_saved_whole(listing.body):
        text = _whole_rows(text, listing, notes)
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text.encode("utf-8", "replace"))
    base = _base(tree, listing)
    raws: list[Raw] = []
    session, shared = "", set[int]()
    titles = tree.css(".contrib_title, tr.title, .session_title")
    guard_nesting(titles, listing.location)
    for element in titles:
        if "contrib_title" not in (element.attributes.get("class") or "").split():
            session = _text(element)
        elif len(raws) <= MAX_ENTRIES:
            raws.append(_raw(element, _row(element, shared), session, base))
    papers = finish(raws, notes, trusted_ids=False)
    if not papers:
        raise refused(
            listing,
            "a page of Proceedings of Science without contributions",
            "Is it the contents of a conference?",
            kind=ListingChanged,
        )
    return Reading(kind="proceedings", papers=papers, listed_on=listing.listed_on, notes=tuple(notes))


def _whole_rows(text: str, listing: Listing, notes: list[str]) -> str:
    end = next(
        (at + len(row) for row in _ROWS if (at := text.lower().rfind(row)) > text.find("contrib_title") > 0),
        0,
    )
    if not end:
        raise refused(listing, "the page breaks off before its first whole contribution", "Fetch it again.")
    count = text[:end].count("contrib_title")
    notes.append(
        f"truncated: the page breaks off; {plural(count, 'whole contribution was', 'whole contributions were')} read"
    )
    return text[:end]


def _base(tree: Any, listing: Listing) -> str:
    """What relative links are resolved against: the address it came from, or the one that the page gives itself."""
    if listing.base_url:
        return listing.base_url
    for selector in ("base[href]", "link[rel='canonical'][href]"):
        found = tree.css_first(selector)
        if found is not None and (found.attributes["href"] or "").startswith(("http://", "https://")):
            return str(found.attributes["href"])
    return SITE


def _row(title: Any, shared: set[int]) -> Any:
    """The nearest element around a title that holds more of the contribution, and no second one.

    `shared` remembers the elements that hold several, so that a page without rows is not searched again for each title.
    """
    row = title
    while (parent := row.parent) is not None and parent.tag != "body" and parent.mem_id not in shared:
        if len(parent.css(".contrib_title")) > 1:
            shared.add(parent.mem_id)
            break
        row = parent
        if row.tag in ("tr", "li", "article") or all(
            map(row.css_first, (".contrib_authors", ".contrib_code"))
        ):
            break
    return row


def _raw(title: Any, row: Any, session: str, base: str) -> Raw:
    names = _text(row.css_first(".contrib_authors"))
    told = _names.without_et_al(names)
    code = _code(_text(row.css_first(".contrib_code")))
    links = [(_address(link, base), _text(link)) for link in row.css("a[href]")[:MAX_LINKS]]
    pages = [url for url, _ in links if re.search(r"contribution\.cgi\?|/\d+/\d+/?$", url)]
    return Raw(
        title=_text(title),
        abstract=_text(row.css_first(".contrib_abstract")),
        ids={
            "pos": code,
            "doi": next((doi for url, _ in links if "doi.org/" in url and (doi := identity.doi(url))), ""),
        },
        authors=_names.split(told),
        authors_raw=names or None,
        authors_cut=told != names,
        authors_joined=bool(names),
        categories=[session],
        links={
            "abstract": next(iter(pages), "") or _address(row.css_first(".contrib_code a[href]"), base),
            "pdf": next(
                (url for url, words in links if url.lower().endswith(".pdf") or words.casefold() == "pdf"), ""
            ),
        },
    )


def _code(text: str) -> str:
    found = _CODE.search(text)
    return f"PoS({' '.join(found[1].split())}){found[2]}" if found else ""


def _text(element: Any) -> str:
    return "" if element is None else " ".join(element.text().split())


def _address(link: Any, base: str) -> str:
    """An absolute address; blanks are escaped, as browsers do."""
    href = "" if link is None else (link.attributes.get("href") or "").strip()
    return join(base, re.sub(r"\s", "%20", href)) if href else ""
