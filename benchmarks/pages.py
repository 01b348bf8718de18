"""Listing pages of invented papers, the same for the same seed: what `make bench` reads. Nobody wrote these papers."""

from __future__ import annotations

import json
import random
from html import escape
from typing import NamedTuple

_WORDS_TEXT = (
    "model learning method data network training problem result approach system language task image graph space bound"
    " algorithm policy agent sample signal noise field energy surface layer token prompt memory search reward kernel matrix"
    " tensor flow mixture metric cluster token-level large-scale robust sparse dense local global adaptive efficient latent"
    " causal neural random linear convex spectral temporal visual semantic structured hierarchical open-ended multi-agent"
    " we study show that propose prove improve measure observe compare extend reduce estimate the of a in for with on and to"
    " from under between without across over by its this these which while than most each many several strong weak new known"
    " previous recent existing unseen accuracy error cost latency throughput baseline benchmark evaluation generalization"
    " inference optimization representation retrieval reasoning segmentation detection simulation equilibrium topology"
)
_WORDS = _WORDS_TEXT.split()
_FORMULAS = (
    r"$O(n \log n)$", r"$\alpha$-mixing", r"$L^2$", r"$\mathcal{H}_k$", r"5\%", r"$\epsilon \leq 0.1$", r"\emph{not}",
    r"$p$-adic", r"Erd\H{o}s", r"$\mathbb{R}^d$", r"$\frac{1}{n}\sum_i x_i$", r"``soft'' bounds",
)  # fmt: skip
_FIRST_TEXT = (
    "Ada Bo Chidi Dana Emil Fatma Goran Hana Ivo Jun Kirsi Leïla Mats Nadia Oskar Petra Qiang Rosa Søren Tove"
)
_FIRST = _FIRST_TEXT.split()
_FAMILY_TEXT = (
    "Lindqvist Østergaard Okafor Whitcombe Haraldsen Yıldız Petrović Novák Marinov Takeda Virtanen Benali Ekström Rahman"
    " Kowalczyk Schreiber Zhang Delgado Nyström Iversen Abeywardena Quispe Thornbury Vasileiou"
)
_FAMILY = _FAMILY_TEXT.split()
_SUBJECTS = (
    "Computation and Language (cs.CL)", "Machine Learning (cs.LG)", "Artificial Intelligence (cs.AI)",
    "Computer Vision and Pattern Recognition (cs.CV)", "Machine Learning (stat.ML)", "Optimization and Control (math.OC)",
)  # fmt: skip


class Invented(NamedTuple):
    id: str
    title: str
    abstract: str
    authors: list[str]
    subjects: list[str]
    comment: str
    doi: str
    section: str
    upvotes: int


def invented(count: int, seed: int = 1) -> list[Invented]:
    """`count` papers: abstracts of 150–250 words, TeX in one of five, 3–12 authors, an address in one of six."""
    rnd = random.Random(seed)  # noqa: S311
    return [_paper(rnd, n, count) for n in range(count)]


def _paper(rnd: random.Random, n: int, count: int) -> Invented:
    with_tex = rnd.random() < 0.2
    abstract = _sentences(rnd, rnd.randint(150, 250), with_tex)
    if rnd.random() < 1 / 6:
        abstract += f" Code is at https://github.com/example-lab/repo-{n}."
    share = n / count
    return Invented(
        id=f"2611.{n + 1:05d}",
        title=_title(rnd, with_tex and rnd.random() < 0.5),
        abstract=abstract,
        authors=[f"{rnd.choice(_FIRST)} {rnd.choice(_FAMILY)}" for _ in range(rnd.randint(3, 12))],
        subjects=rnd.sample(_SUBJECTS, rnd.randint(1, 4)),
        comment=f"{rnd.randint(4, 40)} pages, {rnd.randint(1, 12)} figures" if rnd.random() < 0.6 else "",
        doi=f"10.5555/example.{n}" if rnd.random() < 0.15 else "",
        section="new" if share < 0.5 else "cross" if share < 0.7 else "replace",
        upvotes=rnd.randint(0, 300),
    )


