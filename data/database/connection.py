"""The database of the state: SQLite in the workspace, or PostgreSQL by address; always at the newest migration."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data.errors import UnavailableError, UserError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
BUSY_SECONDS = 10
_MIGRATION_LOCK = 7_463_001  # any constant: PostgreSQL's advisory locks are numbered by their users


def open_database(address: str) -> sa.Engine:
    """The database at a SQLAlchemy address (`sqlite:///FILE` or `postgresql+psycopg://...`), migrated to the newest.

    Raises UserError where it cannot be reached, or was written by a newer version of this software.
    """
    engine = _create_engine(address)
    try:
        with write_transaction(engine) as connection:
            _migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def read_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that sees one state. Raises UserError where the database is locked or gone."""
    with translate_errors(engine), engine.begin() as connection:
        yield connection


@contextmanager
def write_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that writes, whole or not at all; SQLite lets in one writer at a time.

    Raises UserError where the database stays locked for `BUSY_SECONDS`, is full, or is gone.
    """
    with translate_errors(engine), engine.execution_options(writing=True).begin() as connection:
        yield connection


def _create_engine(address: str) -> sa.Engine:
    try:
        url = sa.make_url(address)
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise UserError(
                f"The state cannot be kept in {url.get_backend_name()}. Give an address of SQLite or PostgreSQL."
            )
        if url.get_backend_name() == "sqlite":
            return _create_sqlite_engine(url)
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise UserError(f"The database address cannot be used: {error}. Mend TOUCHSTONE_DATABASE_URL.") from error


def _create_sqlite_engine(url: sa.URL) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={} if "timeout" in url.query else {"timeout": BUSY_SECONDS})
    if url.database and url.database != ":memory:":
        _follow_database_file(engine, Path(url.database))

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        # SQLAlchemy's own page on SQLite transactions: the driver must not begin by itself.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _follow_database_file(engine: sa.Engine, path: Path) -> None:
    """Refuse a database file that is gone, and reconnect where another replaced it.

    A connection would go on writing to what no name leads to any more, and a new one begin an empty database.
    """

    def identity() -> tuple[int, int] | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    opened = False

    @sa.event.listens_for(engine, "do_connect")
    def _require(*_: object) -> None:
        if opened and identity() is None:
            raise UnavailableError(f"The database {path.name} is gone. Nothing was written; put it back.")

    @sa.event.listens_for(engine, "connect")
    def _note(_: object, record: Any) -> None:
        nonlocal opened
        opened, record.info["file"] = True, identity()

    @sa.event.listens_for(engine, "checkout")
    def _compare(_: object, record: Any, __: object) -> None:
        if identity() != record.info["file"]:
            raise sa.exc.DisconnectionError


@contextmanager
def translate_errors(engine: sa.Engine) -> Iterator[None]:
    """Raise UnavailableError where the database is locked, full or gone."""
    try:
        yield
    except sa.exc.OperationalError as error:
        # Its file or name alone: the sentence goes over HTTP as well.
        reason = str(error.orig).strip().splitlines()[0]
        name = Path(engine.url.database or "").name
        sentence = f"The database {name} cannot be used: {reason}. Nothing was written; try again."
        raise UnavailableError(sentence) from error


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision == scripts.get_current_head():
        return
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        address = connection.engine.url.render_as_string(hide_password=True)
        raise UserError(
            f"The database {address} is at revision {revision}, which this version does not know. Use a newer version."
        )
    command.upgrade(config, "head")


class LazyEngine:
    """One engine for all threads of a worker, opened on first use."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None

    def engine(self) -> sa.Engine:
        """The open database; UserError where it cannot be reached, and another try on the next use."""
        with self._lock:
            if self._engine is None:
                self._engine = open_database(self._address)
            return self._engine
