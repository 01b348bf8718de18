"""The documents say what the code does: keys, commands, options, exit codes, JSON, paths, links, examples."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import msgspec
import pytest
from click.testing import CliRunner

from digest import config as configuration
from digest.app import open_app
from digest.cli import COMMANDS, _globals_first, cli, main
from digest.configfile import load_config
from digest.model import Candidate, Paper
from digest.selection import select
from documents import DOCUMENTS, ROOT, anchors, blanked, blocks, links_of, read, rows, section

OUTER: dict[str, type[msgspec.Struct]] = {
    f"[[{name}]]" if get_args(hint) else f"[{name}]": (get_args(hint) or (hint,))[0]
    for name, hint in get_type_hints(configuration.Config).items()
    if name != "file"
}
TABLES: dict[str, type[msgspec.Struct]] = OUTER | {
    "topics": configuration.TopicConfig,
    "searches": configuration.SearchConfig,
    "smtp": configuration.SmtpConfig,
    "dkim": configuration.DkimConfig,
    "mailbox": configuration.MailboxConfig,
}


# ---------------------------------------------------------------- configuration


def documented_keys() -> dict[str, dict[str, str]]:
    """Table → key → default, as docs/configuration.md has them."""
    text = read("docs/configuration.md")
    found: dict[str, dict[str, str]] = {}
    for table in OUTER:
        part = section(text, f"## {table}").split("### Rules")[0]
        own, *inner = re.split(r"(?m)^Keys of (?:each table in )?", part)
        found[table] = {row[0].strip("`"): row[2].strip("`") for row in rows(own)}
        for each in inner:
            found[each.split("`")[1]] = {row[0].strip("`"): row[2].strip("`") for row in rows(each)}
    return found


def keys_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Key → default, as the code has them."""
    return {
        field.encode_name: field.default if field.default is not msgspec.NODEFAULT
        else field.default_factory() if field.default_factory is not msgspec.NODEFAULT
        else msgspec.NODEFAULT
        for field in msgspec.structs.fields(kind)
    }  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_with_its_default_and_no_other(table: str) -> None:
    documented, real = documented_keys()[table], keys_of(TABLES[table])
    assert list(documented) == list(real), (
        f"docs/configuration.md, {table}: a row for each key, in the order of its struct in digest/config.py"
    )
    for key, default in real.items():
        if default is msgspec.NODEFAULT:
            assert documented[key] == "required", key
        elif default is None:
            assert documented[key] == "none", key
        elif isinstance(default, msgspec.Struct):
            assert documented[key] == "{}", key
        else:
            written = tomllib.loads(f"value = {documented[key]}")["value"]
            assert repr(written) == repr(json.loads(msgspec.json.encode(default))), key


@pytest.mark.parametrize("table", TABLES)
def test_the_shipped_configuration_names_every_key(table: str) -> None:
    text = shipped_parts()[table]
    for key in keys_of(TABLES[table]):
        assert re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", text), (
            f"config.toml, {table}: {key} is not mentioned"
        )


@pytest.mark.parametrize("table", [table for table in OUTER if table != "[[publish]]"])
def test_the_shipped_configuration_shows_true_defaults_behind_a_hash(table: str) -> None:
    real = keys_of(TABLES[table])
    live = shipped_parts()[table].split("# Live sources")[0].split("# Copies of")[0]
    for key, value in re.findall(r"(?m)^# (\w+) = (.+?)(?:\s+#.*)?$", live):
        assert key in real, f"config.toml, {table}: {key} is no key"
        default = "" if real[key] is None else json.loads(msgspec.json.encode(real[key]))
        assert tomllib.loads(f"value = {value}")["value"] == default, f"config.toml, {table}: {key}"


