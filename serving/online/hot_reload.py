"""Hot reload: the publication in service, changed between two requests when scoring publishes the next."""

import logging
import threading
import time

from data.errors import UserError
from data.workspace import Workspace
from serving.online.store import OnlineStore, open_online_store
from serving.publication import published_name

POLL_SECONDS = 0.05
RETRY_SECONDS = 2.0
"""A broken publication is opened once more after so long, in case somebody mended it."""


class HotReloader:
    """Keeps the publication in service open, and changes to the next one between two requests, never within one.

    After `start_polling`, a thread of its own opens the next publication while every request is answered from the
    present one. A broken one is logged once, and once more when it is broken in another way.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: OnlineStore | None = None
        self._failure: tuple[str | None, str] = (None, "")
        self._retry_at = 0.0

    def current(self) -> OnlineStore | None:
        """The open store, None before the first is open; never waits."""
        return self._open

    def store(self) -> OnlineStore:
        """The store to answer this request from; the first call opens it.

        Raises UserError where nothing was published yet, or nothing readable.
        """
        present = self._open
        if present is not None:
            return present
        with self._lock:
            return self._reload(published_name(self._workspace))

    def poll(self) -> None:
        """Change to the next publication where there is one and it is whole."""
        present, name = self._open, published_name(self._workspace)
        if present is None or name in (present.name, None) or self._failed_lately(name):
            return
        with self._lock:
            self._reload(name)

    def start_polling(self) -> None:
        """Poll for ever in a thread that ends with the process."""
        threading.Thread(target=self._poll_for_ever, name="hot-reload", daemon=True).start()

    def _poll_for_ever(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                self.poll()
            except Exception as error:
                self._log_failure(None, f"The next publication cannot be opened ({type(error).__name__}).")
                time.sleep(RETRY_SECONDS)

    def _failed_lately(self, name: str | None) -> bool:
        # The steady clock: the time of day may jump.
        return self._failure[0] == name and time.monotonic() < self._retry_at

    def _reload(self, name: str | None) -> OnlineStore:
        if self._open is None or self._open.name != name:
            try:
                self._open = open_online_store(self._workspace)
            except UserError as error:
                self._log_failure(name, str(error))
                if self._open is None:
                    raise
        return self._open

    def _log_failure(self, name: str | None, why: str) -> None:
        if self._failure != (name, why):
            stays = f"Still answering from {self._open.name}." if self._open else "Not ready."
            logging.getLogger("bentoml").warning("%s %s", why, stays)
        self._failure, self._retry_at = (name, why), time.monotonic() + RETRY_SECONDS
