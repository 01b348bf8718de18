"""Bad input: a page that is cut, mutated, deep, huge or no page at all gives a named error or fewer papers, and soon."""

from __future__ import annotations

import random
import time
import tracemalloc
from html import escape
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings"
WHOLE = [
    "huggingface/page-2024.html", "huggingface/api-2026.json", "arxiv/new.html", "arxiv/rss.xml", "arxiv/atom.xml",
    "feed/rss-1.0-prism.rdf", "feed/rss-2.0.xml", "feed/atom.xml", "feed/jsonfeed-1.1.json",
    "saved/blank-lines.txt", "saved/no-blank-lines.txt",
]  # fmt: skip
RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>'
LIST = "<!DOCTYPE html><html><body><div id='dlpage'>"
DAILY = "<html><title>Daily Papers - Hugging Face</title><h1>Daily Papers</h1>"
ENTITIES = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))


def declaring(entities: str, title: str) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE r [{entities}]>{RSS[21:]}<item><title>{title}</title></item></channel></rss>'


def described(description: str, link: str = "https://ponds.example/1") -> str:
    return f"{RSS}<item><title>t</title><link>{link}</link><description>{escape(description)}</description></item></channel></rss>"


def attempt(body: bytes | str) -> Reading | ParseError:
    try:
        return sources.read(Listing(location="page", body=body if isinstance(body, bytes) else body.encode()))
    except ParseError as error:
        return error


def keys(result: Reading | ParseError) -> list[str]:
    return [paper.key for paper in result.papers] if isinstance(result, Reading) else []


@pytest.mark.parametrize("name", WHOLE)
def test_a_page_cut_anywhere_gives_an_error_or_fewer_papers_with_a_note(name: str) -> None:
    body = (PAGES / name).read_bytes()
    whole = keys(attempt(body))
    for end in range(0, len(body), 197):
        result = attempt(body[:end])
        if isinstance(result, Reading):
            assert not result.empty
            assert len(result.papers) <= len(whole) + 1  # a half title of a dump may stand for the next paper
            assert len(result.papers) == len(whole) or result.notes or name.startswith("saved")


@pytest.mark.parametrize("name", [name for name in WHOLE if "saved" not in name])
def test_no_half_paper_comes_from_a_cut_page(name: str) -> None:
    body = (PAGES / name).read_bytes()
    whole = set(keys(attempt(body)))
    for end in range(0, len(body), 197):
        assert set(keys(attempt(body[:end]))) <= whole


@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_page_never_raises_anything_but_a_parse_error(name: str) -> None:
    body, dice = (PAGES / name).read_bytes(), random.Random(7)
    for _ in range(15):
        damaged = bytearray(body)
        for _ in range(dice.randint(1, 30)):
            at = dice.randrange(len(damaged))
            damaged[at : at + dice.randint(0, 3)] = bytes(
                dice.choices(b"<>&\"'\x00\xff\xd8{}[]\\$ \n/ab", k=dice.randint(0, 4))
            )
        attempt(bytes(damaged))


