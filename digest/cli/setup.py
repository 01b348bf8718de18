"""`digest init`: a working folder to start from."""

from __future__ import annotations

from pathlib import Path

import click

from digest.cli.console import Console, shown
from digest.errors import UsageError


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def init(console: Console, folder: Path) -> None:
    """Write a commented config.toml and sample listings into DIR (default: here). Nothing that exists is overwritten."""
    from digest.app.opening import shipped

    root = Path.cwd() / folder
    config = root / "config.toml"
    if config.exists():
        raise UsageError(
            f"{shown(config)} exists already and is left as it is. Name another folder: `digest init DIR`."
        )
    files = {"config.toml": shipped("config.toml")}
    for sample in sorted(shipped("examples/listings").iterdir()):
        files[f"examples/listings/{sample.name}"] = sample
    try:
        written = [root / name for name, origin in files.items() if _copy(origin, root / name)]
    except OSError as error:
        raise UsageError(
            f"{error.filename}: cannot be written: {error.strerror}. Choose a folder that you may write to."
        ) from error
    console.answer({"folder": str(root), "written": [str(path) for path in written]})
    for path in written:
        console.result(f"wrote {shown(path)}")
    where = "" if root == Path.cwd() else f"cd {shown(root)} && "
    console.result(f"\nNext: {where}digest run")


def _copy(origin: Path, target: Path) -> bool:
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(origin.read_bytes())
    return True
