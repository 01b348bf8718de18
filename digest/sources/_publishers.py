"""What publishers put around the abstract in the descriptions of their feeds, or in its place.

Of Atypon (ACS, Wiley, SAGE, SIAM, Taylor & Francis and others), Elsevier's ScienceDirect, the American Physical Society, Nature,
the Royal Society of Chemistry, Copernicus, PLOS, PubMed, Springer and Oxford, as their feeds are and as other programs' tests and
documents quote them: their lines about where a paper stands are no abstract.
"""

from __future__ import annotations

import re

from digest import identity
from digest.patterns import late
from digest.sources import _names
from digest.text import clean

_MAX_LINE = 400
_MAX_OPENING = 60
_MAX_HEAD = 2_000
_MAX_BLOCKS = 200


# An abstract, and the authors and the DOI that stand with it; empty where there is none.
Found = tuple[str, str, str]

# "Journal of Ponds, Volume 1, Issue 2, Page 1-2, May 2024.", "Volume 1, Issue 2, May 2024, Page 1-2", "Ponds, EarlyView."
_PLACE = late(
    r"(?:[^;!?]{1,150}?, (?:Volume|Vol\.) [^.;!?]{1,150}, (?:\d{1,2} )?(?:[A-Z][A-Za-z/–-]+ )?(?:\d{1,2}, )?\d{4}"
    r"|(?:Volume|Vol\.) \d[^.;!?]{0,150}\d"
    r"|[^;!?]{1,150}, (?:Early ?View|Accepted (?:Article|Manuscript)|(?:Online )?Ahead of Print|Online ?First|Just Accepted"
    r"|Articles in Advance|(?:Early|Advance) (?:Access|Article)))\s*\.?[\s.]*",
    re.S | re.I,
)
# How a line of the last sort ends, for a quick look.
_STANDS = (
    "View",
    "view",
    "Article",
    "Manuscript",
    "Print",
    "print",
    "First",
    "first",
    "Accepted",
    "Advance",
    "Access",
)
_BREAKS = late(r"(?:\s|<br\s*/?>)*", re.I)
# ScienceDirect: "Publication date: …", "Source: …", "Author(s): …", each a paragraph, and no abstract. Programs that write feeds
# anew make one line of them, and may set the abstract behind.
_SOURCE = late(
    r"\s*(?:<p>)?\s*Publication date:.{0,600}?(?:\bAuthor\(s\):(?P<authors>.*?))?(?:\bAbstract:(?P<abstract>.*))?",
    re.S,
)
_SINCE = late(r"\s*(?:<p>)?\s*Publication date:\s*(?:Available online\s+)?(\d{1,2} [A-Z][a-z]{2,8} \d{4})\b")
# "<p>Author(s): Ada Okoye and Bo Lindal</p><p>The abstract …</p><br/>[Phys. Rev. X 1, 2] Published Wed Jan 03, 2024"
_BY = late(
    r"\s*(?:<p>\s*)?Author\(s\):((?:(?!</p>|<br|<p\b).){1,5000})(?:</p>|<br\s*/?>|(?=<p\b))\s*(?=\S)",
    re.S | re.I,
)
_PUBLISHED = late(
    r"(?:<br\s*/?>|</?p>|\s)*\[[^\[\]<>]{1,120}\] Published [A-Z][A-Za-z]{2} [A-Z][a-z]{2} \d\d, \d{4}\s*(?:</p>)?\s*$"
)
# "<p>Nature, Published online: 03 January 2024; <a href="…">doi:10.…</a></p>A sentence.", also without the DOI, and as plain text
_ONLINE = late(
    r"\s*<p>[^<>]{1,100}, Published online: [^<>;]{1,40}(?:;\s*(?:<a\b[^<>]{0,300}>)?\s*doi:([^<>]{1,100})(?:</a>)?)?\s*</p>"
)
_ONLINE_PLAIN = late(
    r"\s*[^<>;]{1,100}?, Published online: \d[\w -]{1,38};\s*doi:\s?(10\.\d{4,9}/[\w./()-]{1,100})(?:\s+|\Z)"
)
# "doi:10.…", and nothing else
_DOI_ALONE = late(
    r"\s*(?:<p>\s*)?(?:doi:?\s*|https?://(?:dx\.)?doi\.org/)(10\.\d{4,9}/[^\s<>]{1,200})\s*(?:</p>\s*)?", re.I
)
# PLOS: "<p>by Ada Okoye, Bo Lindal</p> The abstract …"
_WRITTEN_BY = late(r"\s*<p>by ([^<>]{1,20000})</p>")
# ACS: the picture, "<div><cite>Ponds</cite></div><div>DOI: 10.…</div>", and no abstract.
_CITED = late(r"<div>\s*<cite>[^<>]{1,300}</cite>\s*</div>\s*<div>\s*DOI:\s*([^<>]{1,200})</div>", re.I)
# Copernicus: "<b>Title</b><br /> Ada Okoye and Bo Lindal<br /> Pond Phys., 1, 2–3, https://doi.org/10.…, 2024<br /> A summary."
_TITLED = late(
    r"\s*<b>(?:(?!</b>|<br).){1,1500}</b>\s*<br\s*/?>(?P<authors>[^<>]{1,20000})<br\s*/?>"
    r"[^<>]{1,200}\bhttps?://doi\.org/(?P<doi>10\.[^\s<>,]{1,200}),[^<>]{0,60}(?:<br\s*/?>|$)"
    r"(?:\s*<b>(?:Preprint|Revised|Manuscript|Publication)[^<>]{0,200}</b>[^<>]{0,200}<br\s*/?>)?",
    re.S | re.I,
)
# The Royal Society of Chemistry: boxes with the place, the licence, and last the authors and the abstract on lines of their own.
_BOX_END = late(r"</?div\b[^<>]*>|<br\s*/?>|</?p\b[^<>]*>", re.I)
_BOXED = late(
    r"DOI\s*:\s*(10\.\S{1,200}?)(?:,.{0,100})?|[A-Z][\w.:&() -]{1,100}, \d{4}, .{1,100}|(?:&nbsp )?Open Access"
    r"|.{0,100}\blicen[cs]ed under a\b.{0,300}|To cite this article before page numbers\b.*|The content of this RSS Feed \(c\).*",
    re.S | re.I,
)
_BOXES = "The content of this RSS Feed (c)"
# PubMed: "<p>J Pond. 2024 Jan 2;1(2):3.</p><p><b>ABSTRACT</b></p><p>The abstract …</p><p>PMID:<a …>1</a> | DOI:<a …>10.…</a></p>";
# until 2020 with the title, "<p>Authors: Okoye A, Lindal B</p>", "<p>Abstract<br/>" and "PMID: 1 [PubMed - …]".
_MAX_IDS = 1_500
_IDS = late(r"<p\b[^<>]*>\s*PMID:(?:(?!<p\b).)*\Z", re.S)
_ABSTRACT = late(r"<p\b[^<>]*>\s*(?:<b>\s*ABSTRACT\s*</b>\s*</p>|Abstract\s*<br\s*/?>)")
_AUTHORS = late(r"<p\b[^<>]*>\s*Authors?:\s*([^<>]{1,20000})</p>")
_DOI = late(r">\s*(10\.[^\s<>]{1,300})\s*</a>")
# "Authors: Ada Okoye, Bo Lindal", a line by itself
_PLAIN_BY = late(r"\s*Authors?:([^\r\n]{3,20000}+)\r?\n\s*+(?=\S)")
# The same as HTML, the names as links or not: "Authors: Ada Okoye, Bo Lindal<br/><br/>Abstract:<br/>The abstract …"
_PARAGRAPH_BY = late(
    r"\s*(?:<p\b[^<>]{0,200}>\s*)?Authors?:((?:[^<>]{1,20000}+|</?a\b[^<>]{0,500}>){1,10000})(?:</p>|<br\s*/?>)\s*+(?=\S)"
)
# The same within a box, behind where they work: `<div><p>Institution: Pond Lab | Authors: Ada Okoye, Bo Lindal</p>`
_BOXED_BY = late(
    r"\s*<div\b[^<>]{0,200}>\s*<p\b[^<>]{0,200}>\s*(?:[A-Z]\w{1,20}: [^<>|]{1,200} \| )?"
    r"Authors?:([^<>]{3,20000}+)</p>\s*+(?=\S)"
)
# DSpace: "Title: Ponds<br/><br/>Authors: Okoye, Ada; Lindal, Bo<br/><br/>Abstract: The abstract …<br/>"
_LINES = late(
    r"\s*Title:[^<>]{1,1500}(?:<br\s*/?>\s*)+(?:(?:Authors?|Editors?):(?P<authors>[^<>]{1,20000})(?:(?:<br\s*/?>\s*)+|\Z))*"
    r"(?:Abstract:(?P<abstract>.*))?",
    re.S,
)
# EPrints: a citation, "<span class="person_name">Okoye, Ada</span> and <span …>Lindal, Bo</span> (2024) <a …>Ponds.</a> …"
_PERSON = late(r"<span class=\"person_name\">([^<>]{1,200})</span>")
# Quantum: "<p>Quantum 10, 1234 (2026).</p> <p><a …>https://doi.org/10.…</a></p> The abstract …"
_CITED_FIRST = late(
    r"\s*(?:<p>\s*)?[A-Z][\w .&:-]{1,80} \d{1,4}, [\w–-]{1,20} \(\d{4}\)\.?\s*+(?:</p>|<br\s*/?>)?\s*+"
    r"(?:<p>\s*+)?(?:<a\b[^<>]{0,300}>\s*+)?"
    r"https?://doi\.org/(10\.[^\s<>]{1,200}+)\s*+(?:</a>)?\s*+(?:</p>|<br\s*/?>)?\s*+(?=\S)"
)
_WORD = late(r"\w+")
# What programs write where they have no abstract, and a line that holds nothing but signs
_NOTHING = late(
    r"(?:[\s.,;:…-]|<[a-z/][^<>]*>)*"
    r"(?:(?:null|none|nan|undefined|n/a|(?:no abstract|abstract not)(?: is)?(?: available)?)[\s.]*(?:<[a-z/][^<>]*>\s*)*)?",
    re.I,
)
# "Journal: Ponds | DOI: 10.…", "DOI: 10.…\nAuthors: Ada Okoye, Bo Lindal\n\nThe abstract …"
_FACT = late(
    r"\s*(?P<label>[A-Z][\w ]{1,30}(?:\(s\))?):(?P<value>[^\r\n<|]{0,20000}+)(?:\r?\n|<br\s*/?>|\|[ \t]|\Z)"
    r"(?P<blank>[ \t]*(?:\r?\n|<br\s*/?>))?"
)
_AUTHOR_LABELS = ("authors", "author", "author(s)")
_LABELS = {
    *_AUTHOR_LABELS, "doi", "journal", "publisher", "published", "published in", "published online", "publication date",
    "date", "source", "venue", "year", "volume", "issue", "url", "link", "pmid", "arxiv", "arxiv id", "category", "categories",
    "subject", "subjects", "keywords", "title",
}  # fmt: skip
_MAX_FACT = 60
# How those begin that are told apart by words and elements.
_NAMES_AUTHORS = ("Author", "<p>Author")
_BEGINS = ("Author", "<p>", "<b>", "<div>", "<cite>", "Title:", '<span class="person_name')
_HEADING = late(
    r"\s*+(?:<(?:div|section|article|span|p)\b[^<>]*>\s*+){0,3}<(h[1-6]|b|strong|em|i|div|span|p|title)\b[^<>]*>\s*+(?:<b>)?"
    r"Abstract\s*+[:.]?\s*+(?:</b>\s*+)?</\1>\s*+:?\s*+(?:<br\s*/?>)?",
    re.I,
)
_LATER = late(r"<(h[1-6])\b[^<>]*>\s*Abstract\s*[:.]?\s*</\1>\s*(?=\S)", re.I)
_LABEL = late(
    r"\s*(?:<(?:div|section|span|p|br)\b[^<>]*>\s*){0,3}"
    r"(?:Abstract(?:\s?[:.—]|\s*<br\s*/?>|(?=\s+(?:The|This|These|We|Our|Here|It|In|To|For|With|As|On|By|Is|Are|An?|Although|While|Despite|Many"
    r"|Background|Objectives?|Purpose|Introduction|Aims?)\s))|ABSTRACT(?:\s?[:.—]|(?=\s+(?:[A-Z]?[a-z0-9(]|A\s|(?:BACKGROUND|OBJECTIVE|INTRODUCTION|PURPOSE|AIM)S?\b))))"
    r"\s*(?=\S)"
)
# Headings whose elements were lost: "BackgroundPonds are deep. MethodsWe dug."
_GLUED = late(
    r"(?:\A(?:\s|<br\s?/?>|<p>){0,9}|(?<=[.?!)])\s*)(Abstract|Introduction|Background|Context|Objectives?|Aims?|Purpose|Importance|Significance"
    r"|Motivation|(?:Materials? and [Mm]|M)ethods?|Methodology|Design|Results?|Findings|Discussion|Conclusions?|Interpretation"
    r"|Availability(?: and [Ii]mplementation)?|Contact|Supplementary [Ii]nformation)"
    r"(?=[A-Z][a-z]|[A-Z]{2,}\b|A\s)"
)
# One of the first four is in each abstract that has such headings, and two of all: found far sooner than the place before them.
_STEMS = (
    "Result", "Method", "Conclusion", "Findings",
    "Abstract", "Introduction", "Background", "Context", "Objective", "Aim", "Purpose", "Importance", "Significance", "Motivation",
    "Material", "Design", "Discussion", "Interpretation",
)  # fmt: skip
_RIGHTS = late(
    r"\s*(?:<p>\s*)?This article is protected by copyright\. All rights reserved\.?\s*(?:</p>)?\s*$"
)


