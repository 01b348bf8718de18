"""The daily run of benchmarks.run with more papers seen before, P3: 1,000 listed, a million seen.

Beside it the same as `digest serve` makes it by its schedule, in a process that stays.
"""

from __future__ import annotations

from benchmarks.costs import Cost
from benchmarks.report import Check, Found, Growth, figure, run_alone
from benchmarks.run import (
    HEADINGS, LEAN, PAGES, against, lines, ours, peak, prepared, resident, row, run_of,
)  # fmt: skip


def measure(quick: bool = False) -> Found:
    sizes, beside = prepared(quick)
    few, between, most = sizes.seen
    lean = {f"{LEAN} {n}": ours(n, lean=True) for n in (few, most)}
    stays = {f"digest serve, {of}": resident(most, lean=of == LEAN) for of in PAGES}
    all_of = {f"digest {n}": ours(n) for n in sizes.seen} | lean | stays | beside.rss2email(most)
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
    tables = (Growth(of, HEADINGS, growth), _stays(costs, what))
    return Found("remembered", tuple(rows), tables, beside.notes)


def _stays(costs: dict[str, Cost], what: str) -> Growth:
    """The run that `digest serve` makes, whose process has begun long before."""
    theirs = costs.get("rss2email")
    cells = []
    for of, pages in PAGES.items():
        cost = costs[f"digest serve, {of}"]
        ratio = f"{theirs.wall / cost.wall:.1f}×" if theirs else ""
        figures = (figure(cost.wall), figure(cost.cpu), f"{cost.peak_mib:.0f}", ratio)
        cells.append((pages.removeprefix(": "), *figures))
    headings = ("", *HEADINGS[1:], "rss2email takes")
    return Growth(f"{what.capitalize()}, in a process that stays (`digest serve`)", headings, tuple(cells))


if __name__ == "__main__":
    run_alone("remembered", __doc__, measure)
