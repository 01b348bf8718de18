"""What is shipped to run the program elsewhere: units, image, containers and the workflow, run or checked as far as can be."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from conftest import need
from digest.cli import _globals_first
from digest.config import MonitorConfig
from test_alarm import at
from test_docs import parse
from test_health import SCHEDULED
from webs import Clock, config_of, serving

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
DIGEST = "/opt/paper-digest/bin/digest"


def understood(call: str) -> None:
    """A call of the program that it would carry out, down to its last option."""
    parse(_globals_first(shlex.split(call)))


# ---------------------------------------------------------------- systemd


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze comes with systemd: apt-get install systemd")
    for unit in UNITS:
        # The program is not installed there on this machine.
        (tmp_path / unit.name).write_text(unit.read_text().replace(DIGEST, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_calls_the_program_as_it_is_and_may_do_little(unit: Path) -> None:
    text = unit.read_text()
    (call,) = re.findall(rf"(?m)^ExecStart={DIGEST} (.+)$", text)
    understood(call)
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0].isalpha())
    assert settings["User"] == "papers"
    assert settings["ProtectSystem"] == "strict"
    assert settings["NoNewPrivileges"] == "yes"
    assert settings["CapabilityBoundingSet"] == ""
    assert settings["ReadWritePaths"] == settings["WorkingDirectory"] == "/srv/papers"
    assert settings["TimeoutStopSec"] == "12min"
    # 3: done, but some source or recipient failed. A worker has no such end.
    assert "3" in settings.get("SuccessExitStatus", "").split() or call == "worker"
    assert ("Restart" in settings) is (settings["Type"] != "oneshot")


def test_the_timers_are_for_services_that_are_there_and_at_odd_minutes() -> None:
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert timers
    for timer in timers:
        assert timer.with_suffix(".service") in UNITS
        (when,) = re.findall(r"(?m)^OnCalendar=.*:(\d+)$", timer.read_text())
        assert int(when) % 5
    assert "Persistent=yes" in (PACKAGING / "systemd" / "digest-run.timer").read_text()


# ---------------------------------------------------------------- the image


DOCKERFILE = (PACKAGING / "Dockerfile").read_text().replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name} (.+)$", DOCKERFILE)


def test_what_the_image_copies_is_there_and_let_through() -> None:
    let_through = [
        line.removeprefix("!")
        for line in (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        path for line in instructions("COPY") if "--from" not in line for path in shlex.split(line)[:-1]
    ]
    assert len(copied) >= 6
    for path in copied:
        assert (ROOT / path).exists(), path
    assert sorted(copied) == sorted(let_through)


def test_the_image_has_what_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", project["project"]["readme"]}
    needed |= set(project["project"]["license-files"])
    copied = {path for line in instructions("COPY") for path in shlex.split(line)[:-1]}
    assert needed <= copied


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    for base in instructions("FROM"):
        assert re.match(r"[\w/.-]+:\d+\.\d+\.\d+\S*( AS \w+)?$", base), base
    assert instructions("USER") == ["10001:10001"]
    assert instructions("ENTRYPOINT") == ['["digest"]']
    (command,) = re.findall(r'(?m)^CMD \["(\w+)"\]$', DOCKERFILE)
    understood(command)
    assert "/srv/papers/var" in instructions("VOLUME")[0]
    assert "/srv/papers/feeds" in instructions("VOLUME")[0]
    assert "ADD " not in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_the_check_of_the_container_says_what_healthz_says(tmp_path: Path) -> None:
    (words,) = re.findall(r'CMD (\["python", .+\])$', DOCKERFILE, re.M)
    check = [sys.executable, *yaml.safe_load(words)[1:]]
    made = replace(config_of(tmp_path), digest=(SCHEDULED,), monitor=MonitorConfig(silent_after_h=1))
    clock = Clock(at("2026-11-18T12:00+01:00"))
    with serving(made, clock) as site:
        site.app.watch(clock.now)
        environ = {**os.environ, "HEALTH_URL": f"http://127.0.0.1:{site.port}/healthz"}
        assert subprocess.run(check, env=environ, check=False).returncode == 0
        clock.now = at("2026-11-19T09:00+01:00")
        assert subprocess.run(check, env=environ, stderr=subprocess.DEVNULL, check=False).returncode != 0


def requirements(name: str) -> dict[str, str]:
    """Each package with its version and hashes."""
    text = re.sub(r"(?m)^ *#.*\n", "", (ROOT / name).read_text())
    blocks = re.split(r"(?m)^(?=\S)", text)
    return {found[0]: block for block in blocks if (found := re.match(r"[\w.-]+(?===)", block))}


def test_the_image_has_the_versions_that_were_tested() -> None:
    image, core, tested = (
        requirements(name)
        for name in ("packaging/requirements.txt", "requirements.txt", "requirements-dev.txt")
    )
    assert core.items() <= image.items()
    extra = {name: block for name, block in image.items() if name not in core}
    assert extra.items() <= tested.items()
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for wanted in (line for lines in optional.values() for line in lines):
        name = re.match(r"[\w.-]+", wanted)
        assert name
        assert name[0] in image


# ---------------------------------------------------------------- containers


COMPOSE: dict[str, Any] = yaml.safe_load((PACKAGING / "compose.yaml").read_text())


def test_the_containers_call_the_program_as_it_is() -> None:
    ours = {name: each for name, each in COMPOSE["services"].items() if each["image"] == "paper-digest"}
    assert set(ours) == {"serve", "fleet", "worker-1", "worker-2", "worker-3"}
    for service in ours.values():
        understood(" ".join(service["command"]))
    # Of one image there is one build, or each of the workers has another one.
    builders = {name: service["build"] for name, service in ours.items() if "build" in service}
    assert set(builders) == {"serve", "fleet"}
    for build in builders.values():
        assert build["dockerfile"] == "packaging/Dockerfile"
        assert (PACKAGING / build["context"]).resolve() == ROOT
    # Who holds a lease is known by its host.
    assert len({service["hostname"] for name, service in ours.items() if name != "serve"}) == 4


def test_what_the_containers_name_is_there() -> None:
    known = {"volumes": set(COMPOSE["volumes"]), "secrets": set(COMPOSE["secrets"])}
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", ())) <= known["secrets"]
        for mount in service["volumes"]:
            if isinstance(mount, dict):
                mount = f"{mount['source']}:{mount['target']}"
            source, target = re.fullmatch(r"(\$\{[^}]+\}|[^:]+):([^:]+)(?::ro)?", mount).groups()  # type: ignore[union-attr]
            assert target.startswith("/")
            if source.startswith("$"):
                default = re.fullmatch(r"\$\{\w+:-(.+)\}", source)
                assert default
                # Not where the image is made of: it would be in it.
                assert default[1].startswith("./papers/")
                assert "/packaging/papers/" in (ROOT / ".gitignore").read_text().splitlines()
            else:
                assert source in known["volumes"]
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        for name in service.get("depends_on", ()):
            assert set(COMPOSE["services"][name]["profiles"]) == set(service["profiles"])


def test_one_container_alone_needs_no_profile_and_nothing_is_open_to_the_world() -> None:
    services = COMPOSE["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["serve"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert re.fullmatch(r"postgres:\d+\.\d+\S*", services["postgres"]["image"])


def test_the_environment_of_the_containers_is_of_keys_that_are_there(tmp_path: Path) -> None:
    from digest.configfile import load_config

    (tmp_path / "config.toml").write_text((ROOT / "config.toml").read_text())
    (tmp_path / "store-url").write_text("postgresql://digest:secret@postgres/digest\n")
    for name in ("serve", "fleet"):
        environ = {
            key: value.replace("/run/secrets", str(tmp_path))
            for key, value in COMPOSE["services"][name]["environment"].items()
        }
        config = load_config(tmp_path / "config.toml", environ, overrides={})
        assert config.log.format == "json"
        assert config.engine.kind == ("procrastinate" if name == "fleet" else "in-process")


def test_secrets_of_the_containers_are_never_committed() -> None:
    assert {str(Path(secret["file"]).parent) for secret in COMPOSE["secrets"].values()} == {"secrets"}
    assert "/packaging/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


# ---------------------------------------------------------------- the workflow


WORKFLOW: dict[Any, Any] = yaml.safe_load((PACKAGING / "github" / "digest.yml").read_text())
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["run"]["steps"]
CONFIG = """
[site]
url = "https://user.github.io/papers/"
[[source]]
name = "sample"
path = "listings"
[[digest]]
name = "daily"
[web]
enabled = false
[[publish]]
name = "pages"
kind = "git"
repository = "set by the workflow"
"""


def test_the_workflow_runs_at_an_odd_minute_one_at_a_time_with_few_rights() -> None:
    (schedule,) = WORKFLOW[True]["schedule"]  # YAML 1.1 reads "on" as true
    assert int(schedule["cron"].split()[0]) % 5
    assert WORKFLOW["concurrency"] == {"group": "digest", "cancel-in-progress": False}
    assert WORKFLOW["permissions"] == {"contents": "write"}
    assert all(re.search(r"@v\d+$", step["uses"]) for step in STEPS if "uses" in step)
    for line in step_named("Install")["run"].splitlines():
        for file in re.findall(r"-r (\S+)", line):
            assert (ROOT / file).is_file()


def step_named(name: str) -> dict[str, Any]:
    return next(step for step in STEPS if step.get("name") == name)


class Github:
    """A repository on a server, and runs of the workflow, each in a clone of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bare, self.runs = folder, folder / "server.git", 0
        self.summary = ""
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.bare))
        self.commit({"config.toml": CONFIG, "listings/.keep": "", ".gitignore": "/var/\n/feeds/\n"})

    def commit(self, files: dict[str, str | bytes]) -> None:
        """The operator changes files."""
        work = self.folder / "operator"
        if not work.exists():
            git(self.folder, "clone", "-q", str(self.bare), str(work))
        for name, content in files.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        git(work, "add", "--all")
        git(work, *_WHO, "commit", "-q", "-m", "change")
        git(work, "push", "-q", "origin", "HEAD:main")

    def run(self, **replaced: str) -> dict[str, str]:
        """The outcome of each step. `replaced`: what takes the place of a step, by its first word."""
        self.runs += 1
        clone, temp = self.folder / f"clone-{self.runs}", self.folder / f"temp-{self.runs}"
        temp.mkdir()
        (temp / "bin").mkdir()
        for name, call in (("digest", "-m digest"), ("python", "")):
            script = temp / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {call} "$@"\n')
            script.chmod(0o755)
        git(self.folder, "clone", "-q", "--depth=1", f"file://{self.bare}", str(clone))
        environ = {
            "PATH": f"{temp}/bin:{os.environ['PATH']}",
            "HOME": str(temp),
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(temp),
            "GITHUB_WORKSPACE": str(clone),
            "GITHUB_ENV": str(temp / "env"),
            "GITHUB_RUN_ID": str(self.runs),
            **WORKFLOW["env"],
        }
        outcomes: dict[str, str] = {}
        for step in STEPS:
            if "run" in step and step["name"] != "Install":
                outcomes[step["name"]] = (
                    self._step(step, clone, environ, replaced) if self._due(step, outcomes) else "skipped"
                )
        return outcomes

    def _due(self, step: dict[str, Any], outcomes: dict[str, str]) -> bool:
        condition = step.get("if")
        if condition is None:
            return "failure" not in outcomes.values()
        found = re.fullmatch(r"\$\{\{ always\(\) && steps\.(\w+)\.outcome == 'success' \}\}", condition)
        assert found
        named = next(other["name"] for other in STEPS if other.get("id") == found[1])
        return outcomes[named] == "success"

    def _step(
        self, step: dict[str, Any], clone: Path, environ: dict[str, str], replaced: dict[str, str]
    ) -> str:
        own = {key: self._meant(value) for key, value in step.get("env", {}).items()}
        noted = Path(environ["GITHUB_ENV"])
        if noted.exists():
            environ |= dict(line.split("=", 1) for line in noted.read_text().splitlines())
        script = replaced.get(step["name"].split()[0].lower(), step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=clone,
            env={**environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        self.summary = done.stdout + done.stderr
        return "failure" if done.returncode else "success"

    def _meant(self, value: str) -> str:
        """What an expression of the workflow stands for."""
        if "github.repository" in value:
            assert value.startswith("https://x-access-token:${{ github.token }}@github.com/")
            return str(self.bare)
        return "" if value.startswith("${{") else value

    def files(self, branch: str) -> list[str]:
        return git(self.bare, "ls-tree", "-r", "--name-only", branch).split()

    def tip(self, branch: str) -> str:
        return git(self.bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()

    def state(self) -> tuple[int, int]:
        """Editions, and papers that wait for the next, as the store on the branch has them."""
        place = self.folder / f"look-{self.runs}"
        place.mkdir()
        script = f"git -C {self.bare} archive digest-state | tar -x && cat state/* | tar -xz"
        subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=place, check=True)
        with closing(sqlite3.connect(place / "digest.db")) as store:
            counts = [
                store.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]
                for what in ("editions", "offers WHERE state = 'waiting'")
            ]
        return counts[0], counts[1]


_WHO = ("-c", "user.name=Op", "-c", "user.email=op@example.org")
ALL_WELL = {"Fetch the state": "success", "Readers": "success", "Run": "success", "Keep the state": "success"}


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Github]:
    yield Github(tmp_path)


