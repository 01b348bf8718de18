"""Themes: which folder wins, and a second look that changes the looks and no word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.config import SiteConfig
from digest.configfile import load_config
from digest.errors import ConfigError
from digest.render import Renderer
from digest.themes import known_themes, theme_folders
from editions import (
    EDITIONS,
    SITE,
    composed_of,
    copies_of,
    delivery_to,
    letter_of,
    pages_of,
    publication_of,
    shipped,
)
from pages import ROOT, invented, rss
from test_look import MAIL, NAMES
from test_preview import NOW

TEMPLATES = ROOT / "templates"
# Those that come with the program, beside the look of the templates themselves: whoever adds one has it held here.
THEMES = [theme for theme in known_themes(Path("nowhere"), TEMPLATES) if theme != "plain"]


def themed(theme: str, own: Path = Path("nowhere")) -> Renderer:
    return Renderer(theme_folders(theme, own, TEMPLATES))


# ---------------------------------------------------------------- folders


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_operators_file_wins_then_the_theme_then_what_comes_with_the_program(tmp_path: Path) -> None:
    own, program = tmp_path / "own", tmp_path / "program"
    names = ["a.txt", "b.txt", "c.txt", "d.txt"]
    places = [own, own / "themes/sea", program / "themes/sea", program]
    for n, place in enumerate(places):
        for name in names[: n + 1]:
            put(place / name, f"{name} of {place.relative_to(tmp_path)}")
    assert theme_folders("sea", own, program) == places
    renderer = Renderer(theme_folders("sea", own, program))
    assert [renderer.render(name) for name in names] == [
        "a.txt of own",
        "b.txt of own/themes/sea",
        "c.txt of program/themes/sea",
        "d.txt of program",
    ]


def test_a_folder_of_templates_that_may_not_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    put(own / "subject.txt", "ours")
    monkeypatch.setattr("os.access", lambda path, mode: path != own)  # root may read all
    with pytest.raises(ConfigError, match=r"may not be read by this user\. Mend its rights\."):
        themed("plain", own)


def test_a_theme_of_another_name_has_no_say(tmp_path: Path) -> None:
    put(tmp_path / "own/themes/sea/subject.txt", "from the sea")
    put(tmp_path / "own/themes/hill/subject.txt", "from the hill")
    assert themed("hill", tmp_path / "own").render("subject.txt") == "from the hill"


def test_an_unknown_theme_is_a_fault_of_the_configuration_that_names_those_there_are(tmp_path: Path) -> None:
    put(tmp_path / "themes/sea/subject.txt", "")
    with pytest.raises(ConfigError) as caught:
        theme_folders("papr", tmp_path, TEMPLATES)
    assert 'no theme "papr"' in str(caught.value)
    assert "paper, plain, sea" in str(caught.value)
    assert 'Did you mean "paper"?' in str(caught.value)
    assert known_themes(tmp_path, TEMPLATES) == ["paper", "plain", "sea"]


def test_who_names_no_theme_has_the_plain_one() -> None:
    assert "paper" in THEMES
    assert SiteConfig(url="https://papers.example.org/").theme == "plain"


def test_plain_is_the_look_of_the_templates_themselves() -> None:
    publication = publication_of(EDITIONS["single"]())
    assert pages_of(publication, themed("plain")) == pages_of(publication, shipped())


def test_the_theme_of_the_configuration_is_that_of_what_is_published(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    text = (
        '[site]\nurl = "https://papers.example.org/"\ntheme = "{}"\n[store]\nurl = "sqlite:///digest.db"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n[mail]\nfolder = "outbox"\n'
    )
    put(tmp_path / "inbox/a.xml", rss(invented(0, 2)).decode())
    for theme, ground in (("plain", "--bg:#faf9f6"), ("paper", "--bg:#f7f3ea")):
        config.write_text(text.format(theme))
        with open_app(load_config(config, {})) as app:
            app.daily(NOW)
            app.rebuild()
        assert ground in (tmp_path / "feeds/index.html").read_text()
    config.write_text(text.format("papr"))
    with pytest.raises(ConfigError, match='no theme "papr"'):
        open_app(load_config(config, {}))


# ---------------------------------------------------------------- language


def test_pages_and_mails_are_marked_as_the_english_that_their_words_are_and_own_templates_as_they_say(
    tmp_path: Path,
) -> None:
    """WCAG 2.2, 3.1.1: whatever `language` says. Feeds, of which papers are all, have that language."""
    put(tmp_path / "archive/base.html", '<html lang="{{ language }}">')
    publication = publication_of(EDITIONS["rich"](), site=replace(SITE, language="de-AT"))
    for folders, tags in (([TEMPLATES], {"en"}), ([tmp_path, TEMPLATES], {"de-AT", "en"})):
        renderer = Renderer(folders, language="de-AT")
        made = pages_of(publication, renderer) | copies_of(EDITIONS["rich"](), renderer)
        texts = [body.decode() for path, body in made.items() if path.endswith(".html")]
        texts += [letter_of(kind, renderer=renderer).data.decode() for kind in ("confirm", "known")]
        assert {tag for text in texts for tag in re.findall(r'<html lang="(.*?)"', text)} == tags
        assert b"<language>de-AT</language>" in made["rss.xml"]


# ---------------------------------------------------------------- what a theme must keep


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_theme_changes_the_looks_and_no_word(name: str, theme: str) -> None:
    def words(body: bytes) -> str:
        return re.sub(rb"(?s)<style>.*?</style>", b"", body).decode()

    publication = publication_of(EDITIONS[name]())
    plain, other = (pages_of(publication, renderer) for renderer in (shipped(), themed(theme)))
    assert list(plain) == list(other)
    for path in plain:
        if path != "feeds/feed.css":
            assert words(plain[path]) == words(other[path]), path
    assert plain["index.html"] != other["index.html"]
    assert plain["feeds/feed.css"] != other["feeds/feed.css"]


def test_no_theme_loads_anything() -> None:
    for file in (TEMPLATES / "themes").rglob("*.*"):
        assert not re.search(r"@import|@font-face|url\(|src=", file.read_text()), file


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*NAMES, "many"])
def test_the_mail_of_a_theme_keeps_the_rules_of_mail(name: str, theme: str) -> None:
    edition = EDITIONS[name]()
    composed = composed_of(edition, themed(theme))
    data = composed.message(delivery_to()).data
    html = copies_of(edition, themed(theme))[MAIL].decode()
    styles = re.findall(r"(?s)<style>(.*?)</style>", html.partition("<body")[0])
    assert sum(len(style.encode()) for style in styles) <= 8 * 1024
    assert "<style" not in html.partition("<body")[2]
    assert not re.search(
        r"var\(|@import|@font-face|url\(|flex|grid|<img|<svg|margin:[^;\"]*-\d", html.partition("<body")[2]
    )
    assert not re.search(r"var\(|@import|@font-face|url\(", html)
    part = data.partition(b"text/html")[2]
    assert len(part) <= (60_000 if name != "many" else 85_000)
    assert not re.search(r"(?<!&)#[0-9a-f]{3}(?![0-9a-f])(?=[;\"])", html)


def test_letters_have_the_colours_of_the_theme_too() -> None:
    for kind in ("confirm", "known"):
        letter = letter_of(kind, renderer=themed("paper")).data.decode()
        assert "#fffdf8" in letter
        assert "#0b5a73" not in letter
