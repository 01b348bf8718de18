"""Whatever a source, an operator or a visitor writes, no page, feed, data file or mail holds an element, attribute or address that
no template of ours writes; nothing is written outside the output folder, and no other page changes.

`make torture` does it with 1,500 strings, the ordinary suite with some of all kinds.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import pytest
from bs4 import BeautifulSoup
from lxml import etree

from conftest import sizes
from digest.app import open_app
from digest.config import Config
from digest.configfile import load_config
from digest.errors import ConfigError
from digest.labels import slug_of
from digest.model import Preferences, RunReport
from digest.render import clean
from hostile_words import ADDRESSES, CANARY, hostile_words, some_words
from html_allowed import (
    bib_entries,
    faults_of_html,
    faults_of_json,
    faults_of_xml,
    ris_entries,
)
from pages import ROOT, invented, rss, tree
from webs import serving

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
DAY = timedelta(days=1)
URL = "https://papers.example.org/"
SCRIPTS = frozenset({f"{URL}search/search.js"})
THEMES = sorted(p.name for p in (ROOT / "templates" / "themes").glob("*") if p.is_dir()) or ["plain"]
_XML_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def toml(value: str) -> str:
    """A basic string of TOML."""
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )


def installed(
    folder: Path, *, theme: str = "plain", web: bool = True, more: str = "", site: str = ""
) -> Config:
    """A configuration as an operator writes it, with the papers in `inbox` and mail into `outbox`."""
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    own_theme = f"theme = {toml(theme)}\n" if theme != "plain" else ""
    (folder / "config.toml").write_text(
        f'[site]\nurl = "{URL}"\ntimezone = "Europe/Berlin"\n{own_theme}{site}\n'
        f'[store]\nurl = "sqlite:///{folder}/digest.db"\n[web]\nenabled = {str(web).lower()}\n'
        '[mail]\nfolder = "outbox"\nfrom = "Paper Digest <digest@papers.example.org>"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\ntitle = "Paper Digest"\npath = ""\n'
        f"{more}\n",
        encoding="utf-8",
    )
    return load_config(folder / "config.toml", {})


# ---------------------------------------------------------------- listings


def address(n: int) -> str:
    return ADDRESSES[n % len(ADDRESSES)]


def daily_papers(words: Sequence[str], first: int) -> str:
    """The answer of /api/daily_papers, each string in every field of a paper. JSON can carry any string."""
    return json.dumps(
        [
            {
                "paper": {
                    "id": f"2611.{10000 + n}",
                    "title": word,
                    "summary": f"{word} We say what it is. {word}",
                    "ai_summary": word,
                    "authors": [{"name": word}, {"name": "Ada Fenwick"}, word[::-1]],
                    "ai_keywords": [word, "caches"],
                    "githubRepo": address(n),
                    "projectPage": word,
                    "upvotes": n,
                    "publishedAt": "2026-11-17T10:00:00.000Z",
                },
                "organization": {"fullname": word},
            }
            for n, word in enumerate(words, first)
        ]
    )


def arxiv_answer(words: Sequence[str], first: int) -> str:
    """The answer of arXiv's API: categories, comments and identifiers of other kinds."""
    entries = ""
    for n, word in enumerate(words, first):
        text = escape(_XML_UNFIT.sub("", word))
        value = quoteattr(_XML_UNFIT.sub("", word))
        link = quoteattr(_XML_UNFIT.sub("", address(n)))
        entries += (
            f"<entry><id>http://arxiv.org/abs/2612.{10000 + n}v1</id><title>{text} in arXiv {n}</title>"
            f"<updated>2026-11-18T12:00:00Z</updated><published>2026-11-18T12:00:00Z</published>"
            f"<summary>{text}</summary>"
            f'<author><name>{text}</name></author><category term={value} scheme="http://arxiv.org/schemas/atom"/>'
            f'<category term="cs.XX" scheme="http://arxiv.org/schemas/atom"/><arxiv:comment>{text}</arxiv:comment>'
            f"<arxiv:doi>10.5555/{text}</arxiv:doi><arxiv:journal_ref>{text}</arxiv:journal_ref>"
            f'<link href={link} rel="related" type="application/pdf" title="pdf"/></entry>'
        )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<feed xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\" "
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">'
        "<id>https://arxiv.org/api/abc</id><title>arXiv Query: cat:cs.XX</title><updated>2026-11-19T04:00:00Z</updated>"
        f"<opensearch:totalResults>{len(words)}</opensearch:totalResults><opensearch:startIndex>0</opensearch:startIndex>"
        f"{entries}</feed>"
    )


