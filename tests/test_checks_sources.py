"""The keys of a [[source]] that say how it is read: every fault is named, with its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.checks import selector_of
from digest.config import Config
from digest.configfile import load_config
from digest.errors import ConfigError

HEAD = '[site]\nurl = "https://papers.example.org"\n[[digest]]\nname = "daily"\n[[source]]\nname = "a"\n'
PAGE = 'url = "https://conf.example.org/"\n'


def load(tmp_path: Path, text: str) -> Config:
    (tmp_path / "config.toml").write_text(HEAD + text)
    return load_config(tmp_path / "config.toml", {})


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == 1, caught.value.problems
    assert '[[source]] "a"' in caught.value.problems[0]
    return caught.value.problems[0]


def test_every_selector_there_is_can_be_used(tmp_path: Path) -> None:
    selectors = (
        '{ item = "article.paper", title = ":scope", link = "@href", abstract = ".abstract", authors = "~ dd li", '
        'date = "time@datetime", pdf = "a[href$=\'.pdf\']", doi = "a:is(.doi, .id)", '
        'categories = ".t", empty = ".none", next = "a.next" }'
    )
    config = load(tmp_path, PAGE + f'kind = "selectors"\nselectors = {selectors}\n')
    assert len(config.source[0].selectors) == 11


@pytest.mark.parametrize(
    ("selectors", "told"),
    [
        ('{ item = "p" }', 'needs "title". Write selectors = { …, title = "h2 a" }'),
        ('{ title = "h2" }', 'needs "item"'),
        ('{ item = "p", title = "" }', 'needs "title"'),
        ('{ item = "p", title = "h2", autors = "li" }', 'unknown name "autors". Did you mean "authors"?'),
        ('{ item = "p", title = "h2[" }', "selector \"title\" = 'h2[': no CSS selector: "),
        ('{ item = "p", title = "h2", pdf = "a:nope" }', "selector \"pdf\" = 'a:nope': no CSS selector: "),
        ('{ item = "p", title = "h2", pdf = "" }', 'selector "pdf" is empty'),
        ('{ item = "~ p", title = "h2" }', "it looks at the whole page"),
        ('{ item = "p@class", title = "h2" }', "Take @class away"),
        ('{ item = "p", title = "h2", next = "@href" }', "it looks at the whole page"),
    ],
)
def test_a_selector_that_cannot_work_is_told(tmp_path: Path, selectors: str, told: str) -> None:
    assert told in problem(tmp_path, PAGE + f'kind = "selectors"\nselectors = {selectors}\n')


def test_the_kind_selectors_needs_some(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, PAGE + 'kind = "selectors"\n')
    assert ['needs "item"' in caught.value.problems[0], 'needs "title"' in caught.value.problems[1]] == [
        True,
        True,
    ]


def test_selectors_of_another_kind_are_told(tmp_path: Path) -> None:
    told = problem(tmp_path, PAGE + 'selectors = { item = "p", title = "h2" }\n')
    assert 'kind = "selectors", and this is "auto"' in told


@pytest.mark.parametrize("time", ["9:30", "09.30", "24:00", "09:60", "09:30 ", "noon", "٠٩:٣٠"])
def test_wait_until_is_an_hour_and_a_minute(tmp_path: Path, time: str) -> None:
    assert 'as in "09:30"' in problem(tmp_path, PAGE + f'wait_until = "{time}"\n')


def test_good_values_are_no_faults(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        'url = "https://papers.example.org/{date}"\nwait_until = "23:59"\nroutes = ["https://rss.example.org/{date}.xml"]\n',
    )
    assert config.source[0].routes == ("https://rss.example.org/{date}.xml",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('url = "file:///{date}"\n', "only http:// and https://"),
        ('url = "https://{host}:{date}/"\n', "only http:// and https://"),
        (PAGE + 'routes = ["ftp://rss.example.org/"]\n', "only http:// and https://"),
        (PAGE + 'routes = ["rss.xml"]\n', "\"routes\" has 'rss.xml'"),
        (PAGE + 'routes = ["https://conf.example.org/"]\n', "is read already"),
        ('path = "inbox"\nroutes = ["https://rss.example.org/"]\n', "there is none. Give url"),
        (PAGE + "watch = true\n", "Give path"),
    ],
)
def test_watch_and_routes_stand_where_they_mean_something(tmp_path: Path, text: str, told: str) -> None:
    assert told in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "css", "attribute", "follows"),
    [
        ("h2 a", "h2 a", "", False),
        ("time@datetime", "time", "datetime", False),
        (" a @href ", "a", "href", False),
        ("@data-id", "", "data-id", False),
        (":scope", "", "", False),
        ("~ dd a@href", "dd a", "href", True),
        ('a[href^="mailto:x@y"]', 'a[href^="mailto:x@y"]', "", False),
    ],
)
def test_a_selector_is_read_in_its_parts(text: str, css: str, attribute: str, follows: bool) -> None:
    selector = selector_of(text)
    assert (selector.css, selector.attribute, selector.follows) == (css, attribute, follows)
