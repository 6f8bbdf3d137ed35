"""The size and SHA-256 of files in a folder, and whether they still are what was written."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.refusal import Refusal


@dataclass(frozen=True)
class FileSum:
    """What a file held when it was written: its length and the hexadecimal SHA-256 of its content."""

    bytes: int
    sha256: str


Sums = Mapping[str, FileSum]


def file_sum(path: Path) -> FileSum:
    """The sum of one file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileSum(file.tell(), digest.hexdigest())


def file_sums(folder: Path, names: Iterable[str]) -> Sums:
    """The sum of each of the files `names` in `folder`."""
    return {name: file_sum(folder / name) for name in names}


def sums_record(sums: Sums) -> dict[str, dict[str, Any]]:
    """Sums as JSON; `sums_of` reads them back."""
    return {name: asdict(each) for name, each in sums.items()}


def sums_of(record: Mapping[str, Mapping[str, Any]]) -> Sums:
    """Sums from JSON; KeyError, TypeError or ValueError where they are none."""
    return {str(name): FileSum(int(each["bytes"]), str(each["sha256"])) for name, each in record.items()}


def require_whole(folder: Path, sums: Sums) -> None:
    """Raise Refusal where a file is missing or has another length; cheap, since nothing is read."""
    for name, promised in sums.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != promised.bytes:
            raise Refusal(f"{path} is not whole ({promised.bytes} bytes expected). Run `touchstone score` again.")


def require_unchanged(folder: Path, sums: Sums) -> None:
    """Raise Refusal where a file is not, byte for byte, the one that was written; reads all of them."""
    require_whole(folder, sums)
    changed = [name for name, promised in sums.items() if file_sum(folder / name) != promised]
    if changed:
        raise Refusal(
            f"{', '.join(changed)} in {folder} changed since it was written. "
            "Delete the folder and run `touchstone score`."
        )
