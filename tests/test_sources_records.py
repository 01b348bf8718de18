"""Index services, proceedings, dumps of venues: bad input of every sort, what is empty and what is an error, the next page."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import sizes
from digest import sources
from digest.cli.parse import paper_object
from digest.errors import ParseError
from digest.model import Listing, Reading
from digest.sources import _names, _records, crossref, openalex

PAGES = Path(__file__).parent / "listings"
JSON = [
    "crossref/works.json", "crossref/one-work.json", "openalex/works.json", "semanticscholar/search.json",
    "semanticscholar/batch.json", "datacite/dois.json", "doaj/search.json", "dblp/search.json", "venue/list.json",
    "venue/nested.json", "venue/openreview-notes.json",
]  # fmt: skip
WHOLE = [
    *JSON, "crossref/mongo-export.jsonl", "datacite/lines.jsonl", "dblp/fragment.xml", "dblp/records.xml",
    "dblp/person.xml", "dblp/search.xml",
    "pubmed/articles.xml", "pubmed/medline.txt", "proceedings/conference.html", "proceedings/by-lists.html",
]  # fmt: skip
ODD: list[Any] = [
    None,
    True,
    -7,
    1.5,
    10**30,
    "",
    "x",
    "\ud800 10.5555/x",
    [],
    {},
    [[]],
    [None],
    [7],
    {"$oid": {"a": []}},
    {"a": [{}]},
]


def attempt(body: bytes | str, kind: str = "auto", **about: str) -> Reading | ParseError:
    """What reading gives; a fault of a parser is a ParseError too, and no excuse."""
    try:
        return sources.read(
            Listing(location="page", body=body if isinstance(body, bytes) else body.encode(), **about), kind
        )
    except ParseError as error:
        assert "fault of the program" not in str(error)
        return error


def keys(result: Reading | ParseError) -> list[str]:
    return [paper.key for paper in result.papers] if isinstance(result, Reading) else []


def whole(name: str) -> bytes:
    return (PAGES / name).read_bytes()


# --- bad input


@pytest.mark.parametrize("step", sizes(61, 3))
@pytest.mark.parametrize("name", WHOLE)
def test_a_page_cut_anywhere_gives_an_error_or_its_whole_papers_with_a_note(name: str, step: int) -> None:
    body, kind = whole(name), name.partition("/")[0]
    papers = keys(attempt(body))
    for end in range(0, len(body), step // 3 if name.endswith("txt") else step):
        result = attempt(body[:end], kind)
        assert keys(result) == papers[: len(keys(result))], body[:end][-80:]
        if isinstance(result, Reading):
            assert not result.empty
            # Records in a row, without a root around them, are whole where any of them ends.
            between = name == "dblp/records.xml" and body[:end].rstrip().endswith(b"</article>")
            assert (
                len(result.papers) == len(papers)
                or result.truncated
                or between
                or name.endswith(("jsonl", "txt"))
            )


@pytest.mark.parametrize("times", sizes(15, 200))
@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_page_never_raises_anything_but_a_parse_error(name: str, times: int) -> None:
    body, dice, kind = whole(name), random.Random(11), name.partition("/")[0]
    for _ in range(times):
        damaged = bytearray(body)
        for _ in range(dice.randint(1, 20)):
            at = dice.randrange(len(damaged))
            damaged[at : at + dice.randint(0, 3)] = bytes(
                dice.choices(b"<>&\"'\x00\xff\xd8{}[]:,\\$ \n/ab19", k=dice.randint(0, 4))
            )
        attempt(bytes(damaged))
        attempt(bytes(damaged), kind)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from places(item, (*path, name))


def with_odd(document: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    document = copy.deepcopy(document)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = odd
    return document


@pytest.mark.parametrize("most", sizes(12, 200))
@pytest.mark.parametrize("name", JSON)
def test_a_value_of_another_type_costs_itself_at_most(name: str, most: int) -> None:
    document, dice, kind = json.loads(whole(name)), random.Random(3), name.partition("/")[0]
    every = list(places(document))
    for path in dice.sample(every, min(len(every), most)):
        for odd in dice.sample(ODD, 6):
            result = attempt(json.dumps(with_odd(document, path, odd)), kind)
            if isinstance(result, Reading):
                msgspec.json.encode(result)
                assert all(isinstance(paper_object(paper)["authors"], list) for paper in result.papers)


# Made when a test asks for them, whole or the part of that size: every process that collects the tests would make them all.
HOSTILE: dict[str, Callable[[int], str]] = {
    "100,000 works": lambda part: (
        '{"message-type":"work-list","message":{"total-results":100000,"items":['
        + ",".join(
            f'{{"DOI":"10.5555/{n}","title":["Work {n}"],"container-title":[]}}'
            for n in range(100_000 // part)
        )
        + "]}}"
    ),
    "100,000 lines": lambda part: "\n".join(
        f'{{"DOI":"10.5555/{n}","title":["Work {n}"],"reference-count":1}}' for n in range(100_000 // part)
    ),
    "100,000 lines that are no JSON": lambda part: (
        '{"DOI":"10.5555/1","title":["a"],"reference-count":1}\n' + "{\n" * (100_000 // part)
    ),
    "100,000 papers of a venue": lambda part: json.dumps(
        [{"title": f"Paper {n}", "author": "A B; C D"} for n in range(100_000 // part)]
    ),
    "100,000 lists of a venue": lambda part: json.dumps(
        {str(n): [{"title": f"Paper {n}", "author": "A"}] for n in range(100_000 // part)}
    ),
    "100,000 authors": lambda part: json.dumps(
        [{"title": "T", "authors": ["A B"] * (100_000 // part), "pdf": "x"}]
    ),
    "one string of authors": lambda part: json.dumps(
        [{"title": "T", "authors": "A B, " * (200_000 // part)}]
    ),
    "an index of a million places": lambda part: json.dumps(
        {
            "results": [
                {
                    "id": "https://openalex.org/W1",
                    "title": "T",
                    "abstract_inverted_index": {"a": list(range(1_000_000 // part))},
                }
            ]
        }
    ),
    "a deep list": lambda part: '{"recommendedPapers": ' + "[" * (100_000 // part),
    "a deep object": lambda part: '{"bibjson": {' + '"a": {' * (100_000 // part),
    "an unclosed list of many": lambda part: (
        '{"data": [' + '{"paperId": "1", "title": "t"},' * (100_000 // part)
    ),
    "a JATS abstract without end": lambda part: json.dumps(
        [
            {
                "DOI": "10.5555/1",
                "title": ["T"],
                "reference-count": 1,
                "abstract": "<jats:title>" * (100_000 // part) + "\\documentclass" * (100_000 // part),
            }
        ]
    ),
    "100,000 hits": lambda part: (
        '<?xml version="1.0"?><result><hits total="100000">'
        + "<hit><info><title>T</title><key>a/b/c</key></info></hit>" * (100_000 // part)
        + "</hits></result>"
    ),
    "100,000 records with entities": lambda part: (
        '<?xml version="1.0"?><!DOCTYPE dblp SYSTEM "dblp.dtd"><dblp>'
        + '<article key="a/b/c"><title>&ouml;.</title></article>' * (100_000 // part)
        + "</dblp>"
    ),
    "an unclosed dblp": lambda part: "<dblp>" + "<article key='a/b/c'>" * (100_000 // part),
    "100,000 articles": lambda part: (
        "<PubmedArticleSet>" + "<PubmedArticle/>" * (100_000 // part) + "</PubmedArticleSet>"
    ),
    "100,000 citations": lambda part: "".join(
        f"PMID- {n}\nTI  - T {n}.\nSO  - J.\n\n" for n in range(100_000 // part)
    ),
    "a field of a million lines": lambda part: "PMID- 1\nTI  - T\n" + "      x\n" * (1_000_000 // part),
    "100,000 contributions in one row": lambda part: (
        "<html><table><tr><td>" + "<span class=contrib_title>T</span>" * (100_000 // part) + "</table></html>"
    ),
    "contributions in flat text": lambda part: (
        "<html><body><p>" + "<i><b class=contrib_title>T</b></i>" * (20_000 // part) + "</p></html>"
    ),
    "entities of entities": lambda part: (
        '<?xml version="1.0"?><!DOCTYPE dblp [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY a{n} "&a;&a;&a;&a;">' for n in range(99))
        + ']><dblp><article key="a/b/c"><title>T &a9;</title></article></dblp>'
    ),
}


@pytest.mark.parametrize("part", sizes(4, 1))
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_ends_soon(name: str, part: int) -> None:
    page = HOSTILE[name](part)
    started = time.process_time()
    result = attempt(page)
    assert (
        time.process_time() - started < 20 / part
    )  # whole, it takes 2 s at most; an unguarded parser takes minutes
    assert len(keys(result)) <= 5_000


def test_a_file_named_by_a_dtd_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    address = (tmp_path / "secret").as_uri()
    for root, record in (
        ("dblp", '<article key="a/b/c"><title>T &x;</title></article>'),
        ("PubmedArticleSet", ""),
    ):
        result = attempt(
            f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY x SYSTEM "{address}">]><{root}>{record}</{root}>'
        )
        assert isinstance(result, Reading)
        assert "canary" not in repr(result)


NAMES = st.sampled_from(
    [
        "message",
        "items",
        "data",
        "results",
        "title",
        "DOI",
        "bibjson",
        "attributes",
        "result",
        "hits",
        "hit",
        "info",
        "papers",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(deadline=None)
@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)))
def test_any_json_is_papers_or_a_parse_error(value: Any) -> None:
    for kind in ("crossref", "openalex", "semanticscholar", "datacite", "doaj", "dblp", "venue"):
        attempt(json.dumps(value), kind)


# --- empty or broken


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("crossref", '{"message-type":"work-list","message":{"total-results":%d,"items":[]}}'),
        ("openalex", '{"meta":{"count":%d,"page":1,"per_page":25},"results":[]}'),
        ("semanticscholar", '{"total":%d,"offset":0,"data":[]}'),
        ("datacite", '{"data":[],"meta":{"total":%d,"totalPages":0}}'),
        ("doaj", '{"total":%d,"page":1,"pageSize":10,"query":"x","results":[]}'),
        ("dblp", '{"result":{"status":{"@code":"200"},"hits":{"@total":"%d","@sent":"0"}}}'),
        (
            "dblp",
            '<?xml version="1.0"?><result><status code="200">OK</status><hits total="%d" sent="0"></hits></result>',
        ),
    ],
)
def test_an_answer_without_papers_is_empty_only_where_it_states_none(kind: str, page: str) -> None:
    none = attempt(page % 0)
    assert isinstance(none, Reading)
    assert (none.kind, none.empty, none.stated) == (kind, True, 0)
    assert isinstance(attempt(page % 12), ParseError)


@pytest.mark.parametrize(
    ("page", "empty"),
    [
        ('{"papers": []}', True),
        ('{"event": {"name": "A conference", "Accepted": []}}', True),
        ('{"count": 0, "notes": []}', True),
        ('{"papers": {"main": [], "findings": []}}', True),
        ('{"conference": {"accepted papers": []}}', True),
        ('{"status": "ok", "message": "success", "data": []}', True),
        ('{"messages": [{"status": "no posts found"}], "collection": []}', True),
        ('{"messages": [{"status": "Error: no connection"}], "collection": []}', False),
        ('{"messages": [{"status": "ok", "cursor": "300", "total": "245"}], "collection": []}', False),
        ('{"hitCount": 0, "request": {"pageSize": 25}, "resultList": {"result": []}}', True),
        ('{"hitCount": 9, "request": {"pageSize": 25}, "resultList": {"result": []}}', False),
        ('{"feed": {"title": "A feed", "author": [], "entry": [{"content": {"id": "x"}}]}}', False),
        ('{"count": 0, "errors": [], "tags": []}', False),
        ('{"error": "Too many requests", "papers": []}', False),
    ],
)
def test_a_dump_is_empty_only_where_a_list_of_papers_is(page: str, empty: bool) -> None:
    found = attempt(page, "venue")
    assert (isinstance(found, Reading) and found.empty) is empty
    assert isinstance(found, Reading if empty else ParseError)


def test_records_that_are_no_papers_are_no_empty_list() -> None:
    authors = '{"meta":{"count":1,"page":1,"per_page":25},"results":[{"id":"https://openalex.org/A1","display_name":"Ana Roux"}]}'
    assert isinstance(attempt(authors), ParseError)
    list_of = '{"message-type":"journal-list","message":{"total-results":1,"items":[{"title":"A journal","ISSN":["0000-0019"]}]}}'
    assert isinstance(attempt(list_of), ParseError)
    journals = '{"total":1,"pageSize":10,"query":"x","results":[{"bibjson":{"title":"A journal","eissn":"0000-0019"}}]}'
    assert isinstance(attempt(journals), ParseError)
    assert isinstance(attempt('{"data":[null,null]}', "semanticscholar"), ParseError)


@pytest.mark.parametrize(
    ("kind", "page", "said"),
    [
        ("crossref", '{"status":"error","message-type":"exception","message":"no capacity"}', "no capacity"),
        ("openalex", '{"error":"Invalid query","message":"no such filter"}', "Invalid query"),
        ("semanticscholar", '{"error":"Unrecognized fields"}', "Unrecognized"),
        ("datacite", '{"errors":[{"status":"404","title":"does not exist"}]}', "does not exist"),
        ("doaj", '{"status":"bad_request","error":"Invalid page"}', "Invalid page"),
        ("dblp", '{"result":{"status":{"@code":"500","text":"overload"},"hits":{}}}', "overload"),
        (
            "dblp",
            '<?xml version="1.0"?><result><status code="400">bad query</status><hits total="0"/></result>',
            "bad query",
        ),
        (
            "pubmed",
            "<?xml version='1.0'?><eFetchResult><ERROR>no history</ERROR></eFetchResult>",
            "no history",
        ),
        (
            "pubmed",
            '{"header":{"type":"esummary"},"error":"Invalid uid","result":{"uids":[]}}',
            "Invalid uid",
        ),
        ("venue", '{"message":"moved"}', "moved"),
        ("venue", '{"messages":[{"status":"Error: no connection"}],"collection":[]}', "no connection"),
    ],
)
def test_an_error_answer_is_an_error_in_its_own_words(kind: str, page: str, said: str) -> None:
    with pytest.raises(ParseError, match=said):
        sources.read(Listing(location="page", body=page.encode()), kind)


# --- the next page


def next_of(page: str, address: str, papers: str = "") -> str:
    result = attempt(page.replace("PAPERS", papers), base_url=address)
    assert isinstance(result, Reading)
    return result.next_url


def test_crossref_goes_on_by_cursor_or_by_offset() -> None:
    page = '{{"message-type":"work-list","message":{{"total-results":3,"items-per-page":2,{},"items":[{}]}}}}'
    one = '{"DOI":"10.5555/1","title":["A"]}'
    two = f'{one},{{"DOI":"10.5555/2","title":["B"]}}'
    base = "https://api.example.org/works?query=a%20b&rows=2"
    cursor = page.format('"next-cursor":"AoJ+/="', two)
    assert next_of(cursor, f"{base}&cursor=*") == f"{base.replace('%20', '+')}&cursor=AoJ%2B%2F%3D"
    assert next_of(page.format('"next-cursor":"AoJ"', one), f"{base}&cursor=x") == ""
    assert next_of(cursor, base) == f"{base.replace('%20', '+')}&offset=2"
    assert next_of(page.format('"query":{"start-index":2}', one), f"{base}&offset=2") == ""
    assert next_of(cursor, "") == ""


def test_the_others_go_on_as_they_say() -> None:
    work = '{"id":"https://openalex.org/W1","title":"A","authorships":[]}'
    meta = '{"meta":{"count":60,"page":%s,"per_page":25,"next_cursor":%s},"results":[' + work + "]}"
    base = "https://api.example.org/works?search=a"
    assert next_of(meta % (2, "null"), f"{base}&page=2") == f"{base}&page=3"
    assert next_of(meta % (3, "null"), f"{base}&page=3") == ""
    assert next_of(meta % ("null", '"IlsxXSI="'), f"{base}&cursor=*") == f"{base}&cursor=IlsxXSI%3D"
    paper = '"data":[{"paperId":"1","title":"A"}]'
    assert next_of('{"total":60,"offset":0,"next":10,PAPERS}', base, paper) == f"{base}&offset=10"
    assert next_of('{"total":60,"token":"T1",PAPERS}', f"{base}&token=T0", paper) == f"{base}&token=T1"
    assert next_of('{"total":1,"offset":0,PAPERS}', base, paper) == ""
    hits = '{"result":{"hits":{"@total":"31","@first":"%d","hit":[{"info":{"title":"A.","key":"a/b/c"}}]}}}'
    assert next_of(hits % 0, "https://dblp.example.org/search/publ/api?q=a&format=json") == (
        "https://dblp.example.org/search/publ/api?q=a&format=json&f=1"
    )
    assert next_of(hits % 30, base) == ""
    article = '"results":[{"bibjson":{"title":"A","journal":{}}}]'
    assert (
        next_of('{"total":12,"page":1,"pageSize":10,"query":"q",PAPERS}', base, article) == f"{base}&page=2"
    )
    assert next_of('{"total":12,"page":2,"pageSize":10,"query":"q",PAPERS}', base, article) == ""


def test_posts_of_preprint_servers_go_on_behind_those_that_were_given() -> None:
    post = '{"title":"A","authors":"Okoye, A.","doi":"10.64898/2026.11.02.1","abstract":"We count."}'
    page = '{"messages":[{"status":"ok","cursor":%d,"count":30,"total":"75"}],"collection":[' + post + "]}"
    days = "https://api.example.org/details/biorxiv/2026-11-01/2026-11-02"
    assert next_of(page % 0, days) == f"{days}/30"
    assert next_of(page % 30, f"{days}/30/json?category=a") == f"{days}/60/json?category=a"
    assert next_of(page % 60, f"{days}/60") == ""
    assert next_of(page % 0, "https://api.example.org/details/biorxiv/10.5555/a") == ""
    read = attempt(page % 0)
    assert isinstance(read, Reading)
    assert (read.stated, read.notes) == (
        None,
        ("the answer says that there are 75 posts, and holds those up to 30",),
    )


def test_the_next_page_of_core_and_openreview_is_behind_those_that_were_read() -> None:
    work = '{"title":"Ponds","authors":[{"name":"Okoye, Ada"}],"abstract":"We count."}'
    core, search = (
        '{"totalHits":3,"limit":1,"offset":%d,"results":[PAPERS]}',
        "https://api.example.org/search?q=a",
    )
    assert next_of(core % 0, search, work) == f"{search}&offset=1"
    assert next_of(core % 1, f"{search}&offset=1", work) == f"{search}&offset=2"
    assert next_of(core % 2, f"{search}&offset=2", work) == ""
    note = '{"id":"abcDEF1234","forum":"abcDEF1234","content":{"title":{"value":"A"},"authors":{"value":["Ada Okoye"]}}}'
    notes = "https://api.example.org/notes?limit=1"
    assert next_of('{"notes":[PAPERS],"count":2}', notes, note) == f"{notes}&offset=1"
    assert next_of('{"notes":[PAPERS],"count":2}', f"{notes}&offset=1", note) == ""


def test_the_next_page_of_europe_pmc_is_behind_its_mark() -> None:
    result = '{"id":"1","source":"MED","title":"Ponds","authorString":"Okoye A.","pubYear":"2026"}'
    page = '{"hitCount":3,MARK"request":{"pageSize":%d},"resultList":{"result":[PAPERS]}}'
    search = "https://api.example.org/rest/search?query=ponds"
    marked = page.replace("MARK", '"nextCursorMark":"Ab=",')
    assert next_of(marked % 1, search, result) == f"{search}&cursorMark=Ab%3D"
    assert next_of(marked % 25, search, result) == ""
    assert next_of(marked % 1, f"{search}&cursorMark=Ab%3D", result) == ""
    stated = page.replace("MARK", f'"nextPageUrl":"{search}&cursorMark=Cd",')
    assert next_of(stated % 1, search, result) == f"{search}&cursorMark=Cd"
    last = attempt(page.replace("MARK", "").replace("PAPERS", "") % 25, base_url=f"{search}&cursorMark=Cd")
    assert isinstance(last, Reading) and last.empty


# --- values


def test_a_day_is_never_invented() -> None:
    assert _records.full_date([2009, 9, 23]) == "2009-09-23"
    assert _records.full_date(["2009", {"$numberInt": "9"}, 23.0]) == "2009-09-23"
    for parts in (
        [2009],
        [2009, 9],
        [None],
        [],
        None,
        [2009, 2, 30],
        [2009, 9, None],
        "2009",
        [[2009, 9, 23]],
        [0, 1, 1],
        [True, 1, 1],
    ):
        assert _records.full_date(parts) is None


def test_names_are_turned_only_where_a_comma_says_so() -> None:
    turned = {
        "Lindal, Marit": "Marit Lindal",
        "Okoye, Ada, Jr.": "Ada Okoye Jr.",
        "Marit Lindal": "Marit Lindal",
        "Lindal,": "Lindal,",
        "A, B, C, D": "A, B, C, D",
        "山田, 太郎": "山田太郎",
    }
    assert {name: _names.natural(name) for name in turned} == turned


def test_formulas_that_jats_gives_twice_are_read_once() -> None:
    twice = "<jats:alternatives><jats:tex-math>$x^2$</jats:tex-math><mml:math><mml:mi>x</mml:mi></mml:math></jats:alternatives>"
    assert "x^2" not in crossref.jats(f"<jats:p>Of {twice}.</jats:p>")
    alone = r"<tex-math>\documentclass{a} \begin{document}$x^2$\end{document}</tex-math>"
    assert crossref.jats(alone) == "<tex-math>$x^2$</tex-math>"


def test_tables_figures_and_numbers_of_programmes_are_no_part_of_an_abstract_in_jats() -> None:
    table = "<jats:table-wrap><jats:caption>A</jats:caption><jats:table><jats:td>1</jats:td></jats:table></jats:table-wrap>"
    number = "<jats:p>\n <jats:bold>LBA7089</jats:bold>\n</jats:p>"
    assert (
        crossref.jats(f"{number}<jats:p>Carps.{table} They do.</jats:p>")
        == "<jats:p>Carps. They do.</jats:p>"
    )
    assert crossref.jats("<p>Carps.</p><fig><fig/><label>1</label></fig>") == "<p>Carps.</p>"
    assert crossref.jats("<p>Carps.<table-wrap><td>cut") == "<p>Carps."
    assert crossref.jats("<p><bold>1984</bold> was read.</p>") == "<p><bold>1984</bold> was read.</p>"


@settings(deadline=None)
@given(st.lists(st.text("abcß", min_size=1, max_size=4), max_size=40))
def test_an_inverted_index_gives_its_words_back_in_order(words: list[str]) -> None:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    assert openalex.plain_abstract(index) == " ".join(words)


# --- what other parts are told


def test_the_id_as_the_source_writes_it_is_shown_and_is_no_key() -> None:
    guid = "<guid isPermaLink='false'>https://blog.example.org/?p=12</guid>"
    page = f"<rss version='2.0'><channel><item><title>T</title><link>https://blog.example.org/t</link>{guid}</item></channel></rss>"
    result = attempt(page)
    assert isinstance(result, Reading)
    (paper,) = result.papers
    assert paper.ids == {}
    assert paper_object(paper)["ids"] == {"source": "https://blog.example.org/?p=12"}
    assert paper.links == {"abstract": "https://blog.example.org/t"}


def test_names_are_shown_as_written_and_kept_as_spoken() -> None:
    result = attempt(whole("datacite/dois.json"))
    assert isinstance(result, Reading)
    shown = paper_object(result.papers[0])
    assert shown["authors"] == ["Lindal, Marit", "Okoye, Ada, Jr.", "Museum of Carps, Department of Ponds"]
    assert shown["author_names"] == ["Marit Lindal", "Ada Okoye Jr.", "Museum of Carps, Department of Ponds"]


def test_half_a_doi_with_a_blank_is_not_the_doi_of_the_whole_book() -> None:
    page = '<dblp><article key="a/b/c"><title>T.</title><ee>http://dx.doi.org/10.5555/978-0-00 3</ee></article></dblp>'
    result = attempt(page)
    assert isinstance(result, Reading)
    assert result.papers[0].ids == {"dblp": "a/b/c"}


def test_exports_of_pubmed_one_behind_another_are_read_whole() -> None:
    """Each counts its articles from 1."""
    text = (PAGES / "pubmed/abstract.txt").read_text(encoding="utf-8")
    other = text.replace("PMID: 3", "PMID: 4").replace("10.1000/", "10.2000/").replace("PMC1", "PMC2")
    found = sources.read(Listing(location="page", body=f"{text}\n\n{other}".encode())).papers
    once = sources.read(Listing(location="page", body=text.encode())).papers
    assert [paper.title for paper in found] == [paper.title for paper in once] * 2
