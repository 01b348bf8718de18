"""The configuration says every fault at once, with the mend."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from digest.cli.tomledit import set_enabled
from digest.config import Config, StoreConfig, TopicConfig, slugs_of
from digest.configfile import load_config
from digest.errors import ConfigError
from digest.mail.headers import from_header

ROOT = Path(__file__).parent.parent
SMALL = '[site]\nurl = "https://papers.example.org"\n[[source]]\nname = "a"\npath = "x"\n[[digest]]\nname = "daily"\n'


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_config(file, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environ)
    return caught.value.problems


def test_the_shipped_configuration_has_no_fault() -> None:
    config = load_config(ROOT / "config.toml", {})
    assert config.mail.transport == "folder"
    assert config.source[0].path == "examples/listings"


def test_a_small_configuration_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL)
    assert config.site.url == "https://papers.example.org/"
    assert config.digest[0].title == "Paper Digest"
    assert config.digest_url("daily") == "https://papers.example.org/"


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL)
    assert config.resolve("feeds") == tmp_path / "feeds"
    assert config.resolve("/srv/feeds") == Path("/srv/feeds")


def test_the_first_digest_is_at_the_root_and_the_others_under_their_names(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL + '[[digest]]\nname = "robots"\n[[digest]]\nname = "x"\npath = "deep/er"\n')
    assert [d.path for d in config.digest] == ["", "robots", "deep/er"]
    assert config.digest_url("robots") == "https://papers.example.org/robots/"


@pytest.mark.parametrize("rule", ["", " ", "*", "-", "title:", "Author: *"])
@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_rule_without_a_word_would_fit_every_paper_and_is_refused(
    tmp_path: Path, key: str, rule: str
) -> None:
    (said,) = problems(tmp_path, SMALL + f'{key} = ["moths", "{rule}"]\n')
    assert f'"{key}" has {rule!r}, which has no word in it and would fit every paper.' in said
    (said,) = problems(tmp_path, SMALL + f'topics = [{{ name = "T", any = ["{rule}"] }}]\n')
    assert 'topic "T": "any" has' in said


def test_a_rule_that_names_no_source_would_leave_out_everything_and_is_refused(tmp_path: Path) -> None:
    text = '[[source]]\nname = "cs.CL"\npath = "inbox"\n' + SMALL
    for key in ("include", "exclude"):
        (said,) = problems(tmp_path, text + f'{key} = ["source:cs.LC"]\n')
        assert f'"{key}" has \'source:cs.LC\', which is no [[source]]. Did you mean "cs.CL"?' in said
    assert load(tmp_path, text + 'exclude = ["Source: CS.cl"]\n').digest[0].exclude
    assert problems(tmp_path, SMALL + 'exclude = ["source:gone"]\n')[0].endswith(
        "which is no [[source]]. Known: a."
    )


def test_a_field_of_a_rule_that_resembles_one_is_told_and_other_words_before_a_colon_are_words(
    tmp_path: Path,
) -> None:
    (said,) = problems(tmp_path, SMALL + 'exclude = ["titel:moths"]\n')
    assert 'there is no field "titel". Did you mean "title"?' in said
    assert load(tmp_path, SMALL + 'exclude = ["GPT:4", "AI: a title", "Title:x"]\n').digest[0].exclude


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('title = " "', '"title" is blank'),
        ('[site]\nurl = "https://a.example/x y/"', '"url" has white space'),
        ('[site]\nurl = "https://a.example/"\noutput = " "', '"output" is empty'),
        ('[site]\nurl = "https://a.example/"\ncontact = "Group <g@a.example>"', '"contact" is'),
    ],
)
def test_what_pages_and_feeds_cannot_show_is_refused(tmp_path: Path, toml: str, said: str) -> None:
    text = toml + SMALL[SMALL.index("\n[[source]]") :] if toml.startswith("[site]") else f"{SMALL}{toml}\n"
    (problem,) = problems(tmp_path, text)
    assert said in problem


def test_a_key_that_ends_in_file_is_set_from_the_environment_as_any_other(tmp_path: Path) -> None:
    named = {"DIGEST__MAIL__DKIM__KEY_FILE": "keys/dkim.pem", "DIGEST__MAIL__DKIM__SELECTOR": "s"}
    assert load(tmp_path, SMALL, **named).mail.dkim.key_file == "keys/dkim.pem"
    (tmp_path / "where").write_text("keys/other.pem\n")
    named = {
        "DIGEST__MAIL__DKIM__KEY_FILE_FILE": str(tmp_path / "where"),
        "DIGEST__MAIL__DKIM__SELECTOR": "s",
    }
    assert load(tmp_path, SMALL, **named).mail.dkim.key_file == "keys/other.pem"
    fields = {name for kind in (Config, *_structs(Config)) for name in kind.__struct_encode_fields__}
    assert {name for name in fields if name.endswith("_file")} == {"key_file"}


def _structs(kind: type[Struct]) -> set[type[Struct]]:
    """The structs within one, at any depth."""
    found = {
        each
        for hint in get_type_hints(kind).values()
        for each in (hint, *get_args(hint))
        if isinstance(each, type) and issubclass(each, Struct)
    }
    return found.union(*map(_structs, found))


def test_pages_of_no_digest_lead_to_the_one_at_the_root_or_the_first(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL).home_url == "https://papers.example.org/"
    assert load(tmp_path, SMALL + 'path = "x"\n').home_url == "https://papers.example.org/x/"
    two = SMALL + 'path = "x"\n[[digest]]\nname = "b"\npath = ""\n'
    assert load(tmp_path, two).home_url == "https://papers.example.org/"


def topics(*names: str, **slugs: str) -> tuple[TopicConfig, ...]:
    return tuple(TopicConfig(name=name, slug=slugs.get(name, ""), any=("x",)) for name in names)


def test_slugs_are_the_name_in_plain_letters_unless_given() -> None:
    assert slugs_of(topics("Language models", "Robotics", "???", Robotics="ro")) == {
        "Language models": "language-models",
        "Robotics": "ro",
        "???": "topic",
    }


def test_topics_whose_names_give_one_slug_are_numbered() -> None:
    assert list(slugs_of(topics("C++", "C#", "C", "Robots", Robots="c")).values()) == [
        "c-2",
        "c-3",
        "c-4",
        "c",
    ]


def test_a_topic_called_other_does_not_take_the_slug_of_the_rest() -> None:
    assert slugs_of(topics("Other")) == {"Other": "other-2"}


@given(st.lists(st.sampled_from(["C", "C+", "C 2", "c-2", "C-2-2", "Other", "!", "topic"]), unique=True))
def test_no_two_topics_share_a_slug(names: list[str]) -> None:
    slugs = slugs_of(topics(*names))
    assert len({"other", *slugs.values()}) == len(names) + 1


ROBOTS = '[[digest]]\nname = "robots"\n'


@pytest.mark.parametrize(
    ("digests", "words"),
    [
        (ROBOTS + 'path = ""\n', ['"robots": it publishes where "daily" does', "path ="]),
        (ROBOTS + '[[digest]]\nname = "x"\npath = "Robots"\n', ['"x": it publishes where "robots" does']),
        (ROBOTS + 'path = "feeds"\n', ['its own "feeds"']),
        (ROBOTS + 'path = "2026/robots"\n', ['its own "2026"']),
        ('[[digest]]\nname = "2026"\n', ['folder "2026"']),
        ('[[digest]]\nname = "RSS.xml"\n', ['folder "RSS.xml"']),
        ('[[digest]]\nname = "Search"\n', ['folder "Search"']),
        (ROBOTS + '[[digest]]\nname = "x"\npath = "robots/feeds"\n', ['"robots/feeds"', 'its own "feeds"']),
    ],
)
def test_digests_cannot_publish_over_each_other(tmp_path: Path, digests: str, words: list[str]) -> None:
    (found,) = problems(tmp_path, SMALL + digests)
    for word in words:
        assert word in found


def test_a_folder_that_only_resembles_one_of_the_archive_is_free(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SMALL + ROBOTS + '[[digest]]\nname = "x"\npath = "robots/y2026"\n[[digest]]\nname = "20261"\n',
    )
    assert [d.path for d in config.digest] == ["", "robots", "robots/y2026", "20261"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL + "[mial]\n", ["unknown table [mial]", '"mail"']),
        (SMALL + '[mail]\ntransprt = "smtp"\n', ["[mail]", 'unknown key "transprt"', '"transport"']),
        (SMALL + '[mail]\ntransport = "pigeon"\n', ["'pigeon' is not one of folder, smtp"]),
        (
            SMALL + '[mail]\ntransport = "foldr"\n',
            ["'foldr' is not one of folder, smtp. Did you mean \"folder\"?"],
        ),
        (SMALL + '[mail]\nfrom = "a@b@c"\n', ['"from"', "Write from ="]),
        (SMALL + '[mail]\nfrom = "A <a@x.example>, B <b@x.example>"\n', ['"from"']),
        (SMALL + '[mail]\nfrom = "Papers: daily <d@x.example>"\n', ['"from"', "stands in quotes"]),
        (SMALL + '[mail]\nfrom = "Papers, daily <d@x.example>"\n', ['"from"', "stands in quotes"]),
        (SMALL + '[mail]\nfrom = "Readers: d@x.example;"\n', ['"from"']),
        (SMALL + '[mail]\nfrom = "Digest <d@-x-.example>"\n', ['"from"']),
        (SMALL + '[mail]\nfrom = "Digest <d\u00fcrer@x.example>"\n', ['"from"']),
        (SMALL + '[mail]\nunsubscribe = "a b"\n', ['"unsubscribe"']),
        (SMALL + "[mail]\nsmtp = { prt = 25 }\n", ['"smtp"', 'unknown key "prt"', '"port"']),
        (SMALL + '[mail]\nsmtp = { port = "x" }\n', ["whole number"]),
        (SMALL + "[mail]\nsmtp = { connections = 0 }\n", ["connections", "1 to 100"]),
        (SMALL + '[mail]\nsmtp = { password = "secret" }\n', ['no "username"']),
        (SMALL.replace('name = "a"\n', ""), ["[[source]] number 1", 'no "name"']),
        (SMALL.replace('path = "x"\n', ""), ['[[source]] "a"', 'no "url" and "path"', "Give one"]),
        (SMALL.replace('path = "x"\n', 'url = "ftp://x/"\n'), ["only http:// and https://"]),
        (SMALL.replace('path = "x"\n', 'path = "x"\nurl = "https://x.example/"\n'), ["both"]),
        (SMALL + '[[source]]\nname = "a"\npath = "y"\n', ["used twice"]),
        (SMALL + 'sources = ["aa"]\n', ['names "aa"', 'Did you mean "a"']),
        (SMALL + 'schedule = "every day"\n', ["cron line", "five fields"]),
        (
            SMALL + 'schedule = "0 25 * * *"\n',
            ["cron line", "no hour '25'; write 0 to 23", '"0 7 * * mon-fri"'],
        ),
        (SMALL + "picks = -1\n", ['"picks"']),
        (SMALL + 'topics = [{ name = "T" }]\n', ['topic "T"', "any"]),
        (SMALL + 'topics = [{ name = " ", any = ["t"] }]\n', ['empty "name"']),
        (SMALL + 'topics = [{ name = "T", slug = "A b", any = ["t"] }]\n', ['slug = "A b"', "a-z"]),
        (SMALL + 'topics = [{ name = "T", slug = "other", any = ["t"] }]\n', ["fits no topic"]),
        (
            SMALL
            + 'topics = [{ name = "T", slug = "s", any = ["t"] }, { name = "U", slug = "s", any = ["u"] }]\n',
            ['two topics have slug = "s"'],
        ),
        (
            SMALL + 'topics = [{ nme = "T", any = ["t"] }]\n',
            ['"topics" number 1', 'unknown key "nme"', '"name"'],
        ),
        (SMALL.replace("[site]\n", '[site]\ntitle = " "\n'), ['"title" is empty']),
        (SMALL + '[store]\nurl = "mysql://x"\n', ["[store]", "sqlite:///"]),
        (SMALL + '[web]\nlisten = "8000"\n', ["[web]", "127.0.0.1:8000"]),
        (SMALL.replace("[site]\n", '[site]\ntimezone = "Europe/Berln"\n'), ['"Europe/Berlin"']),
        (SMALL.replace("[site]\n", "[site]\ntitle = 3\n"), ['"title" is wrong', "text in quotes"]),
        (SMALL.replace("[[source]]", "[source]"), ["list of tables", "two brackets"]),
        (SMALL.split("[[digest]]")[0], ["no [[digest]]"]),
        ("[site\n", ["not TOML", "line 1"]),
        ("x = " + "[" * 5000, ["brackets too deep"]),
    ],
)
def test_a_fault_is_named_with_its_mend(tmp_path: Path, text: str, words: list[str]) -> None:
    found = "\n".join(problems(tmp_path, text))
    for word in ["config.toml", *words]:
        assert word in found


@pytest.mark.parametrize("name", ["Papers: daily", "Papers, daily", "Papers; news @ home"])
def test_a_sender_whose_name_stands_in_quotes_keeps_all_of_it(tmp_path: Path, name: str) -> None:
    mail = load(tmp_path, SMALL + f"[mail]\nfrom = '\"{name}\" <d@x.example>'\n").mail
    assert from_header(mail) == f'From: "{name}" <d@x.example>'


def test_an_address_to_leave_by_is_taken(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL + '[mail]\nunsubscribe = "leave@papers.example.org"\n')
    assert config.mail.unsubscribe == "leave@papers.example.org"


def test_a_choice_that_there_is_not_names_those_there_are_once(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL + '[mail]\ntransport = "pigeon"\n')
    assert found.endswith("""'pigeon' is not one of folder, smtp.""")
    (found,) = problems(tmp_path, SMALL + '[mail]\ntransport = "foldr"\n')
    assert found.endswith('Did you mean "folder"?')


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e300"])
@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("[[source]]", "timeout_s"),
        ("[[source]]", "min_interval_s"),
        ("[[digest]]", "grace_h"),
        ("[mail]", "expire_after_h"),
        ("smtp", "per_second"),
        ("smtp", "timeout_s"),
    ],
)
def test_a_number_out_of_bounds_is_a_named_fault(tmp_path: Path, place: str, key: str, value: str) -> None:
    line = f"smtp = {{ {key} = {value} }}" if place == "smtp" else f"{key} = {value}"
    text = SMALL + "[mail]\n"
    head = "[mail]\n" if place == "smtp" else f"{place}\n"
    (found,) = problems(tmp_path, text.replace(head, f"{head}{line}\n"))
    assert place in found
    assert f'"{key}" is ' in found
    assert ". Write " in found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SMALL.replace("[[source]]", "[[source]]\ntimeout_s = 0"), "timeout_s"),
        (SMALL.replace("[[source]]", "[[source]]\nmax_bytes = 0"), "max_bytes"),
        (SMALL + "[mail]\nexpire_after_h = 0\n", "expire_after_h"),
        (SMALL + "[mail]\nsmtp = { timeout_s = 0 }\n", "timeout_s"),
        (SMALL + "[mail]\nsmtp = { per_second = 1e-9 }\n", "per_second"),
        (SMALL + "[mail]\nsmtp = { port = 65536 }\n", "port"),
        (SMALL + '[web]\nlisten = "127.0.0.1:65536"\n', "listen"),
    ],
)
def test_a_number_that_would_stop_everything_is_a_named_fault(tmp_path: Path, text: str, key: str) -> None:
    (found,) = problems(tmp_path, text)
    assert f'"{key}" is ' in found


def test_the_least_numbers_are_taken(tmp_path: Path) -> None:
    text = SMALL + "grace_h = 0\npicks = 0\n[mail]\nsmtp = { per_second = 0, connections = 1, port = 1 }\n"
    assert load(tmp_path, text).digest[0].grace_h == 0


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        SMALL.replace("[site]\n", '[site]\ntimezone = "Mars/Dome"\n')
        + '[mail]\ntransprt = "x"\n[store]\nurl = "y"\n'
    )
    assert len(problems(tmp_path, text)) == 3


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="digest init"):
        load_config(tmp_path / "none.toml", {})


def test_bytes_that_are_no_text_are_a_named_fault(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe[")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(file, {})


def test_a_pipe_is_read_where_the_caller_opened_it_and_a_named_one_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="and no file"):
            load_config(path, {})
    reading, writing = os.pipe()
    os.write(writing, SMALL.encode())
    os.close(writing)
    assert load_config(Path(f"/dev/fd/{reading}"), {}).digest
    os.close(reading)


def test_a_byte_order_mark_before_it_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("\ufeff# mine\n" + SMALL, encoding="utf-8")
    config = load_config(file, {})
    assert set_enabled(config, config.source[0], False)
    assert file.read_text(encoding="utf-8").startswith("\ufeff# mine\n")
    assert not load_config(file, {}).source[0].enabled


def test_an_address_beyond_ascii_is_taken_as_feeds_may_have_it(tmp_path: Path) -> None:
    text = SMALL.replace("https://papers.example.org", "https://Bücher.example:8443/neu%20es/große")
    assert load(tmp_path, text).site.url == "https://xn--bcher-kva.example:8443/neu%20es/gro%C3%9Fe/"


def test_an_address_with_a_password_in_it_is_not_published(tmp_path: Path) -> None:
    text = re.sub(r'url = "[^"]*"', 'url = "https://me:hunter2@papers.example.org/"', SMALL, count=1)
    (problem,) = problems(tmp_path, text)
    assert "user name" in problem and "hunter2" not in problem


def test_every_key_can_come_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    config = load(
        tmp_path,
        SMALL,
        DIGEST__STORE__URL="sqlite:///other.db",
        DIGEST__MAIL__SMTP__USERNAME="me",
        DIGEST__MAIL__SMTP__PASSWORD_FILE=str(secret),
        DIGEST__MAIL__SMTP__PORT="25",
        DIGEST__SOURCE__0__ENABLED="false",
        DIGEST__SOURCE__A__KIND="feed",
        DIGEST__DIGEST__DAILY__SOURCES='["a"]',
        DIGEST__DIGEST__DAILY__EXCLUDE="survey, author:Nobody",
        UNRELATED="x",
    )
    assert config.store.url == "sqlite:///other.db"
    assert (config.mail.smtp.username, config.mail.smtp.password, config.mail.smtp.port) == (
        "me",
        "hunter2",
        25,
    )
    assert (config.source[0].enabled, config.source[0].kind) == (False, "feed")
    assert config.digest[0].sources == ("a",)
    assert config.digest[0].exclude == ("survey", "author:Nobody")


def test_a_wrong_name_in_the_environment_is_a_fault_too(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        SMALL,
        DIGEST__MAIL__TRANSPORTT="smtp",
        DIGEST__SOURCE__NOPE__URL="x",
        DIGEST__MAIL__SMTP__PORT="many",
        DIGEST__MAIL__SMTP__PASSWORD_FILE=str(tmp_path / "none"),
    )
    text = "\n".join(found)
    for word in ("transportt", '"nope"', "whole number", "cannot be read"):
        assert word in text
    assert found[-1] == (
        "environment: DIGEST__MAIL__SMTP__PORT, DIGEST__MAIL__TRANSPORTT win over the file. Look there too."
    )


def test_variables_that_are_right_are_not_blamed_for_a_fault_of_the_file(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL.replace("https://", "gopher://"), DIGEST__MAIL__SMTP__PORT="25")
    assert not [each for each in found if each.startswith("environment")]


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        (
            SMALL,
            {"DIGEST__SITE__URL__X__Y": "1"},
            ["DIGEST__SITE__URL__X__Y", "below a key that holds a value"],
        ),
        (SMALL, {"DIGEST__SITE__URL__X": "1"}, ["below a key that holds a value"]),
        (SMALL, {"DIGEST__SOURCE__²__URL": "x"}, ['no table "²"']),
        (SMALL, {"DIGEST__DIGEST__0__SOURCES": "[" * 5000}, ['"sources" is wrong']),
        (SMALL, {"DIGEST__SOURCE__0": "x"}, ["names a table"]),
        (SMALL, {"DIGEST__SITE__TITLE": "caf\udce9"}, ["DIGEST__SITE__TITLE", "not UTF-8"]),
        (SMALL, {"DIGEST__SITE__TITLE_FILE": "~nobody-of-that-name/x"}, ["cannot be read"]),
        (
            "source = [1]\n" + SMALL.replace("[[source]]", "[web]"),
            {"DIGEST__SOURCE__A__URL": "x"},
            ['no table "a"'],
        ),
        ('store = "x"\n' + SMALL, {"DIGEST__STORE__URL": "y"}, ["below a key", "store must be a table"]),
    ],
)
def test_a_misplaced_variable_is_a_named_fault(
    tmp_path: Path, text: str, environ: dict[str, str], words: list[str]
) -> None:
    found = "\n".join(problems(tmp_path, text, **environ))
    for word in words:
        assert word in found


def test_an_override_of_what_is_no_table_is_a_named_fault(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('store = "x"\n' + SMALL)
    with pytest.raises(ConfigError, match="store must be a table"):
        load_config(file, {}, overrides={"store": {"url": "sqlite:///cli.db"}})


@pytest.mark.parametrize(
    "url", ["http://[x", "http://", "http:///x", "http://x.example:port/", "https://x:99999/"]
)
def test_an_address_that_cannot_be_read_is_a_named_fault(tmp_path: Path, url: str) -> None:
    site = problems(tmp_path, SMALL.replace("https://papers.example.org", url))
    source = problems(tmp_path, SMALL.replace('path = "x"', f'url = "{url}"'))
    assert ["[site]" in p and url in p for p in site] == [True]
    assert ['[[source]] "a"' in p and url in p for p in source] == [True]


def test_the_public_address_has_no_query(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL.replace("papers.example.org", "papers.example.org/?a=1"))
    assert '[site]: "url"' in found


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\\u0000b"])
def test_a_path_that_cannot_be_is_a_named_fault(tmp_path: Path, path: str) -> None:
    text = SMALL.replace("[site]", f'[site]\noutput = "{path}"\ntemplates = "{path}"').replace(
        '"x"', f'"{path}"'
    )
    found = problems(tmp_path, text + f'[mail]\nfolder = "{path}"\n[store]\nurl = "sqlite:///{path}"\n')
    told = re.findall(r'"(\w+)" is .*cannot be', "\n".join(found))
    assert sorted(told) == ["folder", "output", "path", "templates", "url"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/a@b?.db", "sqlite:///var/a@b?.db"),
        ("postgresql://me:hunter2@db.example/d", "postgresql://db.example/d"),
        ("postgresql://db.example/d?user=me&password=hunter2", "postgresql://db.example/d"),
        ("postgresql://me@db.example/d?password=hun@ter2", "postgresql://db.example/d"),
        ("postgresql://me:hunt?er2@db.example/d", "postgresql://…"),
        ("postgresql://me:hunt#er2@db.example/d", "postgresql://…"),
        ("postgresql:///d", "postgresql:///d"),
        ("sqlite:var/digest.db", "sqlite:var/digest.db"),
        ("postgresql:me:hunter2@db.example/d", "…"),
        ("host=db.example password=hunter2", "…"),
    ],
)
def test_a_store_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert StoreConfig(url=url).shown == shown


def test_a_wrong_store_is_told_without_its_secrets(tmp_path: Path) -> None:
    for url in ("mysql://me:hunter2@db.example/d", "postgresql://me:hunter2@[db/d"):
        (found,) = problems(tmp_path, SMALL + f'[store]\nurl = "{url}"\n')
        assert "hunter2" not in found
        assert "sqlite:///" in found


def test_a_secret_is_not_in_the_message_about_it(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL, DIGEST__MAIL__SMTP__PASSWORD="hunter2")
    assert "hunter2" not in "\n".join(found)
    found = problems(tmp_path, SMALL + "[mail]\nsmtp = { password = 123456 }\n")
    assert "password" in found[0]
    assert "123456" not in "\n".join(found)


def test_overrides_of_the_command_line_win(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(SMALL)
    config = load_config(
        file, {"DIGEST__STORE__URL": "sqlite:///env.db"}, overrides={"store": {"url": "sqlite:///cli.db"}}
    )
    assert config.store.url == "sqlite:///cli.db"


MAIL = SMALL + "[mail]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MAIL + 'bounces = "a@b@c"\n', ['"bounces" is', "Write bounces ="]),
        (MAIL + 'bounces = "Bounces <b@x.example>"\n', ['"bounces" is', "Write bounces ="]),
        (MAIL + f'bounces = "{"b" * 38}@x.example"\n', ["38 characters", "at most 37"]),
        (MAIL + 'dkim = { selector = "d" }\n', ['no "key_file"', "key_file ="]),
        (MAIL + 'dkim = { key_file = "k.pem" }\n', ['a "key_file" and no "selector"', "selector ="]),
        (MAIL + 'dkim = { domain = "x.example" }\n', ['a "domain" and no "selector"']),
        (MAIL + 'dkim = { selector = "A b", key_file = "k" }\n', ["'A b'", "a-z"]),
        (MAIL + 'dkim = { selector = "d", key_file = "k", domain = "a..b" }\n', ["'a..b'", "domain ="]),
        (MAIL + 'dkim = { selector = "d", key_file = "~nobody-of-that-name/k" }\n', ['"key_file" is']),
        (MAIL + 'mailbox = { username = "u" }\n', ['a "username" and no "host"', "host ="]),
        (MAIL + 'mailbox = { host = "h", password = "hunter2" }\n', ['no "username"']),
        (MAIL + 'mailbox = { host = "h", username = "u", password = "p", folder = "" }\n', ['no "folder"']),
        (MAIL + "mailbox = { port = 0 }\n", ['"port" is 0', "1 to 65"]),
        (MAIL + 'mailbox = { security = "ssl" }\n', ["'ssl' is not one of tls, starttls, none"]),
        (SMALL + '[web]\nproxies = ["10.0.0.300"]\n', ["'10.0.0.300'", 'Write "127.0.0.1"']),
        (SMALL + "[web]\nper_hour = 0\n", ['"per_hour" is 0', "from 1"]),
        (SMALL + "[web]\nper_network_per_hour = -1\n", ['"per_network_per_hour" is -1']),
        (SMALL + '[web]\nenabled = "no"\n', ['"enabled"', "true or false"]),
        (SMALL + "[store]\nkeep_pages_days = -1\n", ['[store]: "keep_pages_days" is -1']),
    ],
)
def test_a_fault_of_the_inbox_is_named_with_its_mend(tmp_path: Path, text: str, words: list[str]) -> None:
    (found,) = problems(tmp_path, text)
    for word in words:
        assert word in found
    assert "hunter2" not in found


def test_a_whole_configuration_of_the_inbox_is_taken(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        MAIL
        + 'bounces = "bounces@x.example"\ndkim = { selector = "s1.digest", key_file = "k.pem" }\n'
        + 'mailbox = { host = "imap.x.example", username = "u" }\n[web]\nenabled = false\nproxies = ["10.0.0.1/8", "::1"]\n',
        DIGEST__MAIL__MAILBOX__PASSWORD="hunter2",
    )
    assert config.mail.mailbox.password == "hunter2"
    assert (config.mail.dkim.selector, config.web.enabled) == ("s1.digest", False)


def test_no_secret_is_in_any_message_about_it(tmp_path: Path) -> None:
    for text in (
        MAIL + "mailbox = { password = 123456 }\n",
        MAIL + 'mailbox = { password = "123456" }\n',
        SMALL.replace('path = "x"\n', 'path = "x"\nheaders = { Authorization = 123456 }\n'),
        SMALL.replace('path = "x"\n', 'path = "x"\nheaders = "Bearer 123456"\n'),
        SMALL + '[store]\nurl = "postgresql://me:123456@db.example/d"\nkeep_pages_mb = -1\n',
    ):
        assert "123456" not in "\n".join(problems(tmp_path, text))
    found = problems(tmp_path, SMALL, DIGEST__SOURCE__0__HEADERS="Bearer 123456")
    assert "headers" in found[0]
    assert "123456" not in "\n".join(found)
