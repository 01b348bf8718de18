"""Text dumps of Hugging Face listing pages: title, abstract, title, abstract, with the page's furniture before, between and after.

Shape A has a blank line between blocks; shape B has none, and its first title is glued to "Subscribe". No ids, links, authors.
"""

from __future__ import annotations

import re
from itertools import pairwise

from msgspec import Struct

from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv
from digest.sources._bytes import refused, unicode_text
from digest.sources._marked import MARK, with_titles_marked
from digest.sources._paper import Raw, finish
from digest.sources._plain import goes_on, width_of

LONG_CHARS = 250
MAX_TITLE = 400
MIN_LANDMARKLESS_PAIRS = 2
SNIFFED_CHARS = 200_000
MAX_LINES = 50_000
MAX_LINE_CHARS = 50_000  # more than an abstract may have; the words of a longer line would fill the memory

_CONTROLS = late("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_HEAD_LANDMARK = late(
    r"Get trending papers in your email inbox|by\s*AK\s+and the research community|^[ \t#]*Daily Papers[ \t]*$",
    re.M,
)
_GLUED = late(r"^Subscribe\s?(?=\S)")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\\.?"
# Furniture of the page wherever it stands: no title reads like that.
_DATE = rf"(?:{_MONTH} \d{{1,2}}(?:,? \d{{4}})?|\d{{1,2}} {_MONTH}(?: \d{{4}})?|\d{{4}}-\d\d-\d\d)"
_FURNITURE = late(
    rf"(?:new|Subscribe|Get trending papers in your email inbox.*|(?:by\s*)?(?:AK\s*)?(?:and the research community)|by|AK"
    rf"|(?:Daily|Weekly|Monthly|Trending) Papers|{_DATE}|Week \d{{1,2}}(?:,? \d{{4}})?|{_MONTH} \d{{4}}"
    r"|Hugging Face.{0,20}|Submitted by|Submitted by .{1,60}|Published on .{1,30}|[·•*|–-](?:\s*[·•*|–-])*|Upvotes?"
    r"|©.*|System theme"
    r"|(?:[·*•-]\s*){0,20}[\d.,]+\s*k?\s*(?:authors?|comments?|upvotes?|likes?|replies|reply)?"
    r"|\[-\]\s*[\d.,k-]{1,9}|(?:\[LINK: )?GitHub(?:\s+[\d.,]+k?)?(?:\]\(\S{1,300}\))?"
    r"|(?:arXiv|Hugging Face) Page|Upvoted by .*"
    r"|Search (?:papers|models, datasets, users).*|View all.*|Back to top|Papers with Code|Load more|Show more)",
    re.I,
)
# Words of menu and footer could be titles, so they are furniture only before the first and after the last abstract.
_MENU = late(
    r"(?:Models|Datasets|Spaces|Posts|Docs|Community|Buckets|Enterprise|Solutions|Pricing|Log ?In|Sign ?Up|Papers|Daily|Weekly"
    r"|Monthly|Today|Yesterday|Trending|Previous|Next|Prev|Latest|Company|TOS|Terms.*|Privacy.*|About|Careers|Jobs|Website|Contact|Search"
    r"|GitHub|arXiv|PDF|Home|Blog|Learn|Status|Tasks|Upvote|Date|Week|Month|Week \d+|W\d+)",
    re.I,
)
_AUTHORS = late(r"(?:[·*•-]\s*){0,20}[\d,.]+k?\s+authors?", re.I)
# The date that ends a card, behind a dot, with who published it on the same line or on one before.
_CARD_END = late(rf"(?:.{{0,100}}\S\s*)?[·•]\s*(?:Published on )?{_DATE}(?:\s+\d{{1,5}})?", re.I)
_DOT = ("·", "•")
_LEVEL = late(r"#{1,6}[ \t]+")
_SECTION = late(
    r"(?:#{1,6} )?(?:(?:\d{1,2}\.?){1,3} |[IVX]{1,4}\. )?"
    r"(?:(?:Abstract|Introduction|Background|Motivation|Overview|Summary|Related Work|(?:Materials and )?Method|Methodology"
    r"|Experiment|Result|Discussion|Results and Discussion|Conclusion|Limitation|Future Work|Acknowledge?ment|Reference|Appendix"
    r"|Content|Installation|Getting Started|Usage|Feature|License|Contributing)s?):?",
    re.I,
)
_SENTENCE_ENDS = late(r"[.!?][)\"'”’]*(?:\s|$)")
_SENTENCE = late(r"[.!?][)\"'”’]*(?:\s|$)|[。！？…]|://")
_WHOLE_END = late(r"(?:[.!?…:)\]}\"'”’*%$。！？]|\S*(?:://|\.\w{2,4}/|\.io|\.com)\S*)$")


