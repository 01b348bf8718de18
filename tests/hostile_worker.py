"""Reads hostile listings in a process of its own and judges each: what came out, how long it took, what memory it took.

    hostile_worker.py OUTPUT PART PARTS SHARED|- GENERATOR=COUNT ...

reads every PARTS-th of COUNT inputs of each generator, beginning with PART (all of them for COUNT 0), and leaves in OUTPUT
`result.json`, and each input that failed as a file with its name in the first fault. A further argument --only NAME reads
one input alone.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Paper, Reading
from hostile import Case, crossed, mutated, repeated
from hostile_sizes import SELECTORS, Maker, case_of, sizes

SECONDS, MIB = 2.0, 1024 * 1024
MAX_SECONDS = 60  # then the process is ended: the input it was at is the last line of its output
KINDS = list(sources.KINDS)
SHOWN_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def cases(generator: str, count: int, part: int, parts: int, shared: Path | None) -> Iterator[Case]:
    """Every `parts`-th of the first `count` inputs of a generator."""
    if generator == "mutated":
        yield from (mutated(seed, shared) for seed in range(part, count, parts))
    elif generator == "repeated":
        yield from (repeated(seed, shared) for seed in range(part, count, parts))
    elif generator == "crossed":
        yield from islice(crossed(KINDS, shared), part, count or None, parts)
    elif generator == "spoken":
        from hostile_grammar import spoken

        yield from spoken(part, parts, count)
    else:
        yield from map(case_of, _spread(list(sizes(KINDS)), count, part, parts))


def _spread(makers: list[Maker], count: int, part: int, parts: int) -> Iterator[Maker]:
    """`count` of all, evenly."""
    count = min(count, len(makers)) or len(makers)
    yield from (makers[n * len(makers) // count] for n in range(part, count, parts))


# --- what came out


def faults_of(result: Reading | ParseError) -> list[str]:
    if isinstance(result, ParseError):
        said = str(result)
        found = ["a parser fell over"] if "fault of the program" in said else []
        found += ["an error that cannot be written down"] if not _is_utf8(said) else []
        return found + (["an error without end"] if len(said) > 3_000 else [])
    found = [fault for paper in result.papers for fault in _faults_of_paper(paper)]
    keys = Counter(paper.key for paper in result.papers)
    if len(keys) != len(result.papers) or "" in keys:
        found.append("keys are not unique")
    if len(result.papers) > 5_000:
        found.append(f"{len(result.papers)} papers")
    if result.next_url and not result.next_url.startswith(("http://", "https://")):
        found.append(f"next_url {result.next_url[:80]!r}")
    if len(result.notes) > 100 or any(len(note) > 2_000 for note in result.notes):
        found.append("notes without end")
    if any(number >= 2**63 for number in (result.stated or 0, *result.section_stated.values())):
        found.append("a count that no database holds")
    if not result.papers and not result.empty:
        found.append("no paper, and not said to be empty")
    try:
        if msgspec.json.decode(msgspec.json.encode(result), type=Reading) != result:
            found.append("its JSON is not what it was")
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError) as error:
        found.append(f"no JSON: {error}")
    return found


def _faults_of_paper(paper: Paper) -> Iterator[str]:
    texts = {"title": paper.title, "abstract": paper.abstract, "gist": paper.gist, "authors_raw": paper.authors_raw or "",
             "organization": paper.organization or "", "comment": paper.comment or "", "key": paper.key,
             "published": paper.published or "", "updated": paper.updated or ""}  # fmt: skip
    lists = {"authors": paper.authors, "categories": paper.categories, "tags": paper.tags,
             "ids": (*paper.ids, *paper.ids.values()), "links": (*paper.links, *paper.links.values()),
             "source_text": (*paper.source_text, *paper.source_text.values())}  # fmt: skip
    for name, text in [*texts.items(), *((name, text) for name, all_ in lists.items() for text in all_)]:
        if (not text.isascii() or not text.isprintable()) and (found := SHOWN_CONTROL.search(text)):
            yield f"{name} holds {unicodedata.name(found[0], hex(ord(found[0])))}"
        if len(text) > 210_000 or (
            name not in ("source_text", "abstract", "authors_raw") and len(text) > 4_000
        ):
            yield f"{name} of {len(text)} characters"
    if any(len(all_) > 10_000 for all_ in lists.values()):
        yield "lists without end"
    if any(
        not url.startswith(("http://", "https://")) or re.search(r"\s", url) for url in paper.links.values()
    ):
        yield f"a link {[*paper.links.values()]!r}"[:200]
    if any(not -1 < (number or 0) < 2**63 for number in (paper.version, paper.upvotes)):
        yield "a number that no database holds"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- what it took


def peak_bytes() -> int:
    """The most memory that this program had. (`ru_maxrss` begins, on Linux, with what the parent had.)"""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """What is measured next begins with what the program has now, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def slowness() -> float:
    """How much slower than the machine of the proof this one is, never less than 1: the limit grows by as much."""
    started = time.process_time()
    text = "The caches of 9 slow readers; " * 20_000
    for _ in range(5):
        re.findall(r"\b[a-z]+(?=;)|\d", text)
        " ".join(text.split())
    return max(1.0, (time.process_time() - started) / 0.25)