def shipped_parts() -> dict[str, str]:
    """config.toml cut at its tables; inner tables are looked for in the table around them."""
    text = read("config.toml")
    heads = list(re.finditer(r"(?m)^(\[\[?\w+\]?\])", text))
    parts = {
        head[1]: text[head.end() : after.start() if after else None]
        for head, after in zip(heads, [*heads[1:], None], strict=True)
    }
    return (
        parts
        | dict.fromkeys(("topics", "searches", "[[publish]]"), parts["[[digest]]"])
        | dict.fromkeys(("smtp", "dkim", "mailbox"), parts["[mail]"])
    )


def toml_blocks() -> Iterator[tuple[str, str]]:
    for file in DOCUMENTS:
        for block in blocks(file.read_text(encoding="utf-8"), "toml"):
            yield file.name, block


@pytest.mark.parametrize(("name", "block"), list(toml_blocks()))
def test_every_example_of_configuration_is_right(name: str, block: str, tmp_path: Path) -> None:
    tables = tomllib.loads(block)
    if "site" not in tables:
        block += '\n[site]\nurl = "https://papers.example.org/"\n'
    if "digest" not in tables:
        block += '\n[[digest]]\nname = "daily"\n'
    (tmp_path / "config.toml").write_text(block, encoding="utf-8")
    load_config(tmp_path / "config.toml", {})


def test_every_example_of_the_environment_is_right(tmp_path: Path) -> None:
    sources = "".join(f'[[source]]\nname = "{name}"\npath = "x"\n' for name in ("first", "arxiv-cs-cl"))
    file = tmp_path / "config.toml"
    file.write_text(
        f'[site]\nurl = "https://a.example.org/"\n{sources}[[digest]]\nname = "daily"\n', encoding="utf-8"
    )
    (tmp_path / "secret").write_text("swordfish\n", encoding="utf-8")
    examples = [
        row[0].strip("`").partition("=")
        for row in rows(section(read("docs/configuration.md"), "## The environment"))
    ]
    assert len(examples) >= 6
    before = load_config(file, {"DIGEST__MAIL__SMTP__USERNAME": "digest"})
    for name, _, value in examples:
        wanted = {name: str(tmp_path / "secret") if name.endswith("_FILE") else value}
        if name == "DIGEST__SOURCE__0__URL":
            wanted["DIGEST__SOURCE__0__PATH"] = ""
        assert load_config(file, {"DIGEST__MAIL__SMTP__USERNAME": "digest"} | wanted) != before, name


def test_every_rule_matches_as_the_document_says() -> None:
    rules = [row[0].strip("`") for row in rows(section(read("docs/configuration.md"), "### Rules"))]
    paper = Paper(
        key="arxiv:2611.99099",
        title="A survey of robotics and of robots",
        abstract="What a language model makes of them.",
        authors=("Greta Lindqvist-Shaw",),
        categories=("cs.CL", "math.CO"),
    )
    assert len(rules) == 8
    for rule in rules:
        digest = configuration.DigestConfig(name="daily", include=(rule,))
        assert select([candidate(paper, "arxiv-cs-cl")], digest).kept, rule
        assert not select([candidate(Paper(key="title:0", title="Moss"), "journal")], digest).kept, rule


def candidate(paper: Paper, source: str) -> Candidate:
    found_at = datetime(2026, 11, 20, 6, tzinfo=UTC)
    return Candidate(paper_id=1, paper=paper, change="new", source=source, found_at=found_at)


# ---------------------------------------------------------------- commands and options


