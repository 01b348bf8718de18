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
    ],
)
def test_an_author_of_rss_is_named_in_brackets_behind_a_mail_address(text: str, name: str) -> None:
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
