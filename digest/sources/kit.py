"""What a kind by a third party may lean on, and stays: the finishing of papers, the text of a page, guards, dates, names.

`Raw` takes the strings as a page has them; `finish(raws, notes)` cleans, links and keys them into papers, each once.
"""

from __future__ import annotations

from digest.errors import ListingChanged, ParseError
from digest.model import Listing, Paper, Reading
from digest.sources._bytes import guard_html, unicode_text
from digest.sources._dates import rfc3339
from digest.sources._names import split as split_names
from digest.sources._paper import Raw, finish

__all__ = [
    "Listing",
    "ListingChanged",
    "Paper",
    "ParseError",
    "Raw",
    "Reading",
    "finish",
    "guard_html",
    "rfc3339",
    "split_names",
    "unicode_text",
]
