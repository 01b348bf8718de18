"""The daily run of benchmarks.run with more papers listed, P2: 5,000, of which 100 are new."""

from __future__ import annotations

from benchmarks.daily import Bare
from benchmarks.report import Found, Growth, run_alone
from benchmarks.run import HEADINGS, LEAN, PAGES, against, lines, ours, peak, prepared, row, run_of


def measure(quick: bool = False) -> Found:
    sizes, beside = prepared(quick)
    by_size = {n: run_of(n, sizes, {"digest": ours()}, ("digest",)) for n in (sizes.few, sizes.listed)}
    all_of = {"digest": ours(), LEAN: ours(lean=True), "bare yardstick": Bare} | beside.rss2email()
    costs = by_size[sizes.many] = run_of(sizes.many, sizes, all_of)
    what = f"the same, {sizes.many:,} listed"
    rows = [
        row("P2", what + pages, costs, of, [*against(costs, of, 5, 8, cpu=True), peak(costs[of], 90)], beside.missing)
        for of, pages in PAGES.items()
    ]
    growth = lines({n: costs["digest"] for n, costs in by_size.items()})
    return Found("listed", tuple(rows), (Growth("Daily run, by papers listed", HEADINGS, growth),), beside.notes)


if __name__ == "__main__":
    run_alone("listed", __doc__, measure)