def _title(rnd: random.Random, with_tex: bool) -> str:
    words = [rnd.choice(_WORDS).capitalize() for _ in range(rnd.randint(5, 13))]
    if with_tex:
        words[rnd.randrange(len(words))] = rnd.choice(_FORMULAS)
    return " ".join(words)


def _sentences(rnd: random.Random, words: int, with_tex: bool) -> str:
    said: list[str] = []
    while words > 0:
        length = min(words, rnd.randint(9, 28))
        sentence = [rnd.choice(_WORDS) for _ in range(length)]
        if with_tex and rnd.random() < 0.5:
            sentence[rnd.randrange(length)] = rnd.choice(_FORMULAS)
        if length > 12:
            sentence[6] += ","
        said.append(" ".join([sentence[0].capitalize(), *sentence[1:]]) + ".")
        words -= length
    return " ".join(said)


# --- arXiv

_HEADINGS = {"new": "New submissions", "cross": "Cross submissions", "replace": "Replacement submissions"}
_MARKS = {"new": "", "cross": " (cross-list from math.OC)", "replace": " (replaced)"}


def arxiv_page(papers: list[Invented]) -> bytes:
    """A page of https://arxiv.org/list/cs.CL/new with its three sections, as of 2026-06."""
    parts: list[str] = []
    for section, heading in _HEADINGS.items():
        own = [(n, paper) for n, paper in enumerate(papers, 1) if paper.section == section]
        entries = "\n".join(_arxiv_entry(n, paper) for n, paper in own)
        parts.append(
            f"      <dl id='articles'>\n    <h3>{heading} (showing {len(own)} of {len(own)} entries)</h3>\n{entries}\n  </dl>"
        )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><title>Computation and Language </title></head>\n<body class="cu">\n'
        "<div id=\"content-inner\"><div id='dlpage'>\n  <h1>Computation and Language</h1>\n"
        "    <h3>Showing new listings for Thursday, 19 November 2026</h3>\n"
        f"    <div class='paging'>Total of {len(papers)} entries </div>\n"
        + "\n".join(parts)
        + "\n</div></div>\n<footer><p>About</p></footer></body>\n</html>\n"
    ).encode()


def _arxiv_entry(n: int, paper: Invented) -> str:
    authors = ",\n          ".join(
        f'<a href="https://arxiv.org/search/cs?searchtype=author&amp;query={escape(name.split()[-1])},+{name[0]}">{escape(name)}</a>'
        for name in paper.authors
    )
    subjects = "; ".join([f'<span class="primary-subject">{paper.subjects[0]}</span>', *paper.subjects[1:]])
    comment = (
        "\n        <div class='list-comments mathjax'><span class='descriptor'>Comments:</span>"
        f"\n          {paper.comment}\n        </div>"
        if paper.comment
        else ""
    )
    doi = (
        f"\n        <div class='list-doi'><span class='descriptor'>DOI:</span>\n          <a href=\"https://doi.org/{paper.doi}\""
        f' rel="external noopener nofollow">https://doi.org/{paper.doi}</a>\n        </div>'
        if paper.doi
        else ""
    )
    return f"""    <dt>
      <a name='item{n}'>[{n}]</a>
      <a href ="/abs/{paper.id}" title="Abstract" id="{paper.id}">
        arXiv:{paper.id}
      </a>{_MARKS[paper.section]}
        [<a href="/pdf/{paper.id}" title="Download PDF" id="pdf-{paper.id}" aria-labelledby="pdf-{paper.id}">pdf</a>, <a href="https://arxiv.org/html/{paper.id}v1" title="View HTML" id="html-{paper.id}" aria-labelledby="html-{paper.id}" rel="noopener noreferrer" target="_blank">html</a>, <a href="/format/{paper.id}" title="Other formats" id="oth-{paper.id}" aria-labelledby="oth-{paper.id}">other</a>]
    </dt>
    <dd>
      <div class='meta'>
        <div class='list-title mathjax'><span class='descriptor'>Title:</span>
          {escape(paper.title)}
        </div>
        <div class='list-authors'>{authors}</div>
{comment}{doi}
        <div class='list-subjects'><span class='descriptor'>Subjects:</span>
          {subjects}
        </div>

        <p class='mathjax'>
          {_arxiv_abstract(paper)}
        </p>
      </div>
    </dd>"""  # noqa: E501