def listing(name: str) -> bytes:
    return (ROOT / "examples" / "listings" / name).read_bytes()


def test_the_workflow_keeps_its_state_from_run_to_run(github: Github) -> None:
    github.commit({"listings/first.xml": listing("journal-rss.xml")})
    assert github.run() == ALL_WELL
    tip, first = github.tip("gh-pages"), github.tip("digest-state")
    assert "rss.xml" in github.files("gh-pages")
    assert github.state() == (1, 0)
    # On another machine, with one listing more: what was known is known. Today's edition is out: the new papers wait.
    github.commit({"listings/second.html": listing("arxiv-new.html")})
    assert github.run() == ALL_WELL
    editions, waiting = github.state()
    assert (editions, waiting > 0) == (1, True)
    assert github.tip("gh-pages") == tip
    # A kept state takes the place of the one before.
    assert github.tip("digest-state") != first
    assert git(github.bare, "rev-list", "--count", "digest-state").strip() == "1"


@pytest.mark.torture
def test_the_pages_of_every_edition_stay_published(github: Github) -> None:
    github.commit({"listings/first.xml": listing("journal-rss.xml")})
    assert github.run() == ALL_WELL
    pages = github.files("gh-pages")
    github.commit({"listings/second.html": listing("arxiv-new.html")})
    assert github.run(run="digest run --again") == ALL_WELL
    assert set(pages) < set(github.files("gh-pages"))
    assert github.state() == (2, 0)