DUMP = "Get trending papers in your email inbox!\n\nDaily Papers\n\n"
HOSTILE = {
    "100,000 open tags": LIST + "<div>" * 100_000,
    "100,000 nested lists": LIST + "<dl>" * 100_000 + "<dt>",
    "50,000 tags nested and closed": LIST + "<div>" * 50_000 + "</div>" * 50_000,
    "300,000 attributes": LIST + "<a " + " ".join(f"x{i}" for i in range(300_000)) + ">",
    "attributes that hide their brackets": LIST
    + "<a "
    + " ".join(f'x{i}="<>"' for i in range(100_000))
    + ">",
    "a million tags": LIST + "<p>x" * 1_000_000,
    "deep cards": DAILY + "<article>" * 100_000,
    "100,000 nested items": RSS + "<item>" * 100_000,
    "deep behind a good item": RSS + "<item><title>a</title></item>" + "<b>" * 100_000,
    "deep and not well-formed": RSS + "& <item>" + "<b>" * 100_000 + "</item>",
    "a million bare ampersands": RSS + "<item><title>" + "&" * 1_000_000 + "</title></item></channel></rss>",
    "many prefixes": RSS + "".join(f"<p{i}:a>" for i in range(50_000)) + "</item>",
    "entities of entities": declaring(f'<!ENTITY e0 "aaaaaaaaaa">{ENTITIES}', "&e12;"),
    "doctype after doctype": "<!DOCTYPE rss [" * 50_000,
    "comment after comment": "<!-- -->" * 200_000,
    "comments that never end": "<!--" * 200_000,
    "deep JSON list": "[" * 200_000,
    "deep JSON object": '[{"paper":' + '{"a":' * 100_000,
    "a line of 5 MB": "a" * 5_000_000,
    "nothing but <": "<" * 3_000_000,
    "zero bytes": "\0" * 1_000_000,
    "titles that open": "<html><title>" * 100_000,
    "headings that open": "<html>/papers/" + "<h1>" * 100_000,
    "a mail whose boundary is semicolons": 'A: b\nContent-Type: multipart/mixed; boundary="'
    + ";" * 300_000
    + '"\n\n',
    "a mail in a mail in a mail": "A: b\n" + "Content-Type: message/rfc822\n\n" * 3_000,
    "a part in a part in a part": "".join(
        f"A: b\nContent-Type: multipart/mixed; boundary =b{i}\n\n--b{i}\n" for i in range(250)
    )
    + "\r" * 3_000_000,
    "a search result of 290,000 lines": "Showing 1–2 of 2 results for all: a\narXiv:2611.01001 [pdf]\nAuthors: A B\n"
    + "arXiv:2611.01001\n" * 290_000,
    "names of archives without spaces": "arXiv:2611.01001 [pdf]\n" + "cs.cscscs " * 9 + "!\nAuthors: A B\n",
    "small letters where archives stand": "arXiv:2611.01001 [pdf]\n" + "a" * 40 + "1\nAuthors: A B\n",
    "links that open in a dump": DUMP + "[x](/papers/2611.01001)\n" + "[a" * 500_000,
    "links by number that open in a dump": DUMP
    + "[[a]" * 300_000
    + "\n[1]: https://huggingface.co/papers/2611.01001\n",
    "brackets in links by number": DUMP
    + "[a\\]" * 150_000
    + "\n[1]: https://huggingface.co/papers/2611.01001\n",
    "cards that end in a dump": DUMP + "a b c\n·\nMay 3\n" * 16_000,
    "tags that open in one another": LIST + "<a" * 150_000,
    "attributes of tags that open in one another": LIST + "<a/b=" * 60_000,
    "declarations that open": LIST + "<!" * 150_000,
    "declarations that open behind a quoted mark": LIST + "<a b='<'>" + "<!" * 150_000,
    "blanks for authors": described("<p>Authors:" + "\u00a0" * 3_000 + "<x>"),
    "blanks for a fact": described("Ab:" + " " * 3_000 + "<x"),
    "empty lines in a feed that is broken": "\n" * 300_000
    + "<RSS><CHANNEL><ITEM><TITLE>t</TITLE></ITEM></CHANNEL></RSS>",
    "a DOI of brackets": described("", "https://doi.org/10.1234/a" + "]" * 300_000),
    "TeX that never closes": RSS + "<item><title>" + "$\\emph{" * 3000 + "</title></item></channel></rss>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_ends_soon(name: str) -> None:
    started = time.process_time()
    attempt(HOSTILE[name])
    assert (
        time.process_time() - started < 5
    )  # far above what it takes (0.5 s), far below what an unguarded parser does


def test_a_summary_of_one_word_without_end_is_cut() -> None:
    listed = '[{"title": "Pond Counts", "authors": ["Ada Okoye"], "abstract": "We count.", "tldr": "%s"}]'
    read = sources.read(Listing(location="page", body=(listed % ("1" * 300_000)).encode()), "venue")
    assert len(read.papers[0].gist) == 2_000


def test_a_declaration_that_never_ends_ends_soon_for_who_asks_for_a_feed() -> None:
    body = b'<?xml version="1.0" encoding="UTF-8"?' + b'"{' * 150_000
    started = time.process_time()
    with pytest.raises(ParseError):
        sources.read(Listing(location="page", body=body), "feed")
    assert time.process_time() - started < 5


def test_the_title_of_a_page_costs_none_of_its_papers() -> None:
    body = (PAGES / "arxiv/new.html").read_text()
    titled = body.replace("<title>", f"<title>&#{'9' * 5000};", 1)
    assert titled != body
    assert keys(attempt(titled)) == keys(attempt(body)) != []


def test_a_page_over_which_recognising_breaks_is_no_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(listing: Listing) -> str:
        raise RecursionError("what a later version of a library may raise")

    monkeypatch.setattr("digest.sources._sniff.kind_of", breaks)
    assert "what recognises pages failed (RecursionError" in str(attempt("any page"))


@pytest.mark.parametrize(
    ("kind", "start", "brick", "end"),
    [
        ("dblp", "", "<!-- -->", ""),
        ("huggingface", DAILY + "<div", ' a=""', ' data-target="DailyPapers" data-props="{}"></div>'),
    ],
)
def test_what_is_repeated_without_end_is_not_remembered_piece_by_piece(
    kind: str, start: str, brick: str, end: str
) -> None:
    """An expression keeps some 180 bytes for each repetition of a group that it may have to take back."""
    page = Listing(location="page", body=f"{start}{brick * 200_000}{end}".encode())
    with pytest.raises(ParseError):
        sources.read(page, kind)  # imports what it needs
    tracemalloc.start()
    try:
        with pytest.raises(ParseError):
            sources.read(page, kind)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(page.body)
    finally:
        tracemalloc.stop()


def test_entities_are_never_expanded() -> None:
    result = attempt(HOSTILE["entities of entities"])
    assert not isinstance(result, Reading) or all(len(paper.title) < 20 for paper in result.papers)


def test_a_file_named_by_an_entity_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    xml = declaring(f'<!ENTITY a SYSTEM "{(tmp_path / "secret").as_uri()}">', "T &a;")
    result = attempt(xml)
    assert isinstance(result, Reading)
    assert "canary" not in repr(result)


def test_a_listing_ends_at_5000_papers_and_says_so() -> None:
    items = "".join(f"<item><title>Paper {i}</title></item>" for i in range(5_010))
    result = attempt(f"{RSS}{items}</channel></rss>")
    assert isinstance(result, Reading)
    assert len(result.papers) == 5_000
    assert any("cut" in note for note in result.notes)


def test_a_title_ends_at_1000_characters() -> None:
    result = attempt(f"{RSS}<item><title>{'x' * 100_000}</title></item></channel></rss>")
    assert isinstance(result, Reading)
    assert len(result.papers[0].title) == 1_000


def test_control_characters_and_lone_surrogates_leave_titles() -> None:
    result = attempt(
        '[{"paper": {"id": "2611.00001", "title": "A \\ud800 good\\u0000 ti\\u200btle\\ufffe", "summary": "x"}}]'
    )
    assert isinstance(result, Reading)
    assert result.papers[0].title == "A good title"


def test_notes_end_too_and_that_of_a_page_that_breaks_off_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [f"note {n % 70}" for n in range(300)] + ["truncated: it breaks off", "note 1"]
    whole = sources.read(Listing(location="page", body=b"<rss><channel><title>T</title></channel></rss>"))
    monkeypatch.setattr(sources, "_read", lambda *args: replace(whole, notes=tuple(said)))
    notes = sources.read(Listing(location="page", body=b"")).notes
    assert notes == (*(f"note {n}" for n in range(50)), "truncated: it breaks off", "20 further notes")


def test_one_broken_entry_costs_one_entry() -> None:
    result = attempt(
        '[{"paper": {"id": "2611.00001", "title": "Good"}}, {"paper": {"id": [], "title": {}}}, 7, {"paper": null}]'
    )
    assert isinstance(result, Reading)
    assert [paper.title for paper in result.papers] == ["Good"]
    assert "3 of 4 entries" in result.notes[0]


def test_a_kind_that_was_asked_for_is_not_forced_on_another_page() -> None:
    page = (PAGES / "huggingface/page-2024.html").read_bytes()
    for kind in ("arxiv", "feed", "saved"):
        with pytest.raises(ParseError):
            sources.read(Listing(location="page", body=page), kind)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ParseError, match="digest sources list --kinds"):
        sources.read(Listing(location="page", body=b"x"), "hugging-face")


