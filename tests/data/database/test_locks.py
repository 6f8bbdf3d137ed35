"""Locks: one holder at a time, none that outlives its process."""

import subprocess
import sys
from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from data.database.locks import hold_lock
from data.errors import UserError

HOLDER = """
import os, sys
from data.database.connection import open_database
from data.database.locks import hold_lock
with hold_lock(open_database(sys.argv[1]), "night"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_has_one_holder_of_all_processes_and_none_that_was_killed(address: str) -> None:
    """On SQLite of one machine, on PostgreSQL of all that use the database."""
    engine = open_database(address)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with hold_lock(engine, "drawing", "taken"), pytest.raises(UserError, match="taken"), _tried(engine):
        raise AssertionError
    holder.kill()
    holder.communicate()
    with hold_lock(engine, "night"):
        pass
    with _tried(engine):
        pass
    engine.dispose()


def _tried(engine: sa.Engine) -> AbstractContextManager[None]:
    return hold_lock(engine, "night", "taken")