def abstract_of(text: str) -> Found:
    """The abstract in a description, HTML as it stands, without what stands before and behind it."""
    if len(text) < _MAX_OPENING and _NOTHING.fullmatch(text):
        return "", "", ""
    if "<" not in text:
        if text[:_MAX_OPENING].lstrip().startswith("Publication date:") and (
            listed := _SOURCE.fullmatch(text)
        ):
            return listed["abstract"] or "", listed["authors"] or "", ""
        if ":" in text[:_MAX_OPENING] and (found_behind := _behind_facts(text)):
            return found_behind
        if text[:20].lstrip().startswith("Author") and (line := _PLAIN_BY.match(text)):
            return text[line.end() :], line[1], ""
        if "10." in text[:_MAX_OPENING] and (alone := _DOI_ALONE.fullmatch(text)):
            return "", "", identity.doi(alone[1]) or ""
        if "Published online:" in text[:_MAX_LINE] and (online := _ONLINE_PLAIN.match(text)):
            return text[online.end() :], "", identity.doi(online[1]) or ""
        return (text, "", "") if len(text) > _MAX_LINE else (_without_place(text), "", "")
    start = text[:_MAX_OPENING].lstrip()
    if ends_with_pmid(text) and (found := _of_pubmed(text)):
        return found
    if "doi.org/" in text[:_MAX_LINE] and (found_first := _CITED_FIRST.match(text)):
        return text[found_first.end() :], "", identity.doi(found_first[1]) or ""
    if start.startswith(_BEGINS):
        return _marked(text, start) or (text, "", "")
    if ":" in start and (found_behind := _behind_facts(text)):
        return found_behind
    if start.startswith("<div") and (boxed := _BOXED_BY.match(text)):
        return text[boxed.end() :], boxed[1], ""
    return (_without_place(text), "", "") if "<br" in text[: _MAX_LINE + 4] else (text, "", "")


