"""A run in a process of its own: what an operator waits for from the command to its end."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BYTECODE = Path(tempfile.gettempdir()) / "touchstone-bytecode"


def run_anew(*arguments: str, code: Path | None = None, timeout_seconds: float | None = None) -> tuple[str, float]:
    """Run this Python with the arguments; what it printed, and the seconds from its start to its end.

    Raises subprocess.TimeoutExpired where it takes longer than it may, CalledProcessError where it fails.
    `code` is the checkout whose modules are imported, None this one. Compiled bytecode lies ready in BYTECODE from the
    second run on, as it does beside packages that pip installed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if code is not None:
        environment["PYTHONPATH"] = str(code)
    environment["PYTHONPYCACHEPREFIX"] = str(BYTECODE)
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=environment,
        timeout=timeout_seconds,
    )  # fmt: skip
    return done.stdout, time.perf_counter() - started
