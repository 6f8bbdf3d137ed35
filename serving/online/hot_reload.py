"""The publication in service, changed between two requests when scoring publishes the next."""

import logging
import threading
import time

from data.errors import UserError
from data.workspace import Workspace
from serving.online.store import OnlineStore, open_online_store
from serving.publication import published_name

LOOK_SECONDS = 0.05
RETRY_SECONDS = 2.0
"""A broken publication is looked at again after so long, in case somebody mended it."""


class HotReloader:
    """Keeps the publication in service open, and changes to the next one between two requests, never within one.

    Once it watches, a thread of its own opens the next publication while every request is answered from the present
    one. A broken one is said once in the log, and again when it is broken otherwise.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: OnlineStore | None = None
        self._refused: tuple[str | None, str] = (None, "")
        self._again_at = 0.0

    def at_hand(self) -> OnlineStore | None:
        """The publication to answer this request from, None where the first is not open yet; takes no time."""
        return self._open

    def published(self) -> OnlineStore:
        """The publication to answer this request from; the first one is opened for whoever asks.

        Raises UserError where nothing was published yet, or nothing readable.
        """
        present = self._open
        if present is not None:
            return present
        with self._lock:
            return self._changed_to(published_name(self._workspace))

    def look(self) -> None:
        """Change to the next publication where there is one and it is whole."""
        present, name = self._open, published_name(self._workspace)
        if present is None or name in (present.name, None) or self._is_refused(name):
            return
        with self._lock:
            self._changed_to(name)

    def watch(self) -> None:
        """Look again and again, in a thread that ends with the process."""
        threading.Thread(target=self._look_on, name="desk", daemon=True).start()

    def _look_on(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception as error:
                self._tell(None, f"The next publication cannot be opened ({type(error).__name__}).")
                time.sleep(RETRY_SECONDS)

    def _is_refused(self, name: str | None) -> bool:
        # The steady clock: the time of day may jump.
        return self._refused[0] == name and time.monotonic() < self._again_at

    def _changed_to(self, name: str | None) -> OnlineStore:
        if self._open is None or self._open.name != name:
            try:
                self._open = open_online_store(self._workspace)
            except UserError as refusal:
                self._tell(name, str(refusal))
                if self._open is None:
                    raise
        return self._open

    def _tell(self, name: str | None, why: str) -> None:
        if self._refused != (name, why):
            stays = f"Still answering from {self._open.name}." if self._open else "Not ready."
            logging.getLogger("bentoml").warning("%s %s", why, stays)
        self._refused, self._again_at = (name, why), time.monotonic() + RETRY_SECONDS
