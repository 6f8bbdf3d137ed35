"""The database of the state as a service needs it: opened when first needed, and again after it was gone."""

import threading

import sqlalchemy as sa

from data.database.connection import open_state


class State:
    """One engine for all threads of a worker, opened at the first question."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None

    def engine(self) -> sa.Engine:
        """The open database; Refusal where it cannot be reached, and another try at the next question."""
        with self._lock:
            if self._engine is None:
                self._engine = open_state(self._address)
            return self._engine
