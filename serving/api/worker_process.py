"""A worker of the service as a process: its own socket beside those of the others, and its end with its parent."""

import os
import signal
import socket
import threading
import time

PARENT_POLL_SECONDS, GRACE_SECONDS = 1.0, 5.0


def own_socket(common: socket.socket) -> socket.socket:
    """A socket of the address of `common`, to which the kernel gives its share of the connections (SO_REUSEPORT).

    `common` itself where it does not share its address.
    """
    if common.family == socket.AF_UNIX or not common.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        return common
    own = socket.socket(common.family, common.type)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        own.setsockopt(socket.SOL_SOCKET, option, 1)
    own.bind(common.getsockname())
    return own


def reserve_address(common: socket.socket, host: str, port: int) -> None:
    """Bind `common` so that workers can share its address; it does not listen itself.

    Raises OSError where another service has the address, which sharing would otherwise let it keep.
    """
    socket.create_server((host, port), family=common.family).close()
    common.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    common.bind((host, port))


def exit_with_parent() -> None:
    """From now on end this process when the server that started it is gone, also where that was killed.

    A worker left over would hold the port (test_a_worker_ends_with_the_server_that_started_it). Answers under way get
    `GRACE_SECONDS`; what was accepted is in the database before it is answered.
    """
    threading.Thread(target=_exit_when_orphaned, args=(os.getppid(),), name="parent", daemon=True).start()


def _exit_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
