"""Deliveries: what of a table is handed over, by which rows it replaces, and which of its files were judged before."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contract import BY_NAME, VERSION
from data.contract_schema import Table
from data.errors import UserError
from data.ingest.sources import DAY, FileSource, Source, find_sources
from data.lake.contents import FORMAT
from data.text_values import parse_day

JUDGED_BY = f"contract {VERSION} lake {FORMAT}"
"""Files judged under another version are judged again."""


class Extent(StrEnum):
    """Which rows of the lake a delivery replaces: the whole table, its days, or the rows whose keys it gives."""

    TABLE = "table"
    DAYS = "days"
    KEYS = "keys"


@dataclass(frozen=True)
class TableDelivery:
    """A source with the rows that it replaces. A source of KEYS may mark rows as `deleted` (see `OpenedSource`)."""

    source: Source
    extent: Extent

    @property
    def name(self) -> str:
        """The table."""
        return self.source.table.name


@dataclass(frozen=True)
class JudgedFile:
    """A file as it was when it was judged: the same name, size, moment, inode or else digest is the same file."""

    name: str
    size: int
    changed_ns: int
    inode: int
    sha256: str


@dataclass(frozen=True)
class JudgedTable:
    """The files of the last delivery of a table, by ISO day where it was given by day (else under one empty day).

    `digest` and `watermark` are those of its source.
    """

    extent: Extent
    files: Mapping[str, tuple[JudgedFile, ...]]
    digest: str = ""
    watermark: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "extent": self.extent,
            "files": {day: [asdict(each) for each in few] for day, few in self.files.items()},
            "digest": self.digest,
            "watermark": self.watermark,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "JudgedTable":
        """The record that `to_json` wrote."""
        files = {day: tuple(JudgedFile(**each) for each in few) for day, few in record["files"].items()}
        return cls(Extent(record["extent"]), files, record["digest"], record["watermark"])


@dataclass(frozen=True)
class NewFiles:
    """What of a delivery is to be judged: None where nothing is new. `days` are those it replaces (None: no days)."""

    delivery: TableDelivery | None
    days: frozenset[str] | None
    judged: JudgedTable

    @property
    def judged_now(self) -> JudgedTable:
        """`judged` with the watermark that the source has since it was opened."""
        return replace(self.judged, watermark=self.delivery.source.watermark) if self.delivery else self.judged


def find_deliveries(
    folder: Path, held: Collection[str], *, by_key: bool, contract: Mapping[str, Table] = BY_NAME
) -> tuple[TableDelivery, ...]:
    """What a folder delivers: files hold whole tables, or changes by key; folders of days hold those days.

    Raises UserError as `find_sources`; required tables that are `held` already may be absent.
    """
    sources = find_sources(folder, held, contract)
    return tuple(TableDelivery(replace(source, by_key=by_key), _extent(source, by_key=by_key)) for source in sources)


def _extent(source: FileSource, *, by_key: bool) -> Extent:
    if by_key:
        return Extent.KEYS
    return Extent.DAYS if source.by_day and _states_days_by_folder(source) else Extent.TABLE


def _states_days_by_folder(source: FileSource) -> bool:
    """Whether the folder of a file is the day of its rows: one called `day=` is not, where the files state another."""
    files = source.files
    named = [path.parent.name.partition("=")[0] for path in files]
    return bool(files) and (DAY not in named or "happened_on" not in pq.read_schema(files[0]).names)


def select_new(delivery: TableDelivery, before: JudgedTable | None) -> NewFiles:
    """What of a delivery differs from the one before."""
    source = delivery.source
    if before is not None and (before.extent, before.digest) != (delivery.extent, source.digest):
        before = None
    if delivery.extent is not Extent.DAYS:
        files = {"": _judged(source.files, (before and before.files.get("")) or ())}
        judged = JudgedTable(delivery.extent, files, source.digest)
        same = before is not None and bool(source.files) and _same(judged.files[""], before.files.get("", ()))
        return NewFiles(None if same else delivery, None, judged)
    assert isinstance(source, FileSource)
    known = before.files if before is not None else {}
    given = {day: _judged(files, known.get(day, ())) for day, files in _files_by_day(source).items()}
    new = frozenset(day for day in given if not _same(given[day], known.get(day, ())))
    chosen = tuple(path for path in source.files if day_of(path) in new)
    for path in chosen:
        _require_own_day(path)
    judged = JudgedTable(Extent.DAYS, {**known, **given})
    return NewFiles(replace(delivery, source=replace(source, chosen=chosen)) if new else None, new, judged)


def day_of(path: Path) -> str:
    """The ISO day that the folder of a file names. Raises UserError where it is no day."""
    text = path.parent.name.partition("=")[2]
    day = parse_day(text)
    if day is None:
        raise UserError(f"{path.parent} names no day: {text!r}. Call the folder happened_on=YYYY-MM-DD.")
    return day.isoformat()


def _require_own_day(path: Path) -> None:
    """Raise UserError where a file states days of its rows, and one is not that of its folder, which is taken."""
    if "happened_on" not in pq.read_schema(path).names:
        return
    stated = pq.ParquetFile(path).read(columns=["happened_on"])["happened_on"]
    days = pc.utf8_slice_codeunits(stated.cast("string"), 0, 10)
    others = [day for day in days.unique().to_pylist() if day and day != day_of(path)]
    if others:
        raise UserError(
            f"{path} holds rows of {others[0]}, and its folder is called {path.parent.name}. Write each day into its "
            "own folder, or give the rows as changes by key with --update."
        )


def _files_by_day(source: FileSource) -> dict[str, list[Path]]:
    days: dict[str, list[Path]] = {}
    for path in source.files:
        days.setdefault(day_of(path), []).append(path)
    return days


def _same(files: Sequence[JudgedFile], others: Sequence[JudgedFile]) -> bool:
    return [(each.name, each.sha256) for each in files] == [(each.name, each.sha256) for each in others]


def _judged(paths: Sequence[Path], known: Sequence[JudgedFile]) -> tuple[JudgedFile, ...]:
    """The files as they are; those that are untouched since they were `known` are not read."""
    by_name = {each.name: each for each in known}
    return tuple(_judge_file(path, by_name.get(path.name)) for path in paths)


def _judge_file(path: Path, known: JudgedFile | None) -> JudgedFile:
    state = path.stat()
    # The moment of the last change of the inode, which no copying of times can set back.
    now = (state.st_size, max(state.st_mtime_ns, state.st_ctime_ns), state.st_ino)
    if known is not None and (known.size, known.changed_ns, known.inode) == now:
        return known
    with path.open("rb") as file:
        return JudgedFile(path.name, *now, hashlib.file_digest(file, "sha256").hexdigest())