HTML_DOCUMENT = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN" "http://www.w3.org/TR/REC-html40/loose.dtd">\n'
    "<html><body><p>Rivers {n} were counted.</p></body></html>"
)


@pytest.mark.parametrize("before", ["", "<!-- it has a <!DOCTYPE in it -->", "<!DOCTYPE rss>"])
def test_whole_html_documents_as_texts_of_a_feed_are_texts(before: str) -> None:
    """As programs that make their HTML of trees put it into CDATA sections: with the DOCTYPE, which names a file at w3.org."""
    items = "".join(
        f"<item><title>Rivers {n}</title><description><![CDATA[{HTML_DOCUMENT.format(n=n)}]]></description></item>"
        for n in range(3)
    )
    odd = "<item><title>Doctypes</title><description><![CDATA[ <!DOCTYPE ]]></description></item>"
    found = attempt(f'<?xml version="1.0"?>{before}{RSS[21:]}{odd}{items}</channel></rss>')
    assert isinstance(found, Reading)
    assert [paper.title for paper in found.papers] == ["Doctypes", "Rivers 0", "Rivers 1", "Rivers 2"]
    assert [paper.abstract for paper in found.papers[1:]] == [f"Rivers {n} were counted." for n in range(3)]
    assert [paper.links for paper in found.papers] == [{}] * 4