class _Block(Struct):
    """What stands together, whether the page marks it as a title (its author count follows, it is a heading, or a link to the
    paper) or by its place as an abstract, and the paper's id where a link has it."""

    text: str
    title: bool = False
    arxiv: str = ""
    linked: bool = False  # a title by a link or a heading
    abstract: bool = False


def looks_like_dump(text: str) -> bool:
    """Is this worth reading as a dump: does it have the page's head, or else titles and long abstracts in strict turns?"""
    if _HEAD_LANDMARK.search(_CONTROLS.sub("", text[:5000])):
        return True
    whole = len(text) <= SNIFFED_CHARS
    blocks = _blocks(text[:SNIFFED_CHARS])
    sizes = [_is_long(block.text) for block in blocks]
    pairs = len(sizes) // 2 if whole else (len(sizes) - 1) // 2  # the last block of a part is a part too
    return (
        pairs >= MIN_LANDMARKLESS_PAIRS
        and (sizes if whole else sizes[: pairs * 2]) == [False, True] * pairs
        and not _are_sections([block.text for block in blocks[: pairs * 2 : 2]])
    )


def _are_sections(headings: list[str]) -> bool:
    """Are these headings of one document, and no titles of papers: of several levels, such as documents have, of a word or two,
    sentences, or what announces a list?"""
    levels = {text.partition(" ")[0] for text in headings if text.startswith("#")}
    short = sum(text.isascii() and len(_LEVEL.sub("", text).split()) < 3 for text in headings)
    sentences = sum(text.endswith((".", "。")) for text in headings)
    return (
        len(levels) > 1
        or short * 2 > len(headings)
        or sentences * 2 >= len(headings)
        or any(text.endswith(":") or _SECTION.fullmatch(text) for text in headings)
    )


def read(listing: Listing) -> Reading:
    """Papers of a text dump, in page order; the abstract is empty where the dump has none. Never empty: a dump does not say so.

    Raises ParseError for text without titles (only names and votes, or prose).
    """
    whole = unicode_text(listing)
    text = with_titles_marked(whole, _is_title)
    if text.count("\n") + text.count("\r") > MAX_LINES:
        raise refused(
            listing,
            f"more than {MAX_LINES:,} lines; no dump of a listing is that long",
            "Save the page itself as HTML.",
        )
    blocks = _blocks(text)
    notes: list[str] = []
    raws = _pairs(blocks)
    if _ends_in_title(whole, raws):
        notes.append(_HALF_A_TITLE)
        raws, blocks = raws[:-1], blocks[:-1]
    else:
        raws = _without_loose_end(raws, blocks, notes)
    with_abstract = sum(bool(raw.abstract) for raw in raws)
    marked = sum(block.title for block in blocks)
    if (
        not raws
        or (not with_abstract and not marked)
        or (with_abstract * 2 < len(raws) and marked * 2 < len(raws))
    ):
        raise refused(
            listing,
            f"this text has the look of a listing's dump, but no titles with abstracts in it ({len(blocks)} blocks "
            f"of text, {with_abstract} of them abstracts)",
            "Save the page itself as HTML, or read https://huggingface.co/papers.",
        )
    last = raws[-1].abstract
    if last and not notes and not _WHOLE_END.search(last[-200:]):
        notes.append("truncated: the last abstract breaks off")
    if bare := len(raws) - with_abstract:
        notes.append(f"{bare} {'paper' if bare == 1 else 'papers'} without an abstract")
    return Reading(
        kind="saved",
        papers=finish(raws, notes, trusted_ids=False),
        listed_on=listing.listed_on,
        notes=tuple(notes),
    )


