"""The publication in service, changed between two requests when scoring publishes the next."""

import logging
import threading
import time

from data.refusal import Refusal
from data.workspace import Workspace
from serving.publication import published_name
from serving.published import Published, published_now

RETRY_SECONDS = 2.0
"""A broken publication is looked at again after so long, in case somebody mended it."""


class Desk:
    """Keeps the publication in service open, and changes to the next one between two requests, never within one.

    The request that finds a new publication opens it; the others are answered from the present one meanwhile. A broken
    one is said once in the log, and again when it is broken otherwise.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: Published | None = None
        self._refused: tuple[str | None, str] = (None, "")
        self._again_at = 0.0

    def at_hand(self) -> Published | None:
        """The publication to answer this request from, where nothing has to be opened first; takes no time."""
        present, name = self._open, published_name(self._workspace)
        if present is not None and (name in (present.name, None) or self._is_refused(name)):
            return present
        return None

    def published(self) -> Published:
        """The publication to answer this request from; the previous one where the next one is broken.

        Raises Refusal where nothing was published yet, or nothing readable.
        """
        at_hand = self.at_hand()
        if at_hand is not None:
            return at_hand
        present, name = self._open, published_name(self._workspace)
        if not self._lock.acquire(blocking=present is None):
            assert present is not None
            return present
        try:
            return self._changed_to(name)
        finally:
            self._lock.release()

    def _is_refused(self, name: str | None) -> bool:
        # The steady clock: the time of day may jump.
        return self._refused[0] == name and time.monotonic() < self._again_at

    def _changed_to(self, name: str | None) -> Published:
        if self._open is None or self._open.name != name:
            try:
                self._open = published_now(self._workspace)
            except Refusal as refusal:
                self._tell(name, str(refusal))
                if self._open is None:
                    raise
        return self._open

    def _tell(self, name: str | None, why: str) -> None:
        if self._refused != (name, why):
            stays = f"Still answering from {self._open.name}." if self._open else "Not ready."
            logging.getLogger("bentoml").warning("%s %s", why, stays)
        self._refused, self._again_at = (name, why), time.monotonic() + RETRY_SECONDS