def behind_authors(text: str) -> tuple[str, str]:
    """What stands behind a paragraph that names the authors, and they; the text and nothing where it begins otherwise."""
    found = _PARAGRAPH_BY.match(text) if text[:_MAX_OPENING].lstrip().startswith(_NAMES_AUTHORS) else None
    return (text[found.end() :], clean(found[1])) if found else (text, "")


def day_of(text: str) -> str:
    """The day that ScienceDirect says a paper is online since; empty where it says a month, or nothing."""
    found = _SINCE.match(text) if "Publication date:" in text[:_MAX_OPENING] else None
    return found[1] if found else ""


def _behind_facts(text: str) -> Found | None:
    """What stands behind lines that name the paper's journal, DOI, authors and the like; None where fewer than two do so."""
    facts: dict[str, str] = {}
    at = 0
    while found := _FACT.match(text, at):
        label = found["label"].lower()
        if label not in _LABELS and (
            found["label"].startswith(("Summary", *_STEMS)) or len(found["value"].strip()) > _MAX_FACT
        ):
            break
        facts.setdefault(label, found["value"].strip())
        at = found.end()
        if found["blank"] or at == len(text):
            break
    if sum(label in _LABELS for label in facts) < 2:
        return None
    authors = next(filter(None, map(facts.get, _AUTHOR_LABELS)), "")
    return text[at:], authors, identity.doi(facts.get("doi", "")) or ""


