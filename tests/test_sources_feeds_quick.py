"""Feeds that are read without a tree are read as the tree would give them; what a tree may see otherwise is left to it."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest

import hostile
from benchmarks import pages
from conftest import sizes
from digest.errors import ParseError
from digest.model import Listing
from digest.sources import _item, _items, _items_quick
from digest.sources._item import Feed
from quick_pages import changed

LISTINGS = Path(__file__).parent / "listings"
ATOM = 'xmlns="http://www.w3.org/2005/Atom"'
ADDRESS = '<link href="https://f.example.org/"/>'
ENTRY = "<entry><id>urn:x:1</id><title>Knots</title><summary>Words &amp; knots.</summary></entry>"
OTHER_WAYS = {
    "mutated": (hostile.flipped, hostile.noisy, hostile.doubled, hostile.removed, hostile.swapped, hostile.unbalanced),
    "worded": (hostile.attributed, hostile.referenced, hostile.marked, hostile.nested, hostile.worded, hostile.escaped),
}  # fmt: skip


def listing(body: str | bytes, base: str = "") -> Listing:
    return Listing(location="feed", body=body if isinstance(body, bytes) else body.encode(), base_url=base)


def atom(inside: str, head: str = ADDRESS) -> str:
    return f"<?xml version='1.0'?>\n<feed {ATOM}><title>F</title>{head}{inside}</feed>"


def rss(inside: str) -> str:
    return f'<rss version="2.0"><channel><title>R</title><link>https://r.example.org/</link>{inside}</channel></rss>'


def by_tree(feed: Listing, monkeypatch: pytest.MonkeyPatch) -> Feed | None:
    """What the other roads give; None where they refuse it."""
    with monkeypatch.context() as patch:
        patch.setattr(_items_quick, "read", lambda _: None)
        try:
            return _items.read_items(feed, [])
        except ParseError:
            return None


def feeds() -> Iterator[bytes]:
    yield pages.atom_feed(pages.invented(7))
    yield from (path.read_bytes() for path in sorted(LISTINGS.glob("*/*.xml")))
    yield from (path.read_bytes() for path in sorted(LISTINGS.glob("*/*.rdf")))


@pytest.mark.parametrize("base", ["", "https://e.example.org/x/"])
def test_a_sound_feed_is_read_as_its_tree_would_be(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    for body in feeds():
        feed = listing(body, base)
        if quick := _items_quick.read(feed):
            assert quick == by_tree(feed, monkeypatch)
            read += 1
    assert read >= 5


@pytest.mark.parametrize("count", sizes(200, 10_000))
@pytest.mark.parametrize("way", OTHER_WAYS)
def test_a_broken_feed_is_read_as_its_tree_would_be_or_not_at_all(
    way: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = list(feeds())
    for number in range(count):
        dice = random.Random(number)
        body = dice.choice(OTHER_WAYS[way])(dice.choice(bodies), dice)[:200_000]
        feed = listing(body, dice.choice(("", "https://e.example.org/")))
        if quick := _items_quick.read(feed):
            assert quick == by_tree(feed, monkeypatch), number


@pytest.mark.parametrize(
    "body",
    [
        atom(ENTRY),
        rss("<item><title>Knots</title><guid isPermaLink='false'>x</guid><author>a@b.example (Bo Ek)</author></item>"),
        rss("<item><title>A</title></item><description>Behind it</description><pubDate>Thu, 19 Nov 2026 06:00:00 GMT</pubDate>"),
        atom(ENTRY.replace("Words", "&#x3C;&#60;&lt;&gt;&quot;&apos;&#10;&#128; > '")),
        atom(ENTRY.replace("<entry>", "<entry\n lang = 'a&#9;' >").replace("</entry>", "<category\tterm='a\nb'\n/></entry >")),
        atom(ENTRY.replace("</entry>", "<author/><author>Bo<email>b@b.example</email></author></entry><entry/>")),
        atom(ENTRY.replace("<title>", "<title>\r\n  Of\r")),
        atom(ENTRY.replace("</entry>", "<author><name>Bo</name><uri>x</uri></author><author><name/></author></entry>")),
        atom(ENTRY.replace("</entry>", "<source><title>Not this</title><id>n</id></source></entry>")),
        atom(ENTRY.replace("</entry>", "<category term=''>a</category><category term='b'/></entry>")),
        atom(ENTRY.replace("<entry>", '<entry xml:base="/y/">').replace("</entry>", '<link href="z"/></entry>')),
        atom(f"<entry><link href='https://first.example.org/'/><id>1</id></entry>{ENTRY}", head=""),
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel rdf:about="c">'
        "<title>C</title><items><rdf:Seq/></items></channel><item rdf:about='https://i.example.org/'><title>I</title>"
        "<link>https://i.example.org/</link></item></rdf:RDF>",
        f"<feed {ATOM} xmlns:m='http://search.yahoo.com/mrss/'>{ADDRESS}<m:title>no</m:title>{ENTRY}</feed>",
        atom(ENTRY.replace("Words", f"&#{'0' * 5_000}65;&#x{'0' * 5_000}42;")),
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
        " xmlns:None='urn:n'><channel><link>https://r.example.org/</link></channel><item None:about='https://n.example.org/'/></rdf:RDF>",
        f"<rss><entry>{ADDRESS}<title>Knots, and no channel</title></entry></rss>",
    ],
)  # fmt: skip
def test_plain_texts_need_no_tree(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = listing(body)
    quick = _items_quick.read(feed)
    assert quick is not None
    assert quick == by_tree(feed, monkeypatch)


@pytest.mark.parametrize(
    "body",
    [
        atom(""),
        atom(ENTRY, head=""),
        atom(ENTRY.replace("<title>Knots", "<title>Kn<i>o</i>ts")),
        atom(ENTRY, head=f"{ADDRESS}<title>F<b/></title>"),
        atom(ENTRY.replace("</entry>", "<item/></entry>")),
        atom(ENTRY.replace("</entry>", "<source><entry/></source></entry>")),
        atom(f"<group>{ENTRY}</group>"),
        atom(ENTRY.replace("entry>", "Entry>")),
        atom(ENTRY.replace("Words", "<![CDATA[<b>Words</b>]]>")),
        atom(ENTRY.replace("Words", "Wo<!-- not shown -->rds")),
        atom(ENTRY.replace("<title>", "<title a='>'>")),
        atom(ENTRY.replace("<title>", "<title a='>' b='<'>")),
        atom(ENTRY.replace("</entry>", "<a:x xmlns:a='urn:x'/><a:x xmlns:a='urn:y'/></entry>")),
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:link href='https://f.example.org/'/><a:entry><title>Knots</title>"
        "<title xmlns='http://search.yahoo.com/mrss/'>A picture</title></a:entry></a:feed>",
        atom(ENTRY).replace("'1.0'", "'1.0' encoding='utf-16'").encode("utf-16-le"),
        atom(ENTRY.replace("Knots", "Knöts")).replace("<?xml version='1.0'?>\n", "").encode("utf-16-le"),
        atom(ENTRY.replace("Knots", "\u3c3c\u203c")).encode("utf-16-le"),
        atom(ENTRY.replace("</entry>", "<author><name>B<b>o</b></name></author></entry>")),
        atom(ENTRY.replace("</entry>", "<author><last_name>Bo</last_name></author></entry>")),
        atom(ENTRY.replace("</entry>", "<authors><author>Bo</author></authors></entry>")),
        atom(ENTRY.replace("<id>", "<id xml:id='1 2'>")),
        atom(ENTRY.replace("<id>", "<id xmlns:x='a b'>")),
        atom(ENTRY + "<?a:b c?>"),
        atom(ENTRY).replace("'1.0'", "'1.1'"),
        atom(ENTRY).replace("'1.0'", "'1.0' encoding='iso-8859-1'"),
        atom(ENTRY).replace("<feed", "<!DOCTYPE feed><feed"),
        atom(ENTRY).replace("<feed", "<!DOCTYPE feed [<!ENTITY amp 'x'>]><feed"),
        atom(ENTRY).replace("&amp;", "&nbsp;"),
        atom(ENTRY).replace("</feed>", ""),
        atom(ENTRY).replace("feed", "opml"),
        rss("<item><title>A</title></item>") + "<rss/>",
        rss("</channel><channel><item><title>A</title></item>"),
    ],
)
def test_what_a_tree_may_see_otherwise_is_left_to_it(body: str | bytes) -> None:
    assert _items_quick.read(listing(body)) is None


ILL_FORMED = [
    "<id>urn:x:1</ID>", "<id>urn:x:1</id2>", "<id>urn:x:1</id id>", "<id>urn:x:1</id\xa0>", "<id>1</id", "<id>1<id>", "<id",
    "<>", "</>", "<", "<<id/>", "<id a>1</id>", "<id a=b>1</id>", "<id a='1'b='2'/>", "<id a='1' a='2'/>", "<id / >",
    "<id a='1'/ >", "<1d/>", "<-id/>", "<a:b:c/>", "<:id/>", "<id:/>", "<id a='&'/>", "<id a='&x;'/>", "<id>&</id>",
    "<id>&amp</id>", "<id>&AMP;</id>", "<id>&#;</id>", "<id>&#x;</id>", "<id>&#x1;</id>", "<id>&#0;</id>",
    "<id>&#xD800;</id>", "<id>&#xFFFE;</id>", "<id>&#x110000;</id>", "<id>&#1114112;</id>", "<id>&#99999999999;</id>",
    "<id>&#X41;</id>", "<id>&#a;</id>", "<id>]]></id>", "<id>\x01</id>", "<id>\x0c</id>", "<id>\ufffe</id>",
    "<id>\uffff</id>", "<id\x0ca='1'/>", "<id/x>", "<id a = '1' =/>", "<!id>", "<?id?>", "<a:id/>", "<id a:b='1'/>",
    "<id xmlns:a=''/>", "<id xmlns:xml='urn:x'/>", "<id xmlns:xmlns='urn:x'/>", "<id xmlns:a='urn:x' xmlns:a='urn:x'/>",
    "<id xmlns:a='urn:x'><a:b/></id>", "<x xmlns:a='urn:x'/><a:x/>", "<id xmlns:a='urn:x' xmlns:b='urn:x' a:c='1' b:c='2'/>",
    "<id xmlns='urn:x'/>", "<id xmlns:a='http://www.w3.org/XML/1998/namespace'/>", "<source><id></source></id>",
    "<source><a></b></source>", "<author><name></author></name>",
]  # fmt: skip


@pytest.mark.parametrize("wrong", ILL_FORMED)
def test_what_is_not_well_formed_is_left_to_who_can_mend_it(wrong: str) -> None:
    for body in (atom(ENTRY.replace("</entry>", f"{wrong}</entry>")), atom(f"{wrong}{ENTRY}")):
        assert _items_quick.read(listing(body)) is None
    source = f"<source>{wrong}</source></entry>"
    assert _items_quick.read(listing(atom(ENTRY.replace("</entry>", source)))) is None


@pytest.mark.parametrize(
    "body",
    [
        f"{atom(ENTRY)}x",
        f"{atom(ENTRY)}<x/>",
        f"{atom(ENTRY)}</feed>",
        f"{atom(ENTRY)}<!-- that was it -->",
        atom(ENTRY).replace("?>", "?>x"),
        atom(ENTRY).replace("'1.0'", "'1.0' encoding='utf-8' encoding='utf-8'"),
        atom(ENTRY).replace("'1.0'", "'1.0' lang='en'"),
        atom(ENTRY).replace("?>", ">"),
        atom(ENTRY).replace("<?xml", "<?XML"),
        atom(ENTRY).replace("version", "Version"),
        atom(ENTRY).replace("'1.0'", "'1.0' standalone='YES'"),
        atom(ENTRY).replace("'1.0'", "'1.0'encoding='utf-8'"),
        atom(ENTRY).replace("</feed>", "</feed"),
        atom(ENTRY).encode().replace(b"Knots", b"Kn\xffts"),
        atom(ENTRY).encode().replace(b"Knots", b"Kn\xed\xa0\x80ts"),
        atom(ENTRY).encode().replace(b"Knots", b"Kn\xc0\x80ts"),
        "<",
        "<feed",
        f"<feed {ATOM}",
        f"<feed {ATOM}>",
        f"<feed {ATOM}/>",
    ],
)
def test_a_document_is_sound_from_its_first_sign_to_its_last(body: str | bytes) -> None:
    assert _items_quick.read(listing(body)) is None


def test_of_tags_that_differ_in_their_values_only_each_has_its_own() -> None:
    related, pdf = 'rel="related" type="application/pdf"/>', "rel='related' type='application/pdf'/>"
    links = (
        f'<link href="https://a.example.org/1" rel="alternate"/><link href="https://a.example.org/2.pdf" {related}',
        f'<link href="https://b.example.org/1?a=1&amp;b=2" rel="alternate"/><link href="https://b.example.org/2.pdf" {related}',
        f"""<link href='https://c.example.org/"1"' rel='alternate'/><link href='https://c.example.org/"2".pdf' {pdf}""",
        f"""<link rel="alternate" href="https://d.example.org/it's"/><link href="https://d.example.org/\n2" {related}""",
    )
    feed = _items_quick.read(
        listing(atom("".join(f"<entry><title>T</title>{link}</entry>" for link in links)))
    )
    assert feed is not None
    assert [(item.link, item.pdf) for item in feed.items] == [
        ("https://a.example.org/1", "https://a.example.org/2.pdf"),
        ("https://b.example.org/1?a=1&b=2", "https://b.example.org/2.pdf"),
        ('https://c.example.org/"1"', 'https://c.example.org/"2".pdf'),
        ("https://d.example.org/it's", "https://d.example.org/%202"),
    ]


RICH = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"'
    ' xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><title type="html">Knots &amp; ropes &#8211; &#x1F9F6;</title>'
    '<link href="https://f.example.org/" rel="self"/><o:totalResults>2</o:totalResults>'
    "<entry><id>https://f.example.org/abs/1v2</id><title>Of knots</title>"
    "<summary> We tie &lt;i&gt;them&lt;/i&gt; &gt; once.\n</summary>"
    '<author><name>Bo Ek</name><aff xmlns="http://www.w3.org/2005/Atom">Hut</aff></author><author><name>Ada Ö</name></author>'
    '<category term="cs.DB" scheme="http://s.example.org/"/>'
    '<link href="https://f.example.org/abs/1v2" rel="alternate" type="text/html"/>'
    '<link title="pdf" href="https://f.example.org/pdf/1v2" rel="related" type="application/pdf"/>'
    '<arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">9 pages</arxiv:comment>'
    '<arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.DB"/></entry>\n'
    "<entry xml:base='/y/'><id>urn:2</id><title>Of ropes</title><published>2026-11-19T06:00:00Z</published>"
    "<source><title>No</title><x><y/></x></source><link href='z'/><content/></entry></feed>\n"
)
XML_PIECES = (
    "< > & \" ' = / ] ]]> <!-- --> <![CDATA[ <?x ?> </a> <a> <a/> <a:b/> &amp; &#9; &#0; &lt &#x41; </entry> <entry> <entry/>"
    ' </title> <title> <title/> xmlns \txmlns:a="urn:a" \txmlns="urn:a" \txmlns:arxiv="urn:a" a: o: xml: \ta="1" \ta=\'1\''
    ' \to:a="1" \txml:id="a" \txml:base="/x" \0 \x0b \x0c \r \n \x85 \xa0 \ufeff \ufffe <author> </author> <name> </name>'
    ' <link> <link\thref="x"/> <source> </source> ID É </feed> <feed> <channel> <item>'
)


@pytest.mark.parametrize("count", sizes(2_000, 60_000))
def test_a_feed_changed_anywhere_is_read_as_its_tree_would_be_or_not_at_all(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rnd, read = random.Random(5), 0
    for number in range(count):
        feed = listing(changed(rnd, RICH, XML_PIECES.split(" ")).encode("utf-8", "replace"))
        if quick := _items_quick.read(feed):
            assert quick == by_tree(feed, monkeypatch), (number, feed.body)
            read += 1
    assert read > count / 20  # or little was compared


@pytest.mark.parametrize("wrong", ['"', ' "', '/"', ' rel="', "'", " rel='1"])
def test_a_tag_like_others_and_one_sign_more_is_no_tag(wrong: str) -> None:
    links = [f'<link href="https://a.example.org/{n}"{end}/>' for n, end in enumerate(["", "", wrong, ""])]
    body = atom("".join(f"<entry><title>T</title>{link}</entry>" for link in links))
    assert _items_quick.read(listing(body)) is None
    assert _items_quick.read(listing(body.replace(f'2"{wrong}/>', '2"/>'))) is not None


@pytest.mark.parametrize("place", ["title", "id", "other"])
def test_what_is_nested_too_deep_or_too_long_is_left_to_the_guards_of_the_tree(place: str) -> None:
    deep = f"<{place}>" + "<a>" * 300 + "</a>" * 300 + f"</{place}>"
    assert _items_quick.read(listing(atom(ENTRY.replace("</entry>", f"{deep}</entry>")))) is None
    with pytest.raises(ParseError, match="beyond all measure"):
        _items.read_items(listing(atom(ENTRY.replace("</entry>", f"{deep}</entry>"))), [])
    for long in (f"<{place}>{'x' * 1_200_000}</{place}>", f"<{place} a='{'x' * 1_200_000}'/>"):
        assert _items_quick.read(listing(atom(ENTRY.replace("</entry>", f"{long}</entry>")))) is None


@pytest.mark.parametrize(
    "text, name",
    [
        ("Bo Ek", "Bo Ek"),
        (" b@b.example (Bo Ek)\n", "Bo Ek"),
        ("b@b.example(Bo (of) Ek)", "of) Ek"),
        ("b@b.example\n(Bo (of) Ek)", "Bo (of) Ek"),
        ("b(c)@b.example", ""),
        ("@(c)", ""),
        ("b@ (Bo)", ""),
        ("b@b.example (Bo) Ek", ""),
        ("Bo Ek <b@b.example>", "Bo Ek"),
        ('"Bo Ek" <b@b.example>; Ida Od <i@b.example>', "Bo Ek, Ida Od"),
        ("a@b.example (Bo Ek), b@b.example (Ida Od)", "Bo Ek, Ida Od"),
        ("<b@b.example>", ""),
        ("b@b.example <Bo Ek>", ""),
        ("Bo Ek @ Od <of Od>", ""),
    ],
)
def test_an_author_of_rss_is_named_beside_a_mail_address(text: str, name: str) -> None:
    assert _item.person(text) == name


def test_feeds_made_to_take_long_do_not() -> None:
    """They took minutes: an author of many mail addresses, items asked for each of many prefixes, links joined to a long base."""
    started, names = process_time(), "a@" * 50_000
    feed = _items.read_items(listing(atom(f"<entry><author>{names}</author></entry>")), [])
    assert [item.authors for item in feed.items] == [[""]]
    prefixes = " ".join(f'xmlns:p{n}="http://www.w3.org/1999/02/22-rdf-syntax-ns#"' for n in range(2_000))
    assert _items_quick.read(listing(atom(ENTRY).replace("<feed", f"<feed {prefixes}"))) is None
    many = "<entry><link href='x'/></entry>" * 4_000
    for base in ("a/" * 50_000, "https://b.example.org/" + "a/" * 50_000):
        feed = _items.read_items(listing(atom(many).replace("<feed", f"<feed xml:base='{base}'")), [])
        assert {item.link for item in feed.items} <= {"", "x"}
    assert process_time() - started < 10


def test_a_plain_feed_is_read_without_lxml(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_text(atom(ENTRY), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from digest import sources; from digest.model import Listing\n"
        "reading = sources.read(Listing(location='f', body=Path(sys.argv[1]).read_bytes()))\n"
        "assert len(reading.papers) == 1 and 'lxml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=60)