def json_feed(words: Sequence[str], first: int) -> str:
    """A JSON Feed: ids that are paths, addresses that are scripts."""
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Notes",
            "home_page_url": "https://notes.example.org/",
            "items": [
                {
                    "id": word or str(n),
                    "url": address(n),
                    "title": f"Note {n} {word}",
                    "content_html": f"<p>{word}</p>",
                    "authors": [{"name": word}, {"name": "Ada Fenwick"}],
                    "tags": [word, "notes"],
                    "date_published": word[:40],
                }
                for n, word in enumerate(words, first)
            ],
        }
    )


def put(folder: Path, words: Sequence[str], first: int, *, each: bool = True) -> None:
    """Three listings; `each` has all of the strings, or else a third of them."""
    inbox = folder / "inbox"
    for old in inbox.iterdir():
        old.unlink()
    one, two, three = [words] * 3 if each else [words[n::3] for n in range(3)]
    (inbox / "daily.json").write_text(daily_papers(one, first))
    (inbox / "arxiv.xml").write_text(arxiv_answer(two, first), encoding="utf-8")
    (inbox / "notes.json").write_text(json_feed(three, first))


def run(config: Config, now: datetime) -> RunReport:
    with open_app(config, clock=lambda: now) as app:
        return app.daily(now)


# ---------------------------------------------------------------- what is looked at


def faults_below(folder: Path) -> Iterator[str]:
    """What stands in any file below the output folder that should not."""
    for name, (body, _) in tree(folder).items():
        for fault in faults_of_file(name, body):
            yield f"{name}: {fault}"


# The one line of a mail's web copy that no mail has.
_CANONICAL = re.compile(rb'^<link rel="canonical" href="https://[a-z.]+/[\w/]*">\n', re.M)


def faults_of_file(name: str, body: bytes) -> list[str]:
    kind = name.rpartition(".")[2]
    if kind == "html":
        mail = name.endswith("email.html")
        return faults_of_html(
            _CANONICAL.sub(b"", body, count=1) if mail else body,
            mail=mail,
            scripts=SCRIPTS if name != "search/index.html" else frozenset({"search.js"}),
        )
    if kind == "xml" or kind == "opml":
        return faults_of_xml(body)
    if kind == "json":
        return faults_of_json(body)
    text = body.decode("utf-8")
    if kind == "bib":
        bib_entries(text)
    if kind == "ris":
        ris_entries(text)
    assert kind in ("bib", "ris", "txt", "css", "js"), f"{name}: of a kind that nobody judges"
    unfit = re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067]", text)
    return [f"control letters {sorted(set(unfit))}"] if unfit else []


def faults_of_mail(raw: bytes) -> Iterator[str]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message["To"].addresses[0].addr_spec == str(message["To"])
    assert not message.defects
    names = [name.lower() for name in message.keys()]  # noqa: SIM118
    known = set(_HEADERS.split())
    yield from (f"header {name}" for name in names if name not in known or names.count(name) > 1)
    for part in message.walk():
        if part.get_content_type() == "text/html":
            yield from faults_of_html(str(part.get_content()), mail=True)
        elif part.get_content_type() == "text/plain":
            text = str(part.get_content())
            unfit = set(
                re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", text.replace("\r\n", "\n"))
            )
            yield from (f"{letter!r} in the text" for letter in unfit)


_HEADERS = (
    "date message-id to list-unsubscribe list-unsubscribe-post from subject list-id list-subscribe list-archive list-help"
    " list-owner list-post auto-submitted precedence content-language mime-version content-type content-transfer-encoding"
)
# A folder or file that we name: letters and digits of any script and what a slug may have, never hidden, never a way up.
_NAME = re.compile(r"\w[\w.-]*")