# --- text → blocks


def _is_title(words: str) -> bool:
    return len(words) > 2 and not _FURNITURE.fullmatch(words)


def _blocks(text: str) -> list[_Block]:
    text = _CONTROLS.sub("", text)
    broken = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff").split("\n")
    lines = [" ".join(line[:MAX_LINE_CHARS].split()) for line in broken]
    spaced = _are_spaced(lines)
    if not spaced and (width := width_of(broken)) and _are_spaced(whole := _unbroken(broken, width)):
        lines, spaced = whole, True
    content = _content(lines)
    is_linked = any(block.linked for block in content if block)
    blocks = _joined(content, spaced or is_linked)
    if is_linked:  # then all titles are links, or all headings
        for block in blocks:
            block.abstract = not block.linked and _is_prose(block.text)
            block.title = block.linked
        return [block for block in blocks if block.linked or block.abstract]
    return _marked_only(_without_menus(blocks))


def _are_spaced(lines: list[str]) -> bool:
    """Does a blank line stand between blocks?"""
    filled = [at for at, line in enumerate(lines) if line]
    blanks = sum(1 for here, after in pairwise(filled) if after - here > 1)
    return blanks * 3 >= len(filled) - 1 and len(filled) > 1


def _unbroken(broken: list[str], width: int) -> list[str]:
    """The lines of a text that was broken at this width, as they were before."""
    whole: list[str] = []
    before = ""
    for line in broken:
        words = " ".join(line.split())
        if before.strip() and goes_on(before, line, width) and not _FURNITURE.fullmatch(words):
            whole[-1] += f" {words}"
        else:
            whole.append(words)
        before = line.rstrip()
    return whole


def _marked_only(blocks: list[_Block]) -> list[_Block]:
    """Of cards, whose titles the page marks each by its author count, the titles: what is short beside them is of the page's
    frame, whatever it says."""
    if any(block.abstract for block in blocks):
        return [block for block in blocks if block.title or block.abstract]
    titles = sum(block.title for block in blocks)
    long = sum(_is_long(block.text) for block in blocks)
    if titles < 2 or (long and titles * 2 <= len(blocks) - long):
        return blocks
    return [block for block in blocks if block.title or _is_long(block.text)]


def _content(lines: list[str]) -> list[_Block | None]:
    """Lines that are no furniture; None where a block may end."""
    kept: list[_Block | None] = []
    name_follows = title_follows = False
    is_linked = False  # did links or headings tell a title?
    card = 0  # where in `kept` the card begins
    behind = 0  # where in it what follows the last words of the frame begins
    for at, line in enumerate(lines):
        if at < 40 and _after_head(lines, at):
            line = _GLUED.sub("", line)
        if line.startswith(MARK):
            _, arxiv, line = line.split(MARK, 2)
            kept.append(_Block(line, title=True, arxiv=arxiv, linked=True))
            name_follows, title_follows, is_linked = False, False, True
        elif _CARD_END.fullmatch(f"{line} {_next(lines, at)}" if line in _DOT else line):
            _mark_card(kept, card)
            kept.append(None)
            card = len(kept)
        elif not line:
            kept.append(None)
        elif name_follows and len(line) <= 60:
            kept.append(None)
            name_follows = line.lower().endswith(("avatar", "'s picture"))
        elif _FURNITURE.fullmatch(line):
            name_follows = line.lower() == "submitted by"
            title_follows = title_follows or line.lower().startswith("submitted by")
            if not is_linked and _AUTHORS.fullmatch(line) and _next(lines, at) not in _DOT:
                _mark_title(kept, behind)
            kept.append(None)
            behind = behind if line in _DOT else len(kept)
        else:
            name_follows = False
            is_title = title_follows and not is_linked and line[0] != "#" and len(line) < LONG_CHARS
            kept.append(_Block(line, title=is_title))
            title_follows = False
    return kept


