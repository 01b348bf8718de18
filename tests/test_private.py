"""What is for nobody's eyes: it is never published, not readable for other users of the machine, and in no log line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.app.keeping import back_up
from digest.cli.console import Console
from digest.config import Config
from digest.errors import ConfigError, UsageError
from digest.store import open_store
from pages import installation


def refused(config: Config) -> str:
    with pytest.raises(ConfigError) as caught:
        open_app(config)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("output", "inside"),
    [
        (".", "this file and the store and the folder of [mail]"),
        ("var", "the store and the folder of [mail]"),
    ],
)
def test_a_folder_that_is_published_holds_no_file_of_readers(
    tmp_path: Path, output: str, inside: str
) -> None:
    made = installation(tmp_path)
    made = replace(
        made,
        site=replace(made.site, output=output),
        store=replace(made.store, url="sqlite:///var/digest.db"),
        mail=replace(made.mail, folder="var/outbox"),
    )
    (tmp_path / "elsewhere").symlink_to(tmp_path / output)
    for name in (output, str(tmp_path / output), "elsewhere"):
        said = refused(replace(made, site=replace(made.site, output=name)))
        assert f"all that lies in it is published: also {inside}. Give it a folder of its own" in said


def test_mail_in_the_folder_that_is_published_is_refused_and_beside_it_is_not(tmp_path: Path) -> None:
    made = installation(tmp_path)
    inside = replace(made, mail=replace(made.mail, folder="feeds/outbox"))
    assert "the folder of [mail]" in refused(inside)
    with open_app(replace(inside, mail=replace(inside.mail, folder="feeds-outbox"))):
        pass


def test_no_backup_goes_where_all_is_published(tmp_path: Path) -> None:
    made = installation(tmp_path)
    (tmp_path / "feeds").mkdir()
    with pytest.raises(UsageError, match=r"b\.db would be published"):
        back_up(made, tmp_path / "var" / ".." / "feeds" / "b.db", done=lambda rows: None)
    assert list((tmp_path / "feeds").iterdir()) == []


def test_a_new_store_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'var' / 'digest.db'}") as store:
        store.secret()
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()} == {0o600}


def test_the_rights_of_a_store_that_is_there_are_left(tmp_path: Path) -> None:
    file = tmp_path / "digest.db"
    file.touch(0o640)
    file.chmod(0o640)
    with open_store(f"sqlite:///{file}"):
        pass
    assert file.stat().st_mode & 0o777 == 0o640


def test_no_line_of_the_log_holds_a_mail_address(capsys: pytest.CaptureFixture[str]) -> None:
    Console(config=None, store=None, output=None, as_json=False, color="never", verbose=False, quiet=False)
    try:
        raise ValueError("ann@mail.example left")
    except ValueError:
        logging.getLogger("digest.web").exception("letters: %r is no address", "bo@mail.example")
    said = capsys.readouterr().err
    assert "letters: '(address)' is no address" in said
    assert "ValueError: (address) left" in said
    assert "mail.example" not in said
