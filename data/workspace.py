"""The workspace: folders of all runtime files, and their atomic replacement."""

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data.errors import UserError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything Touchstone writes (default `./workspace`)."""

    home: Path

    @property
    def lake(self) -> Path:
        """Accepted rows: `lake/<fingerprint>/<table>.parquet`, and `lake/CURRENT` naming the fingerprint."""
        return self.home / "lake"

    @property
    def quarantine(self) -> Path:
        """Refused rows: `quarantine/<table>.parquet`."""
        return self.home / "quarantine"

    @property
    def staging(self) -> Path:
        """Staging area of an ingest; the next ingest clears what a killed one left."""
        return self.home / ".ingest"

    @property
    def spill(self) -> Path:
        """Spill folders of DuckDB, one per connection."""
        return self.home / ".spill"

    @property
    def review_signals(self) -> Path:
        """Mentions of hazards in reviews, `review_signals/<day>-<digest>/`, from `features.review_text.incremental`."""
        return self.home / "review_signals"

    @property
    def alert_matches(self) -> Path:
        """Matches of alerts with SKUs, one file for the current lake, from `data.alerts.stored_matches`."""
        return self.home / "alert_matches"

    @property
    def models(self) -> Path:
        """Artifacts by version, and `models/CHAMPION` naming the one that scores."""
        return self.home / "models"

    @property
    def plans(self) -> Path:
        """Sampling plans."""
        return self.home / "plans"

    @property
    def results(self) -> Path:
        """Accepted laboratory results, one file per hand-in."""
        return self.home / "results"

    @property
    def handed_in(self) -> Path:
        """Rows of other tables that the service took in, `handed_in/<table>/`, one file per hand-in."""
        return self.home / "handed_in"

    @property
    def seller_files(self) -> Path:
        """What sellers uploaded, each file named by its SHA-256; nothing here is opened or run."""
        return self.home / "seller_files"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.home / "reports"

    @property
    def database(self) -> Path:
        """The embedded database of the state: the ledger."""
        return self.home / "touchstone.db"

    @property
    def tuning_database(self) -> Path:
        """The trials of every search for a recipe."""
        return self.home / "tuning.db"

    @property
    def recipes(self) -> Path:
        """Recipes written by tuning."""
        return self.home / "recipes"

    def model_report(self, version: str) -> Path:
        """The card of one model and its pictures."""
        return self.reports / "models" / version

    def monitor_report(self, as_of: date) -> Path:
        """Monitoring report of the champion on one day."""
        return self.reports / "monitor" / f"as_of={as_of.isoformat()}"

    @property
    def mlflow_database(self) -> Path:
        """The embedded MLflow store."""
        return self.home / "mlflow.db"

    def service_state(self, port: int) -> Path:
        """Tasks and metrics of the service on one port, as BentoML keeps them."""
        return self.home / "service" / str(port)

    def snapshot(self, as_of: date) -> Path:
        """The features of the whole catalogue on one day."""
        return self.home / "snapshots" / f"as_of={as_of.isoformat()}"

    def dossiers(self, as_of: date) -> Path:
        """Dossiers of every SKU on one day."""
        return self.home / "dossiers" / f"as_of={as_of.isoformat()}"

    def scores(self, as_of: date) -> Path:
        """The scores of the whole catalogue on one day."""
        return self.home / "scores" / f"as_of={as_of.isoformat()}"


def require_local_path(place: str) -> None:
    """Raise UserError where a place for files is an address such as `s3://bucket`: files are put in place by renaming.

    Also where it went through a `Path`, which halves the slashes.
    """
    if _ADDRESS.match(place):
        raise UserError(
            f"{place} is an address, and a path of this machine is needed here. Tables come from object storage "
            "through sources.toml, and scores go there through [publish] in touchstone.toml."
        )


@contextmanager
def replace_atomically(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write a file or folder to; on success it takes the target's place.

    On an error nothing remains of the attempt and `target` is untouched. A file is replaced atomically. A
    folder that already exists is moved aside first, so a crash between the two renames leaves the previous
    folder under a hidden name; where even that matters, write a new folder and replace a pointer file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    attempt = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}"
    try:
        yield attempt
        if target.is_dir():
            aside = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}"
            target.replace(aside)
            attempt.replace(target)
            shutil.rmtree(aside)
        else:
            attempt.replace(target)
    finally:
        if attempt.is_dir():
            shutil.rmtree(attempt)
        else:
            attempt.unlink(missing_ok=True)


def write_pointer(pointer: Path, name: str) -> None:
    """Make the file `pointer` name `name`, atomically."""
    with replace_atomically(pointer) as attempt:
        attempt.write_text(name + "\n", encoding="utf-8")


def read_pointer(pointer: Path) -> str | None:
    """The name that the file `pointer` holds, or None where there is no such file."""
    return pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None
