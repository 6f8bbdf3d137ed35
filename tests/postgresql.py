"""A PostgreSQL server of the tests' own: Debian's binaries, a folder under /tmp, loopback only."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa


def binaries() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class PostgreSQL:
    """A server of its own at the SQLAlchemy `address` of its database, to be stopped and started again."""

    programs: Path
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """The address of its database, empty at first."""
        return f"postgresql://touchstone@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Listen on loopback."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        self._control("--wait", "--log", self.folder / "log", "--options", options, "start")

    def stop(self) -> None:
        """End at once, without a word to whoever is connected."""
        self._control("--mode", "immediate", "stop")

    def _control(self, *words: object) -> None:
        _run(self.programs / "pg_ctl", "--pgdata", self.folder / "data", *words)


@contextmanager
def postgresql_server(programs: Path) -> Iterator[PostgreSQL]:
    """A running server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="touchstone-postgresql-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = PostgreSQL(programs, folder, port)
    words = ("--username", "touchstone", "--auth", "trust", "--no-sync")
    _run(programs / "initdb", "--pgdata", folder / "data", *words)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _run(*words: object) -> None:
    """Run as the user postgres where we are root: the server refuses root."""
    become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    subprocess.run([*become, *map(str, words)], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)


def empty_database(address: str) -> str:
    """Take every table out of the database at this address; return the address."""
    engine = sa.create_engine(sa.make_url(address).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return address
