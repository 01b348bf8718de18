"""Text: cleaned once on the way in, cut, wrapped and summed up on the way out."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import tex
from digest.text import (
    clean,
    display_width,
    gist,
    is_rtl,
    isolate,
    links_in,
    sentences,
    strip_controls,
    truncate,
    wrap,
)

CLEANED = {
    "plain text stays": "plain text stays",
    " white\n  space\t\u00a0and\u2003more ": "white space and more",
    "Rivers &amp; Lakes": "Rivers & Lakes",
    "Rivers &amp;amp; Lakes": "Rivers & Lakes",
    "&lt;i&gt;once&lt;/i&gt; &amp;lt;b&amp;gt;twice&amp;lt;/b&amp;gt;": "once twice",
    "AT&T, R&D; &nosuch; &#8364;5": "AT&T, R&D; &nosuch; €5",
    "a<b and c>d, p < 0.05, if x<y": "a<b and c>d, p < 0.05, if x<y",
    "x <b> y": "x <b> y",
    "H<sub>2</sub>O, 10<sup>-3</sup>, x<sup>new</sup>": "H₂O, 10⁻³, xⁿᵉʷ",
    "CO<jats:sub>2</jats:sub>, 10<sup xmlns='http://www.w3.org/1999/xhtml'>5</sup>, e<sup><i>n</i></sup>": "CO₂, 10⁵, eⁿ",
    "<jats:p>One.</jats:p><jats:p>Two.</jats:p>": "One. Two.",
    "<script>alert(1)</script>A Title <img src=x onerror='alert(1)'>": "A Title",
    "<!-- hidden --> shown <style>p{}</style>": "shown",
    "a\ud800b\x00c\u202ed\ufeffe\u00adf\ufffeg": "abcdefg",
    "It\x92s \x93deep\x94 &#150; \x81yes": "It’s “deep” – yes",
    "👨\u200d👩\u200d👧 می\u200cخواهم": "👨\u200d👩\u200d👧 می\u200cخواهم",
    "5\\% of R\\&D": "5% of R&D",
    "costs $20, or $30 and $5-$7": "costs $20, or $30 and $5-$7",
    "$O(n^2)$ and $x_{ij} \\in \\mathbb{R}^d$": "O(n²) and xᵢⱼ ∈ ℝᵈ",
    "$\\frac{1}{2}\\sqrt{n}$, $\\tilde{O}(k)$, \\(\\alpha\\)": "1/2√n, Õ(k), α",
    "left over $\\mysterious{x}$ stays": "left over $\\mysterious{x}$ stays",
    "$x_Q$ has no such sign": "$x_Q$ has no such sign",
    'T\\"ulu, Szary\\\'nski, M{\\aa}ns, {\\\'e}t\\\'{e}, \\v{C}ech, na\\"{\\i}ve': "Tülu, Szaryński, Måns, été, Čech, naïve",
    "Bal\\u \\i k, {\\v\\i}, \\v \\j, \\v Cech": "Balĭk, ǐ, ǰ, Čech",
    "Garc\\'\\i a, Ji\\v r\\'\\i Nov\\'ak": "García, Jiří Novák",
    "\\emph{one \\textbf{two}} {\\em three} \\textbf{\\'e}": "one two three é",
    "\\href{https://a.example}{here}, \\url{https://b.example}": "here, https://b.example",
    "fact\\footnote{not {so} here}, told~\\cite{someone}.": "fact, told.",
    "``double'' and `single' and 5''": "“double” and ‘single’ and 5”",
    "\\eg, this; \\ie that; Lund \\etal. say": "e.g., this; i.e. that; Lund et al. say",
    "Fig.~3 and ~20": "Fig. 3 and ~20",
    'A <a href="x" title="&quot;y&quot;">carp</a>, &lt;img alt=&quot;a &amp;quot;b&amp;quot;&quot;/&gt;': "A carp,",
    "<mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup><msub><mi>H</mi><mn>2</mn></msub>": "x²H₂",
    "<msup><mi>x</mi><mrow><mo>−</mo><mn>1</mn></mrow></msup> <msup><mi>y</mi><mo>Q</mo></msup>": "x⁻¹ yQ",
    "<mfrac><mn>1</mn><mi>n</mi></mfrac>, <mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>": "1/n, (a+b)/2",
    "<mmultiscripts><mi>He</mi><mprescripts/><none/><mn>6</mn></mmultiscripts> and <mtd>a</mtd><mtd>b</mtd>": "He6 and a b",
    "<sec><st>Objective</st><p>To count.</p></sec><scp>l</scp>-proline": "Objective To count. l-proline",
    "<Emphasis Type='Italic'>Rana</Emphasis> lives": "Rana lives",
    "one <emphasis> of the kind": "one <emphasis> of the kind",
    "one <list> of the <none> kind in a <sec> or <uri>": "one <list> of the <none> kind in a <sec> or <uri>",
    "to <inline-formula><tex-math><?CDATA $x^2$?></tex-math></inline-formula>, if x <?CDATA y": "to x², if x <?CDATA y",
    'a <tex-math>$x^2$</tex-math>\n<math a="b"><mi>x</mi><mn>2</mn></math> <inline-graphic href="a.gif" /> wave': "a x² wave",
    "<jats:tex-math>$x$</jats:tex-math><mml:math><mi>x</mi></mml:math>, <mml:math><mi>y</mi></mml:math>": "x, y",
    "<tex-math>$x$</tex-math><math>, then <mi>y</mi>": "x, then y",
    "<svg><title>a</title><text>drawn</text></svg> A Title": "A Title",
    "\\ours beats \\alpha-beta": "\\ours beats α-beta",
}  # fmt: skip


@pytest.mark.parametrize("raw", CLEANED, ids=repr)
def test_a_text_is_cleaned(raw: str) -> None:
    assert clean(raw) == CLEANED[raw]


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_cleaned_text_can_stand_in_a_feed_whatever_it_was(raw: str) -> None:
    cleaned = clean(raw)
    cleaned.encode("utf-8")
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in cleaned)
    assert "\ufffe" not in cleaned


@given(st.text(alphabet="ab{}\\$^_'\"`~ &<>;/x0", max_size=200))
def test_broken_tex_and_markup_never_raise(raw: str) -> None:
    assert isinstance(clean(raw), str)


@pytest.mark.parametrize(
    "raw",
    ["$" * 20_000, "\\(" * 10_000, "\\emph{" * 3_000, "$" + "{" * 500 + "$", "<!--" * 5_000, "<b>" * 6_000, "<a" + " b=c" * 5_000,
     "&" * 20_000, "\\footnote{" * 2_000, "<a b=\"" * 3_000, "`" * 20_000, "<script>" * 2_500,
     "<" + "a" * 20_000, "<a " + "b" * 20_000, "<a b=" * 4_000],
    ids=lambda raw: raw[:12],
)  # fmt: skip
def test_no_text_takes_long(raw: str) -> None:
    started = time.process_time()
    clean(raw), gist(raw), links_in(raw), truncate(raw, 200), wrap(raw, 72)
    assert time.process_time() - started < 2


def test_a_formula_of_unknown_parts_is_not_half_translated() -> None:
    assert tex.formula("\\alpha + \\mysterious") is None
    assert tex.formula("\\alpha + 1") == "α + 1"


def test_strip_controls_leaves_what_can_be_seen() -> None:
    assert strip_controls("a\x07b\tc\u200fd") == "ab c\u200fd"


# --- gist

DID = "Caches are large. In this paper, we propose Tidewater, i.e. a cache of J. Lund et al. It is fast."


def test_the_gist_is_the_sentence_that_says_what_the_authors_did() -> None:
    assert gist(DID).startswith("In this paper, we propose Tidewater, i.e. a cache of J. Lund et al.")
    assert gist("Rivers bend. Boats float.") == "Rivers bend."
    assert gist("") == ""


def test_a_summary_of_the_source_is_the_gist() -> None:
    assert gist(DID, "A cache.") == "A cache."
    assert gist(DID, f"First sentence{' of many words' * 10}. {'Second ' * 20}.").endswith("words.")


def test_abbreviations_decimals_and_addresses_end_no_sentence() -> None:
    text = "See Fig. 3 of Lund et al. It grows by 3.5 points, e.g. Boats do. Look at https://a.example/b.C now. Really? Yes."
    assert sentences(text)[-2:] == ["Really?", "Yes."]
    assert any(sentence.startswith("See Fig. 3 of Lund et al.") for sentence in sentences(text))
    assert "Look at https://a.example/b.C now." in sentences(text)


@given(st.text(min_size=1, max_size=600))
def test_a_gist_never_exceeds_200_characters(text: str) -> None:
    assert len(gist(clean(text))) <= 200


# --- cutting


def test_a_cut_comes_at_a_word_and_shows_itself() -> None:
    assert truncate("hello wonderful world", 16) == "hello wonderful…"
    assert truncate("hello", 5) == "hello"
    assert truncate("one, two", 6) == "one…"


def test_a_cut_never_goes_through_a_formula_or_an_address() -> None:
    assert truncate("the bound $\\foo a b c d$ holds", 20) == "the bound…"
    assert truncate("see https://example.org/a/b/c/d/e now", 20) == "see…"


def test_a_cut_never_goes_through_a_grapheme() -> None:
    assert truncate("e\u0301" * 10, 6) == "e\u0301e\u0301…"
    assert truncate("🇩🇪🇫🇷🇬🇧", 4) == "🇩🇪…"
    assert truncate("👨\u200d👩\u200d👧" * 3, 8) == "👨\u200d👩\u200d👧…"


@given(st.text(max_size=200), st.integers(1, 120))
def test_a_cut_text_fits(text: str, limit: int) -> None:
    assert len(truncate(text, limit)) <= max(limit, 0) or len(text) <= limit


# --- links

LINKS = {
    "Code is at https://github.com/a/b.": {"code": "https://github.com/a/b"},
    "Code (github.com/a/b_c), more:": {"code": "https://github.com/a/b_c"},
    "gitlab.com/a/b, codeberg.org/c/d": {"code": "https://gitlab.com/a/b"},
    "https://huggingface.co/a/model and huggingface.co/datasets/a/b;": {"model": "https://huggingface.co/a/model", "data": "https://huggingface.co/datasets/a/b"},
    "See https://a.github.io/x/ or https://www.example.org/y.": {"page": "https://a.github.io/x/"},
    "(https://en.example.org/wiki/A_(b))": {"page": "https://en.example.org/wiki/A_(b)"},
    "\\url{https://github.com/a/b\\_c}": {"code": "https://github.com/a/b_c"},
    "data: https://zenodo.org/records/1!": {"data": "https://zenodo.org/records/1"},
    "https://arxiv.org/abs/2611.00001 and doi.org/10.5555/1": {},
    "https://user:pw@evil.example/ and https://[broken": {},
    "and/or e.g. 3.5 Node.js": {},
}  # fmt: skip


@pytest.mark.parametrize("text", LINKS)
def test_links_are_found_without_the_sentences_full_stop(text: str) -> None:
    assert links_in(text) == LINKS[text]


# --- lines


def test_han_letters_take_two_columns_and_joiners_none() -> None:
    assert display_width("abc") == 3
    assert display_width("日本") == 4
    assert display_width("e\u0301") == 1
    assert display_width("Łódź, Ærø") == 9
    assert display_width("so\u00adft") == 4


def test_lines_break_at_spaces_and_between_han_but_never_in_an_address() -> None:
    url = "https://example.org/" + "a" * 80
    lines = wrap(f"日本語の長い文章です。それから {url} end", 20)
    assert url in lines
    assert all(display_width(line) <= 20 for line in lines if line != url)
    assert not any(line.startswith("。") for line in lines)


@given(st.text(max_size=200), st.integers(4, 80))
def test_wrapping_loses_nothing_but_white_space(text: str, width: int) -> None:
    assert "".join("".join(wrap(text, width)).split()) == "".join(text.split())


def test_right_to_left_text_is_isolated_and_other_text_is_not() -> None:
    assert is_rtl("قراءة")
    assert isolate("קריאה") == "\u2068קריאה\u2069"
    assert isolate("reading") == "reading"