def _marked(text: str, start: str) -> Found | None:
    """Of a description whose parts the publisher's words and elements tell apart."""
    if "Publication date:" in start and (found := _SOURCE.fullmatch(text)):
        return found["abstract"] or "", found["authors"] or "", ""
    if "Author(s):" in start and (found := _BY.match(text)):
        return _before(_PUBLISHED, text[found.end() :]), found[1], ""
    if start.startswith(_NAMES_AUTHORS) and (found := _PARAGRAPH_BY.match(text)):
        return text[found.end() :], found[1], ""
    if start.startswith("<div>") and _BOXES in text[-_MAX_LINE:]:
        return _boxed(text)
    if start.startswith(("<p><img", "<div><cite")) and (found := _CITED.search(text[:_MAX_HEAD])):
        return text[: found.start()] + text[found.end() :], "", identity.doi(found[1]) or ""
    if start.startswith("<p>by ") and (found := _WRITTEN_BY.match(text)):
        return text[found.end() :], found[1], ""
    if start.startswith("<b>") and (found := _TITLED.match(text)):
        return text[found.end() :], found["authors"], identity.doi(found["doi"]) or ""
    if start.startswith("Title:") and (found := _LINES.fullmatch(text)):
        return found["abstract"] or "", found["authors"] or "", ""
    if start.startswith("<span") and "</a>" in text and (names := _PERSON.findall(text)):
        return "", "; ".join(names), ""
    if "Published online:" in text[:300] and (online := _ONLINE.match(text)):
        return text[online.end() :], "", identity.doi(online[1] or "") or ""
    if "10." in text[:_MAX_OPENING] and (alone := _DOI_ALONE.fullmatch(text)):
        return "", "", identity.doi(alone[1]) or ""
    return None


