"""A run says which code made it: the commit where there is one, else the package's version."""

import re
import subprocess
from pathlib import Path

from training.code_version import code_version


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, as nobody in particular."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_outside_of_a_checkout_it_is_the_version_of_the_package(tmp_path: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", code_version(tmp_path))


def test_a_checkout_tells_its_commit_and_whether_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "one")
    clean = code_version(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}", clean)
    (tmp_path / "a.txt").write_text("two", encoding="utf-8")
    assert code_version(tmp_path) == f"{clean}-dirty"
