"""The daily run of benchmarks.run with more papers seen before, P3: 1,000 listed, a million seen."""

from __future__ import annotations

from benchmarks.report import Check, Found, Growth, run_alone
from benchmarks.run import HEADINGS, against, lines, ours, peak, prepared, row, run_of


def measure(quick: bool = False) -> Found:
    sizes, beside = prepared(quick)
    few, between, most = sizes.seen
    all_of = {f"digest {n}": ours(n) for n in sizes.seen} | beside.rss2email(most)
    costs = run_of(sizes.listed, sizes, all_of, (f"digest {between}",))
    last, least = costs[f"digest {most}"], costs[f"digest {few}"]
    found = row(
        "P3", f"the same, {sizes.listed:,} listed, {most:,} seen", costs, f"digest {most}",
        [
            *against(costs, f"digest {most}", 30, 45), peak(last, 70),
            Check(f"our own wall at {few:,} seen", last.wall / least.wall, 1.3, more=False),
        ], beside.missing,
    )  # fmt: skip
    growth = lines({n: costs[f"digest {n}"] for n in sizes.seen})
    of = f"Daily run of {sizes.listed:,} listed, by papers seen"
    return Found("remembered", (found,), (Growth(of, HEADINGS, growth),), beside.notes)


if __name__ == "__main__":
    run_alone("remembered", __doc__, measure)
