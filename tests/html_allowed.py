"""What may stand in anything we publish or send: elements, attributes and addresses, judged after a browser's own parse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import html5lib
from lxml import etree

HTML = "{http://www.w3.org/1999/xhtml}"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


@cache
def _comments() -> re.Pattern[str]:
    """Those of the shipped mail, which one mail program reads; a theme's fonts may stand in them."""
    found = set()
    for file in (Path(__file__).parent.parent / "templates").glob("*.html"):
        for text in re.findall(r"<!--(.*?)-->", file.read_text("utf-8"), re.S):
            found.add("[\\w ,-]+".join(map(re.escape, re.split(r"{{.*?}}", text))))
    return re.compile("|".join(sorted(found)))


_NONE: frozenset[str] = frozenset()

_EVERYWHERE = _names("id class lang dir title role hidden translate tabindex")
_TEXT = _names(
    "html head title body header main footer section article nav aside h1 h2 h3 h4 ul dl dt dd li p div span strong em b i br hr"
    " code pre small sub sup mark table thead tbody tfoot tr caption summary fieldset legend cite blockquote bdi abbr search"
    " noscript template figure"
)
_MAIL_TEXT = _names("html head title body h1 h2 h3 p span strong em b i br code tbody tr div")
# Elements of pages with the attributes that each may have beyond those.
PAGE: dict[str, frozenset[str]] = dict.fromkeys(_TEXT, _NONE) | {
    name: _names(attributes)
    for name, attributes in {
        "style": "type",
        "meta": "charset name content http-equiv",
        "link": "rel href type hreflang sizes media",
        "a": "href rel type hreflang download",
        "ol": "start reversed",
        "td": "colspan rowspan headers",
        "th": "scope colspan rowspan abbr",
        "details": "open",
        "time": "datetime",
        "del": "datetime",
        "ins": "datetime",
        "form": "action method novalidate autocomplete",
        "label": "for",
        "input": "type name value required checked placeholder autocomplete maxlength min max size inputmode readonly step"
        " spellcheck autocapitalize list pattern",
        "select": "name required",
        "option": "value selected",
        "textarea": "name rows cols maxlength spellcheck required",
        "button": "type name value disabled",
        "output": "for",
        "script": "src defer",
    }.items()
}
# Of a mail: tables, and styles in attributes, since many programs drop the others.
MAIL: dict[str, frozenset[str]] = dict.fromkeys(_MAIL_TEXT, _NONE) | {
    "style": _names("type"),
    "meta": _names("charset name content http-equiv"),
    "a": _names("href"),
    "table": _names("width cellpadding cellspacing border align"),
    "td": _names("width align valign bgcolor"),
}
_ADDRESSED = _names("href src action formaction cite background poster ping srcset data")
_CSS = re.compile(
    r"@import|@font-face|url\s*\(|expression\s*\(|javascript:|behavior\s*:|-moz-binding|<|\\", re.I
)

# What a page never shows: controls, lone surrogates, noncharacters, and marks that turn the rest of a line around.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066\u2067\ufdd0-\ufdef\ufffe\uffff]"
)
_TURNING = re.compile("[\u2068\u2069]")


def scheme_of(address: str) -> str:
    """The scheme as a browser finds it (WHATWG URL, 4.4): controls and spaces at the ends, tabs and line ends anywhere do not
    count. "" for a relative address."""
    bare = re.sub("[\t\n\r]", "", address.strip("".join(map(chr, range(33)))))
    found = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", bare)
    return found[1].lower() if found else ""


def is_safe(address: str, *, relative: bool = False) -> bool:
    """A whole address of the web, or of mail without further fields than a subject; with `relative` also one of this site."""
    scheme = scheme_of(address)
    if scheme in ("http", "https"):
        bare = re.sub("[\t\n\r]", "", address.strip())
        return (
            bool(re.match(r"https?://[^/\\?#@\s]+(?:[/?#]|$)", bare)) and "\\" not in bare and "<" not in bare
        )
    if scheme == "mailto":
        return bool(re.fullmatch(r"mailto:[\w.+%@-]+(\?subject=[\w.%+-]*)?", address))
    return (
        relative and not scheme and re.match(r"[#?]|/(?![/\\])", address) is not None and "\\" not in address
    )