def every_command() -> Iterator[tuple[str, click.Command]]:
    """`run`, `subscribers list` and so on, with their click commands."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        if isinstance(command, click.Group):
            for inner in command.commands:
                yield f"{name} {inner}", command.commands[inner]
        else:
            yield name, command


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--help"}


def test_the_table_of_commands_is_that_of_the_program() -> None:
    table = rows(section(read("docs/interface.md"), "## Commands").split("### Global options")[0])
    assert [row[0].strip("`").removeprefix("digest ") for row in table] == list(COMMANDS), (
        'docs/interface.md, "Commands": a row for each of COMMANDS (digest/cli/__init__.py), in their order'
    )


def test_the_global_options_are_those_of_the_help() -> None:
    text = section(read("docs/interface.md"), "### Global options")
    documented = options_in(" ".join(row[0] for row in rows(text)))
    assert documented == options_in(
        CliRunner().invoke(cli, ["--help"]).output.split("Options:")[1].split("Commands:")[0]
    )


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_the_options_of_a_command_are_those_of_its_help(name: str) -> None:
    text = read("docs/interface.md")
    heading = re.search(rf"(?m)^### `digest {name}(?: [^`]*)?`$", text)
    assert heading, f"docs/interface.md: add a section ### `digest {name}` with a row for each option"
    documented = options_in(" ".join(row[0] for row in rows(section(text, heading[0]))))
    result = CliRunner().invoke(cli, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert documented == options_in(result.output.split("Options:")[1]), (
        f"docs/interface.md, ### `digest {name}`: a row for each option, and no other"
    )


def test_no_section_describes_a_command_that_is_not_there() -> None:
    described = re.findall(
        r"(?m)^### `digest ([a-z]+(?: [a-z]+)?)(?: [^`]*)?`$", read("docs/interface.md").split("## JSON")[0]
    )
    assert not set(described) - {name for name, _ in every_command()}, (
        "docs/interface.md describes what is no command"
    )


def command_lines() -> Iterator[tuple[str, str]]:
    """Every call of `digest` in the shell blocks of the documents and in their running text."""
    for file in DOCUMENTS:
        text = file.read_text(encoding="utf-8")
        code = "\n".join(blocks(text, "sh") + blocks(text, "")).replace("\\\n", " ")
        steps = [step for line in code.splitlines() for step in line.split(" #")[0].split("&&")]
        calls = [
            found[1] for step in steps if (found := re.search(r"(?:^|\s)(?:\S*/bin/)?digest ([^>|]+)", step))
        ]
        calls += re.findall(r"`(?:\S*/bin/)?digest ([^`…|\[\]]+)`", blanked(text))
        for call in dict.fromkeys(call.strip() for call in calls):
            yield file.name, call


@pytest.mark.parametrize(("name", "call"), list(command_lines()))
def test_every_call_in_the_documents_is_understood(name: str, call: str) -> None:
    parse(_globals_first(shlex.split(call)))


def parse(args: list[str]) -> None:
    """Goes through a call as the program would, down to its last option, and does nothing."""
    command: click.Command = cli
    context: click.Context | None = None
    name: str | None = "digest"
    try:
        while True:
            context = command.make_context(name, args, parent=context)
            if not isinstance(command, click.Group):
                return
            name, found, args = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            command = found
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
        return
    except click.MissingParameter as error:
        # Running text may name a command without its arguments: `digest parse`.
        assert error.param is not None and error.param.param_type_name == "argument"


def test_a_call_with_an_unknown_option_is_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse(["run", "--dry"])
    with pytest.raises(click.UsageError):
        parse(["subscriber", "list"])


# ---------------------------------------------------------------- a run of the samples


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `digest init` makes it, after two subscribers and a first run of 20 November 2026."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copy(ROOT / "config.toml", folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    assert call(folder, "subscribers", "add", "reader@example.org")[0] == 0
    code, out = call(folder, "run", "--date", "2026-11-20", "--json")
    assert code == 0, out
    (folder / "run.json").write_text(out, encoding="utf-8")
    return folder


def call(folder: Path, *args: str) -> tuple[int, str]:
    """Exit code and stdout of `digest …`, called in this process from that folder."""
    import contextlib
    import io
    import os

    binary = io.BytesIO()
    out, before = io.TextIOWrapper(binary, encoding="utf-8", write_through=True), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
            main(list(args))
    finally:
        os.chdir(before)
    assert isinstance(ended.value.code, int)
    return ended.value.code, binary.getvalue().decode()


def shape(value: Any, *, open_at: frozenset[str]) -> Any:
    """Keys without values; a list is the shape of its first object; tables with names of the operator's are left open."""
    if isinstance(value, dict):
        return {
            key: "open" if key in open_at else shape(inner, open_at=open_at) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [shape(value[0], open_at=open_at)] if value and isinstance(value[0], dict) else "list"
    return "value"


OPEN = frozenset(
    {
        "ids",
        "section_counts",
        "links",
        "source_text",
        "preferences",
        "deliveries_by_status",
        "last_run",
        "waiting",
    }
)


@pytest.mark.parametrize(
    ("heading", "args"),
    [
        ("### `digest parse --json`", ["parse", "examples/listings/arxiv-new.html", "--json"]),
        ("### `digest status --json`", ["status", "--json"]),
        ("### `digest subscribers list --json`", ["subscribers", "list", "--json"]),
    ],
)  # fmt: skip
def test_the_documented_json_is_that_of_the_command(heading: str, args: list[str], sample: Path) -> None:
    documented = json.loads(blocks(section(read("docs/interface.md"), heading), "json")[0])
    code, out = call(sample, *args)
    assert code == 0
    assert shape(documented, open_at=OPEN) == shape(json.loads(out), open_at=OPEN)


def test_the_documented_json_of_a_run_is_that_of_a_run(sample: Path) -> None:
    documented = json.loads(blocks(section(read("docs/interface.md"), "### `digest run --json`"), "json")[0])
    real = json.loads((sample / "run.json").read_text(encoding="utf-8"))
    assert shape(documented, open_at=frozenset()) == shape(real, open_at=frozenset())
    for key in ("read", "new", "updated", "seen", "failed", "outcome", "kind"):
        assert documented["sources"][0][key] == real["sources"][0][key], f"the example of the document: {key}"
    assert documented["digests"][0]["edition"] == real["digests"][0]["edition"]


# With an example of their own there, or without an answer: those that stay, and the lines of a source that is tried.
WITH_JSON_ELSEWHERE = {"run", "parse", "status", "subscribers list", "sources test", "serve", "worker"}


def test_the_other_commands_have_the_documented_keys(sample: Path, tmp_path: Path) -> None:
    table = {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in rows(section(read("docs/interface.md"), "### The other commands"))
    }
    with open_app(load_config(sample / "config.toml", {})) as app:
        edition = next(iter(app.store.all_editions("daily")))
    keys_of = [entry.paper.key for entry in edition.entries if not entry.paper.ids]
    arguments = {"init": [str(tmp_path / "new")], "preview": ["--out", str(tmp_path / "out")],
                 "subscribers add": ["b@example.org"], "subscribers remove": ["b@example.org"],
                 "sources enable": ["sample"], "sources disable": ["sample"], "replay": ["2026-11-20"],
                 "why": keys_of[:1], "merge": keys_of[:2], "subscribers import": [str(tmp_path / "readers.csv")],
                 "subscribers erase": ["b@example.org"], "subscribers allow": ["b@example.org"],
                 "search": ["language"], "bounce": [str(tmp_path / "note.eml")],
                 "db copy": ["sqlite:///var/digest.db", f"sqlite:///{tmp_path}/copy.db"],
                 "backup": [str(tmp_path / "kept.db")], "restore": ["--replace", str(tmp_path / "kept.db")]}  # fmt: skip
    (tmp_path / "readers.csv").write_text("address,consented_at\nc@example.org,2026-11-01\n")
    (tmp_path / "note.eml").write_text("Subject: a note\n\nGood morning.\n")
    shown = {" ".join(word for word in line.split()[1:-1] if word[0] != "-") for line in table}
    assert shown | WITH_JSON_ELSEWHERE == {name for name, _ in every_command()}, (
        "docs/interface.md: what `--json` of each command has stands under JSON, most of it in The other commands"
    )
    for line, keys in table.items():
        words = line.split()[1:-1]
        _, out = call(sample, *words, *arguments.get(" ".join(w for w in words if w[0] != "-"), []), "--json")
        told = json.loads(out)
        # What is exported stands in "csv", or is written to a "file".
        assert list(told) == ["schema", *(key for key in keys if key != "file")], line
        if merged := told.get("merged"):
            arguments["split"] = [merged["paper"]["key"], merged["other"]["key"]]
    sent = json.loads(call(sample, "send", "--to", "b2@example.org", "--json")[1])
    prose = section(read("docs/interface.md"), "### The other commands").split(
        "`digest send --to ADDRESS --json` has"
    )[1]
    assert list(sent) == ["schema", *re.findall(r"`(\w+)`", prose.split("instead")[0])]


def test_the_published_files_are_those_of_the_table(sample: Path) -> None:
    table = rows(section(read("docs/interface.md"), "## What is published"))
    named = {path for row in table for path in re.findall(r"`([^`]+)`", row[0])}
    real = {p.relative_to(sample / "feeds").as_posix() for p in (sample / "feeds").rglob("*") if p.is_file()}
    real = {re.sub(r"^(papers|topics|authors|searches)/[^/]+/", r"\1/NAME/", path) for path in real}
    real = {re.sub(r"^categories/[^/]+/(?!index)", "topics/NAME/", path) for path in real}
    real = {re.sub(r"^categories/[^/]+/", "categories/NAME/", path) for path in real}
    assert real - {"feeds/feed.css"} <= named
    # The sample has no followed author and no saved search.
    assert named - real <= {
        f"{folder}/{of}index.html" for folder in ("authors", "searches") for of in ("", "NAME/")
    }


def test_the_tutorial_shows_the_summary_of_the_first_run(tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.toml", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    call(tmp_path, "subscribers", "add", "reader@example.org")
    _, out = call(tmp_path, "run", "--date", "2026-11-20")
    shown = blocks(read("docs/tutorial.md"), "")[0]
    assert _without_seconds(shown) == _without_seconds(out)


def _without_seconds(text: str) -> list[str]:
    lines = [re.sub(r"\s+(?:\d+\.\d\d|seconds)$", "", line) for line in text.strip().splitlines()]
    return [re.sub(r"\s+", " ", line) for line in lines]


def test_the_samples_fill_every_topic_and_other(sample: Path) -> None:
    papers = json.loads((sample / "feeds/2026/11/20/papers.json").read_text(encoding="utf-8"))
    topics = [topic.name for topic in load_config(ROOT / "config.toml", {}).digest[0].topics]
    page = (sample / "feeds/2026/11/20/index.html").read_text(encoding="utf-8")
    assert len(topics) == 4 and all(name in page for name in [*topics, "Other"])
    assert str(papers).count("'title'") >= 30


# ---------------------------------------------------------------- exit codes


def test_the_exit_codes_are_those_of_the_help() -> None:
    told = re.findall(r"(?:codes: |; )(\d+) ", " ".join(CliRunner().invoke(cli, ["--help"]).output.split()))
    assert told == ["0", "1", "2", "3", "4", "130"]
    for file, heading in (("docs/interface.md", "## Exit codes"), ("docs/operating.md", "### Exit codes")):
        assert [row[0] for row in rows(section(read(file), heading))] == told


def test_each_exit_code_comes_as_documented(tmp_path: Path) -> None:
    from digest.store import open_store

    (tmp_path / "listings").mkdir()
    (tmp_path / "listings/empty.html").write_text("")
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[[source]]\nname = "a"\npath = "listings"\n[[digest]]\nname = "daily"\n'
    )
    (tmp_path / "other.db").write_text(
        "this is no database, and it is long enough to be noticed as none " * 20
    )
    assert call(tmp_path, "status")[0] == 0
    assert call(tmp_path, "--store", "sqlite:///other.db", "status")[0] == 1
    assert call(tmp_path, "run", "--dry")[0] == 2
    assert call(tmp_path, "run")[0] == 3
    with open_store("sqlite:///var/digest.db", base=tmp_path) as store:
        store.acquire_lease(
            "run", "elsewhere.example.org/1/1", now=datetime.now(UTC), ttl_s=600, is_dead=lambda holder: False
        )
    assert call(tmp_path, "run")[0] == 4


# ---------------------------------------------------------------- paths, targets, links


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/operating.md", "docs/tutorial.md"])
def test_every_make_target_is_there(name: str) -> None:
    named = set(re.findall(r"(?m)(?:^|`|=1 |&& )make ([\w./-]+)", read(name)))
    assert named <= set(re.findall(r"(?m)^([\w./-]+):", read("Makefile")))


def test_the_readme_has_the_targets_that_a_stranger_needs() -> None:
    assert {"run", "test", "torture"} <= set(re.findall(r"make (\w+)", read("README.md")))


def paths_in(text: str) -> set[str]:
    """What looks like a path of the repository in backticks: it begins with one of its folders, or is one of its files."""
    quoted = set(re.findall(r"`([\w./*-]+)`", text))
    tops = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")} | {".ci"}
    return {q for q in quoted if q.split("/")[0] in tops and ("/" in q or "." in q)}


@pytest.mark.parametrize("file", [f for f in DOCUMENTS if f.name != "architecture.md"], ids=lambda f: f.name)
def test_every_path_that_is_named_is_there(file: Path, sample: Path) -> None:
    for path in paths_in(file.read_text(encoding="utf-8")):
        if path.startswith("feeds/") and path != "feeds/README.md":
            assert list(sample.glob(path.rstrip("/"))), (
                f"{file.name} names {path}, and a run does not write it"
            )
        elif path.startswith(("var/", "packaging/papers")):  # of the reader's own
            continue
        else:
            assert list(ROOT.glob(path.rstrip("/"))), f"{file.name} names {path}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda f: f.name)
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    for link in links_of(file):
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "mailto:")), link
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{file.name} links to {link}"
        assert not anchor or anchor in anchors(target), (
            f"{file.name} links to {link}, which has no such heading"
        )


