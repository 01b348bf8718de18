"""Abstracts of feeds: what the paper's authors wrote, without what publishers, libraries and programs put round it."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from test_sources_layouts import LINK, item, paper, rss

ABSTRACT = "We count the carps of an invented pond, and find four."


@pytest.mark.parametrize(
    ("description", "content", "authors"),
    [
        ("J. of Ponds, Volume 1, Issue 2, Page 1-2, May 2024.", f"<h2>Abstract</h2><p>{ABSTRACT}</p>", []),
        ("<br/>Ponds &amp; Lakes, Volume 91, Issue 3, February 2024. <br/>", ABSTRACT, []),
        (f"<p>Author(s): Ada Okoye and Bo Lindal</p><p>{ABSTRACT}</p><br/>[Pond Rev. 1, 2] Published Wed Jan 03, 2024", "",
         ["Ada Okoye", "Bo Lindal"]),
        (f'<p>Ponds, Published online: 03 January 2024; <a href="https://j.example/1">doi:10.5555/p.1</a></p>{ABSTRACT}', "", []),
        (f"<strong>Abstract</strong><br/>{ABSTRACT}", "", []),
        ("Advanced Ponds, EarlyView. ", f'<img src="a.png" alt="T"/><p>Beside it.</p><br/><h2>ABSTRACT</h2><p>{ABSTRACT}</p>', []),
        ("Ponds: A Journal, Accepted Article. ", f"<h2>Abstract</h2><p>{ABSTRACT}</p><p>This article is protected by copyright. "
         "All rights reserved</p>", []),
        (f"Journal of Ponds, Ahead of Print. <br/>{ABSTRACT}", "", []),
        (f"Ponds, Volume 8, Issue 1, Page 1-20, 3 January/February 2024. <br/> Abstract. {ABSTRACT}", "", []),
        ("Volume 39, Issue 1, January 2024, Page 1-20<br/>. <br/>", ABSTRACT, []),
        (f"Author(s): Ada Okoye and Bo Lindal<br /><p>{ABSTRACT}</p><img src='//j.example/1.png'><br />[Pond Rev. 1, 2] Published "
         "Wed Jan 03, 2024", "", ["Ada Okoye", "Bo Lindal"]),
        (f'<span class="paragraphSection"><div class="boxTitle">ABSTRACT</div>{ABSTRACT}</span>', "", []),
        (f'<h3 class="a">Abstract</h3> <p class="a">{ABSTRACT}</p>', "", []),
        (f"<p><b>ABSTRACT</b></p><p>{ABSTRACT}</p>", "", []),
        (f"ABSTRACT: {ABSTRACT}", "", []),
        (f"Abstract<br/>{ABSTRACT}", "", []),
        (f"Abstract {ABSTRACT}", "", []),
        (f'<span class="paragraphSection">Abstract  {ABSTRACT}</span>', "", []),
        ('<p>Ponds 10, 1234 (2026).</p> <p><a href="https://doi.org/10.5555/p.1">https://doi.org/10.5555/p.1</a></p>'
         f" {ABSTRACT}", "", []),
        (f"<p><strong>Source: </strong>Ponds, Volume 4, 1--2.</p><p><strong>Abstract:</strong><br/>{ABSTRACT}</p>", "", []),
        (f"<p>by Ada Okoye, Bo Lindal</p>\n\n{ABSTRACT}", "", ["Ada Okoye", "Bo Lindal"]),
        (f"Authors: Ada Okoye, Bo Lindal<br/><br/>Abstract:<br/>{ABSTRACT}", "", ["Ada Okoye", "Bo Lindal"]),
        (f"<p>Author: Ada Okoye</p><p>{ABSTRACT}</p>", "", ["Ada Okoye"]),
    ],
)  # fmt: skip
def test_an_abstract_is_found_beside_what_says_where_the_paper_stands(
    description: str, content: str, authors: list[str]
) -> None:
    found = item(
        f"<description>{escape(description)}</description><content:encoded>{escape(content)}</content:encoded>"
    )
    assert found.abstract == ABSTRACT
    assert list(found.authors) == authors


def test_a_description_of_volume_and_authors_is_no_abstract() -> None:
    said = "<p>Publication date: May 2024</p><p><b>Source:</b> Ponds, Volume 1</p><p>Author(s): Ada Okoye, Bo Lindal</p>"
    found = item(f"<description>{escape(said)}</description>")
    assert (found.abstract, found.authors) == ("", ("Ada Okoye", "Bo Lindal"))


@pytest.mark.parametrize(
    ("behind", "abstract", "authors"),
    [
        (" Author(s): Ada Okoye, Bo Lindal", "", ("Ada Okoye", "Bo Lindal")),
        ("\nAuthor(s): Ada Okoye\nAbstract: Carps count.", "Carps count.", ("Ada Okoye",)),
        ("", "", ()),
    ],
)
def test_a_description_of_volume_and_authors_on_one_line_is_no_abstract(
    behind: str, abstract: str, authors: tuple[str, ...]
) -> None:
    found = item(f"<description>Publication date: May 2026 Source: Ponds, Volume 1{behind}</description>")
    assert (found.abstract, found.authors) == (abstract, authors)


def test_the_journal_in_an_authors_place_is_none_where_the_description_names_both() -> None:
    said = "Publication date: May 2026 Source: Ponds &amp; Kilns, Volume 1 Author(s): Ada Okoye, Bo Lindal"
    found = item(f"<author>Ponds &amp; Kilns</author><description>{said}</description>")
    assert found.authors == ("Ada Okoye", "Bo Lindal")


@pytest.mark.parametrize(
    ("written", "day"),
    [("Available online 9 May 2026", "2026-05-09"), ("9 May 2026", "2026-05-09"), ("May 2026", None)],
)
def test_the_day_since_when_a_paper_is_online_counts_where_an_item_has_no_date(
    written: str, day: str | None
) -> None:
    said = f"<description>{escape(f'<p>Publication date: {written}</p><p><b>Source:</b> Ponds</p>')}</description>"
    assert item(said).published == day
    assert item(f"{said}<dc:date>2026-05-11</dc:date>").published == "2026-05-11"


@pytest.mark.parametrize(
    ("head", "authors"),
    [
        ("DOI: https://doi.org/10.5555/p.1\nJournal: Ponds\nAuthors: Ada Okoye, Bo Lindal\nPond relevance: CITED\n\n",
         ["Ada Okoye", "Bo Lindal"]),
        ("Journal: Ponds | DOI: 10.5555/p.1 | Authors: Ada Okoye, Bo Lindal\n", ["Ada Okoye", "Bo Lindal"]),
        ("Authors: Ada Okoye; Bo Lindal\nDOI: 10.5555/p.1\nAbstract: ", ["Ada Okoye", "Bo Lindal"]),
        ("Journal: Ponds<br/>DOI: 10.5555/p.1<br/>Author: Ada Okoye<br/><br/>", ["Ada Okoye"]),
    ],
)  # fmt: skip
def test_lines_that_name_journal_authors_and_doi_are_no_part_of_the_abstract(
    head: str, authors: list[str]
) -> None:
    abstract = "Methods: we count.\nResults: Carps, in all of 1: 4."
    found = item(f"<description>{escape(head + abstract)}</description>")
    assert (found.abstract, list(found.authors)) == (" ".join(abstract.split()), authors)
    assert found.ids == {"doi": "10.5555/p.1"}


@pytest.mark.parametrize(
    "abstract",
    ["Background: carps. Methods: nets.", "Journal: a pond in words.",
     "Source: springs.\nSink: a long and slow river, which nobody measured before we did."],
)  # fmt: skip
def test_an_abstract_of_labelled_lines_stays(abstract: str) -> None:
    assert item(f"<description>{abstract}</description>").abstract == " ".join(abstract.split())


def test_authors_in_a_box_before_an_abstract_are_read() -> None:
    said = (
        '<div class="paper">\n<p style="color: #666">Institution: Pond Lab | Authors: Ada Okoye, Bo Lindal</p>'
        "<h3>Summary by a machine</h3><p>Abstract Carps.</p><h3>Abstract</h3>\n<p>Carps count.</p></div>"
    )
    found = item(f"<description>{escape(said)}</description>")
    assert (found.abstract, found.authors) == ("Carps count.", ("Ada Okoye", "Bo Lindal"))


@pytest.mark.parametrize(
    "description",
    ["null", "None", ". <br />", "<p>No abstract available.</p>", "N/A", "Journal: Ponds | DOI: 10.5555/p.1"],
)
def test_what_a_program_writes_where_it_has_no_abstract_is_none(description: str) -> None:
    content = f"<content:encoded>{escape(f'<p>{ABSTRACT}</p>')}</content:encoded>"
    assert item(f"<description>{escape(description)}</description>").abstract == ""
    assert item(f"<description>{escape(description)}</description>{content}").abstract == ABSTRACT


@pytest.mark.parametrize(
    "abstract", ["None of the carps counts.", "Null results. We found none.", "Carps | kilns: a tale"]
)
def test_an_abstract_that_begins_like_none_stays(abstract: str) -> None:
    assert item(f"<description>{abstract}</description>").abstract == abstract


@pytest.mark.parametrize(
    "abstract",
    [
        "In a small volume, Volume 2 of our notes, we count carps.",
        "The count of carps grew with the volume of the pond. It did so in May 2024.",
        "We read Ponds, Volume 1, Issue 2, May 2024. Then we counted.",
        "Carps, herons and newts: whoever counts them reads this journal, Ponds, before it is in print.",
        "Abstract carps are counted here.",
        "Abstract Interpretation counts carps.",
        "ABSTRACT CARPS ARE COUNTED HERE",
    ],
)
def test_an_abstract_that_names_a_volume_stays(abstract: str) -> None:
    assert item(f"<description>{abstract}</description>").abstract == abstract


@pytest.mark.parametrize(
    ("description", "doi"),
    [
        ("<div><cite>Ponds</cite></div><div>DOI: 10.5555/pond.7</div>", "10.5555/pond.7"),
        ("<div><i><b>Pond Sci.</b></i>, 2026, <b>1</b>,2-3<br/><b>DOI</b>: 10.5555/D6PD, Edge Article</div>"
         "<div>Ada Okoye, Bo Lindal</div>"
         "<div>The content of this RSS Feed (c) The Society</div>", "10.5555/d6pd"),
        ("doi:10.5555/pond.7", "10.5555/pond.7"),
        (" https://doi.org/10.5555/POND.7\n", "10.5555/pond.7"),
    ],
)  # fmt: skip
def test_a_doi_in_place_of_an_abstract_is_the_papers(description: str, doi: str) -> None:
    found = item(f"<description>{escape(description)}</description>")
    assert (found.abstract, found.ids) == ("", {"doi": doi})


def test_a_doi_beside_the_day_of_publication_is_the_papers() -> None:
    said = f'<p>Ponds, Published online: 03 January 2024; <a href="https://j.example/1">doi:10.5555/p.1</a></p>{ABSTRACT}'
    found = item(f"<content:encoded>{escape(said)}</content:encoded>")
    assert (found.abstract, found.ids) == (ABSTRACT, {"doi": "10.5555/p.1"})


IDS = '<p style="color: gray">PMID:<a href="https://m.example/1/">1</a> | DOI:<a href=https://doi.org/10.5555/m.1>10.5555/m.1</a></p>'


@pytest.mark.parametrize(
    ("description", "abstract"),
    [
        (f"<div><p>J Pond. 2024;1:2.</p><p><b>ABSTRACT</b></p><p><b>AIM</b>: Carps.</p><p>We count.</p>{IDS}</div>",
         "AIM: Carps. We count."),
        (f"<p>J Pond. 2024;1:2.</p><p><b>NO ABSTRACT</b></p>{IDS}", ""),
        ("<table><tr><td><a href='https://m.example'>Related</a></td></tr></table> <p><b>T</b></p> <p>J Pond. 2019;1:2</p>"
         "<p>Authors:  Okoye A, Lindal B</p> <p>Abstract<br/> AIM: Carps.<br/> We count.<br/></p>"
         "<p>PMID: 1 [PubMed - in process]</p>", "AIM: Carps. We count."),
        ("<p>Carps, PMID: 7, count.</p>", "Carps, PMID: 7, count."),
        ("Title: T<br/>\n<br/>Authors: Okoye, Ada; Lindal, Bo<br/><br/>Abstract: Carps count.<br/>", "Carps count."),
        ("Title: T<br/><br/>Authors: Okoye, Ada<br/>", ""),
        ("<title>Abstract</title><sec><title>Aim</title><p>Carps.</p></sec>", "Aim Carps."),
        ('<span class="person_name">Okoye, Ada</span> and <span class="person_name">Lindal, Bo</span> (2024) '
         '<a href="https://j.example/1">T.</a> Pond, 1 (2).', ""),
    ],
)  # fmt: skip
def test_an_abstract_is_what_libraries_say_between_the_lines_of_a_record(
    description: str, abstract: str
) -> None:
    assert item(f"<description>{escape(description)}</description>").abstract == abstract


@pytest.mark.parametrize(
    ("description", "abstract"),
    [
        ("T\nOkoye, Ada; Lindal, Bo\nCarps count.", "Carps count."),
        ("Ada Okoye and Bo Lindal<br /> Carps count. <br /> [Pond Express 26, 24-36 (2018)]", "Carps count."),
        ("Authors: Ada Okoye, Bo Lindal\n\nCarps count.", "Carps count."),
        ("Ada counts carps.\nBo does not.", "Ada counts carps. Bo does not."),
        ("Author names are counted\nhere.", "Author names are counted here."),
        ("T\n", ""),
    ],
)
def test_title_and_authors_before_an_abstract_are_no_part_of_it(description: str, abstract: str) -> None:
    who = "<dc:creator>Okoye, Ada</dc:creator><dc:creator>Lindal, Bo</dc:creator>"
    found = item(f"{who}<description>{escape(description)}</description>")
    assert found.abstract == abstract
    assert found.authors == ("Ada Okoye", "Bo Lindal")


def test_of_an_abstract_and_its_conclusions_the_whole_is_taken() -> None:
    whole = f"<p>J Pond. 2024.</p><p><b>ABSTRACT</b></p><p>AIM: Carps. END: Four.</p>{IDS}"
    found = item(f"<description>END: Four.</description><content:encoded>{escape(whole)}</content:encoded>")
    assert found.abstract == "AIM: Carps. END: Four."
    assert found.ids == {"doi": "10.5555/m.1"}


@pytest.mark.parametrize(
    "description",
    [
        "Title: T<br/><br/>Authors: Okoye, Ada; Lindal, Bo<br/><br/>Abstract: Carps.<br/>",
        '<span class="person_name">Okoye, Ada</span> and <span class="person_name">Lindal, Bo</span> <a href="x">T</a>',
    ],
)
def test_the_authors_whom_a_record_of_a_library_names_are_those_of_the_item(description: str) -> None:
    assert item(f"<description>{escape(description)}</description>").authors == ("Ada Okoye", "Bo Lindal")


def test_a_description_names_the_authors_whom_the_item_leaves_out() -> None:
    said = escape("<p>by Ada Okoye, Bo Lindal</p> Carps.")
    assert item(f"<author>Ada Okoye</author><description>{said}</description>").authors == (
        "Ada Okoye",
        "Bo Lindal",
    )
    assert item(f"<author>Cy Tan</author><description>{said}</description>").authors == ("Cy Tan",)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("BackgroundCarps. MethodsA count. ResultsDNA of four.", "Background: Carps. Methods: A count. Results: DNA of four."),
        ("IntroductionCarps.MethodsWe count.DiscussionFour.", "Introduction: Carps. Methods: We count. Discussion: Four."),
        ("Ponds, Volume 8, Issue 1, January 2024. &lt;br/&gt;SignificanceCarps count.", "Significance: Carps count."),
        ("ContextNet counts carps. ContextNet is small.", "ContextNet counts carps. ContextNet is small."),
    ],
)  # fmt: skip
def test_headings_that_stand_before_a_sentence_without_a_space_are_told_apart(
    written: str, shown: str
) -> None:
    assert item(f"<description>{written}</description>").abstract == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("AO_SCPLOWBSTRACTC_SCPLOWCarps count.", "Carps count."),
        ("We made MO_SCPLOWETAC_SCPLOWMO_SCPLOWUSEC_SCPLOW of carps.", "We made METAMUSE of carps."),
        ("Carps count.\n\nGraphical Abstract\n\nO_FIG O_LINKSMALLFIG WIDTH=2 SRC=\"FIGDIR/small/7v1_ufig1.gif\" ALT=\"Figure 1\">\n"
         "View larger version (39K):\norg.highwire.dtl.DTLVardef@1_HPS_FORMAT_FIGEXP  M_FIG A pond C_FIG They do.",
         "Carps count. They do."),
        ("AO_SCPLOWBSTRACTC_SCPLOWO_ST_ABSBackgroundC_ST_ABSCarps. O_ST_ABSResultsC_ST_ABSFour.",
         "Background: Carps. Results: Four."),
        ("Highlights O_LICarps count.\nC_LIO_LIThey do.\nC_LI", "Highlights Carps count. They do."),
        ("The constants C_LIMIT and O_LIN stay.", "The constants C_LIMIT and O_LIN stay."),
        ("IFN{gamma} and {Delta}F508 at 3 {micro}M, 20{degrees}C {+/-} 1.", "IFNγ and ΔF508 at 3 µM, 20°C ± 1."),
        ("The sets {a, b} and {set} stay, and x_{beta}.", "The sets {a, b} and {set} stay, and x_{beta}."),
    ],
)  # fmt: skip
def test_marks_of_highwire_are_read_as_what_they_stand_for(written: str, shown: str) -> None:
    found = item(f"<description>{escape(written)}</description>")
    assert found.abstract == shown
    assert paper(rss(f"<title>{escape(written)}</title>{LINK}")).title == shown


def test_a_title_that_stands_once_more_is_no_abstract() -> None:
    said = (
        '<p>Ponds, Published online: 03 January 2024; <a href="https://j.example/1">doi:10.5555/p.1</a></p>T'
    )
    assert item(f"<content:encoded>{escape(said)}</content:encoded>").abstract == ""
    assert item("<description> T </description>").abstract == ""
    assert item("<description>T cells count carps.</description>").abstract == "T cells count carps."


@pytest.mark.parametrize(
    ("description", "abstract"),
    [
        ('<p>Carps count.</p><p><a href="https://x.example/1.pdf">PDF</a> | <a href="https://x.example">Page</a></p>',
         "Carps count."),
        ('<p>Carps count.</p>\n<p>The post <a href="https://x.example/1">T</a> appeared first on <a href="https://x.example">J</a>.</p>',
         "Carps count."),
        ('<p>Ada Okoye, Bo Lindal</p><p>Carps count.</p><p><a href="https://x.example/1">arXiv</a></p>', "Carps count."),
        ('<p>Carps count, see <a href="https://x.example/1">there</a>.</p>', "Carps count, see there."),
        ("<p><strong>👍 Upvotes:</strong> 12</p><h3>Abstract</h3><p>Carps count.</p>", "Carps count."),
    ],
)  # fmt: skip
def test_paragraphs_that_lead_elsewhere_are_no_part_of_an_abstract(description: str, abstract: str) -> None:
    found = item(f"<author>Ada Okoye, Bo Lindal</author><description>{escape(description)}</description>")
    assert (found.abstract, found.authors) == (abstract, ("Ada Okoye", "Bo Lindal"))


def test_labels_before_the_heading_of_an_abstract_are_read() -> None:
    said = "<p><b>Upvotes:</b> 12</p><p><b>Authors:</b> Ada Okoye, Bo Lindal</p><h3>Abstract</h3><p>Carps count.</p>"
    found = item(f"<description>{escape(said)}</description>")
    assert (found.abstract, found.authors, found.upvotes) == ("Carps count.", ("Ada Okoye", "Bo Lindal"), 12)


def test_a_label_in_a_paragraph_of_its_own_is_that_of_the_next() -> None:
    said = f"<p><strong>Journal</strong>: Ponds</p><hr/><p><strong>Abstract</strong></p>\n<p>{ABSTRACT}</p>"
    assert item(f"<content:encoded>{escape(said)}</content:encoded>").abstract == ABSTRACT


@pytest.mark.parametrize(
    ("summary", "abstract"),
    [
        ("Carps of nine ponds […]", "Carps of nine ponds count all others."),
        ("<p>Carps of nine ponds&hellip;</p>", "Carps of nine ponds count all others."),
        ("Carps of ten ponds...", "Carps of ten ponds..."),
        ("Carps of nine ponds", "Carps of nine ponds"),
    ],
)
def test_an_abstract_that_is_cut_is_taken_whole_where_it_stands_whole(summary: str, abstract: str) -> None:
    whole = escape("<p>Carps of nine ponds count all others.</p>")
    found = item(f"<description>{escape(summary)}</description><content:encoded>{whole}</content:encoded>")
    assert found.abstract == abstract
