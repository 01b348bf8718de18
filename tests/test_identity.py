"""Which papers are one: keys, the ladder, and what makes a weak match fall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import identity
from digest.identity import (
    Known,
    abstract_key,
    arxiv_id,
    canonical_url,
    doi,
    is_revised,
    keys,
    normalise_ids,
    primary_key,
    same_work,
    title_key,
)
from digest.model import Paper

TIDES = (
    "We study how tidal pools keep a memory of the last storm. A chain of forty sensors recorded salt, light and warmth over "
    "three winters, and a small recurrent model reads the season of the storm from the salt alone. The effect holds in pools "
    "of every depth we measured and fades after nine days. We give a simple account of it in terms of mixing layers."
)
KILNS = (
    "Old kilns can be dated by the glass that dripped from their bricks. This work fits cooling curves to thin sections from "
    "eleven sites and finds that potters fired hotter in dry decades. Our estimator needs no reference furnace, tolerates "
    "weathered samples, and agrees with written tax records wherever such documents survive in the regional archives."
)


@pytest.mark.parametrize(
    "text",
    [
        "2407.12345",
        "2407.12345v3",
        "arXiv:2407.12345v1",
        "arxiv: 2407.12345 [cs.CL]",
        "oai:arXiv.org:2407.12345v2",
        "http://arxiv.org/abs/2407.12345",
        "https://www.arxiv.org/abs/2407.12345v12?context=cs",
        "https://export.arxiv.org/pdf/2407.12345v2.pdf",
        "https://arxiv.org/html/2407.12345v1#S2",
        "https://www.alphaxiv.org/abs/2407.12345",
        "https://alphaxiv.org/overview/2407.12345",
        "https://huggingface.co/papers/2407.12345",
        "https://hf.co/papers/2407.12345",
        "https://ar5iv.labs.arxiv.org/html/2407.12345",
        "https://doi.org/10.48550/arXiv.2407.12345",
        "10.48550/ARXIV.2407.12345",
        "doi:10.48550/arXiv.2407.12345",
        "/abs/2407.12345",
        "/papers/2407.12345",
        "../../abs/2407.12345",
        "../papers/2407.12345.html",
        "https://arxiv-org.translate.goog/abs/2407.12345v2?_x_tr_sl=en&_x_tr_tl=de",
        "https://export-arxiv-org.translate.goog/abs/2407.12345",
        "https://huggingface-co.translate.goog/papers/2407.12345?_x_tr_sl=en",
        "https://arxiv-org.ezproxy.kiln.example.edu/abs/2407.12345",
        "https://web.archive.org/web/20240801120000/https://arxiv.org/abs/2407.12345",
        "/web/20240801120000/https://huggingface.co/papers/2407.12345",
        "https://web.archive.org/web/20240801id_/http://arxiv.org/pdf/2407.12345v1",
    ],
)
def test_an_arxiv_id_is_read_from_any_spelling(text: str) -> None:
    found = arxiv_id(text)
    assert found is not None
    assert found[0] == "2407.12345"
    assert identity.is_arxiv_id(found[0])
    assert identity.is_arxiv_id(text) == (text == found[0])


def test_the_version_stays_apart_from_the_id() -> None:
    assert arxiv_id("https://arxiv.org/abs/2407.12345v7") == ("2407.12345", 7)
    assert arxiv_id("https://arxiv.org/abs/2407.12345") == ("2407.12345", None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("astro-ph/0601001v1", "astro-ph/0601001"),
        ("http://arxiv.org/abs/astro-ph/0601001v1", "astro-ph/0601001"),
        ("https://arxiv.org/pdf/hep-th/9901001", "hep-th/9901001"),
        ("math.GT/0309136", "math/0309136"),
        ("oai:arXiv.org:cond-mat/9705001", "cond-mat/9705001"),
    ],
)
def test_old_ids_keep_their_slash_and_lose_their_subject_class(text: str, name: str) -> None:
    found = arxiv_id(text)
    assert found is not None
    assert found[0] == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "see 2407.12345 for a proof",
        "2413.12345",
        "2407.123",
        "12407.12345",
        "https://example.org/abs/2407.12345",
        "https://arxiv.org/list/cs/2407",
        "https://arxiv.org.example.org/abs/2407.12345",
        "https://arxiv-org.example.org/abs/2407.12345",
        "https://notarxiv-org.translate.goog/abs/2407.12345",
        "/web/20240801120000/https://example.org/abs/2407.12345",
        "papers/1234567",
    ],
)
def test_what_only_looks_like_an_arxiv_id_is_none(text: str) -> None:
    assert arxiv_id(text) is None
    assert not identity.is_arxiv_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "10.5555/ABC.123",
        "doi:10.5555/abc.123",
        "doi: 10.5555/abc.123",
        "DOI 10.5555/abc.123.",
        "info:doi/10.5555/abc.123",
        "https://doi.org/10.5555/abc.123",
        "http://dx.doi.org/10.5555/abc.123?x=1",
        "https://publisher.example.org/doi/full/10.5555/abc.123",
        "https://publisher.example.org/content/doi/10.5555/ABC.123/full/html?utm_source=rss",
        "https://publisher.example.org/journals/ponds/volume-1/issue-2/Ponds/10.5555/abc.123.full",
        "https://publisher.example.org/content/10.5555/abc.123.full.pdf",
        "(10.5555/abc.123)",
        "10.5555/abc.123/full",
        "/doi/full/10.5555/abc.123?af=R",
        "//publisher.example.org/doi/10.5555/abc.123#abstract",
        "www.publisher.example.org/doi/pdf/10.5555/abc.123?download=true",
        "../doi/10.5555/abc.123?ai=1",
    ],
)
def test_a_doi_is_read_from_every_spelling(text: str) -> None:
    assert doi(text) == "10.5555/abc.123"


def test_a_doi_keeps_its_own_brackets() -> None:
    assert doi("(see doi:10.5555/S0140(20)30183-5)") == "10.5555/s0140(20)30183-5"


def test_the_version_in_a_preprint_servers_address_is_no_part_of_the_doi() -> None:
    assert doi("https://www.biorxiv.org/content/10.1101/555555v2?rss=1") == "10.1101/555555"
    assert doi("https://www.biorxiv.org/content/10.1101/555555v1.full.pdf") == "10.1101/555555"
    assert (
        doi("https://www.medrxiv.org/content/10.64898/2026.11.02.555555v3?rss=1")
        == "10.64898/2026.11.02.555555"
    )
    assert (
        doi("https://www.biorxiv.org/content/10.64898/2026.11.02.555555v1.full")
        == "10.64898/2026.11.02.555555"
    )


def test_the_doi_of_an_arxiv_paper_is_its_arxiv_id() -> None:
    assert doi("10.48550/arXiv.2407.12345") is None
    assert normalise_ids({"doi": "https://doi.org/10.48550/arXiv.2407.12345v2"}) == {"arxiv": "2407.12345"}


def test_ids_have_one_spelling() -> None:
    ids = {
        "arXiv": "arXiv:2407.12345v2",
        "doi": "https://doi.org/10.5555/ABC",
        "OpenReview": " aBcD ",
        "pmid": "",
    }
    assert normalise_ids(ids) == {"arxiv": "2407.12345", "doi": "10.5555/abc", "openreview": "aBcD"}


def test_what_is_no_id_is_not_kept_as_one() -> None:
    assert normalise_ids({"arxiv": "n/a", "doi": "pending"}) == {}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/p/7?b=2&a=1",
        "http://example.org/p/7?b=2&a=1",
        "HTTPS://User:pw@EXAMPLE.org:443/p/7/?b=2&a=1#top",
        "https://example.org:80/p/7?utm_source=feed&b=2&a=1&utm_medium=rss",
        " https://example.org/p/7?b=2&a=1&rss=1 ",
        "https://example.org/p/7?b=2&a=1&dgcid=rss_sd_all",
        "https://example.org/p/7?af=R&b=2&a=1",
        "https://example.org/p/7?b=2&a=1&source=rss----7&WT.mc_id=RSS",
    ],
)
def test_an_address_has_one_spelling(url: str) -> None:
    assert canonical_url(url) == "https://example.org/p/7?b=2&a=1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mailto:a@example.org",
        "javascript:alert(1)",
        "tag:example.org,2026:7",
        "/p/7",
        "https://",
        "https://a b/c",
    ],
)
def test_only_http_addresses_are_addresses(url: str) -> None:
    assert canonical_url(url) is None


def test_a_broken_address_is_no_error() -> None:
    assert canonical_url("https://[::1/x") is None
    assert canonical_url("https://example.org:99999/") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tidal Memory: A Study", "tidal  memory —\na STUDY."),
        ("Na\u00efve B\u00e4yes", "Nai\u0308ve Ba\u0308yes"),
        ("T\\\"ulu and Paczy\\'nski", "Tülu and Paczyński"),
        ("Erd\\H{o}s, {\\L}ukasz and \\O rsted", "Erdős, Łukasz and Ørsted"),
        ("$\\mu$-Kilns in $\\mathcal{O}(n^2)$", "μ-Kilns in O(n²)"),
        ("<i>E. example</i> &amp; friends", "E. example & friends"),
        ("Pre-training with 1,000 tides", "Pretraining with 1000 tides"),
        ("ﬁne ﬂow", "fine flow"),
        ("Zero\u200bwidth", "Zerowidth"),
    ],
)
def test_titles_that_differ_only_in_dress_are_equal(one: str, other: str) -> None:
    assert title_key(one) == title_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PROP: Kilns for Beginners", "B-PROP: Kilns for Beginners"),
        ("A* Search over Tides", "A Search over Tides"),
        ("Kilns in C++", "Kilns in C"),
        ("Tides 4.1", "Tides 41"),
        ("Kiln 2 of 3", "Kiln 23"),
        ("??", "!!"),
        ("潮汐", "窑炉"),
        ("ज्वार", "ज्वर"),
    ],
)
def test_nothing_fuzzy_makes_two_titles_one(one: str, other: str) -> None:
    assert title_key(one) != title_key(other)


def test_an_empty_title_has_no_key() -> None:
    assert title_key("") == title_key(" \n ") == ""


@pytest.mark.parametrize(
    ("title", "of_title", "of_abstract"),
    [
        ("Tidal Memory: A Study", "140b028215528cd99f1f", "012a61e5467df7a7de36"),
        ("GPT-4 at 1,000,000 Tokens: 3.5 3D C++ and A*", "b169fd0c6d13dbe24c26", "1eb3542fad7676a89e59"),
        ("Señor Erdős and the naı̈ve Łódź: İstanbul’s ﬁrst ½ of ΐ", "b9ac44fea4617c71370f", "36a6193e3450a76e4b49"),
        ("量子コンピュータの 3 つの誤り訂正 α-стабильность", "fe372a472b5c38106328", "c1492e42a7139071a63d"),
        ('\\"Uber $\\mathcal{H}_k$ &amp; <i>E. coli</i> at 10² 20', "e5db3f27b091ef321999", "e5e3f56fa1e55ef732f9"),
        ("कखग १२ और ३ ہے d̀̂e", "673bda13c9e1f08b2a19", "e4b852fd92fb9445a069"),
    ],
)  # fmt: skip
def test_the_key_of_a_text_never_changes(title: str, of_title: str, of_abstract: str) -> None:
    # Stored in every seen set: whoever changes the folding needs a migration.
    abstract = " ".join(f"{title} {n} sees www.a.org/b" for n in range(20))
    assert (title_key(title), abstract_key(abstract)) == (f"title:{of_title}", f"abstract:{of_abstract}")


def test_an_abstract_is_known_by_its_words_not_its_links() -> None:
    with_link = TIDES + " Code: https://github.com/example/tides."
    rewritten = TIDES.upper().replace(" ", "\n ") + " Code: https://mirror.example.org/a/b/tides"
    assert abstract_key(with_link) == abstract_key(rewritten) != abstract_key(TIDES) != ""


@pytest.mark.parametrize("space", ["  ", "\n", "\t", "\u00a0", "\u2003", "\x1c", "\x85", "\u2028"])
def test_a_link_ends_at_any_white_space(space: str) -> None:
    abstract = f"{TIDES} See https://github.com/example/tides for this https URL or and/or."
    assert abstract_key(abstract.replace(" ", space)) == abstract_key(abstract)
    assert abstract_key(f"{space}{abstract}{space}") == abstract_key(abstract)


@pytest.mark.parametrize(
    "address",
    [
        "https://arxiv.org/abs/2407.12345",
        "http://export.arxiv.org/pdf/2407.12345v2",
        "https://huggingface.co/papers/2407.12345",
        "https://arxiv.org/abs/2407.12345?context=cs",
        "/abs/2407.12345",
        "2407.12345",
        "",
    ],
)
def test_an_address_that_repeats_an_id_is_no_page(address: str) -> None:
    assert identity.page_url({"abstract": address}) is None


@pytest.mark.parametrize("number", ["9" * 5000, "0" * 5000 + "65"])
def test_a_character_of_any_number_is_folded(number: str) -> None:
    assert title_key(f"A title &#{number}; of words") == title_key("A title &#9999999; of words")
    assert abstract_key(f"{TIDES} &#{number}") == abstract_key(f"{TIDES} &#9999999")


def test_a_short_abstract_says_nothing() -> None:
    assert abstract_key("Volume 7, issue 2. All rights reserved.") == ""


def test_the_ladder_goes_from_ids_to_words() -> None:
    paper = Paper(
        key="",
        title="Tidal Memory",
        abstract=TIDES,
        ids={"pmid": "7", "openreview": "xYz", "doi": "10.5555/A", "arxiv": "2407.12345v2"},
        links={"abstract": "https://example.org/p/7"},
    )
    rungs = [key.partition(":")[0] for key in keys(paper)]
    assert rungs == ["arxiv", "doi", "openreview", "pmid", "url", "title", "abstract"]
    assert keys(paper)[0] == "arxiv:2407.12345"
    assert primary_key(paper.ids, paper.links, paper.title, paper.abstract) == "arxiv:2407.12345"


def test_a_papers_own_page_tells_its_id() -> None:
    assert primary_key({}, {"abstract": "https://arxiv.org/abs/2407.12345v1"}, "T", "") == "arxiv:2407.12345"
    assert primary_key({}, {"pdf": "https://arxiv.org/pdf/2407.12345"}, "T", "") == "arxiv:2407.12345"
    assert primary_key({}, {"abstract": "https://openreview.net/forum?id=aB1"}, "T", "") == "openreview:aB1"


def test_a_link_found_in_an_abstract_is_no_id_of_the_paper() -> None:
    assert primary_key({}, {"page": "https://arxiv.org/abs/2407.12345"}, "T", "").startswith("title:")


def test_an_overlong_key_stays_short_and_distinct() -> None:
    one, other = ({"abstract": "https://example.org/" + "x" * 5000 + end} for end in "ab")
    assert len(primary_key({}, one, "T", "")) < 60
    assert primary_key({}, one, "T", "") != primary_key({}, other, "T", "")


@given(st.text(min_size=1))
def test_every_title_that_is_not_blank_has_a_key(title: str) -> None:
    assert bool(title_key(title)) == bool(title.strip()) or not title.strip().isprintable()


@given(st.text(), st.text())
def test_folding_takes_any_text(title: str, abstract: str) -> None:
    assert keys(Paper(key="", title=title, abstract=abstract)) == keys(
        Paper(key="", title=title, abstract=abstract)
    )
    assert not is_revised(abstract, abstract)


@given(st.text(alphabet="aé ßΣ-'\"$\\{}x9.", min_size=1))
def test_case_and_unicode_form_never_matter(title: str) -> None:
    import unicodedata

    assert title_key(title) == title_key(unicodedata.normalize("NFD", title))


# --- may a weak match stand?


def known(**facts: object) -> Known:
    return Known(**({"title": "Tidal Memory"} | facts))  # type: ignore[arg-type]


def paper(**facts: object) -> Paper:
    return Paper(**({"key": "", "title": "Tidal Memory"} | facts))  # type: ignore[arg-type]


def test_a_title_alone_is_enough() -> None:
    assert same_work(known(), paper(), "title")
    assert same_work(known(ids={"arxiv": "2407.12345"}, abstract=TIDES), paper(), "title")


def test_ids_that_differ_refuse_a_weak_match() -> None:
    mine, theirs = known(ids={"doi": "10.5555/a"}), paper(ids={"doi": "10.5555/B"})
    assert not any(same_work(mine, theirs, rung) for rung in ("url", "title", "abstract"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("10.26434/chemrxiv-2026-abcde", "10.26434/chemrxiv-2026-abcde-v2"),
        ("10.26434/chemrxiv.12345678.v1", "10.26434/chemrxiv.12345678.v12"),
        ("10.20944/preprints202611.0123.v1", "10.20944/preprints202611.0123.v2"),
        ("10.21203/rs.3.rs-1234567/v1", "https://doi.org/10.21203/rs.3.rs-1234567/v2"),
        ("10.31234/osf.io/abcde", "10.31234/osf.io/ABCDE_v2"),
        ("10.22541/au.170000000.01234567/v1", "10.22541/au.170000000.01234567/v3"),
        ("10.6084/m9.figshare.12345678", "10.6084/m9.figshare.12345678.v2"),
        ("10.12688/f1000research.100001.1", "10.12688/f1000research.100001.2"),
        ("10.7554/eLife.100001", "10.7554/eLife.100001.3"),
        ("10.7287/peerj.preprints.2001v1", "10.7287/peerj.preprints.2001v2"),
        ("10.36227/techrxiv.12345678.v1", "10.36227/techrxiv.12345678.v2"),
    ],
)
def test_versions_of_a_preprint_that_have_dois_of_their_own_are_one_paper(first: str, second: str) -> None:
    assert primary_key({"doi": first}, {}, "", "") == primary_key({"doi": second}, {}, "", "")
    assert same_work(known(ids={"doi": doi(first) or ""}), paper(ids={"doi": second}), "title")
    assert normalise_ids({"doi": second}) == {"doi": second.removeprefix("https://doi.org/").lower()}


def test_a_paper_is_found_by_the_doi_with_its_version_too_as_stores_before_have_it() -> None:
    assert identity.id_keys({"doi": "10.26434/chemrxiv-2026-abcde-v2"}, {}) == (
        "doi:10.26434/chemrxiv-2026-abcde",
        "doi:10.26434/chemrxiv-2026-abcde-v2",
    )


@pytest.mark.parametrize(
    "name",
    [
        "10.5555/abcde-v2",
        "10.5281/zenodo.v2",
        "10.31234/osf.io/abv2",
        "10.22541/au.v1",
        "10.7554/elife.00001.001",
    ],
)
def test_a_doi_that_ends_like_a_version_elsewhere_is_whole(name: str) -> None:
    assert primary_key({"doi": name}, {}, "", "") == f"doi:{name}"


def test_ids_of_different_types_do_not_conflict() -> None:
    assert same_work(known(ids={"doi": "10.5555/a"}), paper(ids={"arxiv": "2407.12345"}), "title")


def test_an_id_is_final() -> None:
    retitled = paper(
        title="Another Name", ids={"arxiv": "2407.12345"}, abstract=KILNS, authors=("Z. Nobody",)
    )
    assert same_work(
        known(ids={"arxiv": "2407.12345"}, abstract=TIDES, authors=("A. Mere",)), retitled, "arxiv"
    )


def test_two_arxiv_papers_of_one_doi_stay_two() -> None:
    ids = {"arxiv": "2407.12345", "doi": "10.5555/a"}
    assert not same_work(known(ids=ids), paper(ids=ids | {"arxiv": "2408.54321"}), "doi")
    assert same_work(known(ids={"doi": "10.5555/a"}), paper(ids=ids), "doi")


def test_one_title_on_two_pages_of_a_site_is_two_papers() -> None:
    here, there = known(urls=("https://example.org/1",)), paper(links={"abstract": "https://example.org/2"})
    assert not same_work(here, there, "title")
    assert same_work(here, paper(links={"abstract": "https://other.example/2"}), "title")


def test_one_title_on_two_pages_of_a_site_is_one_paper_when_the_abstracts_are_alike() -> None:
    here = known(urls=("https://example.org/1",), abstract=TIDES)
    assert same_work(here, paper(links={"abstract": "https://example.org/2"}, abstract=TIDES[:300]), "title")


def test_one_title_by_other_authors_is_another_paper() -> None:
    mine = known(authors=("Ada Mere", "Bo Lund"))
    assert not same_work(mine, paper(authors=("Cy Ortega",)), "title")
    assert same_work(mine, paper(authors=("Lund, B.",)), "title")
    assert same_work(mine, paper(), "title")


def test_one_title_with_a_foreign_abstract_is_another_paper() -> None:
    assert not same_work(known(abstract=TIDES), paper(abstract=KILNS), "title")


def test_an_address_that_many_papers_share_makes_them_not_one() -> None:
    shared = {"urls": ("https://example.org/issue",), "abstract": TIDES}
    other = paper(
        title="Dating Kilns by Glass", abstract=KILNS, links={"abstract": "https://example.org/issue"}
    )
    assert not same_work(known(**shared), other, "url")
    assert same_work(known(**shared), paper(title="Storm Traces", abstract=TIDES), "url")


def test_the_same_abstract_under_a_new_title_is_the_same_paper() -> None:
    assert same_work(known(abstract=TIDES), paper(title="What Pools Remember", abstract=TIDES), "abstract")


def test_a_publishers_notice_does_not_make_papers_one() -> None:
    notice = known(abstract=TIDES, urls=("https://example.org/1",))
    other = paper(title="Dating Kilns by Glass", abstract=TIDES, links={"abstract": "https://example.org/2"})
    assert not same_work(notice, other, "abstract")


# --- really revised?


def test_a_rewritten_link_is_no_revision() -> None:
    assert not is_revised(
        TIDES + " Data at https://huggingface.co/example/tides",
        TIDES + " Data at https://a-mirror.example.org/very/other/place?x=1",
    )
    assert not is_revised(TIDES + " See https://example.org/a/b.", TIDES + " See this https URL.")


def test_dress_is_no_revision() -> None:
    assert not is_revised(TIDES, TIDES.replace("salt", "\\emph{salt}").replace(" ", "\n").upper())
    assert not is_revised(TIDES.replace("forty", "$\\alpha$-dense"), TIDES.replace("forty", "α-dense"))


def test_a_changed_word_is_no_revision() -> None:
    assert not is_revised(TIDES, TIDES.replace("forty", "fifty").replace("winters", "summers"))


def test_an_empty_side_is_no_revision() -> None:
    assert not is_revised("", TIDES)
    assert not is_revised(TIDES, "")


@given(st.integers(min_value=1, max_value=len(TIDES)))
def test_a_cut_abstract_is_no_revision(length: int) -> None:
    assert not is_revised(TIDES, TIDES[:length])
    assert not is_revised(TIDES[:length] + "…", TIDES)


@given(st.integers(min_value=150, max_value=len(TIDES)))
def test_a_cut_abstract_with_a_changed_word_is_no_revision(length: int) -> None:
    assert not is_revised(TIDES.replace("tidal", "rock"), TIDES[:length])


def test_two_new_sentences_are_a_revision() -> None:
    half = TIDES.index("The effect")
    other = (
        TIDES[:half]
        + "In deep pools the effect is absent, which a control with dyed water explains by leaks of the rig."
    )
    assert is_revised(TIDES, other)
    assert is_revised(other, TIDES)


def test_another_abstract_is_a_revision() -> None:
    assert is_revised(TIDES, KILNS)


def test_ten_percent_is_the_border_in_a_long_abstract() -> None:
    long = [f"word{n}" for n in range(200)]

    def replaced(count: int) -> str:
        return " ".join(
            f"other{n}" if n % 10 == 5 and n // 10 < count else word for n, word in enumerate(long)
        )

    assert not is_revised(" ".join(long), replaced(10))  # ten out, ten in
    assert is_revised(" ".join(long), replaced(11))


def test_a_hostile_abstract_is_compared_in_no_time() -> None:
    one, other = "a b " * 50_000, "b a " * 50_000 + "c"
    assert is_revised(one, other) in (True, False)
    assert abstract_key("x." * 200_000 + "/") == abstract_key("x." * 200_000 + "/")


def test_an_abstract_is_run_together_as_its_words_are() -> None:
    """Also where marks are no letters but stand within words of their script, or become letters when folded."""
    every = "".join(
        map(chr, (*range(32, 0x600), *range(0x2000, 0x2200), *range(0x3030, 0x3110), *range(0x4DB0, 0x4E10)))
    )
    for text in (
        "Plain words, with 3.5 numbers_and_such.",
        "ﬁne ΐ İ Ångström — 漢字・かな ゛",
        "ḅa̱r ∑ᵢ xᵢ ½",
        every,
    ):
        assert identity._run_together(text) == "".join(identity._words(text))