def attempt(case: Case) -> tuple[Reading | ParseError, float]:
    listing = Listing(location="page", body=case.body, base_url="https://papers.example.org/list?x=1")
    started = time.process_time()
    result: Reading | ParseError
    try:
        result = sources.read(listing, case.kind, selectors=SELECTORS)
    except ParseError as error:
        result = error.with_traceback(
            None
        )  # it holds this frame, and with it the page, until the next garbage collection
        result.__cause__ = result.__context__ = None
    return result, time.process_time() - started


def judged(case: Case, limit: float) -> tuple[list[str], float, Counter[str]]:
    try:
        result, seconds = attempt(case)
    except Exception as error:  # noqa: BLE001 - what it must not raise is what this looks for
        return [f"raised {type(error).__name__}: {error}"[:300]], 0.0, Counter(["raised"])
    if (
        seconds > limit
    ):  # others on the same core cost cycles too: the best of three counts, and how slow it is just now
        limit = max(limit, SECONDS * slowness())
        seconds = min(seconds, attempt(case)[1], attempt(case)[1])
    faults = faults_of(result) + ([f"took {seconds:.1f} s"] if seconds > limit else [])
    return (
        faults,
        seconds,
        Counter([result.outcome if isinstance(result, Reading) else type(result).__name__]),
    )


def main(
    output: Path, part: int, parts: int, shared: Path | None, wanted: dict[str, int], only: str = ""
) -> None:
    for kind in KINDS:  # libraries are no cost of a page
        __import__(sources.KINDS[kind])
    import bs4, feedparser, lxml.etree, selectolax.lexbor  # noqa: E401, F401, I001

    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    slow = slowness()
    most = 0
    counts: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    times: list[tuple[float, str]] = []
    failed: list[dict[str, object]] = []
    for generator, count in wanted.items():
        for case in cases(generator, count, part, parts, shared):
            if only and only not in case.name:
                continue
            (output / f"at-{part}").write_text(case.name, "utf-8", "replace")
            forget_peak()
            before = peak_bytes()
            signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS * slow)
            faults, seconds, outcome = judged(case, SECONDS * slow)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if (grown := peak_bytes() - before) > 256 * MIB:
                faults.append(f"memory grew by {grown // MIB} MiB")
            most = max(grown, most)
            counts[generator] += 1
            outcomes += outcome
            times.append((seconds, case.name))
            if faults:
                path = output / f"failed-{part}-{len(failed)}"
                path.write_bytes(case.body)
                print(
                    f"{case.name} as {case.kind}: {'; '.join(sorted(set(faults))[:5])} ({path})", flush=True
                )
                failed.append(
                    {
                        "name": case.name,
                        "kind": case.kind,
                        "faults": sorted(set(faults))[:5],
                        "file": str(path),
                    }
                )
    shown = {"counts": counts, "outcomes": outcomes, "slowness": slow, "peak_mib": most / MIB,
             "slowest": sorted(times, reverse=True)[:10], "cpu": sum(t for t, _ in times), "failed": failed}  # fmt: skip
    (output / f"result-{part}.json").write_text(json.dumps(shown))


if __name__ == "__main__":
    only = sys.argv.pop() if sys.argv[-2] == "--only" and sys.argv.pop(-2) else ""
    folder, first, step, pages, *wanted = sys.argv[1:]
    main(
        Path(folder),
        int(first),
        int(step),
        None if pages == "-" else Path(pages),
        {name: int(count) for name, _, count in (one.partition("=") for one in wanted)},
        only,
    )
