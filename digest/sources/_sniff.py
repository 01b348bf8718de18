"""What kind of page is this? A cheap look at the bytes, and a helpful word for what is no listing."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin

from msgspec import structs

from digest.model import Listing
from digest.patterns import late
from digest.sources import _sniff_records as records
from digest.sources._bytes import refused, unicode_text
from digest.sources._plain import begins_with_link, without_links

HEAD_CHARS = 20_000
_BLANKS = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
_CONTROLS = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
_MAGIC = (
    (b"\x1f\x8b", "gzip data", "Unpack it (gunzip) and read the unpacked file."),
    (b"%PDF", "a PDF file", "Give the listing page, not a paper."),
    (b"\x89PNG", "a PNG image", "Give the listing page itself, not a picture of it."),
    (b"\xff\xd8\xff", "a JPEG image", "Give the listing page itself, not a picture of it."),
    (b"GIF8", "a GIF image", "Give the listing page itself, not a picture of it."),
    (b"RIFF", "an image or sound file", "Give the listing page itself."),
    (b"PK\x03\x04", "a zip archive", "Unpack it and read the file inside."),
    (b"\x28\xb5\x2f\xfd", "zstd data", "Unpack it (unzstd) and read the unpacked file."),
    (b"BZh", "bzip2 data", "Unpack it (bunzip2) and read the unpacked file."),
    (b"\xfd7zXZ", "xz data", "Unpack it (unxz) and read the unpacked file."),
    (b"SQLite format 3", "an SQLite database", "Give a listing page."),
    (b"\x7fELF", "a program", "Give a listing page."),
)
_KNOWN = (
    "Known are: daily papers of Hugging Face (page, API, text dump), listings, feeds, search results and mails of "
    "arXiv, OAI-PMH, any RSS, Atom or JSON Feed, answers of Crossref, OpenAlex, Semantic Scholar, DataCite, "
    "DOAJ, DBLP and PubMed, Proceedings of Science, JSON of a venue."
)
_BY_SELECTORS = (
    'Any page that lists papers in HTML can be read by CSS selectors (kind = "selectors", docs/sources.md).'
)


def refuse_binary(listing: Listing) -> None:
    """Raises ParseError for an empty file and for bytes that are no text: archives, images, PDF."""
    body = listing.body
    if not body[:1000].strip(_BLANKS) and not body.strip(_BLANKS):
        raise refused(listing, "the page is empty", "Fetch or save it again.")
    for magic, name, mend in _MAGIC:
        if body.startswith(magic):
            raise refused(listing, f"this is {name}", mend)
    head = body[:1000]
    if len(head.translate(None, _CONTROLS)) < 0.95 * len(head) and not 0.2 < head.count(0) / len(head) < 0.8:
        raise refused(listing, "this is binary data, no text", "Give a listing page.")


def kind_of(listing: Listing) -> str:
    """The name of the kind (sources.KINDS). Raises ParseError that names what the page looks like."""
    refuse_binary(listing)
    head = _text(_beginning(listing))[:HEAD_CHARS]
    if len(head) == HEAD_CHARS and head[0] not in "[{" and (root := _feed_root(head)):
        return _xml_kind(listing, root, head)
    text = _text(listing)
    if not text:
        raise refused(listing, "the page is empty", "Fetch or save it again.")
    head = text[:HEAD_CHARS]
    if head[:1] in "[{" and not begins_with_link(head):
        return _json_kind(listing, text)
    if records.is_fragment(head):
        return "dblp"
    if root := xml_root(head):
        return _xml_kind(listing, root, head)
    if _HTML.match(head) or (head.startswith("<") and _MARKUP.search(head)):
        return _html_kind(listing, text)
    return _text_kind(listing, text)


def _feed_root(head: str) -> str:
    return "" if records.is_fragment(head) else xml_root(head)


def _text(listing: Listing) -> str:
    return unicode_text(listing).lstrip().lstrip(" \t\r\n\v\f\0\ufeff")


def _beginning(listing: Listing) -> Listing:
    """The listing as far as XML is known by: to decode a feed of 10 MB takes up to four times that. Cut behind a `>`, which is
    part of no other character in any encoding but UTF-16 and UTF-32; those are taken whole."""
    body = listing.body
    end = body.rfind(b">", 0, 5 * HEAD_CHARS) + 1
    if not end or len(body) <= 5 * HEAD_CHARS or b"\0" in body[:200]:
        return listing
    return structs.replace(listing, body=body[:end])


# --- JSON


def _json_kind(listing: Listing, text: str) -> str:
    if text[0] == "[":
        if re.match(r"\[\s*(?:\]|$)", text) or re.search(r'"paper"\s*:\s*+(?!")', text):
            return "huggingface"
        if kind := records.json_kind(text) or records.is_of_hugging_face(text) or records.is_venue(text):
            return kind
        raise refused(listing, "this is a JSON list, and not the answer of /api/daily_papers", _KNOWN)
    head = text[:HEAD_CHARS]
    if "jsonfeed.org/version" in head.replace("\\/", "/"):
        return "feed"
    if kind := records.json_kind(text) or records.is_of_hugging_face(text):
        return kind
    if re.match(r'\{\s*"paper"\s*:\s*\{', head):  # JSON lines
        return "huggingface"
    if re.search(r'"items"\s*:\s*\[', text) and not records.is_list_of_items(text):
        return "feed"
    if found := re.search(r'"(?:error|message|detail)"\s*:\s*"([^"]{1,200})', head):
        raise refused(
            listing, f"the answer is an error message: {found[1]}", "Ask again later, or check the address."
        )
    if re.search(r'"dailyPapers"\s*:', text):
        return "huggingface"
    if kind := records.is_venue(text):
        return kind
    raise refused(
        listing, "this is JSON, and neither a JSON Feed nor the answer of /api/daily_papers", _KNOWN
    )


# --- XML

_PROLOG = late(r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?!\s+html)[^<>\[]*(?:\[.*?\]\s*)?>)", re.S | re.I)
_ROOT = late(r"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_FEED_ROOTS = frozenset(["rss", "feed", "rdf", "channel"])
_ATOM = late(r"\bxmlns(?::\w{1,20})?\s*=\s*[\"']http://(?:www\.w3\.org/2005/Atom|purl\.org/atom/ns#)")
_OTHER_XML = {
    "opml": "a list of feeds (OPML)",
    "sitemapindex": "a sitemap",
    "urlset": "a sitemap",
    "svg": "an SVG image",
    "error": "an error message in XML",
}


# The envelope of OAI-PMH, and what stands bare in some files; such a one must name an OAI identifier or namespace, or MARC's.
_OAI_ROOTS = frozenset(
    [
        "oai-pmh",
        "record",
        "listrecords",
        "getrecord",
        "records",
        "collection",
        "arxiv",
        "arxivraw",
        "arxivold",
    ]
)
_OAI = late(r"<identifier>\s*oai:|arxiv\.org/OAI/|openarchives\.org/OAI/|loc\.gov/MARC21", re.I)


def xml_root(head: str) -> str:
    """The local name of the root element, lower case; empty where the text is HTML or no XML. Noise before `<?xml` is skipped, also
    such as PHP writes before a feed: `<b>Warning</b>: …`."""
    noise = head.find("<?xml", 0, 2000)
    if noise > 0 and "<" in head[:noise]:
        return name if (name := xml_root(head[noise:])) in _FEED_ROOTS else _root_behind(head, 0)
    return _root_behind(head, max(noise, 0))


def _root_behind(head: str, at: int) -> str:
    while found := _PROLOG.match(head, at):
        if found.end() == at:
            break
        at = found.end()
    root = _ROOT.match(head, at)
    name = root[2].lower() if root else ""
    if name == "html" or (
        not head[:5].startswith("<?xml")
        and "<!DOCTYPE" not in head[:at]
        and name not in _FEED_ROOTS
        and name not in _OTHER_XML
        and name not in records.ROOTS
        and not (name == "result" and records.xml_kind(name, head))
        and not (name == "entry" and _ATOM.search(head))
        and name not in _OAI_ROOTS
        and not (root and root[1])
    ):
        return ""
    return name


_ARXIV_API = late(
    r"<(?:\w{1,20}:)?(?:id\b[^<>]*>\s*(?:<!\[CDATA\[\s*)?https?://(?:export\.)?arxiv\.org/api/"
    r"|title\b[^<>]*>\s*(?:<!\[CDATA\[\s*)?arXiv Query:)",
    re.I,
)


# A feed that takes items from many names arXiv's beside one of them.
_ITEM = late(r"<(?:\w{1,20}:)?(?:item|entry)\b", re.I)


def _xml_kind(listing: Listing, root: str, head: str) -> str:
    if root in _FEED_ROOTS or (root == "entry" and _ATOM.search(head)):
        first = _ITEM.search(head)
        own = head[: first.start()] if first else head
        announced = "rss.arxiv.org" in own or "export.arxiv.org/rss" in own or "updates on arXiv.org" in own
        return "arxiv" if announced or _ARXIV_API.search(head[:3000]) else "feed"
    if root == "oai-pmh" or (root in _OAI_ROOTS and _OAI.search(head)):
        return "oai"
    if kind := records.xml_kind(root, head):
        return kind
    what = _OTHER_XML.get(root, f"XML with the root element <{root}>")
    raise refused(listing, f"this is {what}, and no feed", _KNOWN)


# --- HTML

_HTML = late(
    r"(?:<\?xml[^<>]*>\s*)?(?>(?><!--.*?-->\s*)*)<(?:!doctype\s+html|html|head|body|div|dl|main|article|section|table|ul|h1|p|script)\b",
    re.I | re.S,
)
_SEARCH = late(
    r"class\s*=\s*[\"']?[^\"'<>]{0,200}\barxiv-result\b|<title\b[^<>]{0,200}>\s*Search \| arXiv e-print repository",
    re.I,
)
_MARKUP = late(r"<(?:a|div|p|span|li|dt|h[1-6])\b", re.I)
_PAPER_LINK = late(r"href\s*=\s*[\"']?(?:https://huggingface\.co)?/papers/\d{4}\.\d{4,5}\b")
_DAILY = late(r"data-target\s*=\s*[\"']?DailyPapers\b", re.I)
_TITLE_CHARS = 2_000  # html.unescape breaks over numbers of more than 4,300 digits
_TITLE = late(r"<title[^<>]*>(.*?)(?:</title>|$)", re.I | re.S)
_ARXIV = late(r"id\s*=\s*[\"']?(?:dlpage|articles)\b|class\s*=\s*[\"']?list-title\b", re.I)
_ALTERNATE = late(r"<link\b[^<>]*?type\s*=\s*[\"']?application/(?:rss|atom|feed)\+(?:xml|json)[^<>]*>", re.I)
_WALLS = late(
    r"just a moment|captcha|are you (?:a )?(?:human|robot)|not a robot|access denied|sign in|log in|enable (?:javascript|cookies)"
    r"|cookies must be enabled|too many requests|\brate limit|_cf_chl_opt",
    re.I,
)
# In the title of a page, or in a text that holds nothing else.
_ERRORS = late(
    r"^\W*(?:error )?[45]\d\d\b|\b(?:not found|forbidden|bad gateway|bad request|unavailable|maintenance|internal (?:server )?error"
    r"|upstream (?:connect|request)|time-?out|timed out|rate exceeded)\b",
    re.I,
)
MAX_ERROR_CHARS = 400


def page_title(text: str) -> str:
    found = _TITLE.search(text[:200_000])
    return " ".join(html.unescape(found[1][:_TITLE_CHARS]).split())[:100] if found else ""


def is_daily_papers(text: str) -> bool:
    """Is this HTML a daily papers page of Hugging Face (and not the page of one paper)?"""
    if "/papers/" in text and (
        re.match(r"(?:daily|weekly|monthly|trending) papers\b", page_title(text), re.I)
        or re.search(r"<h1[^<>]*>\s*(?:<[^<>]*>\s*){0,5}(?:Dai|Week|Month)ly Papers\b", text)
    ):
        return True
    return (b"dailypapers" in _lower(text) and bool(_DAILY.search(text))) or _begins_with_cards(text)


def _begins_with_cards(text: str) -> bool:
    """Is the first link to a paper one in a card, on a page without a title, as programs cut it out of its frame?"""
    first = _PAPER_LINK.search(text) if "/papers/" in text and not page_title(text) else None
    if first is None:
        return False
    return text.rfind("<article", 0, first.start()) > text.rfind("</article", 0, first.start())


def _lower(text: str) -> bytes:
    """For a look whether a word of ASCII is there at all, in any case: of a long text in a tenth of the time of str.lower."""
    return text.encode("utf-8", "surrogatepass").lower()


def _html_kind(listing: Listing, text: str) -> str:
    if is_daily_papers(text):
        return "huggingface"
    if records.is_proceedings(text):
        return "proceedings"
    title = page_title(text)
    named = f' ("{title}")' if title else ""
    lower = _lower(text)
    if (b"arxiv-result" in lower or b"search | arxiv" in lower) and _SEARCH.search(text):
        return "arxiv-search"
    if _ARXIV.search(text):
        return "arxiv"
    if title.lower().startswith("paper page -") or "PaperPage" in text[:60_000]:
        raise refused(
            listing,
            f"this is the page of one paper{named}, no listing",
            "Give https://huggingface.co/papers.",
        )
    if found := _ALTERNATE.search(text[:200_000]):
        address = re.search(r"href\s*=\s*[\"']?([^\"'\s<>]+)", found[0], re.I)
        mend = (
            f"It names a feed: {_joined(listing.base_url, html.unescape(address[1][:_TITLE_CHARS]))}. Give that address, or CSS "
            'selectors (kind = "selectors", docs/sources.md).'
            if address
            else "It names a feed: give its address."
        )
        raise refused(listing, f"this is an HTML page{named} that is no listing known here", mend)
    if _WALLS.search(title) or _ERRORS.search(title) or (len(text) < HEAD_CHARS and _WALLS.search(text)):
        raise refused(
            listing,
            f"this looks like a login, captcha or error page{named}",
            "Open the address in a browser and save the listing from there.",
        )
    raise refused(
        listing, f"this is an HTML page{named} that is no listing known here", f"{_KNOWN} {_BY_SELECTORS}"
    )


def _joined(base: str, address: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError:
        return address


# --- text

# What reference managers and indexes export, by the lines that only it has.
_CITATIONS = (
    (late(r"(?<![^\r\n])TY {1,2}- ?[A-Z]{2,8}[ \t]*(?![^\r\n])"), "RIS"),
    (late(r"(?<![^\r\n])%0 [A-Z][a-z]"), "EndNote's format"),
    (late(r"(?<![^\r\n])[ \t]{0,8}@[a-z]{3,20}[ \t]{0,8}[{(][ \t]{0,8}[^\s{}(),]{1,200},", re.I), "BibTeX"),
    (late(r"FN (?:Clarivate|Thomson|ISI)\b"), "the format of Web of Science"),
)
_TABLE = late(r"(?=[^\r\n]{0,2000}(?<![^,;\t\"'])title\b)(?:[^,;\t\r\n]{1,60}[,;\t]){2}", re.I)


def _exported(text: str) -> tuple[str, str]:
    """What a text is that was exported by another program, and what to do; two empty strings for any other text."""
    head = text[:HEAD_CHARS]
    for pattern, name in _CITATIONS:
        if pattern.search(head):
            return (
                f"these are citations in {name}",
                "Export them as CSL JSON, or from PubMed as MEDLINE: both are read.",
            )
    if _TABLE.match(head):
        return (
            "this looks like a table (CSV)",
            "Save it as JSON, a list of objects with title, authors and abstract, or give the page it was made from.",
        )
    return "", ""


def _text_kind(listing: Listing, text: str) -> str:
    from digest.sources import _arxiv_found, arxiv_dump, arxiv_text
    from digest.sources.saved import looks_like_dump

    if records.is_medline(text):
        return "pubmed"
    if arxiv_text.looks_like(text):
        return "arxiv-mail"
    text = without_links(text)
    if arxiv_dump.looks_like(text):
        return "arxiv-dump"
    if _arxiv_found.looks_like(text):
        return "arxiv-search"
    if looks_like_dump(text):
        return "saved"
    if len(text) < MAX_ERROR_CHARS and (_ERRORS.search(text) or _WALLS.search(text)):
        said = " ".join(text.split())[:200].rstrip(".")
        raise refused(
            listing, f"this looks like an error message: {said}", "Ask again later, or check the address."
        )
    what, mend = _exported(text)
    raise refused(
        listing,
        what or "this is text without the marks of a listing (title, abstract, title, abstract)",
        mend or _KNOWN,
    )
