"""What tells the titles in a text dump of Hugging Face's cards apart: links to the papers, headings, addresses on lines of their
own, and the date that ends a card. Titles so found are put on lines of their own, behind marks."""

from __future__ import annotations

import re
from collections.abc import Callable

from digest.patterns import late
from digest.sources._plain import goes_on, in_words, without_images, without_links

MARK = "\ue000"  # before the id of the paper, where that is known, and behind it
_MAX_WORDS = 500  # letters of a title that is a link
_PAPER = late(r"(?:https?://(?:www\.)?huggingface\.co)?/papers/(\d{4}\.\d{4,5})")
_SITE = late(r"https?://(?:www\.)?huggingface\.co(?:/\S*)?")
# Links of a card that say nothing of the paper: votes and comments.
_COUNTS = late(r"(?:https?://(?:www\.)?huggingface\.co)?/(?:login\b.*|papers/\d{4}\.\d{4,5}#.*)", re.S)
_HEADING = late(r" {0,3}###[ \t]{1,9}(?=[^\s\[])")
_WIDTH = 76  # at which programs break headings, as they do lines


def with_titles_marked(text: str, is_title: Callable[[str], bool]) -> str:
    """The text without its links and without the marks of its headings, each title on a line `MARK id MARK title`."""
    text = without_links(text, _Links(is_title))
    if MARK not in text:
        text = _of_addresses(text, is_title)
    return text if MARK in text else _of_headings(text)


def _marked(arxiv: str, title: str) -> str:
    return f"\n\n{MARK}{arxiv}{MARK}{' '.join(title.split())}\n\n"


class _Links:
    """What stands in place of a link: the first to a paper is its title, in cards the same words again; another holds the
    abstract, or names that are none."""

    def __init__(self, is_title: Callable[[str], bool]) -> None:
        self.is_title = is_title
        self.titles: dict[str, str] = {}

    def __call__(self, words: str, address: str) -> str:
        if _COUNTS.fullmatch(address):
            return " " if any(map(str.isdigit, words)) or not words.strip("- \n") else words
        paper = _PAPER.fullmatch(address)
        words = " ".join(words.split()) if paper else words
        if not paper or not self.is_title(words):
            return in_words(words, address)
        if len(words) > _MAX_WORDS or self.titles.setdefault(paper[1], words) != words:
            return f"\n\n{words}\n\n"
        return _marked(paper[1], words)


def _of_addresses(text: str, is_title: Callable[[str], bool]) -> str:
    """The same where the address of each link stands on the line behind its words: of papers the first time behind the title, of
    other pages behind words of the frame."""
    lines = text.split("\n")
    papers = [found[1] for line in lines if (found := _PAPER.fullmatch(line.strip()))]
    if len(papers) < 2:
        return text
    titles: set[str] = set()
    words = -1  # the line with the last words, unless an address stood behind them
    for at, line in enumerate(lines):
        line = line.strip()
        if not _SITE.fullmatch(line):
            words = at if line else words
            continue
        paper = _PAPER.fullmatch(line)
        lines[at] = ""
        if words >= 0 and not paper and len(lines[words]) < 100:
            lines[words] = ""
        elif words >= 0 and paper and paper[1] not in titles and is_title(lines[words].strip()):
            titles.add(paper[1])
            lines[words] = _marked(paper[1], lines[words])
        words = -1
    return "\n".join(lines)


def _of_headings(text: str) -> str:
    """The same without images, and with each heading of the third level as a title, where there are two; what goes on in the lines
    below it too."""
    text = without_images(text)
    lines = text.split("\n")
    if sum(_HEADING.match(line) is not None for line in lines) < 2:
        return text
    for at, line in enumerate(lines):
        if not (found := _HEADING.match(line)):
            continue
        title = line[found.end() :]
        for more in range(at + 1, min(at + 4, len(lines))):
            indented = lines[more][:1].isspace() and bool(lines[more].strip())
            if not indented and not goes_on(lines[more - 1].rstrip(), lines[more], _WIDTH):
                break
            title, lines[more] = f"{title} {lines[more]}", ""
        lines[at] = _marked("", title)
    return "\n".join(lines)
