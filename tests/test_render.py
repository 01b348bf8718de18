"""The template environment and the words that pages and mail share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape
from msgspec import structs

from digest.errors import RenderError
from digest.formats.archive import DayView, MonthView
from digest.formats.items import moment
from digest.model import Entry, Paper
from digest.render import (
    EditionView,
    PaperView,
    Renderer,
    SectionView,
    clean,
    clean_all,
    safe_url,
    view_edition,
    view_paper,
)
from digest.render.filters import filters
from digest.words import schedule_words
from editions import (
    EDITIONS,
    SITE,
    URL,
    bare,
    composed_of,
    copies_of,
    edition_of,
    letter_of,
    nothing_of,
    pages_of,
    paper_of,
    publication_of,
    rich,
    shipped,
)

ROOT = Path(__file__).parent.parent


def renderer_of(folder: Path, **files: str) -> Renderer:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return Renderer([folder, ROOT / "templates"])


# ---------------------------------------------------------------- templates


def test_html_is_escaped_and_plain_text_is_not(tmp_path: Path) -> None:
    renderer = renderer_of(tmp_path, a_html="{{ title }}", a_txt="{{ title }}", a_xml="{{ title }}")
    assert renderer.render("a.html", title="<b> & co") == "&lt;b&gt; &amp; co"
    assert renderer.render("a.xml", title="<b> & co") == "&lt;b&gt; &amp; co"
    assert renderer.render("a.txt", title="<b> & co") == "<b> & co"


def test_what_a_template_shows_is_escaped_as_markupsafe_does_it(tmp_path: Path) -> None:
    macro = "{% macro again(value) %}{{ value }}{% endmacro %}"
    renderer = renderer_of(
        tmp_path, a_html=macro + "{{ shown }}|{{ again(shown) }}|{{ shown|e }}|{{ shown|safe }}"
    )

    @given(
        st.one_of(
            st.text(alphabet="&<>'\"a é"),
            st.text(),
            st.integers(),
            st.none(),
            st.floats(),
            st.text().map(Markup),
        )
    )
    def holds(shown: object) -> None:
        assert renderer.render("a.html", shown=shown) == "|".join([escape(shown)] * 3 + [str(shown)])

    holds()


@given(st.lists(st.text(alphabet="aé ,\u2028\x00\u0645"), max_size=5))
def test_a_row_of_names_is_that_of_clean_names(names: list[str]) -> None:
    shown = view_paper(
        Entry(paper=Paper(key="k", title="t", authors=tuple(names)), guid="g", anchor="a", gist=""), URL
    )
    assert shown.all_authors == (", ".join(map(clean, names)) if len(names) > 3 else "")
    assert [*clean_all(names)] == [*map(clean, names)]


def test_the_operators_file_wins_and_the_others_come_with_the_program(tmp_path: Path) -> None:
    renderer = renderer_of(tmp_path, subject_txt="{{ count }} today")
    assert renderer.render("subject.txt", count=3) == "3 today"
    assert "urlset" in renderer.render("archive/sitemap.xml", urls=[])


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("fine\n{{ nothing_like_it }}", 2, "nothing_like_it"),
        ("{% if %}", 1, "Expected an expression"),
        ("\n\n{{ 1 + 'a' }}", 3, "unsupported operand"),
        ("{{ title.__class__.__mro__ }}", 1, "unsafe"),
        ("{{ title|no_such_filter }}", 1, "no_such_filter"),
        ("{{ title", 1, "expected 'end of print statement'. Mend that line"),
        ("\n{{ 1 / 0 }}", 2, "division by zero"),
    ],
)
def test_a_faulty_template_is_named_with_line_and_mend(
    tmp_path: Path, source: str, line: int, word: str
) -> None:
    renderer = renderer_of(tmp_path, mine_html=source)
    with pytest.raises(RenderError) as caught:
        renderer.render("mine.html", title="t")
    assert (caught.value.template, caught.value.line) == ("mine.html", line)
    assert word in str(caught.value)
    assert "delete your copy" in str(caught.value)


def test_the_fingerprint_is_another_as_soon_as_a_template_or_the_language_is(tmp_path: Path) -> None:
    def fingerprint(language: str = "en") -> str:
        return Renderer([tmp_path], language=language).fingerprint

    seen = [fingerprint(), fingerprint("de")]
    (tmp_path / "archive").mkdir()
    for name, text in (("archive/a.html", "A"), ("archive/a.html", "B"), ("b.html", "B"), ("b.html", "")):
        (tmp_path / name).write_text(text)
        seen.append(fingerprint())
    assert len(set(seen)) == len(seen)
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "index.html").write_text("where somebody's templates are the folder of everything")
    (tmp_path / "notes.txt").write_text("not a template")
    (tmp_path / "nothing.html").write_text("a mail of which the archive has no copy")
    assert fingerprint() == seen[-1]
    (tmp_path / "c.html").mkdir()
    (tmp_path / "d.html").symlink_to(tmp_path / "nowhere")
    assert fingerprint() == fingerprint() != seen[-1]


def test_a_missing_template_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=f"nowhere.html: not found in {tmp_path}"):
        Renderer([tmp_path]).render("nowhere.html")


def test_a_template_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to("/proc/self/mem")  # which also root cannot
    with pytest.raises(
        RenderError, match=r"template .*: cannot be read \(Input/output error\)\. Give this user"
    ):
        Renderer([tmp_path]).render("page.html")


def test_a_missing_macro_is_named(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="no macro 'pick'"):
        renderer_of(tmp_path, paper_html="nothing").macro("paper.html", "pick")


def test_a_fault_inside_a_macro_names_its_own_file(tmp_path: Path) -> None:
    row = renderer_of(tmp_path, paper_html="{% macro row(p) %}\n{{ p.no_such_field }}\n{% endmacro %}").macro(
        "paper.html", "row"
    )
    with pytest.raises(RenderError) as caught:
        row(view_edition(rich(), site=SITE, url=URL).topics[0].papers[0])
    assert (caught.value.template, caught.value.line) == ("paper.html", 2)


# ---------------------------------------------------------------- docs/templates.md


class Recorder(Renderer):
    """Notes which variables each template is given."""

    def __init__(self) -> None:
        super().__init__([ROOT / "templates"])
        self.given: dict[str, set[str]] = {}

    def render(self, template: str, **variables: object) -> str:
        self.given.setdefault(template, set()).update(variables)
        return super().render(template, **variables)

    def series(self, template: str, shared: Mapping[str, object]) -> Callable[[Mapping[str, object]], bytes]:
        return lambda variables: self.render(template, **{**shared, **variables}).encode()


def documented(heading: str) -> set[str]:
    """The names in the table under a heading of docs/templates.md."""
    text = (ROOT / "docs/templates.md").read_text()
    section = re.split(
        r"^##+ ",
        text.partition(f"\n### {heading}\n")[2] or text.partition(f"\n## {heading}\n")[2],
        flags=re.M,
    )[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, flags=re.M))


_LETTERS = "`confirm.html`, `confirm.txt`, `known.html`, `known.txt`"


def test_the_documented_variables_are_those_that_templates_are_given() -> None:
    recorder = Recorder()
    for edition in (rich(), bare()):
        pages_of(publication_of(edition), recorder)
        composed_of(edition, recorder)
        copies_of(edition, recorder)
    for kind in ("confirm", "known"):
        letter_of(kind, renderer=recorder)
    nothing_of(recorder)
    every_page = documented("Every page")
    expected = {
        "edition.html": documented("`edition.html`, `edition.txt`"),
        "edition.txt": documented("`edition.html`, `edition.txt`"),
        "subject.txt": documented("`subject.txt`"),
        **{
            f"{kind}.{form}": documented(_LETTERS)
            for kind in ("confirm", "known")
            for form in ("html", "txt")
        },
        **{f"nothing.{form}": documented("`nothing.html`, `nothing.txt`") for form in ("html", "txt")},
        "archive/sitemap.xml": documented("`archive/sitemap.xml`, `archive/sitemap-index.xml`"),
        "archive/sitemap-index.xml": documented("`archive/sitemap.xml`, `archive/sitemap-index.xml`"),
        "archive/feed.css": set(),
    }
    pages = (
        "edition",
        "month",
        "year",
        "home",
        "feeds",
        "record",
        "channel",
        "channels",
        "search",
        "notfound",
    )
    for page in pages:
        expected[f"archive/{page}.html"] = every_page | documented(f"`archive/{page}.html`")
    for template in recorder.given | expected:
        given, told = recorder.given.get(template, set()), expected.get(template, set())
        assert given == told, (
            f"docs/templates.md, {template}: a row for each variable; differ: {given ^ told}"
        )


@pytest.mark.parametrize(
    ("heading", "shape"),
    [
        ("edition", EditionView),
        ("section", SectionView),
        ("paper", PaperView),
        ("month", MonthView),
        ("day", DayView),
    ],
)
def test_the_documented_fields_are_those_of_the_values(heading: str, shape: Any) -> None:
    properties = {name for name in vars(shape) if isinstance(vars(shape)[name], property)}
    assert documented(heading) == set(shape.__struct_fields__) | properties, (
        f"docs/templates.md, ### {heading}: a row for each field"
    )


def test_the_documented_filters_are_those_there_are() -> None:
    assert documented("Filters") == set(filters())


def test_every_template_is_named_in_the_docs() -> None:
    text = (ROOT / "docs/templates.md").read_text()
    for file in (ROOT / "templates").rglob("*.*"):
        name = file.relative_to(ROOT / "templates")
        assert f"`{name}`" in text, f"docs/templates.md does not name {name}"


# ---------------------------------------------------------------- texts


@given(st.text())
def test_a_clean_text_fits_utf8_and_xml(text: str) -> None:
    from lxml import etree

    element = etree.Element("t")
    element.text = clean(text)
    assert etree.fromstring(etree.tostring(element, encoding="utf-8")).text in (clean(text), None)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x?y=1&z=2#f", "https://a.example/x?y=1&z=2#f"),
        ("javascript:alert(1)", ""),
        ("JaVaScRiPt:alert(1)", ""),
        ("\u2028javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//a.example/", ""),
        ("/relative", ""),
        ("https:///no-host", ""),
        ("https://[broken", ""),
        ("", ""),
        ('https://a.example/"<b>\n', "https://a.example/%22%3Cb%3E"),
        ("https://a.example/ü", "https://a.example/%C3%BC"),
        ("https://a.example/" + "x" * 1000, ""),
    ],
)
def test_only_absolute_web_addresses_pass(url: str, safe: str) -> None:
    assert safe_url(url) == safe


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Sorting in $O(n)$ now", "Sorting in <code>$O(n)$</code> now"),
        (r"90% with \(x^{2}\)", r"90% with <code>\(x^{2}\)</code>"),
        ("for $20 or $30", "for $20 or $30"),
        ("$5 < $x$ & y", "$5 &lt; <code>$x$</code> &amp; y"),
        ("标题", '<span lang="zh" dir="auto">标题</span>'),
        ("ひらがな", '<span lang="ja" dir="auto">ひらがな</span>'),
        ("عنوان", '<span dir="auto">عنوان</span>'),
        ("One 字 in English", '<span dir="auto">One 字 in English</span>'),
        ("Tübingen and α", "Tübingen and α"),
    ],
)
def test_titles_show_formulas_as_code_and_other_scripts_apart(text: str, html: str) -> None:
    assert (
        shipped()
        ._environment.from_string("{% autoescape true %}{{ t|prose }}{% endautoescape %}")
        .render(t=text)
        == html
    )


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * mon-fri", "every weekday at 07:00 (Europe/Berlin)"),
        ("30 18 * * *", "every day at 18:30 (Europe/Berlin)"),
        ("0 7 * * mon,thu", "every Monday and Thursday at 07:00 (Europe/Berlin)"),
        ("*/5 * * * *", ""),
        ("0 7 1 * *", ""),
        ("0 7 * * 1-5", ""),
        ("", ""),
    ],
)
def test_a_cron_line_is_said_in_words_or_not_at_all(cron: str, words: str) -> None:
    assert schedule_words(cron, "Europe/Berlin") == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-18", datetime(2026, 11, 18, tzinfo=UTC)),
        ("2026-11-18T10:00:00+02:00", datetime(2026, 11, 18, 8, tzinfo=UTC)),
        ("2026-11-18T10:00:00.5Z", datetime(2026, 11, 18, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("2026-13-45", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_moment_is_utc_or_nothing(text: str | None, expected: datetime | None) -> None:
    assert moment(text) == expected


# ---------------------------------------------------------------- what an edition says of itself


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("rich", "30 new papers, 3 top picks and 5 topics"),
        ("bare", "12 new papers, 3 top picks and 2 topics"),
        ("single", "1 new paper and 1 topic"),
        ("many", "500 new papers, 3 top picks and 4 topics"),
    ],
)
def test_an_edition_says_the_truth_about_its_counts(name: str, summary: str) -> None:
    view = view_edition(EDITIONS[name](), site=SITE, url=URL)
    assert view.summary == summary
    assert view.count == sum(section.count for section in view.sections)


def test_new_versions_are_counted_apart() -> None:
    edition = edition_of([paper_of(0, "T|A gist.|A, B|O|1|t")], picks=0, shares=(1,), change="updated")
    view = view_edition(edition, site=SITE, url=URL)
    assert view.summary == "1 paper (1 new version of older ones) and 1 topic"
    assert view.topics[0].papers[0].notice == "New version (1)"


@pytest.mark.parametrize(
    ("change", "late", "notice"),
    [
        ("new", None, ""),
        ("new", date(2026, 11, 17), "Listed 17 November"),
        ("cross", None, "Cross-listed"),
        ("updated", date(2026, 11, 17), "New version (1), listed 17 November"),
        ("withdrawn", None, "Withdrawn by its authors"),
    ],
)
def test_a_paper_says_by_which_stream_it_comes_and_when_it_was_listed_if_late(
    change: str, late: date | None, notice: str
) -> None:
    edition = edition_of([paper_of(0, "T|A gist.|A, B|O|1|t")], picks=0, shares=(1,), change=change)
    section = edition.sections[0]
    entry = structs.replace(section.entries[0], late=late)
    edition = structs.replace(edition, sections=(structs.replace(section, entries=(entry,)),))
    view = view_edition(edition, site=SITE, url=URL)
    assert view.topics[0].papers[0].notice == notice
    withdrawn = change == "withdrawn"
    assert ("1 withdrawal of older ones" in view.summary) == withdrawn


def test_without_topics_the_papers_are_not_called_other() -> None:
    papers = [paper_of(n, f"T {n}|A gist.|A|O|1|t") for n in range(3)]
    assert view_edition(edition_of(papers, picks=0), site=SITE, url=URL).topics[0].name == "All papers"
    assert view_edition(edition_of(papers, picks=1), site=SITE, url=URL).topics[0].name == "More papers"


@pytest.mark.parametrize("name", EDITIONS)
def test_the_teaser_has_40_to_110_characters(name: str) -> None:
    assert 40 <= len(view_edition(EDITIONS[name](), site=SITE, url=URL).teaser) <= 110


def test_a_missing_fact_leaves_no_trace() -> None:
    paper = view_edition(bare(), site=SITE, url=URL).topics[0].papers[0]
    assert (paper.authors, paper.organization, paper.upvotes, paper.tags, paper.links, paper.url) == (
        "",
        "",
        "",
        "",
        (),
        "",
    )
    assert paper.href == paper.page_url
