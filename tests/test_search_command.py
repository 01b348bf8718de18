"""`digest search` as its users meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from test_cli import Shell

CONFIG = """
[site]
url = "https://papers.example.org/"
[store]
url = "sqlite:///digest.db"
[[source]]
name = "inbox"
path = "inbox"
[[digest]]
name = "daily"
[[digest.topics]]
name = "Birds"
any = ["owl"]
[mail]
folder = "outbox"
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A store with one edition of three papers."""
    folder: Path = tmp_path_factory.mktemp("search")
    (folder / "config.toml").write_text(CONFIG)
    shell = Shell(folder)
    papers = [
        ("Owls in the Dark", "A survey of night."),
        ("Charts of the Deep Sea", "An owl is in none."),
        ("Über Öfen", "Kilns."),
    ]
    shell.put("2026-11-19.xml", papers)
    shell("run", "--date", "2026-11-19")
    yield shell


def test_a_search_is_a_table_and_a_sum(shell: Shell) -> None:
    done = shell("search", "owls", "dark")
    assert "Owls in the Dark" in done.stdout
    assert "2026-11-19" in done.stdout
    assert "https://papers.example.org/papers/" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 paper found."
    assert "\x1b" not in done.stdout


def test_operators_reach_the_search_and_not_the_command_line(shell: Shell) -> None:
    assert shell.json("search", "o*", "-survey", "topic:birds")["query"] == 'o* -survey topic:"birds"'
    assert [p["title"] for p in shell.json("search", '"deep sea"')["papers"]] == ["Charts of the Deep Sea"]
    assert [p["title"] for p in shell.json("search", "ofen", "date:2026-11")["papers"]] == ["Über Öfen"]
    assert "Charts of the Deep Sea" in shell("search", "--", "-survey", "sea").stdout


def test_as_json_it_is_one_object_with_the_facts_of_each_paper(shell: Shell) -> None:
    answer = shell.json("search", "owls")
    assert set(answer) == {"schema", "query", "total", "papers"}
    (paper,) = answer["papers"]
    assert set(paper) == {"key", "title", "authors", "date", "edition", "digest", "topic", "url", "page"}
    assert (paper["title"], paper["date"], paper["edition"]) == (
        "Owls in the Dark",
        "2026-11-19",
        "2026-11-19",
    )
    assert (paper["digest"], paper["topic"]) == ("daily", "Birds")
    path = paper["page"].removeprefix("https://papers.example.org/")
    assert (shell.folder / "feeds" / path / "index.html").is_file()


def test_limit_shows_fewer_and_says_how_many_there_are(shell: Shell) -> None:
    assert shell.json("search", "date:2026", "--limit", "2")["total"] == 3
    assert len(shell.json("search", "date:2026", "--limit", "2")["papers"]) == 2
    assert shell("search", "date:2026", "--limit=1").stdout.endswith(
        "3 papers found, 1 shown; --limit shows more.\n"
    )


def test_nothing_found_is_no_failure(shell: Shell) -> None:
    assert shell("search", "unicorns").stdout.startswith("No paper found.")
    assert shell.json("search", "unicorns")["papers"] == []


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["date:yesterday"], 'error: "yesterday" is no date. Write date:2026'),
        (["-", '""'], "error: the search has no word to look for."),
        (["x" * 501], "error: the search is longer than 500 characters."),
        (["owls", "--digest", "dayly"], 'no [[digest]] "dayly". Did you mean "daily"?'),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_search_ends_with_its_mend(shell: Shell, words: list[str], mend: str) -> None:
    assert mend in shell("search", *words, code=2).stderr


def test_one_digest_is_searched_by_its_name(shell: Shell) -> None:
    assert shell.json("search", "owls", "--digest", "daily")["total"] == 1
