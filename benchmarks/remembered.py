"""The daily run of benchmarks.run with more papers seen before, P3: 1,000 listed, a million seen."""

from __future__ import annotations

from benchmarks.report import Check, Found, Growth, run_alone
from benchmarks.run import HEADINGS, LEAN, PAGES, against, lines, ours, peak, prepared, row, run_of


def measure(quick: bool = False) -> Found:
    sizes, beside = prepared(quick)
    few, between, most = sizes.seen
    lean = {f"{LEAN} {n}": ours(n, lean=True) for n in (few, most)}
    all_of = {f"digest {n}": ours(n) for n in sizes.seen} | lean | beside.rss2email(most)
    # rss2email takes ten seconds and more for each run there.
    costs = run_of(sizes.listed, sizes, all_of, (f"digest {between}", "rss2email"))
    what = f"the same, {sizes.listed:,} listed, {most:,} seen"
    rows = []
    for of, pages in PAGES.items():
        last, least = costs[f"{of} {most}"], costs[f"{of} {few}"]
        own = Check(f"our own wall at {few:,} seen", last.wall / least.wall, 1.3, more=False)
        checks = [*against(costs, f"{of} {most}", 30, 45), peak(last, 70), own]
        rows.append(row("P3", what + pages, costs, f"{of} {most}", checks, beside.missing))
    growth = lines({n: costs[f"digest {n}"] for n in sizes.seen})
    of = f"Daily run of {sizes.listed:,} listed, by papers seen"
    return Found("remembered", tuple(rows), (Growth(of, HEADINGS, growth),), beside.notes)


if __name__ == "__main__":
    run_alone("remembered", __doc__, measure)
