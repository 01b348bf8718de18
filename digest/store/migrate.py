"""Brings a store to the schema of this program, by yoyo. Imported only when a look at the version says that it is not there yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from yoyo import get_backend, read_migrations
from yoyo.exceptions import LockTimeout

from digest.errors import StoreError
from digest.store.database import HERE, SCHEMA

if TYPE_CHECKING:
    from digest.store.postgres import Postgres
    from digest.store.sqlite import Sqlite

log = logging.getLogger(__name__)


def migrate(database: Sqlite | Postgres) -> None:
    """Applies what is missing. Safe against a kill at any point and against a second process; raises StoreError.

    Beside a store in a file that holds something already, a copy from before is kept first.
    """
    logging.getLogger("yoyo.migrations").setLevel(logging.WARNING)
    with database.sole_migrator():
        try:
            if 0 < database.schema() < SCHEMA:
                _keep_copy(database)
            _apply(database)
        except (database.driver_error, LockTimeout) as error:
            reason = database.explain(error)
            raise StoreError(f"The schema could not be brought up to date. {reason}") from error


def _keep_copy(database: Sqlite | Postgres) -> None:
    if copy := database.copy_before(SCHEMA):
        log.warning(
            "The store %s is brought to schema %d. As it was before, it is kept at %s: delete that when all is well.",
            database.where,
            SCHEMA,
            copy,
        )


def _apply(database: Sqlite | Postgres) -> None:
    with get_backend(database.migration_url) as backend:
        # We alone are here (sole_migrator), so that a lock of yoyo's can only be that of a process that died.
        backend.break_lock()
        migrations = read_migrations(str(HERE / "migrations" / database.dialect))
        # yoyo notes a migration after its transaction; the version that the migration itself sets is the truth.
        schema = database.schema()
        done = [m for m in backend.to_apply(migrations) if int(m.id.partition("-")[0]) <= schema]
        backend.mark_migrations(done)
        backend.apply_migrations(backend.to_apply(migrations))