def _arxiv_abstract(paper: Invented) -> str:
    """Addresses as arXiv shows them: behind the words "this https URL"."""
    words = escape(paper.abstract, quote=False).split(" ")
    for at, word in enumerate(words):
        if word.startswith("https://"):
            address = word.rstrip(".")
            words[at] = (
                f'<a href="{address}" rel="external noopener nofollow" class="link-external link-https">this https URL</a>.'
            )
    return " ".join(words)


# --- Hugging Face


def daily_page(papers: list[Invented]) -> bytes:
    """A page of https://huggingface.co/papers: its JSON in an attribute, and the cards."""
    props = {
        "canSubmit": False,
        "dateString": "2026-11-19",
        "dailyPapers": [_entry(n, paper) for n, paper in enumerate(papers)],
        "periodType": "daily",
    }
    data = escape(json.dumps(props, ensure_ascii=False))
    return _daily(
        f'<div class="SVELTE_HYDRATER contents" data-target="DailyPapers" data-props="{data}">', papers
    )


def cards_page(papers: list[Invented]) -> bytes:
    """The same page where only its cards were saved: neither abstracts nor authors."""
    return _daily('<div class="contents">', papers)


def _daily(opening: str, papers: list[Invented]) -> bytes:
    return (
        '<!doctype html>\n<html class="">\n<head><meta charset="utf-8" />\n<title>Daily Papers - Hugging Face</title></head>\n'
        '<body class="flex flex-col min-h-dvh bg-white"><div class="flex min-h-dvh flex-col">\n'
        f'{opening}<main class="flex flex-1 flex-col"><section class="container"><h1 class="text-2xl">Daily Papers</h1>\n'
        '<time datetime="2026-11-19T00:00:00.000Z">Nov 19</time>\n<div class="relative grid grid-cols-1 gap-14">'
        + "".join(map(_card, papers))
        + "</div></section></main></div>\n<footer>© Example</footer></div></body></html>\n"
    ).encode()


def _entry(n: int, paper: Invented) -> dict[str, object]:
    authors = [
        {"_id": f"66aaf835636a86cff6f{n:04x}{at:x}", "name": name, "hidden": False}
        for at, name in enumerate(paper.authors)
    ]
    return {
        "paper": {
            "id": paper.id,
            "authors": authors,
            "publishedAt": "2026-11-17T10:00:00.000Z",
            "submittedOnDailyAt": "2026-11-19T01:13:12.259Z",
            "title": paper.title,
            "summary": paper.abstract,
            "upvotes": paper.upvotes,
            "discussionId": f"d{n:023d}",
            "ai_summary": f"{paper.title} is studied, and {paper.subjects[0].lower()} gains by it.",
            "ai_keywords": paper.title.lower().split()[:5],
        },
        "publishedAt": "2026-11-16T20:00:00.000Z",
        "title": paper.title,
        "thumbnail": f"https://cdn.example.org/{paper.id}.png",
        "numComments": n % 7,
        "submittedBy": {"fullname": "Not An Author", "name": "naa", "type": "user", "isPro": False},
        "isAuthorParticipating": n % 2 == 0,
    }


_ARROW = (
    '<svg class="text-sm" xmlns="http://www.w3.org/2000/svg" aria-hidden="true" role="img" width="1em" height="1em"'
    ' preserveAspectRatio="xMidYMid meet" viewBox="0 0 12 12"><path fill="currentColor" d="M5.19 2.67a.94.94 0 0 1 1.62 0l3.31'
    ' 5.72a.94.94 0 0 1-.82 1.4H2.7a.94.94 0 0 1-.82-1.4l3.31-5.7v-.02Z"></path></svg>'
)


