"""A PostgreSQL server of the tests' own: Debian's binaries, a folder under /tmp, loopback only."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgresql_server(programs: Path) -> Iterator[str]:
    """A running server; yields the SQLAlchemy address of its empty database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="touchstone-postgresql-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    store = folder / "data"
    _run(programs / "initdb", "--pgdata", store, "--username", "touchstone", "--auth", "trust", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    _run(programs / "pg_ctl", "--pgdata", store, "--wait", "--log", folder / "log", "--options", options, "start")
    try:
        yield f"postgresql://touchstone@127.0.0.1:{port}/postgres"
    finally:
        _run(programs / "pg_ctl", "--pgdata", store, "--mode", "immediate", "stop")
        shutil.rmtree(folder)


def _run(*words: object) -> None:
    """Run as the user postgres where we are root: the server refuses root."""
    become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    subprocess.run([*become, *map(str, words)], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)
