"""Kinds by third parties: packages with an entry point of the group digest.sources, as Python installs them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import need
from pages import ROOT, invented, rss

EXAMPLE = ROOT / "examples" / "plugin"


class Site:
    """A folder of installed packages, and a Python that finds digest and them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "site-packages"
        self.packages.mkdir()

    def install(self, package: str, code: str, *, kind: str = "odd", value: str = "") -> None:
        """A package of one module, with the files that an installer writes beside it."""
        module = package.replace("-", "_")
        (self.packages / f"{module}.py").write_text(code, encoding="utf-8")
        info = self.packages / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[digest.sources]\n{kind} = {value or module}\n")

    def python(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(self.packages), str(ROOT)])
        done = subprocess.run(
            [sys.executable, *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def digest(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "digest", *args, code=code)

    def parse(self, file: str, kind: str, *, code: int) -> dict[str, Any]:
        done = self.digest("parse", file, "--kind", kind, "--json", code=code)
        listing = json.loads(done.stdout)["listings"][0]
        assert isinstance(listing, dict)
        return listing


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "page.odd").write_text("odd page")
    return Site(tmp_path)


ODD = """\
'''Odd pages, one paper each.'''
from digest.sources.kit import Raw, Reading, finish

def recognises(listing):
    return listing.body.startswith(b"odd")

def read(listing):
    notes = []
    return Reading(kind="odd", papers=finish([Raw(title="An Odd <i>Paper</i>")], notes), notes=tuple(notes))
"""


# ---------------------------------------------------------------- the example


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The example package, built into a wheel as `pip install examples/plugin` would, and unpacked."""
    need(importlib.util.find_spec("hatchling"), "needs hatchling (installed with the development set)")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")
    built = subprocess.run(
        [sys.executable, "-c", "from hatchling.build import build_wheel; print(build_wheel('..'))"],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    site = Site(folder)
    with zipfile.ZipFile(folder / built.stdout.split()[-1]) as wheel:
        wheel.extractall(site.packages)
    shutil.copy(EXAMPLE / "tests" / "sample.ris", folder)
    return site


def test_the_example_package_adds_a_kind(installed: Site) -> None:
    listing = installed.parse("sample.ris", "ris", code=3)
    assert (listing["kind"], listing["outcome"]) == ("ris", "suspect")
    assert [paper["key"] for paper in listing["papers"]] == [
        "doi:10.5555/pebbles.2026.014",
        "arxiv:2603.99017",
    ]
    assert listing["papers"][0]["author_names"] == ["Mara Lindal", "Ama Okoye-Brandt"]
    assert listing["notes"][0].startswith("truncated")


def test_a_page_of_an_added_kind_is_recognised_by_its_content(installed: Site) -> None:
    (installed.folder / "unnamed").write_bytes((EXAMPLE / "tests" / "sample.ris").read_bytes())
    assert installed.parse("unnamed", "auto", code=3)["kind"] == "ris"


def test_kinds_are_listed_with_the_package_they_are_from(installed: Site) -> None:
    value = json.loads(installed.digest("sources", "list", "--kinds", "--json").stdout)
    assert value["packages"] == {"ris": "digest-ris 1.0"}
    assert value["kinds"]["ris"].startswith("RIS files")
    assert "digest-ris 1.0" in installed.digest("sources", "list", "--kinds").stdout


def test_the_tests_of_the_example_hold(installed: Site) -> None:
    done = installed.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "source", "source/tests"
    )  # fmt: skip
    assert "2 passed" in done.stdout


def test_the_example_stays_out_of_the_wheel_and_of_these_tests() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    wheel = project["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["digest"]
    assert not [path for path in wheel["force-include"] if EXAMPLE.is_relative_to(ROOT / path)]
    assert project["pytest"]["ini_options"]["testpaths"] == ["tests"]
    assert project["mypy"]["packages"] == ["digest"]


# ---------------------------------------------------------------- broken ones


FAULTS = {
    "an import that fails": ("import no_such_library", "cannot be loaded"),
    "an import that ends the program": ("import sys; sys.exit(0)", "cannot be loaded"),
    "no read": ("x = 1", "has no function read(listing)"),
    "read is no function": ("read = 1", "has no function read(listing)"),
    "an error of any class": (
        "class Odd(Exception): pass\ndef read(listing): raise Odd('boom')",
        "Odd: boom",
    ),
    "an end of the program": ("import sys\ndef read(listing): sys.exit('bye')", "SystemExit"),
    "endless recursion": ("def read(listing): return read(listing)", "RecursionError"),
    "another argument": ("def read(): pass", "TypeError"),
    "a dict": ("def read(listing): return {'papers': []}", "gave dict in place of"),
    "nothing": ("def read(listing): pass", "gave NoneType in place of"),
    "papers that are none": (
        "from digest.model import Reading\ndef read(listing): return Reading(kind='odd', papers=({'title': 'x'},))",
        "gave a Reading that cannot be used",
    ),
    "fields of another type": (
        "from digest.model import Paper, Reading\n"
        "def read(listing): return Reading(kind='odd', papers=(Paper(key='', title=7),))",
        "gave a Reading that cannot be used",
    ),
}


@pytest.mark.parametrize(("code", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_kind_is_named_with_its_package(site: Site, code: str, told: str) -> None:
    site.install("odd-kind", code)
    listing = site.parse("page.odd", "odd", code=3)
    assert listing["outcome"] == "parse-failed"
    assert told in listing["error"]
    assert 'the kind "odd" of the package odd-kind 1.2' in listing["error"]


def test_a_kind_says_itself_what_is_wrong_with_a_page(site: Site) -> None:
    site.install(
        "odd-kind",
        "from digest.sources.kit import ListingChanged\n"
        "def read(listing): raise ListingChanged(f'{listing.location}: no oddity. Odd it.', url=listing.location)",
    )
    assert site.parse("page.odd", "odd", code=3)["error"].endswith("page.odd: no oddity. Odd it.")


def test_no_papers_and_no_word_of_it_is_an_error(site: Site) -> None:
    site.install(
        "odd-kind",
        "from digest.sources.kit import Reading\ndef read(listing): return Reading(kind='odd', papers=())",
    )
    assert "no paper found" in site.parse("page.odd", "odd", code=3)["error"]


def test_what_a_kind_gives_is_finished_like_our_own(site: Site) -> None:
    """Control characters, a script for a link, a key of its own making, one paper twice: none of it gets through."""
    site.install(
        "odd-kind",
        "from digest.model import Paper, Reading\n"
        "def read(listing):\n"
        "    paper = Paper(key='mine', title='An\\x00 Odd\\x1b[2J <b>Paper</b>', links={'abstract': 'javascript:alert(1)'})\n"
        "    return Reading(kind='else', papers=(paper, paper), next_url='file:///etc/passwd')\n",
    )
    listing = site.parse("page.odd", "odd", code=0)
    assert listing["kind"] == "odd"
    (paper,) = listing["papers"]
    assert paper["title"].isprintable()
    assert "<b>" not in paper["title"]
    assert paper["links"] == {}
    assert paper["key"].startswith("title:")


def test_the_other_sources_are_read_when_a_kind_is_broken(site: Site) -> None:
    site.install("odd-kind", "def read(listing): raise KeyboardInterrupt if False else Warning('odd')")
    (site.folder / "good.xml").write_bytes(rss(invented(0, 3)))
    (site.folder / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n[mail]\nfolder = "outbox"\n'
        '[[source]]\nname = "broken"\nkind = "odd"\npath = "page.odd"\n'
        '[[source]]\nname = "good"\npath = "good.xml"\n[[digest]]\nname = "daily"\n'
    )
    value = json.loads(site.digest("run", "--json", code=3).stdout)
    broken, good = value["sources"]
    assert (broken["outcome"], good["outcome"], good["new"]) == ("parse-failed", "new", 3)
    assert "odd-kind 1.2" in broken["error"]


def test_a_kind_that_nobody_gives_is_a_fault_of_the_configuration(site: Site) -> None:
    site.install("odd-kind", ODD, kind="pebbles")
    (site.folder / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[[digest]]\nname = "daily"\n'
        '[[source]]\nname = "a"\nkind = "peble"\npath = "page.odd"\n'
    )
    told = site.digest("sources", "test", "a", code=2).stderr
    assert 'unknown kind "peble". Did you mean "pebbles"?' in told


# ---------------------------------------------------------------- recognising


def test_a_broken_kind_does_not_hinder_recognition(site: Site) -> None:
    site.install(
        "bad-kind", "def read(listing): pass\ndef recognises(listing): raise OSError('no')", kind="bad"
    )
    site.install("odd-kind", ODD)
    assert site.parse("page.odd", "auto", code=0)["kind"] == "odd"
    (site.folder / "other").write_text("something else")
    told = site.parse("other", "auto", code=3)["error"]
    assert "without the marks of a listing" in told
    assert 'Not asked: the kind "bad" of the package bad-kind 1.2 failed (OSError: no)' in told


def test_a_built_in_kind_cannot_be_replaced(site: Site) -> None:
    site.install(
        "our-feed", "def recognises(listing): return True\ndef read(listing): raise SystemExit", kind="feed"
    )
    (site.folder / "a.xml").write_bytes(rss(invented(0, 2)))
    assert len(site.parse("a.xml", "feed", code=0)["papers"]) == 2
    done = site.digest("sources", "list", "--kinds")
    assert 'warning: our-feed 1.2 has a kind "feed", which is built in' in done.stderr
    assert "our-feed" not in done.stdout


def test_two_packages_with_one_kind_are_both_named(site: Site) -> None:
    site.install("odd-kind", ODD)
    site.install("odder-kind", ODD)
    told = site.parse("page.odd", "odd", code=3)["error"]
    assert "odd-kind 1.2, odder-kind 1.2" in told


def test_a_built_in_kind_costs_no_look_at_installed_packages(site: Site) -> None:
    """importlib.metadata reads every installed package: only an unknown kind or page is worth that."""
    (site.folder / "a.xml").write_bytes(rss(invented(0, 2)))
    code = (
        "import sys\nfrom digest import sources\nfrom digest.model import Listing\n"
        "body = open('a.xml', 'rb').read()\n"
        "assert sources.read(Listing(location='a', body=body)).papers\nsources.check_kind('arxiv')\n"
        "print('digest.sources.plugins' in sys.modules)"
    )
    assert site.python("-c", code).stdout == "False\n"
