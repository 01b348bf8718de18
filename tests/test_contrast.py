"""The colours of all themes, as their style sheets and mails write them, in both schemes: WCAG 2.2, 1.4.3 and 1.4.11."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.render import Renderer
from digest.themes import known_themes, theme_folders
from pages import ROOT

TEMPLATES = ROOT / "templates"
THEMES = known_themes(Path("nowhere"), TEMPLATES)
SCHEMES = ("light", "dark")
TEXT, BORDER = 4.5, 3.0

# What is written on what, and the borders that show where a field is. A button is the page's colour on the link's.
PAIRS = [
    *((text, ground, TEXT) for text in ("ink", "mute", "link") for ground in ("bg", "card", "soft")),
    *((text, ground, TEXT) for text in ("ok", "bad") for ground in ("bg", "card")),
    *((text, "mark", TEXT) for text in ("ink", "mute")),
    ("bg", "link", TEXT),
    *(("field", ground, BORDER) for ground in ("bg", "card")),
]
# In the mail: the class of a text, and the class of what it stands on.
MAIL_PAIRS = [
    ("t", "card"),
    ("t", "pk"),
    ("m", "card"),
    ("m", "pk"),
    ("k", "card"),
    ("k", "pk"),
    ("l", "card"),
    ("btn", "btn"),
]


def renderer(theme: str) -> Renderer:
    return Renderer(theme_folders(theme, Path("nowhere"), TEMPLATES))


def contrast(one: str, other: str) -> float:
    """The ratio of two colours such as #1d1c19 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def schemes_of(css: str) -> dict[str, dict[str, str]]:
    """Scheme → variable → colour; what the dark scheme does not name is as in the light one."""
    light, _, dark = css.partition("@media (prefers-color-scheme:dark)")
    found = [dict(re.findall(r"--(\w+):(#[0-9a-f]{6})[;}]", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#5c5950", "#5c5950") == 1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("theme", THEMES)
def test_every_pair_of_colours_of_the_pages_stands_out(theme: str, scheme: str) -> None:
    colours = schemes_of(renderer(theme).render("archive/colours.css"))[scheme]
    ratios = {(a, b): (contrast(colours[a], colours[b]), least) for a, b, least in PAIRS}
    assert {pair: ratio for pair, (ratio, least) in ratios.items() if ratio < least} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_the_dark_scheme_of_the_pages_names_every_colour(theme: str) -> None:
    light, dark = renderer(theme).render("archive/colours.css").split("@media (prefers-color-scheme:dark)")
    assert re.findall(r"--(\w+):#", light) == re.findall(r"--(\w+):#", dark)


def dark_mail(theme: str) -> Iterator[tuple[str, str, str]]:
    """Class, property and colour of the mail's dark scheme."""
    module = renderer(theme)._environment.get_template("edition-style.html").module
    for selectors, body in re.findall(r"([^{}]+)\{([^}]*)\}", str(module.dark)):  # type: ignore[attr-defined]
        for selector in selectors.split(","):
            for name, colour in re.findall(
                r"(?<![\w-])(background-color|color):(#[0-9a-f]{6})!important", body
            ):
                yield selector.split(".")[-1].strip(), name, colour


@pytest.mark.parametrize("theme", THEMES)
def test_every_pair_of_colours_of_the_dark_mail_stands_out(theme: str) -> None:
    text, ground = (
        {c: colour for c, p, colour in dark_mail(theme) if p == name}
        for name in ("color", "background-color")
    )
    ratios = {pair: contrast(text[pair[0]], ground[pair[1]]) for pair in MAIL_PAIRS}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < TEXT} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_every_pair_of_colours_of_the_light_mail_stands_out(theme: str) -> None:
    module = renderer(theme)._environment.get_template("edition-style.html").module
    style = {name: str(value) for name, value in vars(module).items() if not name.startswith("_")}

    def colour(name: str, kind: str) -> str:
        return str(re.findall(rf"(?<![\w-]){kind}:(#[0-9a-f]{{6}})", style[name])[0])

    grounds = [colour(name, "background-color") for name in ("card", "pick")]
    texts = [
        style["ink"],
        style["mute"],
        *(colour(name, "color") for name in ("link", "title_link", "small", "lead", "cell")),
    ]
    ratios = {(text, ground): contrast(text, ground) for text in texts for ground in grounds}
    ratios["button", "button"] = contrast(colour("button", "color"), colour("button", "background-color"))
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < TEXT} == {}


def test_colours_stand_in_the_files_of_colours_only() -> None:
    """So that a theme has all of them when it writes two files anew."""
    homes = {"archive/colours.css", "edition-style.html"}
    for file in sorted(TEMPLATES.rglob("*.*")):
        name = file.relative_to(TEMPLATES).as_posix()
        if any(name.endswith(home) for home in homes) or file.suffix not in (".html", ".css"):
            continue
        # Paper is white and ink is black in every theme.
        text = (
            file.read_text(encoding="utf-8").partition("@media print")[0]
            if file.suffix == ".css"
            else file.read_text(encoding="utf-8")
        )
        assert re.findall(r"[:\s](#[0-9a-fA-F]{3,8})\b(?=[;}\"'\s])", text) == [], name
        assert not re.search(r"\b(?:rgba?|hsla?)\(", text), name


@pytest.mark.parametrize("theme", THEMES)
def test_on_paper_everything_is_black_on_white(theme: str) -> None:
    printed = renderer(theme).render("archive/style.css").partition("@media print")[2]
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", printed))
    named = schemes_of(renderer(theme).render("archive/colours.css"))["light"]
    assert set(colours) == set(named)
    assert {colours[name] for name in ("bg", "card", "soft", "mark")} == {"#ffffff"}
    assert {colours[name] for name in ("ink", "mute", "link", "ok", "bad")} == {"#000000"}
