"""The server that started this worker: when it is gone, so is the worker, which nobody would start or stop again."""

import os
import signal
import threading
import time

LOOK_SECONDS = 1.0
LAST_ANSWERS_SECONDS = 5.0


def end_with_parent() -> None:
    """From now on end this process when its parent is gone, also where that was killed.

    A worker left over would keep the port, so that no new server could take its place. Answers under way get
    `LAST_ANSWERS_SECONDS`; what was accepted is in the database before it is answered.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_ANSWERS_SECONDS)
    os._exit(1)
