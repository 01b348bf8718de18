"""Published files over HTTP: ETags of the content, gzip, types, and nothing outside the folder."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Page
from digest.web.conditions import Asked, outcome, read_asked
from digest.web.files import Files
from digest.website import Website
from polls import FEED, HOME, Connections, ask, head_of, parsed, site_of


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    return site_of(tmp_path)


# ---------------------------------------------------------------- what is said of a file


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("rss.xml", "application/xml"),
        ("atom.xml", "application/xml"),
        ("editions.xml", "application/xml"),
        ("editions-atom.xml", "application/xml"),
        ("feed.json", "application/feed+json"),
        ("editions.json", "application/feed+json"),
        ("paper.json", "application/json"),
        ("feeds.opml", "text/x-opml; charset=utf-8"),
        ("papers.bib", "application/x-bibtex; charset=utf-8"),
        ("papers.ris", "application/x-research-info-systems; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("feed.css", "text/css; charset=utf-8"),
        ("search.js", "text/javascript; charset=utf-8"),
        ("what.ever", "application/octet-stream"),
    ],
)
def test_each_kind_of_file_has_its_type(feeds: Path, name: str, expected: str) -> None:
    (feeds / name).write_text("x" * 300)
    answer = ask(feeds, f"/{name}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, expected, b"x" * 300)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_runs_no_script_and_is_asked_for_again(feeds: Path) -> None:
    headers = ask(feeds, "/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert headers["cache-control"] == "no-cache"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["accept-ranges"] == "none"
    assert headers["date"]


def test_the_etag_is_of_the_content(feeds: Path) -> None:
    files = Files(feeds)
    before = ask(files, "/rss.xml")
    os.utime(feeds / "rss.xml", (1, 1))
    touched = ask(files, "/rss.xml")
    assert touched.headers["etag"] == before.headers["etag"]
    assert touched.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:01 GMT"
    Website(feeds).write([Page(path="rss.xml", body=FEED.replace(b"paper", b"pamer"))])
    changed = ask(files, "/rss.xml")
    assert changed.headers["etag"] != before.headers["etag"]
    Website(feeds).write([Page(path="rss.xml", body=FEED)])
    assert ask(files, "/rss.xml").headers["etag"] == before.headers["etag"]
    assert not before.headers["etag"].startswith("W/")


def test_a_poll_that_finds_nothing_new_has_no_body(feeds: Path) -> None:
    first = ask(feeds, "/rss.xml", Accept_Encoding="gzip")
    again = ask(feeds, "/rss.xml", Accept_Encoding="gzip", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    same = ("etag", "last-modified", "cache-control", "vary", "date")
    assert again.headers == {name: first.headers[name] for name in same}


def test_head_is_get_without_the_body(feeds: Path) -> None:
    whole, head = ask(feeds, "/rss.xml"), ask(feeds, "/rss.xml", "HEAD")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)
    assert ask(feeds, "/rss.xml", "HEAD", If_None_Match=whole.headers["etag"]).status == 304
    assert ask(feeds, "/nothing", "HEAD").body == b""


def test_a_range_is_the_whole_file(feeds: Path) -> None:
    answer = ask(feeds, "/rss.xml", Range="bytes=0-3", If_Range='"x"')
    assert (answer.status, answer.body) == (200, FEED)


# ---------------------------------------------------------------- conditions

ETAG = '"1f2e"'
THEN = "Thu, 19 Nov 2026 06:00:00 GMT"
MODIFIED = 1795068000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"if-none-match": ETAG}, 304),
        ({"if-none-match": f"W/{ETAG}"}, 304),
        ({"if-none-match": f'"a", W/"b,c" ,{ETAG}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": '"1f2e-gzip"'}, 200),
        ({"if-none-match": "1f2e"}, 200),
        ({"if-none-match": '"*"'}, 200),
        ({"if-none-match": ""}, 200),
        ({"if-modified-since": THEN}, 304),
        ({"if-modified-since": "Thu, 19 Nov 2026 06:00:01 GMT"}, 304),
        ({"if-modified-since": "Thu, 19 Nov 2026 05:59:59 GMT"}, 200),
        ({"if-modified-since": "Thursday, 19-Nov-26 06:00:00 GMT"}, 304),
        ({"if-modified-since": "Thu Nov 19 06:00:00 2026"}, 304),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "Thu, 99 Nov 99999 06:00:00 GMT"}, 200),
        ({"if-none-match": '"other"', "if-modified-since": THEN}, 200),
        ({"if-none-match": ETAG, "if-modified-since": "Thu, 19 Nov 2025 06:00:00 GMT"}, 304),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"W/{ETAG}"}, 412),
        ({"if-match": '"other"'}, 412),
        ({"if-unmodified-since": THEN}, 200),
        ({"if-unmodified-since": "Thu, 19 Nov 2026 05:59:59 GMT"}, 412),
        ({"if-match": ETAG, "if-unmodified-since": "Thu, 19 Nov 2026 05:59:59 GMT"}, 200),
        ({"if-match": ETAG, "if-none-match": ETAG}, 304),
    ],
)
def test_conditions_are_weighed_as_rfc_9110_has_it(headers: Mapping[str, str], expected: int) -> None:
    asked = read_asked((name.encode(), value.encode()) for name, value in headers.items())
    assert outcome(asked, ETAG, MODIFIED) == expected


def test_a_list_of_tags_may_come_in_several_fields_but_a_date_may_not() -> None:
    tags = read_asked([(b"if-none-match", b'"a"'), (b"if-none-match", ETAG.encode())])
    assert outcome(tags, ETAG, MODIFIED) == 304
    assert read_asked([(b"if-modified-since", THEN.encode())] * 2).modified_since is None


def test_a_condition_that_fails_is_said(feeds: Path) -> None:
    answer = ask(feeds, "/rss.xml", If_Match='"other"')
    assert (answer.status, answer.body, answer.headers["content-length"]) == (412, b"", "0")


@given(
    value=st.binary(max_size=60),
    name=st.sampled_from([b"accept-encoding", b"if-none-match", b"if-modified-since", b"if-match"]),
)
def test_whatever_a_field_says_it_is_read(name: bytes, value: bytes) -> None:
    assert isinstance(read_asked([(name, value)]), Asked)


# ---------------------------------------------------------------- gzip


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("x-gzip", True),
        ("GZIP", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("gzip;q=0.001", True),
        ("gzip ; q=1.0", True),
        ("identity;q=0.5, gzip;q=1.0", True),
        ("identity;q=0, gzip", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=x", False),
        ("gzip;q=", False),
        ("gzipped", False),
    ],
)
def test_gzip_goes_to_those_who_take_it(feeds: Path, accepted: str, expected: bool) -> None:
    answer = ask(feeds, "/rss.xml", Accept_Encoding=accepted)
    assert (answer.headers.get("content-encoding") == "gzip") is expected
    assert (gzip.decompress(answer.body) if expected else answer.body) == FEED
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_each_form_has_an_etag_of_its_own(feeds: Path) -> None:
    files = Files(feeds)
    plain, pressed = ask(files, "/rss.xml"), ask(files, "/rss.xml", Accept_Encoding="gzip")
    assert plain.headers["etag"] != pressed.headers["etag"]
    assert ask(files, "/rss.xml", If_None_Match=pressed.headers["etag"]).status == 200
    both = f"{plain.headers['etag']}, {pressed.headers['etag']}"
    for accepted in ("gzip", "identity"):
        assert ask(files, "/rss.xml", Accept_Encoding=accepted, If_None_Match=both).status == 304
    assert ask(Files(feeds), "/rss.xml", Accept_Encoding="gzip").body == pressed.body


def test_what_gzip_does_not_make_smaller_is_sent_as_it_is(feeds: Path) -> None:
    noise = os.urandom(4000)
    for name in ("noise.txt", "noise.png"):
        (feeds / name).write_bytes(noise)
        answer = ask(feeds, f"/{name}", Accept_Encoding="gzip")
        assert answer.body == noise
        assert "content-encoding" not in answer.headers
    assert "content-encoding" not in ask(feeds, "/", Accept_Encoding="gzip").headers
    assert "vary" not in ask(feeds, "/noise.png").headers


# ---------------------------------------------------------------- addresses


def test_a_folder_is_its_page_and_without_a_slash_leads_there(feeds: Path) -> None:
    assert ask(feeds, "/").body == HOME
    assert ask(feeds, "/2026/").body == b"<h1>The year</h1>"
    moved = ask(feeds, "/2026?utm_source=x")
    assert (moved.status, moved.headers["location"]) == (307, "/2026/")
    (feeds / "topics" / "李-明").mkdir(parents=True)
    (feeds / "topics" / "李-明" / "index.html").write_text("found")
    assert ask(feeds, "/topics/%E6%9D%8E-%E6%98%8E/").body == b"found"
    assert ask(feeds, "/topics/%E6%9D%8E-%E6%98%8E").headers["location"] == "/topics/%E6%9D%8E-%E6%98%8E/"
    assert ask(feeds, "/topics/").status == 404
    assert ask(feeds, "/rss.xml?utm_source=x").body == FEED


def test_what_is_not_there_is_the_published_page_that_says_so(feeds: Path) -> None:
    assert ask(feeds, "/nothing").body == b"Not Found"
    page = b"<h1>No such page</h1>" + b" and more" * 50
    (feeds / "404.html").write_bytes(page)
    answer = ask(feeds, "/nothing")
    assert (answer.status, answer.body) == (404, page)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ask(feeds, "/nothing", If_None_Match="*").status == 404
    assert gzip.decompress(ask(feeds, "/nothing", Accept_Encoding="gzip").body) == page
    assert ask(feeds, "/404.html").status == 200


SECRETS = [
    "/../secret.txt",
    "/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E/secret.txt",
    "/..%2fsecret.txt",
    "/.%2e%2Fsecret.txt",
    "/2026/../../secret.txt",
    "/2026/%2e%2e/%2e%2e/secret.txt",
    "/2026/..%5c..%5csecret.txt",
    "/..\\secret.txt",
    "//secret.txt",
    "/./../secret.txt",
    "/....//secret.txt",
    "/%252e%252e/secret.txt",
    "/..;/secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/%00",
    "/secret.txt%00",
    "/index.html%00",
    "/%00/../secret.txt",
    "/%2fetc/passwd",
    "//etc/passwd",
    "/etc/passwd",
    "/file:///etc/passwd",
    "/linked",
    "/way/secret.txt",
    "/way/",
    "/way",
    "/2026/up/secret.txt",
    "/.digest-part-rss.xml",
    "/2026/.hidden",
    "/.git/config",
    "/.",
    "/..",
    "/...",
    "/2026/.",
    "/2026/..",
    "/%ff",
    "/%",
    "/%zz",
    "/CON",
    "/~root",
    "/index.html/",
    "/rss.xml/..",
    "/" + "a" * 10_000,
    "/" + "a/" * 5_000,
    "/" + "../" * 3_000 + "secret.txt",
    "/" + "%2e%2e/" * 1_000 + "secret.txt",
    "/2026%2findex.html",
    "/pipe",
    "/rss.xml%0d%0aSet-Cookie:x",
    "/\udc80",
]


@pytest.mark.parametrize("path", SECRETS)
def test_nothing_outside_the_folder_is_found(feeds: Path, path: str) -> None:
    (feeds / "linked").symlink_to(feeds.parent / "secret.txt")
    (feeds / "way").symlink_to(feeds.parent)
    (feeds / "2026" / "up").symlink_to("../..")
    (feeds / "pipe").parent.joinpath("pipe").exists() or os.mkfifo(feeds / "pipe")
    for hidden in (feeds / ".digest-part-rss.xml", feeds / "2026" / ".hidden"):
        hidden.write_text("secret")
    (feeds / ".git").mkdir()
    (feeds / ".git" / "config").write_text("secret")
    target = path.encode("utf-8", "surrogateescape").decode("latin-1")
    answer = ask(feeds, target)
    assert answer.status in (400, 404)
    assert b"secret" not in answer.body
    assert b"root:" not in answer.body
    assert "set-cookie" not in answer.headers


def test_a_link_inside_is_followed_and_the_folder_may_be_one(feeds: Path) -> None:
    (feeds / "latest").symlink_to("2026")
    assert ask(feeds, "/latest/").body == b"<h1>The year</h1>"
    (feeds.parent / "public").symlink_to(feeds)
    assert ask(feeds.parent / "public", "/rss.xml").body == FEED


def test_a_link_turned_outwards_is_no_longer_followed(feeds: Path) -> None:
    files = Files(feeds)
    (feeds / "link.txt").symlink_to("rss.xml")
    assert ask(files, "/link.txt").status == 200
    (feeds / "link.txt").unlink()
    (feeds / "link.txt").symlink_to("../secret.txt")
    assert ask(files, "/link.txt").status == 404


def test_a_folder_that_is_not_there_yet_has_no_files(tmp_path: Path) -> None:
    files = Files(tmp_path / "feeds")
    assert ask(files, "/").status == 404
    site_of(tmp_path)
    assert ask(files, "/").body == HOME


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_none(feeds: Path) -> None:
    (feeds / "rss.xml").chmod(0)
    assert ask(feeds, "/rss.xml").status == 404


# ---------------------------------------------------------------- memory and disk


def test_a_publication_is_seen_at_once(feeds: Path) -> None:
    async def poll() -> None:
        connections = Connections(Files(feeds), lane=True)
        protocol, wire = connections.connect()
        site, request = Website(feeds), head_of("/rss.xml")
        for number in range(200):
            body = FEED.replace(b"paper", b"%05d" % number)
            site.write([Page(path="rss.xml", body=body)])
            for _ in range(2):
                wire.sent = b""
                protocol.data_received(request)
                await connections.settle()
                assert parsed(wire.sent).body == body
        protocol.connection_lost(None)

    asyncio.run(poll())


def test_a_file_that_is_gone_is_gone_and_one_written_in_its_place_is_seen(feeds: Path) -> None:
    files = Files(feeds)
    assert ask(files, "/rss.xml").status == 200
    (feeds / "rss.xml").unlink()
    assert ask(files, "/rss.xml").status == 404
    (feeds / "rss.xml").mkdir()
    assert ask(files, "/rss.xml").status == 307
    (feeds / "rss.xml").rmdir()
    (feeds / "rss.xml").write_bytes(b"other")
    assert ask(files, "/rss.xml").body == b"other"


def test_memory_is_bounded_and_what_was_not_asked_for_longest_goes(feeds: Path) -> None:
    files = Files(feeds, cache_bytes=200_000)
    for number in range(60):
        (feeds / f"{number}.txt").write_bytes(b"%02d" % number * 5_000)
    for number in range(60):
        assert ask(files, f"/{number}.txt", Accept_Encoding="gzip").status == 200
        assert ask(files, "/0.txt").body == b"00" * 5_000
        assert files.held <= 200_000
    kept = [number for number in range(60) if files.fresh(str(feeds / f"{number}.txt"))]
    assert kept[0] == 0
    assert kept[1:] == list(range(61 - len(kept), 60))
    assert len(kept) > 10


def test_a_large_file_is_sent_from_the_disk_with_the_etag_of_its_content(feeds: Path) -> None:
    files = Files(feeds, cache_bytes=80_000)
    body = os.urandom(1 << 20)
    (feeds / "large.pdf").write_bytes(body)
    answer = ask(files, "/large.pdf")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, body, str(1 << 20))
    assert ask(files, "/large.pdf", If_None_Match=answer.headers["etag"]).status == 304
    assert ask(files, "/large.pdf", "HEAD").headers == answer.headers
    assert files.held < 80_000
    assert ask(Files(feeds), "/large.pdf").headers["etag"] == answer.headers["etag"]
    (feeds / "large.pdf").write_bytes(body[::-1])
    assert ask(files, "/large.pdf").body == body[::-1]


def test_many_targets_for_one_file_do_not_fill_the_memory(feeds: Path) -> None:
    files = Files(feeds)
    for number in range(10_000):
        files.learn(b"/%d" % number, str(feeds / "rss.xml"))
    assert files.known(b"/9999") == str(feeds / "rss.xml")
    assert sum(files.known(b"/%d" % number) is not None for number in range(10_000)) <= 4096
