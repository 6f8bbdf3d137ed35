"""The publication in service, changed between two requests when scoring publishes the next."""

import threading

from data.refusal import Refusal
from data.workspace import Workspace
from serving.publication import published_name
from serving.published import Published, published_now


class Desk:
    """Keeps the publication in service open, and changes to the next one between two requests, never within one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: Published | None = None

    def published(self) -> Published:
        """The publication to answer this request from; the previous one where the next one is broken.

        Raises Refusal where nothing was published yet, or nothing readable.
        """
        present, name = self._open, published_name(self._workspace)
        if present is not None and name in (present.name, None):
            return present
        with self._lock:
            return self._changed_to(name)

    def _changed_to(self, name: str | None) -> Published:
        if self._open is None or self._open.name != name:
            try:
                self._open = published_now(self._workspace)
            except Refusal:
                if self._open is None:
                    raise
        return self._open
