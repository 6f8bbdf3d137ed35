"""Checkpoint of one scoring of a catalogue: the folder of its finished parts, which a killed run leaves to the next."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.errors import UserError

ROOMS = ("data", "features", "models", "serving")


@dataclass(frozen=True)
class ScoringCheckpoint:
    """A folder next to the scores that holds finished files only; the same work always gets the same folder.

    `unranked/*.arrow` are scored rows that wait for their rank, `parts/part-*.parquet` the files to be published.
    """

    folder: Path

    def unranked(self, number: int) -> Path:
        """The scored rows of one part."""
        return self.folder / "unranked" / f"{number:05}.arrow"

    @property
    def parts(self) -> Path:
        """The folder that becomes the scores."""
        return self.folder / "parts"

    def part(self, number: int) -> Path:
        """The finished file of one part."""
        return self.parts / f"part-{number:05}.parquet"

    @property
    def previous(self) -> Path:
        """The previous scores, while the new ones are renamed into their place."""
        return self.folder / "replaced"

    def publish(self, target: Path) -> None:
        """Rename `parts` to `target` and delete the rest."""
        if target.exists():
            target.replace(self.previous)
        self.parts.replace(target)
        shutil.rmtree(self.folder)


@cache
def code_version() -> str:
    """12 hex digits that name the sources of this room and of those that it may import for a score."""
    digest, home = hashlib.sha256(), Path(__file__).resolve().parents[2]
    for source in sorted(path for room in ROOMS for path in (home / room).rglob("*.py")):
        digest.update(source.relative_to(home).as_posix().encode("utf-8") + source.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def open_checkpoint(target: Path, inputs: tuple[str, ...]) -> Iterator[ScoringCheckpoint]:
    """The checkpoint of the work that `inputs` identify; those of any other work for `target` are deleted.

    Other code is other work. An error or a killed process leaves the finished files for the next run. Raises
    UserError where another process is scoring for the same target.
    """
    name = hashlib.sha256("\n".join((*inputs, code_version())).encode("utf-8")).hexdigest()[:12]
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another run is writing {target}. Wait for it to end.") from error
        checkpoint = ScoringCheckpoint(target.parent / f".{target.name}.{name}")
        for folder in sorted(target.parent.glob(f".{target.name}.*/")):
            _restore_previous(ScoringCheckpoint(folder), target)
            if folder != checkpoint.folder:
                shutil.rmtree(folder)
        for folder in (checkpoint.unranked(0).parent, checkpoint.parts):
            folder.mkdir(parents=True, exist_ok=True)
            for unfinished in folder.glob(".*"):
                unfinished.unlink()
        yield checkpoint


def _restore_previous(killed: ScoringCheckpoint, target: Path) -> None:
    """Bring back the previous scores where a run was killed between the two renames of `publish`."""
    if killed.previous.exists() and not target.exists():
        killed.previous.replace(target)
    shutil.rmtree(killed.previous, ignore_errors=True)