# Behind the text: "The post <a>Ponds</a> appeared first on <a>The Pond</a>." (WordPress), or links and nothing else.
_LINK = r"<a\b[^<>]{0,2000}>[^<>]{0,500}</a>"
_POSTED = rf"The post {_LINK} (?:appeared first|first appeared) on {_LINK}\.?"
_FOOT = late(rf"(?:<p\b[^<>]{{0,300}}>\s*+(?:{_POSTED}\s*|(?>(?:{_LINK}|[\s|·•,/()\[\]-])*))</p>\s*)+\Z")
_LINE_END = late(r"[ \t\r]{0,99}(?:<br\s{0,9}/?>|\n)")
_OPENED = late(r"\s{0,99}<p\b[^<>]{0,300}>\s*")
_BLOCK_END = late(r"\s{0,99}</p>")
# "[Pond Express 26, 24-36 (2018)]"
_CITED_LAST = late(r"(?:<br\s{0,9}/?>|\s){0,9}\[[A-Z][^\[\]<>]{1,80}\b\d{1,4}, [\w–-]{1,20} \(\d{4}\)\]\s*\Z")


def without_foot(text: str) -> str:
    """The same without the last paragraphs that only lead elsewhere."""
    end = text[-_MAX_OPENING:].rstrip()
    if not end.endswith("</p>") or "</a>" not in end:
        return text
    return _before(_FOOT, text, _MAX_HEAD)


def _before(foot: re.Pattern[str], text: str, at_most: int = _MAX_LINE) -> str:
    """The same without what stands last, where that is no longer than this."""
    found = foot.search(text, max(len(text) - at_most, 0))
    return text[: found.start()] if found else text


