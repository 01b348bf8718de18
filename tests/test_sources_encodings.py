"""Bytes of a page: read in the encoding that they are in, whatever the page says, and as browsers take its name."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

TITLE = "Zoë Müller’s carps"


def feed(*titles: str, encoding: str = "") -> str:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    items = "".join(
        f"<item><title>{title}</title><link>https://j.example/{n}</link></item>"
        for n, title in enumerate(titles)
    )
    return f"{declared}<rss version='2.0'><channel><title>J</title><link>https://j.example/</link>{items}</channel></rss>"


def read(body: bytes, content_type: str = "") -> Reading:
    return sources.read(Listing(location="page", body=body, content_type=content_type))


def titles(body: bytes, content_type: str = "") -> list[str]:
    return [paper.title for paper in read(body, content_type).papers]


@pytest.mark.parametrize("declared", ["UTF-8", ""])
def test_a_sign_cut_in_half_costs_itself_alone(declared: str) -> None:
    """Texts are cut at so many bytes where a publisher's program counts these."""
    body = feed(TITLE, "Pikes — and Ö", encoding=declared).encode().replace("Ö".encode(), b"\xc3")
    reading = read(body)
    assert [paper.title for paper in reading.papers] == [TITLE, "Pikes — and \ufffd"]
    assert "the page is not in the encoding it declares; the likeliest one was used" in reading.notes


def test_a_download_cut_in_a_sign_has_its_other_papers_as_they_are() -> None:
    body = feed(TITLE, "Carpes à l’étang").encode()
    reading = read(body[: body.index("’étang".encode()) + 2])
    assert [paper.title for paper in reading.papers] == [TITLE]
    assert any(note.startswith("truncated") for note in reading.notes)


def test_what_could_not_be_read_is_said_of_any_page() -> None:
    page = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "https://j.example/1", "title": "%s"}]}'
    reading = read((page % TITLE).encode().replace("ü".encode(), b"\xfc"))
    assert [paper.title for paper in reading.papers] == ["Zoë M\ufffdller’s carps"]
    assert "1 paper with characters that could not be read (U+FFFD)" in reading.notes


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("ISO-8859-1", "cp1252"), ("latin1", "cp1252"), ("us-ascii", "cp1252"), ("windows-1252", "cp1252"), ("", "cp1252"),
        ("ISO-8859-1", "utf-8"), ("windows-1252", "utf-8"), ("koi8-r", "utf-8"), ("no-such-code", "utf-8"),
    ],
)  # fmt: skip
def test_latin_letters_are_read_whatever_the_page_says(declared: str, written: str) -> None:
    assert titles(feed(TITLE, encoding=declared).encode(written)) == [TITLE]
    assert titles(feed(TITLE).encode(written), f"application/rss+xml; charset={declared}") == [TITLE]


@pytest.mark.parametrize(
    ("declared", "written", "title"),
    [
        ("gb2312", "gb18030", "鲤鱼研究鎔基"),
        ("euc-kr", "cp949", "잉어 연구 똠방"),
        ("shift_jis", "cp932", "鯉の研究①"),
        ("big5", "big5hkscs", "鯉魚研究"),
        ("iso-8859-9", "cp1254", "Sazanın “günü”"),
        ("koi8-r", "koi8-r", "Карпы в пруду"),
        ("windows-1251", "cp1251", "Карпы в пруду"),
        ("utf-16", "utf-16", TITLE),
    ],
)
def test_an_encoding_is_what_browsers_take_for_its_name(declared: str, written: str, title: str) -> None:
    assert titles(feed(title, encoding=declared).encode(written)) == [title]


PAGES = Path(__file__).parent / "listings"
# But XML, which says what it is in, and mails, whose letters are of ASCII.
OTHERS = [
    path
    for form in ("html", "json", "jsonl", "md", "txt")
    for path in sorted(PAGES.glob(f"[!n]*/*.{form}"))
    if not path.name.endswith(".papers.json")
]


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_a_page_that_a_console_saved_in_utf_16_is_the_page(page: Path) -> None:
    def outcome(body: bytes) -> Reading | str:
        try:
            return sources.read(Listing(location="page", body=body))
        except ParseError as error:
            return str(error)

    text = page.read_bytes().decode("utf-8-sig")
    told = outcome(text.encode())
    assert outcome(text.encode("utf-16")) == told
    assert outcome(text.encode("utf-16-le")) == told