def test_a_link_in_a_cdata_section_that_was_escaped_again_is_a_link() -> None:
    text = "&lt;![CDATA[We count. Code: https://github.com/a/b]]&gt;"
    found = attempt(f"{RSS}<item><title>One</title><description>{text}</description></item></channel></rss>")
    assert isinstance(found, Reading)
    assert found.papers[0].links == {"code": "https://github.com/a/b"}


def test_the_whole_text_of_an_item_may_stand_as_xhtml_or_under_its_old_name() -> None:
    xhtml = '<item><title>One</title><body xmlns="http://www.w3.org/1999/xhtml">We <b>count</b> rivers.</body></item>'
    old = "<item><title>Two</title><fullitem>We &lt;b>count&lt;/b> lakes.</fullitem></item>"
    found = attempt(f"{RSS}{xhtml}{old}</channel></rss>")
    assert isinstance(found, Reading)
    assert [paper.abstract for paper in found.papers] == ["We count rivers.", "We count lakes."]


def test_the_address_that_takes_comments_on_an_item_is_no_comment() -> None:
    feed = RSS.replace("<rss ", '<rss xmlns:wfw="http://wellformedweb.org/CommentAPI/" ')
    item = "<item><title>One</title><wfw:comment>https://j.example.org/1/comments</wfw:comment></item>"
    found = attempt(f"{feed}{item}</channel></rss>")
    assert isinstance(found, Reading)
    assert found.papers[0].comment is None


UNCLOSED = {
    "arxiv": "<dl><dt><a href=/abs/2611.{n:05} title=Abstract>arXiv</a><dd><div class=list-title>Title: Kilns {n}<h3>New",
    "proceedings": "<ul><li class=contrib><span class=contrib_title>Ships {n}",
    "huggingface": "<div><h3><a href=/papers/2611.{n:05}>A paper about ships {n}</a>",
}


@pytest.mark.parametrize("kind", UNCLOSED)
def test_papers_that_stand_in_one_another_are_refused_before_each_is_read_with_all_that_follows(
    kind: str,
) -> None:
    def page(count: int) -> Listing:
        entries = "".join(UNCLOSED[kind].format(n=n) for n in range(count))
        frame = (
            f"<html><title>Papers</title><body><div id=dlpage><h1>Daily Papers</h1>{entries}</body></html>"
        )
        return Listing(location="page", body=frame.encode())

    assert sources.read(page(20), kind).papers
    with pytest.raises(ParseError, match="levels in one another"):
        sources.read(page(400), kind)