def without_repetition(text: str, title: str, authors: list[str]) -> str:
    """The same without the lines that it begins with where these are the title and the authors, and without the place behind it;
    nothing of a text that is the title."""
    if len(text) < len(title) + _MAX_OPENING and text.strip() == title.strip():
        return ""
    if title and text.startswith(title) and (end := _LINE_END.match(text, len(title))):
        text = _BREAKS.sub("", text[end.end() :], count=1) or text
    opened = _OPENED.match(text)
    at = opened.end() if opened else 0
    first = _WORD.match(text[at : at + _MAX_OPENING].lstrip())
    if authors and first and first[0] in authors[0]:
        end = (_BLOCK_END if at else _LINE_END).search(text, at, _MAX_HEAD)
        if end and _words(text[at : end.start()]) == _words(" ".join(authors)):
            text = _before(_CITED_LAST, text[end.end() :].lstrip() or text)
    return text


def _words(names: str) -> list[str]:
    return sorted(_WORD.findall(names.replace(" and ", " ")))


def ends_with_pmid(text: str) -> bool:
    """Does PubMed's line of ids end this description?"""
    return "PMID:" in text[-_MAX_IDS:]


def _of_pubmed(text: str) -> Found | None:
    """What stands between the heading and the ids: nothing without a heading; None where no paragraph is of ids."""
    ids = _IDS.search(text, max(len(text) - _MAX_IDS, 0))
    if not ids:
        return None
    heading = _ABSTRACT.search(text, 0, ids.start())
    head = text[: heading.start() if heading else ids.start()][:_MAX_HEAD]
    authors = _AUTHORS.search(head)
    return (
        text[heading.end() : ids.start()] if heading else "",
        authors[1] if authors else "",
        next(filter(None, map(identity.doi, _DOI.findall(ids[0]))), ""),
    )


def _boxed(text: str) -> Found:
    """What remains of the boxes, without the authors, who stand before it."""
    doi, kept = "", list[str]()
    for piece in _BOX_END.split(text)[:_MAX_BLOCKS]:
        words = clean(piece)
        if found := _BOXED.fullmatch(words):
            doi = doi or identity.doi(found[1] or "") or ""
        elif words:
            kept.append(piece.strip())
    if kept and all(1 < len(name.split()) < 8 and name[0].isupper() for name in _names.split(clean(kept[0]))):
        return "<br/>".join(kept[1:]), kept[0], doi
    return "<br/>".join(kept), "", doi


def _without_place(text: str) -> str:
    """The text behind the line that it begins with, where that says where the paper stands."""
    if "<" in text:
        opening = _BREAKS.match(text)
        start = opening.end() if opening else 0
        line, found, rest = text[start:].partition("<br")
        rest = found + rest
    else:
        line, rest = text, ""
    if len(line) > _MAX_LINE or ("Vol" not in line and not line.rstrip(" .\n").endswith(_STANDS)):
        return text
    if not _PLACE.fullmatch(clean(line)):
        return text
    return rest if any(map(str.isalnum, clean(rest[: 2 * _MAX_LINE]))) else ""


def without_heading(text: str) -> str:
    """The same without the heading "Abstract", without the sentence beside a picture that some put before that, and without the
    notice behind it that the rights are reserved."""
    found = None
    at = text.find("bstract", 0, _MAX_HEAD)
    if at < 0 or "BSTRACT" in text[:100]:
        at = text.find("BSTRACT", 0, _MAX_HEAD)
    if -1 < at < 100:
        found = _HEADING.match(text) or _LABEL.match(text)
    if not found and at > 0:
        found = _LATER.search(text)
    text = _told_apart(text[found.end() :] if found else text)
    return _before(_RIGHTS, text) if "reserved" in text[-15:] else text


def _told_apart(text: str) -> str:
    """The same with headings that stand before a sentence without a space as index services write them: `Methods: …`. Of a single
    one nobody knows: "ContextNet is …"."""
    has = text.__contains__
    if "Significance" not in text[:40] and (not any(map(has, _STEMS[:4])) or sum(map(has, _STEMS)) < 2):
        return text
    found = _GLUED.findall(text)
    plain = len(set(found)) > 1 or (found == ["Significance"] and bool(_GLUED.match(text)))
    return _GLUED.sub(_headed, text) if plain else text


def _headed(found: re.Match[str]) -> str:
    before = found[0][: -len(found[1])] or " "
    return before if found[1] == "Abstract" else f"{before}{found[1]}: "