SAID = {
    "euc_jp": "池の深さについて：カエルの観察。池は冬に凍ることがある",
    "cp932": "池の深さについて：カエルの観察。池は冬に凍ることがある",
    "cp949": "연못의 깊이에 관하여: 개구리 관찰. 연못은 겨울에 얼 수 있다",
    "gb18030": "关于池塘的深度：对青蛙的观察。池塘在冬天可能会结冰",
    "big5hkscs": "關於池塘的深度：對青蛙的觀察。池塘在冬天可能會結冰",
    "koi8-r": "О глубине прудов: наблюдение за лягушками",
    "cp1251": "О глубине прудов: наблюдение за лягушками",
    "cp1255": "על עומק הבריכות: תצפית על צפרדעים בחורף",
    "cp874": "เกี่ยวกับความลึกของสระน้ำ การสังเกตกบในฤดูหนาว",
    "cp1252": "Über die Tiefe der Teiche: “Beobachtung” von Fröschen – à l’école",
}


@pytest.mark.parametrize("written", SAID)
def test_letters_of_which_nobody_says_what_they_are_are_those_that_make_words(written: str) -> None:
    assert titles(feed(SAID[written], "Ponds").encode(written)) == [SAID[written], "Ponds"]


def test_a_page_within_a_feed_says_nothing_of_the_encoding_of_the_feed() -> None:
    page = '<![CDATA[<html><head><meta charset="gb2312"></head><body>鲤鱼研究</body></html>]]>'
    body = feed(TITLE).replace("<item>", f"<item><description>{page}</description>").encode()
    (paper,) = read(body).papers
    assert (paper.title, paper.abstract) == (TITLE, "鲤鱼研究")


def test_a_feed_with_markup_in_another_encoding_is_read_as_one_without() -> None:
    marked = feed("Carps – don’t <i>ask</i>", encoding="ISO-8859-1").encode("cp1252")
    assert titles(marked) == ["Carps – don’t ask"]
    assert read(marked).notes == ()


MHTML = """From: <Saved by Blink>\r
Snapshot-Content-Location: {address}\r
MIME-Version: 1.0\r
Content-Type: multipart/related;\r
\ttype="text/html";\r
\tboundary="----MultipartBoundary--a1----"\r
\r
\r
------MultipartBoundary--a1----\r
Content-Type: text/css\r
Content-Location: https://arxiv.org/a.css\r
\r
dt {{ color: red }}\r
------MultipartBoundary--a1----\r
Content-Type: text/html\r
Content-Transfer-Encoding: {encoding}\r
Content-Location: {address}\r
\r
{page}\r
------MultipartBoundary--a1------\r
"""


@pytest.mark.parametrize(
    ("encoding", "written"), [("quoted-printable", quopri.encodestring), ("base64", base64.encodebytes)]
)
@pytest.mark.parametrize("name", ["arxiv/recent-skip20-show3.html", "huggingface/page-2026.html"])
def test_a_page_that_a_browser_saved_into_one_file_is_read_as_the_page(
    name: str, encoding: str, written: Callable[[bytes], bytes]
) -> None:
    page = (Path(__file__).parent / "listings" / name).read_bytes()
    address = "https://arxiv.org/list/cs.CL/recent?skip=20&show=3"
    saved = MHTML.format(address=address, encoding=encoding, page=written(page).decode())
    plain = sources.read(Listing(location="page", body=page, base_url=address))
    assert sources.read(Listing(location="page", body=saved.encode())) == plain


def of_single_file(page: str) -> str:
    """As SingleFile writes a page: without the ends that HTML lets it leave out, and without quotation marks."""
    page = re.sub(r"</(?:li|p|dt|dd|body|html)>", "", page)
    page = re.sub(r'="([\w./:-]+)"', r"=\1", page)
    mark = "<!--\n Page saved with SingleFile \n url: https://arxiv.org/ \n saved date: Fri Nov 20 2026\n-->"
    return re.sub(r"(<html[^<>]*>)", rf"\1{mark}", page, count=1).strip()


@pytest.mark.parametrize(
    "name",
    [
        "arxiv/new.html",
        "arxiv/new-empty.html",
        "arxiv-search/all-fields.html",
        "huggingface/page-2026.html",
        "proceedings/conference.html",
    ],
)
def test_a_page_that_was_saved_without_the_ends_it_may_lack_is_whole(name: str) -> None:
    page = (Path(__file__).parent / "listings" / name).read_text(encoding="utf-8")
    saved = of_single_file(page)
    assert "</html" not in saved
    assert read(saved.encode()) == read(page.encode())


def test_half_a_page_that_was_saved_so_is_half_a_page() -> None:
    page = (Path(__file__).parent / "listings" / "arxiv" / "new.html").read_text(encoding="utf-8")
    saved = of_single_file(page)
    notes = sources.read(Listing(location="page", body=saved[: saved.rindex("<dd") + 30].encode())).notes
    assert any(note.startswith("truncated") for note in notes)


def test_a_saved_file_without_its_page_is_told_of() -> None:
    saved = MHTML.format(address="https://arxiv.org/", encoding="base64", page="Zm9v!")
    with pytest.raises(ParseError):
        sources.read(Listing(location="page", body=saved.encode()))