def faults_of_html(
    body: bytes | str, *, mail: bool = False, scripts: frozenset[str] = frozenset()
) -> list[str]:
    """What stands in a page, or the HTML part of a mail, that no template of ours writes. `scripts` are the addresses that a page
    may load a script from."""
    tree = html5lib.parse(body, **({} if isinstance(body, str) else {"override_encoding": "utf-8"}))
    return list(_faults(tree, MAIL if mail else PAGE, mail, scripts))


def faults_of_fragment(text: str) -> list[str]:
    """The same of the HTML body of a feed's item."""
    allowed: dict[str, frozenset[str]] = {name: set() for name in ("p", "em", "code", "strong", "br")} | {
        "a": {"href"}
    }
    return [
        fault
        for element in html5lib.parseFragment(text)
        for fault in _faults(element, allowed, False, frozenset(), plain=True)
    ]


def _faults(
    tree: Any, allowed: dict[str, frozenset[str]], mail: bool, scripts: frozenset[str], *, plain: bool = False
) -> Iterator[str]:
    for element in tree.iter():
        if not isinstance(element.tag, str):
            if not mail or not _comments().fullmatch(str(element.text)):
                yield f"a comment: {str(element.text)[:80]!r}"
            continue
        name = element.tag.removeprefix(HTML)
        if name not in allowed:
            yield f"<{name}> {element.attrib}"
            continue
        for attribute, value in element.attrib.items():
            yield from _of_attribute(name, attribute, value, allowed[name], mail, plain)
        if name == "script" and (element.get("src") not in scripts or "".join(element.itertext()).strip()):
            yield f"a script: {element.attrib} {element.text!r}"
        if name == "style" and _CSS.search("".join(element.itertext())):
            yield f"styles that load or hide something: {element.text!r:.200}"
        if name == "meta" and element.get("http-equiv", "content-type").lower() not in (
            "content-type",
            "x-ua-compatible",
        ):
            yield f"<meta> {element.attrib}"
        for text in filter(None, (element.text, element.tail)):
            yield from _of_text(text)


def _of_attribute(
    name: str, attribute: str, value: str, allowed: frozenset[str], mail: bool, plain: bool
) -> Iterator[str]:
    free = allowed if plain else allowed | _EVERYWHERE | ({"style"} if mail else _NONE)
    if (name, attribute, value) == ("abbr", "style", "text-decoration:none"):
        return
    if attribute not in free and (plain or not attribute.startswith(("aria-", "data-"))):
        yield f"<{name} {attribute}={value[:80]!r}>"
    if (name, attribute) == ("script", "src"):
        return  # one of those allowed, or a fault of its element
    if attribute in _ADDRESSED and not is_safe(value, relative=not mail and not plain):
        yield f"<{name} {attribute}={value[:80]!r}>"
    if attribute == "style" and _CSS.search(value):
        yield f"<{name} style={value[:80]!r}>"
    yield from _of_text(value)


def _of_text(text: str) -> Iterator[str]:
    if found := _UNFIT.search(text):
        yield f"{found[0]!r} in {text[max(0, found.start() - 20) : found.start() + 20]!r}"
    depth = 0
    for mark in _TURNING.findall(text):
        depth += 1 if mark == "\u2068" else -1
        if depth < 0:
            break
    if depth:
        yield f"isolates that do not pair in {text[:80]!r}"


# ---------------------------------------------------------------- feeds and data

_ATOM, _DC = "{http://www.w3.org/2005/Atom}", "{http://purl.org/dc/elements/1.1/}"
_HISTORY = "{http://purl.org/syndication/history/1.0}"
_SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"
FEED_ELEMENTS = (
    _names(
        "rss channel title link description language lastBuildDate pubDate generator docs ttl image url width height item guid"
        " category author managingEditor webMaster copyright"
    )
    | {
        f"{_ATOM}{name}"
        for name in _names(
            "feed entry id title subtitle updated published link author name email uri generator rights category summary content"
            " icon logo source contributor"
        )
    }
    | {ENCODED, f"{_DC}creator", f"{_HISTORY}archive", f"{_HISTORY}complete"}
    | _names("opml head body outline dateCreated dateModified ownerName ownerId")
    | {f"{_SITEMAP}{name}" for name in ("urlset", "url", "loc", "lastmod", "sitemapindex", "sitemap")}
)