def test_the_readme_shows_a_picture_that_is_not_heavy() -> None:
    pictures = [link for link in links_of(ROOT / "README.md") if link.endswith(".png")]
    assert pictures
    for picture in ROOT.glob("docs/images/*.png"):
        assert picture.stat().st_size <= 150_000, picture


def test_continuous_integration_calls_nothing_that_the_readme_does_not_explain() -> None:
    script, readme = read(".ci/run"), read("README.md")
    assert "DIGEST_TEST_ALL=1 make test" in script and "DIGEST_TEST_ALL=1 make test" in readme
    installed = re.search(r"apt-get install [-\w =]*?--no-install-recommends ([\w -]+)", script)
    assert installed
    for package in installed[1].split():
        assert package in section(readme, "## Tests"), package


def test_the_documents_speak_plainly() -> None:
    for file in DOCUMENTS:
        prose = re.sub(r"`[^`]*`|!\[", "", blanked(file.read_text(encoding="utf-8")))
        assert "!" not in re.sub(r"<!--.*?-->", "", prose, flags=re.DOTALL), (
            f"{file.name}: an exclamation mark"
        )
        assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", prose), f"{file.name}: an emoji"


# ---------------------------------------------------------------- the samples


def test_the_samples_are_small_and_plainly_invented() -> None:
    listings = sorted((ROOT / "examples/listings").iterdir())
    assert len(listings) == 4
    for file in listings:
        text = file.read_text(encoding="utf-8")
        assert file.stat().st_size < 60_000
        # No month of arXiv has had 99,000 submissions; 10.5555 is the DOI prefix for examples.
        assert all(
            int(number) >= 99_000 for number in re.findall(r"\b2[5-9](?:0\d|1[0-2])\.(\d{5})\b", text)
        ), file.name
        assert set(re.findall(r"\b10\.\d{4,}(?=/)", text)) <= {"10.5555"}, file.name


def test_the_package_can_be_asked_for_its_version() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "digest", "--version"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0 and result.stdout.startswith("digest")
