"""Where one scoring of a catalogue is worked on, and what of it a killed run has already finished."""

import fcntl
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.errors import UserError

ROOMS = ("data", "features", "models", "serving")


@dataclass(frozen=True)
class ScoringCheckpoint:
    """A folder beside the scores that holds finished files only; the same work always finds the same folder.

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
    def replaced(self) -> Path:
        """The previous scores, for the instant in which others take their place."""
        return self.folder / "replaced"

    def publish(self, target: Path) -> None:
        """Let `parts` take the place of `target` and clear the rest."""
        if target.exists():
            target.replace(self.replaced)
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
def open_checkpoint(target: Path, made_of: tuple[str, ...]) -> Iterator[ScoringCheckpoint]:
    """The staging folder of the work that `made_of` names; what is left of any other work for `target` is cleared.

    Work of other code is other work. An error or a killed process leaves the finished files for the next run. Raises
    UserError where another process is scoring for the same target.
    """
    name = hashlib.sha256("\n".join((*made_of, code_version())).encode("utf-8")).hexdigest()[:12]
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another run is writing {target}. Wait for it to end.") from error
        staging = ScoringCheckpoint(target.parent / f".{target.name}.{name}")
        for folder in sorted(target.parent.glob(f".{target.name}.*/")):
            _undo(ScoringCheckpoint(folder), target)
            if folder != staging.folder:
                shutil.rmtree(folder)
        for folder in (staging.unranked(0).parent, staging.parts):
            folder.mkdir(parents=True, exist_ok=True)
            for half in folder.glob(".*"):
                half.unlink()
        yield staging


def _undo(killed: ScoringCheckpoint, target: Path) -> None:
    """Bring back the previous scores where a run was killed in the instant before its own took their place."""
    if killed.replaced.exists() and not target.exists():
        killed.replaced.replace(target)
    shutil.rmtree(killed.replaced, ignore_errors=True)


@contextmanager
def finishing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` when whole, so that a file with its name is always finished."""
    attempt = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        yield attempt
        attempt.replace(path)
    finally:
        attempt.unlink(missing_ok=True)