def _after_head(lines: list[str], at: int) -> bool:
    """Does the line follow the known head? A paper's title could begin with "Subscribe" as well."""
    before = next((line for line in reversed(lines[:at]) if line), "")
    return before.startswith("Get trending papers")


def _mark_title(kept: list[_Block | None], start: int) -> None:
    """Mark the title before an author count: the last block, or, of two with a blank line between them, the first; the second is
    who published it."""
    blocks = [block for block in kept[start:] if block]
    if any(block.title for block in blocks):
        return
    if len(blocks) == 2 and None in kept[kept.index(blocks[0], start) : kept.index(blocks[1], start)]:
        blocks.pop()
    last = blocks[-1] if blocks else next((block for block in reversed(kept) if block), None)
    if last and len(last.text) < LONG_CHARS:
        last.title = True


def _next(lines: list[str], at: int) -> str:
    """The next line that says something, if it is near."""
    return next(filter(None, lines[at + 1 : at + 4]), "")


def _mark_card(kept: list[_Block | None], start: int) -> None:
    """Title and abstract of a card that has both: the abstract is the first of its blocks that is prose, the title stands before
    it. What stands before that is of the page's frame, what is short behind it the name of who published it."""
    for place in range(start, len(kept)):
        if (block := kept[place]) and _MENU.fullmatch(block.text):
            kept[place] = None
    at = [place for place in range(start, len(kept)) if kept[place]]
    blocks = [block for block in kept[start:] if block]
    behind = range(1, len(blocks))
    first = next((place for place in behind if _is_long(blocks[place].text)), 0)
    first = first or next((place for place in behind if _is_prose(blocks[place].text)), 0)
    if not first or any(block.linked for block in blocks):
        return
    for place, block in enumerate(blocks):
        block.title = place == first - 1
        block.abstract = place >= first and _is_prose(block.text)
        if not block.title and not block.abstract:
            kept[at[place]] = None


def _joined(kept: list[_Block | None], spaced: bool) -> list[_Block]:
    """Blocks: with blank lines between them, lines that stand together belong together (a dump may break its lines)."""
    blocks: list[_Block] = []
    open_block = False
    for piece in kept:
        if piece is None:
            open_block = False
        elif spaced and open_block and not (blocks[-1].title or piece.title):
            blocks[-1].text += f" {piece.text}"
            blocks[-1].title = piece.title
        else:
            blocks.append(piece)
            open_block = True
    return blocks


def _without_menus(blocks: list[_Block]) -> list[_Block]:
    long = [at for at, block in enumerate(blocks) if _is_long(block.text)]
    if not long:
        return [block for block in blocks if not _MENU.fullmatch(block.text)]
    first, last = long[0], long[-1]
    return [
        block for at, block in enumerate(blocks) if first <= at <= last or not _MENU.fullmatch(block.text)
    ]


# --- blocks → papers

_HALF_A_TITLE = "truncated: the dump ends with a title that has no abstract; it was left out, since it may be half a title"


def _is_long(text: str) -> bool:
    """Is this too long for a title? The longest ones are known by having neither a sentence that ends nor an address."""
    if len(text) >= LONG_CHARS:
        return len(text) >= MAX_TITLE or _SENTENCE.search(text) is not None
    return len(text) >= 150 and len(_SENTENCE_ENDS.findall(text)) >= 2


