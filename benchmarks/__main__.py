"""All benchmarks, or those of some groups, and what they found held against the goals: `python -m benchmarks [GROUP…]`.

Prints one table of goals, then how the parts grow; writes the same as JSON. `--write FILE` puts both into a document, between the
lines `<!-- measured -->` and `<!-- end of measured -->`. A group that fails is named, and the others go on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks import installed
from benchmarks.costs import ROOT
from benchmarks.report import RESULTS, Found, Results, goals, machine, table, verdict
from digest import __version__

GROUPS = (
    "run", "listed", "remembered", "archived", "reading", "feeds", "building", "sending", "diff", "serving", "starting", "searching",
    "fleet",
)  # fmt: skip
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
_PEERS = (
    "rss2email", "feed2exec", "urlwatch", "beautifulsoup4", "lxml", "selectolax", "feedparser", "feedgen", "css-inline", "starlette"
)  # fmt: skip


def run_group(group: str, *, quick: bool) -> Found | None:
    """What one group found, in a process of its own; None where it failed, which it has said."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        command = [
            sys.executable,
            "-m",
            f"benchmarks.{group}",
            "--json",
            str(out),
            *(["--quick"] if quick else []),
        ]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode or not out.exists():
            print(f"{group} failed", file=sys.stderr, flush=True)
            return None
        return msgspec.json.decode(out.read_bytes(), type=Found)


def lines_of(results: Results) -> list[str]:
    """The document: when, where and with what; the goals; growth; what is to be said of them."""
    used = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    lines = [f"{results.date}, {results.machine}. {used}. `{results.command}`.", ""]
    lines += [*goals(row for found in results.found for row in found.rows), ""]
    for found in results.found:
        for growth in found.growth:
            lines += [f"**{growth.title}**", "", *table(growth.headings, growth.lines), ""]
        for note in found.notes:
            lines += [note, ""]
    return lines


def as_json(results: Results) -> bytes:
    """What was found, and of each goal whether it is met (null: a peer is missing)."""
    rows = [row for found in results.found for row in found.rows]
    met = [{"id": row.id, "what": row.what, "met": row.met} for row in rows]
    return msgspec.json.format(msgspec.json.encode({"goals": met, "results": results}))


def versions() -> dict[str, str]:
    """Ours, and those of the peers; of the system's programs only where they are installed."""
    found = {"digest": __version__} | {name: installed.version(name) for name in _PEERS}
    for name, command in (("nginx", ("nginx", "-v")), ("Postfix", ("postconf", "-dh", "mail_version"))):
        if program := shutil.which(
            command[0], path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", "")
        ):
            said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
            found[name] = (said.stdout + said.stderr).strip().rpartition("/")[2]
    return found


def write_into(file: Path, lines: Sequence[str]) -> None:
    """Replaces the marked part of a document. Raises SystemExit where the marks are missing."""
    text = file.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{file} has no lines {BEGIN} and {END}")
    file.write_text("\n".join([f"{head}{BEGIN}", *lines, f"{END}{tail}"]), encoding="utf-8")


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        choices=[*GROUPS, []],
        help=f"of {', '.join(GROUPS)}; default: all",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: shows that it works")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, help="where the results are written; default: %(default)s"
    )
    parser.add_argument("--write", type=Path, help="a document whose marked part is replaced")
    options = parser.parse_args(None if arguments is None else list(arguments))
    asked = options.groups or GROUPS
    found = []
    for group in asked:
        print(f"{group} …", end=" ", file=sys.stderr, flush=True)
        if one := run_group(group, quick=options.quick):
            said = "; ".join(f"{row.id} {row.ours}: {verdict(row)}" for row in one.rows)
            print(f"{one.seconds:.0f} s: {said}", file=sys.stderr, flush=True)
            found.append(one)
    command = " ".join(["python -m benchmarks", *options.groups]) if options.groups else "make bench"
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    results = Results(now, machine(), versions(), tuple(found), command)
    options.json.write_bytes(as_json(results))
    lines = lines_of(results)
    print("\n".join(lines))
    print(f"Written to {options.json}")
    if options.write:
        write_into(options.write, lines)
    if len(found) < len(asked):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
