"""Which code is running: the commit it was checked out at, or the version of the package."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent


def code_version(folder: Path = HERE) -> str:
    """The git commit of `folder` (40 hex digits, `-dirty` behind them where files differ), else the package's version.

    `unknown` where there is neither.
    """
    question = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        told = subprocess.run(question, capture_output=True, text=True, check=True)  # noqa: S603 - no input of others
        return told.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        return version("touchstone")
    except PackageNotFoundError:
        return "unknown"