def _is_prose(text: str) -> bool:
    """Is this an abstract, or a summary of one or two sentences?"""
    return _is_long(text) or (len(text.split()) >= 8 and bool(_SENTENCE_ENDS.search(text[-3:])))


def _pairs(blocks: list[_Block]) -> list[Raw]:
    """Title and abstract in turns, verified by their looks; a second long block belongs to the abstract before it."""
    raws: list[Raw] = []
    for at, block in enumerate(blocks):
        if block.abstract or (_is_long(block.text) and not block.title):
            if raws:
                raws[-1].abstract += f" {block.text}" if raws[-1].abstract else block.text
        elif raws and not raws[-1].abstract and _is_short_abstract(blocks, at, raws[-1].title):
            raws[-1].abstract = block.text
        elif raws and raws[-1].abstract and _is_tail(blocks, at):
            raws[-1].abstract += f" {block.text}"
        else:
            raws.append(_raw(block))
    return raws


def _raw(block: _Block) -> Raw:
    title = _LEVEL.sub("", block.text, count=1) if block.text.startswith("#") else block.text
    if not block.arxiv:
        return Raw(title=title)
    return Raw(title=title, ids={"arxiv": block.arxiv}, links=_arxiv.links(block.arxiv))


def _without_loose_end(raws: list[Raw], blocks: list[_Block], notes: list[str]) -> list[Raw]:
    """The papers of a dump that was cut behind a title, or just into an abstract: half a title is no paper.

    Only where the papers before have abstracts and no title is marked as one: then the last block tells of a cut.
    """
    if len(raws) < 2 or raws[-1].abstract or any(block.title for block in blocks):
        return raws
    if len(raws) > 2 and not raws[-2].abstract and all(raw.abstract for raw in raws[:-2]):
        notes.append("truncated: the last abstract breaks off")
        raws[-2].abstract = raws[-1].title
        return raws[:-1]
    if all(raw.abstract for raw in raws[:-1]):
        notes.append(_HALF_A_TITLE)
        return raws[:-1]
    return raws


def _ends_in_title(text: str, raws: list[Raw]) -> bool:
    """Does the text end within a line that is the title of its last paper, or what was read of it, where others have abstracts?"""
    if not raws or raws[-1].abstract or not any(raw.abstract for raw in raws) or text[-1:] in ("\n", "\r"):
        return False
    return " ".join(text[-2 * MAX_TITLE :].split()).endswith(raws[-1].title[-MAX_TITLE // 2 :])


def _is_short_abstract(blocks: list[_Block], at: int, title: str) -> bool:
    """A sentence after a title, longer than it, with the next title (not with an abstract) behind it; the last may be cut."""
    text, last = blocks[at].text, at + 1 == len(blocks)
    if blocks[at].title or len(text) <= len(title) or len(text.split()) < 8 or _is_titled(text):
        return False
    if last:
        return len(text) >= 100 or bool(_SENTENCE_ENDS.search(text[-3:]))
    return bool(_SENTENCE_ENDS.search(text[-3:])) and not _is_long(blocks[at + 1].text)


_TAIL = late(
    r"(?:[*•●▪‣-]|\(?[1-9a-z][.)])\s.*|.*(?:https?://|www\.|\bgithub\.(?:com|io)\b).*|\S+(?: \S+){3,}\.|.*:"
)


def _is_tail(blocks: list[_Block], at: int) -> bool:
    """A short last paragraph of the abstract before it, with the next title behind it: a point of a list, what announces one, an
    address, a sentence."""
    if blocks[at].title or not _TAIL.fullmatch(blocks[at].text) or _is_titled(blocks[at].text):
        return False
    return at + 1 == len(blocks) or not _is_long(blocks[at + 1].text)


def _is_titled(text: str) -> bool:
    """Are most longer words capitalised, as in an English title?"""
    words = [word for word in text.split() if len(word) > 3 and word[0].isalpha()]
    return sum(word[0].isupper() for word in words) * 10 >= len(words) * 6