VIEWERS = [
    '<html><head><meta name="color-scheme" content="light dark"></head><body><pre style="word-wrap: break-word;">{}</pre>'
    '<div class="json-formatter-container"></div></body></html>',
    "<pre>\n{}</pre>",
    "<!DOCTYPE html>\n<html><body>\n<pre>{}</pre>\n</body>\n</html>\n",
]


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize(
    "name",
    [
        "huggingface/api-2026.json",
        "pubmed/medline.txt",
        "arxiv-mail/daily-2026.txt",
        "crossref/works.json",
        "feed/rss-2.0.xml",
    ],
)
def test_text_that_a_browser_shows_is_read_as_the_text(name: str, viewer: str) -> None:
    page = (Path(__file__).parent / "listings" / name).read_bytes()
    shown = viewer.format(html.escape(page.decode(), quote=False))
    assert read(shown.encode()) == read(page)


@pytest.mark.parametrize("name", ["arxiv/new.html", "huggingface/page-2026.html", "feed/rss-2.0.xml"])
def test_the_source_of_a_page_in_chrome_s_table_is_read_as_the_page(name: str) -> None:
    page = (Path(__file__).parent / "listings" / name).read_bytes()
    marked = [
        html.escape(line, quote=False).replace("&gt;", "&gt;</span>") for line in page.decode().split("\n")
    ]
    rows = "".join(
        f'<tr><td class="line-number" value="{n}"></td><td class="line-content"><span class="html-tag">{line}</td></tr>'
        for n, line in enumerate(marked, 1)
    )
    table = f'<body><div class="line-gutter-backdrop"></div><table><tbody>{rows}</tbody></table></body>'
    assert read(f"<html>{table}</html>".encode()) == read(page)


def test_xml_in_the_box_of_a_viewer_is_read_as_the_document() -> None:
    box = '<html><body><div id="webkit-xml-viewer-source-xml">{}</div><div class="header"><p>This XML</p></div></body></html>'
    page = feed(TITLE, "Two")
    assert read(box.format(page).encode()) == read(page.encode())


def test_a_page_with_more_than_one_text_is_no_viewer_s() -> None:
    with pytest.raises(ParseError):
        read(b"<html><body><pre>[]</pre><p>and</p><pre>[]</pre></body></html>")


SERVICES = [
    lambda page, address: {
        "success": True,
        "data": {"html": page, "metadata": {"sourceURL": address, "statusCode": 200}},
    },
    lambda page, address: {
        "success": True,
        "data": {"markdown": "# Listing", "rawHtml": page, "metadata": {"sourceURL": address}},
    },
    lambda page, address: {"contents": page, "status": {"http_code": 200}, "url": address},
    lambda page, address: {"url": address, "status": 200, "body": f"\n  {page}"},
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "name", ["arxiv/recent-skip20-show3.html", "arxiv-search/all-fields.html", "huggingface/page-2026.html"]
)
def test_a_page_that_a_service_put_into_json_is_read_as_the_page(
    name: str, service: Callable[[str, str], object]
) -> None:
    page = (Path(__file__).parent / "listings" / name).read_text(encoding="utf-8")
    address = "https://arxiv.org/list/cs.CL/recent?skip=20&show=3"
    plain = sources.read(Listing(location="page", body=page.encode(), base_url=address))
    assert read(json.dumps(service(page, address)).encode()) == plain


def test_markdown_that_a_service_put_into_json_is_read_as_the_text() -> None:
    page = (Path(__file__).parent / "listings" / "arxiv-search" / "markdown.md").read_bytes()
    assert read(json.dumps({"data": {"markdown": page.decode()}}).encode()) == read(page)


def test_a_paper_with_a_text_in_html_is_no_page() -> None:
    paper = {
        "title": "Ponds",
        "authors": ["Ada Okoye"],
        "abstract": "Deep.",
        "content": "<p>Ponds are deep.</p>",
    }
    assert titles(json.dumps(paper).encode()) == ["Ponds"]


def test_a_login_page_in_json_is_told_of() -> None:
    with pytest.raises(ParseError, match="looks like a login"):
        read(json.dumps({"data": {"html": "<html><title>Sign in</title><p>Password</p></html>"}}).encode())


@pytest.mark.parametrize(
    "name", ["huggingface/cards-otherwise-built.html", "arxiv/list-otherwise-built.html"]
)
def test_a_page_that_begins_as_xml_brings_no_advice_for_programmers(
    name: str, recwarn: pytest.WarningsRecorder
) -> None:
    body = (PAGES / name).read_bytes()
    found = sources.read(Listing(location="page", body=b'<?xml version="1.0"?>\n' + body), name.split("/")[0])
    assert found.papers == sources.read(Listing(location="page", body=body)).papers
    assert not recwarn.list
