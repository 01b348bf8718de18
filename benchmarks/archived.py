"""The daily run of benchmarks.run with more editions in the archive: pages of today's authors show what they wrote then."""

from __future__ import annotations

from benchmarks import daily
from benchmarks.report import Found, Growth, run_alone
from benchmarks.run import HEADINGS, contest, lines, ours, prepared


def measure(quick: bool = False) -> Found:
    sizes, _ = prepared(quick)
    costs = {}
    for editions in sizes.editions:
        papers = daily.announced(
            sizes.listed, sizes.fewer, sizes.new, past=sizes.new * editions - sizes.listed
        )
        costs[editions] = contest(papers, {"digest": ours()}, {"digest": sizes.fewer})["digest"]
    of = f"Daily run of {sizes.listed:,} listed, by editions of {sizes.new} papers in the archive"
    return Found("archived", (), (Growth(of, HEADINGS, lines(costs)),), ())


if __name__ == "__main__":
    run_alone("archived", __doc__, measure)
