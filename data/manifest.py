"""The manifest of a folder: what it holds, and the size and SHA-256 of every file in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from data.errors import UserError

AGAIN = "Run `touchstone score` to write it anew."
ContentT = TypeVar("ContentT")


@dataclass(frozen=True)
class FileSum:
    """What a file held when it was written: its length and the hexadecimal SHA-256 of its content."""

    bytes: int
    sha256: str


Sums = Mapping[str, FileSum]
SUMS = TypeAdapter(Sums)


@dataclass(frozen=True)
class Manifest(Generic[ContentT]):
    """The JSON file `name` of a folder: its format, what it holds (a `content`) and the sum of every other file.

    It is written last, so a folder without it is half-written. `of` is what the folder holds, in the singular; `format`
    grows with every change of what is written. Readers raise UserError where the manifest is absent, of another digest
    or format or not readable, or where a file is missing or cut short.
    """

    name: str
    of: str
    format: int
    content: type[ContentT]

    def write(self, folder: Path, content: ContentT) -> None:
        """Write the manifest of `folder`, where every other file lies already."""
        sums = {path.name: file_sum(path) for path in sorted(folder.iterdir()) if path.name != self.name}
        record = {
            "format": self.format, "content": TypeAdapter(self.content).dump_python(content, mode="json"),
            "files": SUMS.dump_python(sums, mode="json"),
        }  # fmt: skip
        (folder / self.name).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def digest(self, folder: Path) -> str:
        """The SHA-256 of the manifest, which holds the sum of every other file."""
        return file_sum(folder / self.name).sha256

    def read(self, folder: Path, digest: str | None = None) -> ContentT:
        """What `folder` holds, the one of this `digest` where one is given; no other file is read."""
        return self._read(folder, digest)[0]

    def verify(self, folder: Path) -> ContentT:
        """As `read`, and raises UserError where a file is not, byte for byte, the one that was written; reads all."""
        content, sums = self._read(folder, None)
        changed = [name for name, promised in sums.items() if file_sum(folder / name) != promised]
        if changed:
            raise UserError(f"{', '.join(changed)} in {folder} changed since it was written. {AGAIN}")
        return content

    def _read(self, folder: Path, digest: str | None) -> tuple[ContentT, Sums]:
        path = folder / self.name
        if not path.is_file():
            raise UserError(f"There is no complete {self.of} in {folder}: {self.name} is missing. {AGAIN}")
        if digest not in (None, self.digest(folder)):
            raise UserError(f"{folder} holds another {self.of} than the one that was published. {AGAIN}")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if (given := record["format"]) != self.format:
                raise UserError(f"{path} has format {given}, this version reads {self.format}. {AGAIN}")
            content = TypeAdapter(self.content).validate_python(record["content"])
            sums = SUMS.validate_python(record["files"])
        except (ValueError, KeyError, TypeError) as error:
            why = " ".join(str(error).split())
            raise UserError(f"{path} is not the manifest of a {self.of} ({why}). {AGAIN}") from error
        _require_whole(folder, sums)
        return content, sums


def file_sum(path: Path) -> FileSum:
    """The sum of one file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileSum(file.tell(), digest.hexdigest())


def _require_whole(folder: Path, sums: Sums) -> None:
    """Raise UserError where a file is missing or has another length; cheap, since nothing is read."""
    for name, promised in sums.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != promised.bytes:
            raise UserError(f"{path} is not whole ({promised.bytes} bytes expected). {AGAIN}")