def faults_of_xml(body: bytes) -> list[str]:
    """What stands in a feed, an OPML file or a sitemap that a reader should not be given. Raises XMLSyntaxError."""
    faults = []
    tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    if tree.getroottree().docinfo.doctype:
        faults.append("a document type")
    for element in tree.iter():
        if not isinstance(element.tag, str):
            faults.append(f"no element: {etree.tostring(element)[:80]!r}")
            continue
        name, text = element.tag, element.text or ""
        if name not in FEED_ELEMENTS:
            faults.append(f"<{name}>")
        for attribute, value in element.attrib.items():
            if attribute in ("href", "url", "src", "xmlUrl", "htmlUrl", "uri") and not is_safe(str(value)):
                faults.append(f"<{name} {attribute}={value!r:.80}>")
            faults += _of_text(str(value))
        if (
            name in ("link", "url", "docs", "comments", f"{_SITEMAP}loc", f"{_ATOM}uri")
            and text
            and not is_safe(text)
        ):
            faults.append(f"<{name}>{text:.80}")
        if name == ENCODED or element.get("type") == "html":
            faults += faults_of_fragment(text)
        faults += _of_text(text)
    return faults


def faults_of_json(body: bytes) -> list[str]:
    """What stands in a JSON file that a reader should not be given: markup in bodies, addresses that are no web addresses.

    Of `links` the scheme counts: they are as the source has them, with whatever stands behind the host.
    """
    text = body.decode("utf-8")
    found: list[str] = []
    found += [f"{letter!r}" for letter in sorted(set(re.findall("[\x00-\x08\x0b-\x1f]", text)))]

    def look(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for inner_name, inner in value.items():
                look("link" if name == "links" else inner_name, inner)
        elif isinstance(value, list):
            for inner in value:
                look(name, inner)
        elif isinstance(value, str):
            if name == "content_html":
                found.extend(faults_of_fragment(value))
            if (
                name
                in ("link", "url", "home_page_url", "feed_url", "external_url", "next_url", "URL", "icon")
                and value
            ):
                known = is_safe(value) if name != "link" else scheme_of(value) in ("http", "https")
                found.extend([] if known else [f"{name}: {value[:80]!r}"])
            # Names of topics are the operator's own words.
            found.extend([] if name == "name" else _of_text(value))

    look("", json.loads(text))
    return found


def bib_entries(text: str) -> int:
    """How many entries a BibTeX file has. Raises AssertionError where a value of one breaks out of its braces, which BibTeX
    counts behind a backslash too."""
    entries, at = 0, 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        head = re.compile(r"@[a-z]+\{[A-Za-z0-9:._/+-]+,\n").match(text, at)
        assert head, f"no entry: {text[at : at + 80]!r}"
        at, entries = head.end(), entries + 1
        while field := re.compile(r"\s*[A-Za-z]+\s*=\s*(\{|[a-z0-9]+)").match(text, at):
            at, depth = field.end(), 1 if field[1] == "{" else 0
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            at += text[at] == ","
        end = re.compile(r"\s*\}").match(text, at)
        assert end, f"an entry does not end: {text[at : at + 80]!r}"
        at = end.end()
    return entries


def ris_entries(text: str) -> int:
    """How many entries a RIS file has. Raises AssertionError where a line is none of the format."""
    tags = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line:
            found = re.fullmatch(r"([A-Z][A-Z0-9])  - ?(.*)", line)
            assert found, repr(line[:80])
            tags.append(found[1])
    ends = [tag for tag in tags if tag in ("TY", "ER")]
    assert ends == ["TY", "ER"] * (len(ends) // 2)
    assert not tags or (tags[0], tags[-1]) == ("TY", "ER")
    return len(ends) // 2


def host_of(address: str) -> str:
    return urlsplit(address).hostname or ""
