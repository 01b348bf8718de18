"""Themes: folders of templates that win over those that come with the program and lose to the operator's own."""

from __future__ import annotations

import os
from pathlib import Path

from digest.config import nearest
from digest.errors import ConfigError
from digest.paths import is_file, is_folder

FOLDER = "themes"


def theme_folders(theme: str, own: Path, shipped: Path) -> list[Path]:
    """The folders that templates are taken from, the first that has one wins: the operator's, their theme of that name, the
    theme that comes with the program, its templates. Those of the operator need not exist.

    Raises ConfigError, with the themes that there are, for a name that is no folder in either place, and for templates that may
    not be read or are no folder: they would be passed over without a word.
    """
    try:
        if is_file(own):
            raise ConfigError(
                f'[site]: "templates" is {own}, which is a file. Name a folder.', key="templates"
            )
        folders = [folder for folder in (own, own / FOLDER / theme) if is_folder(folder)]
    except OSError as error:
        raise ConfigError(
            f"[site]: the templates in {own} cannot be read: {error.strerror}. Check path and rights.",
            key="templates",
        ) from None
    for folder in folders:
        if not os.access(folder, os.R_OK | os.X_OK):
            raise ConfigError(
                f"[site]: the templates in {folder} may not be read by this user. Mend its rights.",
                key="templates",
            )
    there = known_themes(own, shipped)
    if theme not in there:
        raise ConfigError(
            f'[site]: no theme "{theme}" in {own / FOLDER} or among those that come with the program ({", ".join(there)}). '
            f'{nearest(theme, there)} Write theme = "plain" for the usual look.',
            key="theme",
        )
    return [own, own / FOLDER / theme, shipped / FOLDER / theme, shipped]


def known_themes(own: Path, shipped: Path) -> list[str]:
    """The names of all themes, the operator's and those that come with the program, in alphabetical order."""
    folders = (folder for root in (own, shipped) for folder in (root / FOLDER).glob("*/"))
    return sorted({folder.name for folder in folders if not folder.name.startswith(".")})
