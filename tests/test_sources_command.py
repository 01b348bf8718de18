"""`digest sources` as its users meet it, and the one word that it changes in config.toml."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import called
from digest.cli.tomledit import with_enabled
from pages import tree

PAGES = Path(__file__).parent / "selectors"
CONFIG = """\
# Ours. [[source]] in a comment is none.
[site]
url = "https://papers.example.org/"

[[source]]               # the conference
name = "conference"      # accepted papers
kind = "selectors"
path = "page.html"
  [source.selectors]
  item = "article.paper"
  title = "h2"
  link = "h2 a"
  abstract = ".abstrct"
  next = "a.next"

[[source]]
name = "inbox"
path = "inbox"
watch = true
enabled   =   false   # until Monday

[[ "source" ]]
  url = "https://journal.example.org/{date}"
  routes = ["https://rss.example.org/a.xml", "https://rss.example.org/b.xml"]
  name = "journal"

[[digest]]
name = "daily"
sources = ["conference", "journal"]
"""


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"

    def __call__(self, *args: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        done = called(["sources", *args], cwd=self.folder, environ=environ)
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *args: str, code: int = 0) -> Any:
        value = json.loads(self(*args, "--json", code=code).stdout)
        assert value["schema"] == 1
        return value


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").write_text(CONFIG)
    shutil.copy(PAGES / "cards.html", tmp_path / "page.html")
    return Shell(tmp_path)


# ---------------------------------------------------------------- list


def test_the_list_says_who_follows_a_source_and_all_that_it_reads(shell: Shell) -> None:
    shown = shell("list").stdout
    lines = {line.split()[0]: line for line in shown.splitlines()}
    assert "daily" in lines["conference"]
    assert "no" in lines["inbox"].split()
    assert "none" in lines["inbox"].split()
    assert "watched: each page once" in lines["inbox"]
    assert "and https://rss.example.org/b.xml" in shown
    journal = shell.json("list")["sources"][2]
    assert (journal["digests"], journal["watch"], len(journal["routes"])) == (["daily"], False, 2)


# ---------------------------------------------------------------- test


def test_a_try_shows_what_each_selector_found(shell: Shell) -> None:
    done = shell("test", "conference")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows["item"][1:3] == ["article.paper", "3"]
    assert rows["link"][1:6] == ["h2", "a", "2", "1", "papers/17"]
    assert rows["abstract"][1:] == [".abstrct", "0", "3"]
    assert '".abstrct" is not there; nearest: ".abstract" (2)' in done.stderr
    assert "Its next page: https://conf.example.org/2026/papers?page=2" in done.stdout


def test_a_try_as_json_has_the_same(shell: Shell) -> None:
    (listing,) = shell.json("test", "conference")["listings"]
    found = {each["name"]: each for each in listing["selectors"]}
    assert (found["link"]["having"], found["link"]["lacking"], found["link"]["first"]) == (2, 1, "papers/17")
    assert found["item"]["lacking"] is None
    assert found["abstract"]["hint"].startswith('abstract = ".abstrct" finds nothing')
    assert listing["next_url"] == "https://conf.example.org/2026/papers?page=2"
    assert len(listing["papers"]) == 3


def test_a_page_that_changed_is_a_failure_and_still_shows_the_table(shell: Shell) -> None:
    shutil.copy(PAGES / "renamed.html", shell.folder / "page.html")
    done = shell("test", "conference", code=3)
    assert 'item = "article.paper" finds none of the 9 elements' in done.stderr
    assert 'nearest: ".paper-card" (2)' in done.stderr
    assert done.stderr.count("finds none") == 1
    assert "item" in done.stdout


def test_the_table_fits_a_narrow_terminal(shell: Shell) -> None:
    done = shell("test", "conference", COLUMNS="60")
    table = done.stdout.split("\n\n")[1]
    assert table.splitlines()[0].startswith("name")
    assert max(map(len, table.splitlines())) <= 60


def test_an_unknown_source_is_told_with_the_nearest(shell: Shell) -> None:
    for verb in ("test", "enable", "disable"):
        assert (
            'no source "conferense" in config.toml. Did you mean "conference"?'
            in shell(verb, "conferense", code=2).stderr
        )


def test_a_try_touches_nothing(shell: Shell) -> None:
    before = tree(shell.folder)
    shell("test", "conference")
    assert tree(shell.folder) == before


# ---------------------------------------------------------------- enable, disable


def test_disable_adds_one_line_and_changes_nothing_else(shell: Shell) -> None:
    assert '"conference" is disabled now' in shell("disable", "conference").stdout
    named = 'name = "conference"      # accepted papers\n'
    assert shell.config.read_text() == CONFIG.replace(named, named + "enabled = false\n")
    assert not shell.json("list")["sources"][0]["enabled"]


def test_enable_changes_the_word_that_is_there(shell: Shell) -> None:
    shell("enable", "inbox")
    assert shell.config.read_text() == CONFIG.replace("enabled   =   false   #", "enabled   =   true   #")


def test_a_table_that_is_indented_stays_so(shell: Shell) -> None:
    shell("disable", "journal")
    assert shell.config.read_text() == CONFIG.replace(
        '  name = "journal"\n', '  name = "journal"\n  enabled = false\n'
    )


def test_what_is_so_already_is_not_written_again(shell: Shell) -> None:
    before = tree(shell.folder)
    assert '"conference" was enabled already.' in shell("enable", "conference").stdout
    assert not shell.json("disable", "inbox")["source"]["changed"]
    assert tree(shell.folder) == before


def test_the_mode_of_the_file_is_kept_and_nothing_is_left_beside_it(shell: Shell) -> None:
    shell.config.chmod(0o640)
    shell("disable", "conference")
    assert shell.config.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in shell.folder.iterdir()) == ["config.toml", "page.html"]


def test_a_link_to_the_configuration_stays_a_link(shell: Shell) -> None:
    real = shell.folder / "real.toml"
    shell.config.rename(real)
    shell.config.symlink_to(real)
    shell("disable", "conference")
    assert shell.config.is_symlink()
    assert tomllib.loads(real.read_text())["source"][0]["enabled"] is False


def test_sources_in_one_array_are_left_to_the_operator(shell: Shell) -> None:
    text = (
        'source = [{ name = "a", path = "x" }, { name = "b", path = "y" }]\n'
        '[site]\nurl = "https://papers.example.org/"\n[[digest]]\nname = "daily"\n'
    )
    shell.config.write_text(text)
    told = shell("disable", "b", code=2).stderr
    assert 'Write enabled = false into [[source]] "b" by hand.' in told
    assert shell.config.read_text() == text


def test_a_value_of_the_environment_is_not_hidden_by_the_file(shell: Shell) -> None:
    told = shell("disable", "conference", code=2, DIGEST__SOURCE__CONFERENCE__ENABLED="true").stderr
    assert "set by the environment" in told
    assert shell.config.read_text() == CONFIG


def test_a_source_that_nobody_follows_is_told(shell: Shell) -> None:
    assert 'no [[digest]] follows "inbox"' in shell("enable", "inbox").stderr


LINES = [
    "# [[source]]",
    "# enabled = false",
    'path = """\n[[source]]\nenabled = true\n"""',
    "path = '''\n[source]\n# ' \" \\\n'''",
    'path = "a [[ # \\" ]] b"',
    "routes = [\n  'https://a.example.org/', # ]\n  [[source]]\n]",
    "headers = { A = '[[source]]', B = \"#\" }",
    "",
    "   ",
    "name = 'x' # enabled = true",
    "enabled = true",
    "enabled=false# no",
    '  "enabled" = false',
    "[source.selectors]\nenabled = 'x'\nitem = 'p'",
    "[[digest]]\nenabled = 3",
    "[[source]]",
    "[[ 'source' ]] # x",
]


@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=12),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_one_value_changes_or_nothing(lines: list[str], number: int, enabled: bool, end: str) -> None:
    """Whatever the file looks like: with the change the document differs in that value alone, and every old line is there."""
    text = "\n".join(lines).replace("\n", end)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    new = with_enabled(text, number, enabled)
    tables = before.get("source", [])
    if not isinstance(tables, list):  # a table [source.selectors] alone is no list of sources
        assert new is None
        return
    if new is None:
        assert number >= len(tables)
        return
    tables[number]["enabled"] = enabled
    assert tomllib.loads(new) == before
    kept = [line for line in text.splitlines() if "enabled" not in line]
    rest = iter(new.splitlines())
    assert all(line in rest for line in kept)