def _card(paper: Invented) -> str:
    faces = "".join(
        f'<li class="-mr-2 h-4 w-4 block flex-none rounded-full border-2" title="reader{at}">'
        f'<img class="overflow-hidden rounded-full" alt="" src="/avatars/{paper.id}{at}.svg"></li>'
        for at in range(min(len(paper.authors), 5))
    )
    return f"""
<div><article class="relative flex flex-col overflow-hidden rounded-xl border"><a href="/papers/{paper.id}" class="shadow-alternate-sm peer relative block h-56 w-full"><img src="https://cdn.example.org/social-thumbnails/papers/{paper.id}.png" alt="" class="h-full w-full object-cover"></a>
<div class="pointer-events-none absolute right-2 top-56 flex h-6 text-xs leading-4">Submitted by <img alt="" class="w-2.5 h-2.5 rounded-full" src="/avatars/naa.svg"> naa</div>
<div class="-mt-2 flex bg-gradient-to-b px-6 pb-6 pt-8"><div class="flex w-full gap-6"><div class="flex flex-wrap items-center gap-2.5 pt-1"><a href="/login?next=%2Fpapers%2F{paper.id}" class="self-start">
<div class="shadow-alternate flex h-14 w-12 gap-1 rounded-xl"><input disabled type="checkbox" class="peer hidden">{_ARROW}<div class="leading-none">{paper.upvotes}</div></div></a></div>
<div class="w-full"><h3 class="mb-1 text-lg/6 font-semibold hover:underline"><a href="/papers/{paper.id}" class="line-clamp-3 cursor-pointer text-balance">{escape(paper.title)}</a></h3>
<div class="flex items-center justify-between"><a href="/papers/{paper.id}" class="flex"><ul class="flex items-center flex-row-reverse text-sm">{faces}<li class="text-gray-600 order-first ml-3"><div class="flex truncate text-base"><div class="ml-1 mr-2.5">·</div>{len(paper.authors)} authors</div></li></ul></a></div></div></div></div></article></div>"""  # noqa: E501


# --- Atom


def atom_feed(papers: list[Invented]) -> bytes:
    """A feed as arXiv's API answers, well-formed."""
    entries = "".join(map(_atom_entry, papers))
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"'
        ' xmlns="http://www.w3.org/2005/Atom">\n  <id>https://arxiv.org/api/example</id>\n  <title>Query: cat:cs.CL</title>\n'
        "  <updated>2026-11-19T11:50:16Z</updated>\n"
        '  <link href="https://arxiv.org/api/query?search_query=cat:cs.CL" type="application/atom+xml"/>\n'
        f"  <opensearch:totalResults>{len(papers)}</opensearch:totalResults>\n{entries}</feed>\n"
    ).encode()


def _atom_entry(paper: Invented) -> str:
    authors = "".join(
        f"    <author>\n      <name>{escape(name)}</name>\n    </author>\n" for name in paper.authors
    )
    terms = [subject.rpartition("(")[2].rstrip(")") for subject in paper.subjects]
    categories = "".join(
        f'    <category term="{term}" scheme="http://arxiv.org/schemas/atom"/>\n' for term in terms
    )
    comment = f"    <arxiv:comment>{paper.comment}</arxiv:comment>\n" if paper.comment else ""
    doi = f"    <arxiv:doi>{paper.doi}</arxiv:doi>\n" if paper.doi else ""
    return f"""  <entry>
    <id>http://arxiv.org/abs/{paper.id}v1</id>
    <title>{escape(paper.title)}</title>
    <updated>2026-11-18T12:00:00Z</updated>
    <link href="https://arxiv.org/abs/{paper.id}v1" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{paper.id}v1" rel="related" type="application/pdf" title="pdf"/>
    <summary>{escape(paper.abstract, quote=False)}</summary>
{categories}    <published>2026-11-17T12:00:00Z</published>
{comment}{doi}    <arxiv:primary_category term="{terms[0]}"/>
{authors}  </entry>
"""
