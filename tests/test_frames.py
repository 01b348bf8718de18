"""Pages whose frame is rendered once are those that a template makes one by one, byte for byte, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from digest.errors import RenderError
from digest.formats import pages
from digest.render import Renderer
from editions import EDITIONS, publication_of

ROOT = Path(__file__).parent.parent
NAMES = ("archive/base.html", "archive/record.html", "archive/channel.html")


class OneByOne(Renderer):
    """Renders every page by itself."""

    def series(self, template: str, shared: Mapping[str, object]) -> Callable[[Mapping[str, object]], bytes]:
        return lambda variables: self.render(template, **{**shared, **variables}).encode()


class Counting(Renderer):
    """Counts the pages that are rendered by themselves."""

    whole = 0

    def render(self, template: str, **variables: object) -> str:
        self.whole += template in NAMES
        return super().render(template, **variables)


def folders_of(tmp_path: Path, **own: str) -> list[Path]:
    """The shipped templates, behind a folder with files of an operator: archive_base=… is archive/base.html."""
    (tmp_path / "archive").mkdir(exist_ok=True)
    for name, text in own.items():
        (tmp_path / f"{name.replace('_', '/')}.html").write_text(text)
    return [tmp_path, ROOT / "templates"]


def both(folders: list[Path], name: str) -> tuple[dict[str, bytes], dict[str, bytes], int]:
    """All pages of an edition in two ways, and how many of them have no frame."""
    framed = Counting(folders)
    made = [
        {page.path: page.body for page in pages(publication_of(EDITIONS[name]()), renderer)}
        for renderer in (framed, OneByOne(folders))
    ]
    return made[0], made[1], framed.whole


@pytest.mark.parametrize("name", EDITIONS)
def test_framed_pages_are_those_that_are_made_one_by_one(name: str, tmp_path: Path) -> None:
    framed, whole, without = both(folders_of(tmp_path), name)
    assert framed == whole
    assert without == 0
    assert any(path.startswith("papers/") for path in framed)


@pytest.mark.parametrize(
    "change",
    [
        ("{{ title }}", "{{ title|upper }}"),
        ("{{ title }}", "{% if title %}{{ title }}{% endif %}"),
        ("{{ title }}", "{{ title|safe }}"),
        ("{{ description }}", "{{ description|length }}"),
        ("{{ title }}", "{{ 'none' if title is none else title }}"),
    ],
)
def test_a_frame_of_somebody_else_may_do_with_its_variables_what_it_likes(
    change: tuple[str, str], tmp_path: Path
) -> None:
    base = (ROOT / "templates/archive/base.html").read_text()
    framed, whole, without = both(folders_of(tmp_path, archive_base=base.replace(*change)), "rich")
    assert framed == whole
    assert without > 0


def test_a_page_of_somebody_else_is_made_as_it_says(tmp_path: Path) -> None:
    mine = '{% extends "archive/base.html" %}{% set words = title|upper %}{% block body %}{{ words }}{% endblock %}'
    framed, whole, without = both(folders_of(tmp_path, archive_record=mine), "rich")
    assert framed == whole
    assert without > 0


@pytest.mark.parametrize(
    "mine",
    [
        "<h1>{{ title }}</h1><p>{{ paper.abstract|default('-') }}</p>",
        "<h1>{{ title }}</h1>{% if paper.gist is defined %}<p>yes</p>{% endif %}",
        "{{ 'words' if title is string else 'none' }}",
    ],
)
def test_a_page_of_somebody_else_without_any_block_is_made_as_it_says(mine: str, tmp_path: Path) -> None:
    framed, whole, without = both(folders_of(tmp_path, archive_record=mine), "rich")
    assert framed == whole
    assert without > 0


def series_of(tmp_path: Path, text: str) -> Callable[[Mapping[str, object]], bytes]:
    (tmp_path / "a.html").write_text(text)
    return Renderer([tmp_path]).series("a.html", {"site": "S"})


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }} {{ site }} {{ x ~ site }}",
        "{% block b %}{% if x %}{{ x }}{% else %}-{% endif %}{% endblock %} {{ x }}",
        "{% block b %}{% for letter in x %}[{{ letter }}]{% endfor %}{% endblock %}",
        "{% block b %}{{ x == 'a<b' }}{% endblock %}",
        "{% macro m(y) %}<{{ y }}>{% endmacro %}{% block b %}{{ m(x|upper) }}{{ self.c() }}{% endblock %}"
        "{% block c %}{{ x|length }}{% endblock %}",
        "{% if x %}yes{% endif %}",
        "{{ x.upper is defined }} {{ x }}",
        "{% block b %}{{ x.no_such|default('none') }} {{ x.upper()|default('none') }}{% endblock %}",
        "{% set y = x %}{% block b %}{{ y|length }}{% endblock %}",
    ],
)
def test_a_mark_is_shown_and_else_the_page_is_rendered(text: str, tmp_path: Path) -> None:
    page = series_of(tmp_path, text)
    for x in ("a<b", "", "&amp;", "ü", "\\0", "{{ x }}"):
        assert page({"x": x}).decode() == Renderer([tmp_path]).render("a.html", site="S", x=x)


def test_a_fault_in_a_series_names_template_and_line(tmp_path: Path) -> None:
    page = series_of(tmp_path, "{{ x }}\n{% block b %}\n{{ x.no_such }}\n{% endblock %}")
    with pytest.raises(RenderError) as caught:
        page({"x": "y"})
    assert (caught.value.template, caught.value.line) == ("a.html", 3)


def test_pages_with_other_variables_have_another_frame(tmp_path: Path) -> None:
    page = series_of(tmp_path, "{{ x }}{% block b %}{{ y|default('none') }}{% endblock %}")
    assert [page({"x": "1"}), page({"x": "2", "y": "3"}), page({"x": "4"})] == [b"1none", b"23", b"4none"]