def test_without_an_answer_of_the_server_nothing_is_begun(github: Github) -> None:
    broken = step_named("Fetch the state")["run"].replace("ls-remote origin", "ls-remote /nowhere")
    assert github.run(fetch=broken) == {
        "Fetch the state": "failure",
        "Readers": "skipped",
        "Run": "skipped",
        "Keep the state": "skipped",
    }
    assert github.tip("digest-state") == ""


def test_a_run_that_fails_keeps_its_state_and_takes_no_other_place(github: Github) -> None:
    marked = github.run(readers="true", run="echo one > var/mark; exit 1")
    assert marked == {**ALL_WELL, "Run": "failure"}
    first = github.tip("digest-state")
    # Somebody else's state came in between: it is not lost.
    moved = f"git -C {github.bare} update-ref refs/heads/digest-state refs/heads/main; echo two > var/mark"
    outcomes = github.run(readers="true", run=moved)
    assert outcomes == {**ALL_WELL, "Keep the state": "failure"}
    assert "stale info" in github.summary
    assert github.tip("digest-state") == github.tip("main") != first


def test_a_run_that_failed_in_part_is_a_warning(github: Github) -> None:
    script = step_named("Run")["run"]
    for code, outcome in ((0, "success"), (3, "success"), (1, "failure"), (130, "failure")):
        shim = f"digest() {{ return {code}; }}\n"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", shim + script], capture_output=True, text=True, check=False
        )
        assert ("failure" if done.returncode else "success") == outcome
        assert ("::warning::" in done.stdout) is (code == 3)


def test_addresses_of_readers_are_kept_in_private_only(github: Github) -> None:
    github.commit({"subscribers.csv": "address,consented_at\nreader@mail.example,2026-11-01T08:00:00Z\n"})
    outcomes = github.run(run="true")
    assert outcomes == {
        "Fetch the state": "success",
        "Readers": "failure",
        "Run": "skipped",
        "Keep the state": "skipped",
    }
    assert github.tip("digest-state") == ""


@pytest.mark.parametrize(
    ("readers", "private", "outcome"),
    [
        (0, "", "success"),
        (0, "yes", "success"),
        (2, "", "failure"),
        (2, "no", "failure"),
        (2, "yes", "success"),
    ],
)
def test_a_private_state_may_hold_readers(tmp_path: Path, readers: int, private: str, outcome: str) -> None:
    shim = f"digest() {{ echo '{{\"subscribers\": {[{}] * readers}}}'; }}\n"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", shim + step_named("Readers")["run"]],
        cwd=tmp_path,
        env={**os.environ, "STATE_IS_PRIVATE": private},
        capture_output=True,
        check=False,
    )
    assert ("failure" if done.returncode else "success") == outcome
