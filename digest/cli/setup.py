"""`digest init`: a working folder to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote

import click

from digest.cli.console import Console, shown
from digest.errors import UsageError
from digest.paths import exists


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def init(console: Console, folder: Path) -> None:
    """Write a commented config.toml and sample listings into DIR (default: here). Nothing that exists is overwritten."""
    from digest.app.opening import shipped

    try:
        root = Path.cwd() / folder
        written = _written(root, shipped)
    except OSError as error:
        # Neither a folder that is gone nor a full disk names a file.
        where = shown(Path(error.filename)) if error.filename else str(folder)
        raise UsageError(
            f"{where}: cannot be written: {error.strerror}. Choose a folder that you may write to, with room in it."
        ) from error
    console.answer({"folder": str(root), "written": [str(path) for path in written]})
    for path in written:
        console.result(f"wrote {shown(path)}")
    where = "" if root == Path.cwd() else f"cd {quote(shown(root))} && "
    console.result(f"\nNext: {where}digest run")


def _written(root: Path, shipped: Callable[[str], Path]) -> list[Path]:
    """Copies what is shipped; the files that were not there. The configuration comes last: it says that the folder is whole."""
    config = root / "config.toml"
    if exists(config):
        raise UsageError(
            f"{shown(config)} exists already and is left as it is. Name another folder: `digest init DIR`."
        )
    files = {
        f"examples/listings/{sample.name}": sample
        for sample in sorted(shipped("examples/listings").iterdir())
    }
    files["config.toml"] = shipped("config.toml")
    return [root / name for name, origin in files.items() if _copy(origin, root / name)]


def _copy(origin: Path, target: Path) -> bool:
    if exists(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(origin.read_bytes())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return True