def names_below(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            if not _NAME.fullmatch(name) or len(name.encode()) > 255:
                yield f"{root}/{name}"


def judge(folder: Path, output: Path) -> None:
    assert list(faults_below(output)) == []
    assert list(names_below(output)) == []
    mails = sorted((folder / "outbox").glob("*.eml"))
    assert mails
    assert [fault for file in mails for fault in faults_of_mail(file.read_bytes())] == []


def assert_titles_are_literal(output: Path) -> None:
    """Each paper's heading on its edition's page is its title, letter by letter: nothing of it was taken for a template or HTML."""
    seen = 0
    for file in output.glob("20*/**/papers.json"):
        page = BeautifulSoup(file.with_name("index.html").read_bytes(), "lxml")
        data = json.loads(file.read_bytes())
        papers = data["picks"] + [paper for topic in data["topics"] for paper in topic["papers"]]
        for paper in papers:
            article = page.find(id=paper["anchor"])
            assert article is not None
            shown = article.h3.get_text() if article.h3 else ""
            assert " ".join(shown.split()) == (clean(paper["title"]) or "(untitled)"), paper["title"]
            seen += 1
    assert seen


# ---------------------------------------------------------------- through the whole program


def torment(
    tmp_path: Path,
    words: Sequence[str],
    theme: str,
    *,
    web: bool = True,
    per_day: int = 50,
    each: bool = False,
) -> str:
    """Runs a program over all strings, some of them each day, and judges everything that it wrote and sent."""
    outside = tmp_path / "outside"
    folder = outside / "a" / "b" / "c" / "d" / "here"
    config = installed(folder, theme=theme, web=web, more='authors = ["Ada Fenwick"]\n')
    output = folder / "feeds"
    (folder / "inbox" / "first.xml").write_bytes(rss(invented(0, 12)))
    with open_app(config, clock=lambda: NOW) as app:
        app.store.add_subscriber("reader@mail.example", digests=(), now=NOW)
        app.store.add_subscriber(
            "plain@mail.example", digests=(), now=NOW, preferences=Preferences(text_only=True)
        )
        app.daily(NOW)
    before = {
        name: body for name, (body, _) in tree(output).items() if name.startswith(("2026/11/19/", "papers/"))
    }
    papers = 0
    for day, at in enumerate(range(0, len(words), per_day), 1):
        put(folder, words[at : at + per_day], at, each=each)
        report = run(config, NOW + day * DAY)
        assert not [(s.name, s.outcome, s.error) for s in report.sources if s.error], report.sources
        assert report.deliveries.accepted == 2
        edition = report.digests[0].edition
        assert edition is not None
        papers += edition.papers
    assert papers >= (2 if each else 0.8) * len(words)
    judge(folder, output)
    assert_titles_are_literal(output)
    assert {name: body for name, (body, _) in tree(output).items() if name in before} == before
    written = {path.name for path in folder.iterdir()}
    assert {n for n in written if not n.startswith("digest.db")} == {
        "config.toml",
        "inbox",
        "outbox",
        "feeds",
    }
    for place in (outside, outside / "a", outside / "a" / "b", outside / "a" / "b" / "c", folder.parent):
        assert len(list(place.iterdir())) == 1, f"something was written to {place}"
    files = tree(output)
    return f"{len(words)} strings in {papers} papers: {len(files)} files, {sum(len(b) for b, _ in files.values()):,} bytes"


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_that_a_source_writes_comes_alive_anywhere(tmp_path: Path, theme: str) -> None:
    torment(tmp_path, some_words(30 if theme == "plain" else 15), theme, per_day=15)


def test_nothing_comes_alive_on_a_static_host(tmp_path: Path) -> None:
    """Where there is no web door pages have one script, the search's own, which is the same file whatever is published."""
    torment(tmp_path, some_words(10), "plain", web=False)


@pytest.mark.torture
@pytest.mark.parametrize("theme", THEMES)
def test_1500_strings_come_alive_nowhere(
    tmp_path: Path, theme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = hostile_words(1500)
    assert len(set(words)) >= 1492
    said = torment(tmp_path, words, theme, each=True)
    with capsys.disabled():
        sys.stdout.write(f"\n{theme}: {said}\n")


def test_the_judge_sees_what_is_alive() -> None:
    """Each of these, unescaped, is a fault; else this file would prove nothing."""
    alive = [
        "<script>x()</script>",
        "<p onclick=x()>",
        "<a href='java\tscript:x()'>a</a>",
        "<a href=' \x01javascript:x'>a</a>",
        "<img src=x>",
        "<a href='data:text/html,x'>a</a>",
        "<a href='//evil.example/'>a</a>",
        "<a href='/\\evil.example/'>a</a>",
        "<svg></svg>",
        "<math></math>",
        "<style>@import 'x'</style>",
        "<style>p{background:url(//x)}</style>",
        "<iframe></iframe>",
        "<base href='/'>",
        "<p style='position:fixed'>",
        "<meta http-equiv=refresh content=0>",
        "<!-- x -->",
        "<p>\u202ex</p>",
        "<p>\x1b</p>",
        "<form action='https://evil.example\\@x/'></form>",
        "<script src='//evil.example/x.js'></script>",
        "<p>\u2068x</p>",
        "<a href='https://user@evil.example/'>a</a>",
        "<link rel=stylesheet href='//evil.example/x.css'>",
        "<a ping='//x' href='/'>a</a>",
    ]
    missed = [text for text in alive if not faults_of_html(f"<!doctype html><title>t</title><body>{text}")]
    assert missed == []
    feeds = [
        "<rss><channel><item><link>javascript:x()</link></item></channel></rss>",
        "<rss><script/></rss>",
        '<rss xmlns:c="http://purl.org/rss/1.0/modules/content/"><c:encoded>&lt;img src=x&gt;</c:encoded></rss>',
        '<!DOCTYPE rss [<!ENTITY e "x">]><rss>&e;</rss>',
        '<feed xmlns="http://www.w3.org/2005/Atom"><link href="data:,x"/></feed>',
        '<opml><body><outline xmlUrl="file:///x"/></body></opml>',
    ]
    assert [text for text in feeds if not faults_of_xml(text.encode())] == []
    for text in (
        '{"url": "javascript:x"}',
        '{"content_html": "<b onclick=x>"}',
        '{"links": {"pdf": "data:,x"}}',
        '"\\u001b"',
    ):
        assert faults_of_json(text.encode()), text
    with pytest.raises(AssertionError):
        bib_entries("@misc{a,\n title = {x}}, author = {y}\n}\n")
    with pytest.raises(AssertionError):
        ris_entries("TY  - JOUR\nTI  - a\nanother line\nER  - \n")


# ---------------------------------------------------------------- what an operator writes


def accepted(folder: Path, words: Sequence[str]) -> list[str]:
    """Those that may be the name of a topic. The others are refused with a mend, each for itself."""
    taken: list[str] = []
    for word in words:
        more = f'[[digest.topics]]\nname = {toml(word)}\nany = ["x"]\n'
        try:
            config = installed(folder, more=more)
        except ConfigError as error:
            assert error.args
            continue
        taken.append(config.digest[0].topics[0].name)
    return list({" ".join(name.split()).casefold(): name for name in taken}.values())


@pytest.mark.parametrize("count", sizes(60, 300))
def test_nothing_that_an_operator_names_a_topic_search_or_site_comes_alive(
    tmp_path: Path, count: int
) -> None:
    folder = tmp_path / "here"
    names = [name for name in accepted(folder, some_words(count)) if len(name) < 500]
    assert len(names) >= count // 3
    (folder / "config.toml").unlink()
    per = 40
    for n, at in enumerate(range(0, len(names) // per * per or 1, per)):
        chosen = names[at : at + per]
        topics = "".join(
            f'[[digest.topics]]\nname = {toml(name)}\nany = ["subject{k}x"]\n'
            for k, name in enumerate(chosen)
        )
        authors = f"authors = [{', '.join(map(toml, [name for name in chosen if slug_of(name)][:10]))}]\n"
        here = folder / str(n)
        title = next((name for name in chosen if "<" in name), chosen[0])
        site = f"title = {toml(title)}\npublisher = {toml(chosen[-1])}\npostal_address = {toml(title)}\n"
        config = installed(here, more=authors + topics, site=site)
        papers = [
            (f"A study of subject{k}x", f"It says what subject{k}x is. More follows.")
            for k in range(len(chosen))
        ]
        (here / "inbox" / "a.xml").write_bytes(rss(papers))
        with open_app(config) as app:
            app.store.add_subscriber("reader@mail.example", digests=(), now=NOW)
        report = run(config, NOW)
        assert report.digests[0].edition is not None
        assert report.digests[0].edition.papers == len(papers)
        judge(here, here / "feeds")
        data = json.loads((here / "feeds/2026/11/19/papers.json").read_bytes())
        assert {topic["name"] for topic in data["topics"]} <= {*chosen, "Other"}
        assert len(data["topics"]) >= len(chosen) - 3


# ---------------------------------------------------------------- what a visitor asks


OPERATORS = """-
--
- - -
"
""\"
"" ""
*
**
author:
author:""
-author:
title:*
topic:
category:
date:
date:..
date:9999-99-99
date:2026..2025
AND
OR NOT
NEAR/2
NEAR(a b, 3)
a AND
^
(
)
((((
+
-*
a* *b
title:-x
col:x
rank:x
paper MATCH 'x'
'
;--
%
_"""


def asked(words: Sequence[str]) -> list[str]:
    return [*OPERATORS.split("\n"), "x" * 10_000, "x " * 5_000, "-x " * 3_000, '"' * 9_999, *words]


def assert_answers(tmp_path: Path, words: Sequence[str]) -> None:
    config = installed(tmp_path / "here")
    (tmp_path / "here" / "inbox" / "a.xml").write_bytes(rss(invented(0, 40)))
    run(config, NOW)
    with serving(config) as site:
        headers = set(site.get("/search/?q=moth").headers)
        assert "moth" in site.get("/search/?q=moth").text
        for word in words:
            query = quote(word.encode("utf-8", "surrogatepass"))
            for path in ("/search/", "/search/rss.xml", "/search/atom.xml", "/search/feed.json"):
                answer = site.get(f"{path}?q={query}"[:60_000])
                assert answer.status in (200, 400, 404, 414, 422), (path, answer.status, word[:80])
                assert set(answer.headers) <= headers | {"link", "etag", "last-modified", "vary"}, (
                    answer.headers
                )
                kind = answer.headers["content-type"].partition(";")[0]
                judge_of = {"text/html": faults_of_html, "application/xml": faults_of_xml}
                if kind.endswith("json"):
                    assert faults_of_json(answer.body) == []
                elif kind.endswith("xml"):
                    assert faults_of_xml(answer.body) == [], word[:80]
                elif kind == "text/html":
                    assert faults_of_html(answer.body) == [], word[:80]
                else:
                    assert kind == "text/plain", judge_of
                if "<" in word and CANARY in word:
                    assert word.encode("utf-8", "replace") not in answer.body


def test_any_search_is_answered_and_nothing_of_it_comes_back_alive(tmp_path: Path) -> None:
    assert_answers(tmp_path, asked(some_words(20)))


@pytest.mark.torture
def test_1500_searches_are_answered(tmp_path: Path) -> None:
    assert_answers(tmp_path, asked(hostile_words(1500)))


def test_other_fields_of_a_search_are_refused_or_ignored(tmp_path: Path) -> None:
    config = installed(tmp_path / "here")
    (tmp_path / "here" / "inbox" / "a.xml").write_bytes(rss(invented(0, 40)))
    run(config, NOW)
    odd = [
        "-1",
        "0",
        "99999999999999999999",
        "x",
        "",
        "1e9",
        "<script>",
        "\u0663",
        "1&page=2",
        "%00",
        "2&q=other",
        "../..",
    ]
    with serving(config) as site:
        for value in odd:
            for field in ("page", "digest", "order", "p", "offset", "limit", "utf8"):
                answer = site.get(f"/search/?q=moth&{field}={quote(value, safe='&=%')}")
                assert answer.status in (200, 400, 404, 422), (field, value)
                assert faults_of_html(answer.body) == []


def test_a_hostile_feed_is_still_whole_for_a_strict_parser(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    config = installed(folder)
    words = some_words(30)
    put(folder, words, 0)
    run(config, NOW)
    rss_ids = [e.text for e in etree.parse(str(folder / "feeds/rss.xml")).iter("guid")]
    atom_ids = [e.text for e in etree.parse(str(folder / "feeds/atom.xml")).iter("{*}entry/{*}id")] or [
        e.findtext("{*}id") for e in etree.parse(str(folder / "feeds/atom.xml")).iter("{*}entry")
    ]
    json_ids = [item["id"] for item in json.loads((folder / "feeds/feed.json").read_bytes())["items"]]
    assert rss_ids == atom_ids == json_ids
    assert len(set(rss_ids)) == len(rss_ids) >= 2 * len(words)
