"""The size and SHA-256 of files in a folder, and whether they still are what was written."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from data.errors import UserError


@dataclass(frozen=True)
class FileSum:
    """What a file held when it was written: its length and the hexadecimal SHA-256 of its content."""

    bytes: int
    sha256: str


Sums = Mapping[str, FileSum]
MadeT = TypeVar("MadeT")

AGAIN = "Run `touchstone score` to write it anew."


@dataclass(frozen=True)
class StatementFile:
    """The JSON file `name` of a folder that says what the folder holds and the sum of every other file in it.

    It is written last, so a folder without it is half-written. `of` is what the folder holds, in the singular;
    `format` grows with every change of what is written.
    """

    name: str
    of: str
    format: int

    def write(self, folder: Path, record: Mapping[str, Any], files: Sums) -> None:
        """Write the statement into `folder`."""
        text = json.dumps({"format": self.format, **record, "files": sums_record(files)}, indent=1) + "\n"
        (folder / self.name).write_text(text, encoding="utf-8")

    def read(self, folder: Path, made: Callable[[dict[str, Any], Sums], MadeT], digest: str | None = None) -> MadeT:
        """What `made` makes of the record and of the sums of the files, which are there and as long as they were.

        Raises UserError where the statement is absent, of another `digest` or format, where `made` cannot read the
        record (KeyError, TypeError, ValueError), or a file is missing or cut short.
        """
        path = folder / self.name
        if not path.is_file():
            raise UserError(f"There is no complete {self.of} in {folder}: {self.name} is missing. {AGAIN}")
        if digest not in (None, file_sum(path).sha256):
            raise UserError(f"{folder} holds another {self.of} than the one that was published. {AGAIN}")
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found, files = record.pop("format"), sums_of(record.pop("files"))
            statement = made(record, files) if found == self.format else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is not a statement of a {self.of} ({error}). {AGAIN}") from error
        if statement is None:
            raise UserError(f"{path} has format {found}, this version reads {self.format}. {AGAIN}")
        require_whole(folder, files)
        return statement


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
    """Raise UserError where a file is missing or has another length; cheap, since nothing is read."""
    for name, promised in sums.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != promised.bytes:
            raise UserError(f"{path} is not whole ({promised.bytes} bytes expected). Run `touchstone score` again.")


def require_unchanged(folder: Path, sums: Sums) -> None:
    """Raise UserError where a file is not, byte for byte, the one that was written; reads all of them."""
    require_whole(folder, sums)
    changed = [name for name, promised in sums.items() if file_sum(folder / name) != promised]
    if changed:
        raise UserError(
            f"{', '.join(changed)} in {folder} changed since it was written. "
            "Delete the folder and run `touchstone score`."
        )
