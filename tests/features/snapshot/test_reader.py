"""A snapshot says of every SKU what the pipeline says, and nothing when it is not whole."""

import shutil
from datetime import date
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.lake.tables import Tables
from data.progress import SilentProgress
from features.definition import Entity, EventSource, Feature
from features.fitted_tables import FittedTables
from features.point_in_time import feature_table
from features.registry import CATALOGUE, FEATURE_NAMES
from features.snapshot import storage, writer
from features.snapshot.reader import INDEX_FILE, MANIFEST, Snapshot, open_snapshot, verify_snapshot
from features.snapshot.writer import catalogue_on, reference_digest, snapshot_name, write_snapshot
from features.version import feature_version
from tests.features.catalogues import DAY, small_catalogue

SKUS = 200


@pytest.fixture(scope="module")
def tables() -> Tables:
    """A small catalogue."""
    return small_catalogue(SKUS)


@pytest.fixture(scope="module")
def folder(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its snapshot on disk."""
    folder = tmp_path_factory.mktemp("snapshots") / "whole"
    write_snapshot(tables, DAY, FittedTables.untrained(), folder, SilentProgress())
    return folder


@pytest.fixture(scope="module")
def snapshot(folder: Path) -> Snapshot:
    """Its snapshot, opened."""
    return open_snapshot(folder)


def keys_of(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """The sku_ids and markets of all rows."""
    keys = snapshot.keys(0, len(snapshot))
    return keys["sku_id"].to_pylist(), keys["market"].to_pylist()


def test_the_matrix_is_what_the_pipeline_computes_for_the_same_rows(tables: Tables, snapshot: Snapshot) -> None:
    """The matrix is what the pipeline computes for the same rows."""
    wide = feature_table(tables, catalogue_on(tables, DAY), FittedTables.untrained()).order_by(["sku_id", "market"])
    expected = tables.backend.to_pyarrow(wide)
    for place, name in enumerate(FEATURE_NAMES):
        np.testing.assert_array_equal(snapshot.matrix(0, SKUS)[:, place], expected[name].to_numpy())


def test_every_key_of_the_catalogue_is_found_in_its_row(snapshot: Snapshot) -> None:
    """Every key of the catalogue is found in its row."""
    np.testing.assert_array_equal(snapshot.find(*keys_of(snapshot)), np.arange(SKUS))


def test_rows_come_sorted_by_key_and_each_key_once(snapshot: Snapshot) -> None:
    """Rows come sorted by key and each key once."""
    keys = list(zip(*keys_of(snapshot), strict=True))
    assert keys == sorted(set(keys))
    assert len(keys) == SKUS


@given(sku_id=st.text(max_size=8), market=st.text(max_size=3))
def test_a_key_the_catalogue_lacks_is_not_found(snapshot: Snapshot, sku_id: str, market: str) -> None:
    """A key the catalogue lacks is not found."""
    known = set(zip(*keys_of(snapshot), strict=True))
    assert (snapshot.find([sku_id], [market])[0] >= 0) == ((sku_id, market) in known)


@given(positions=st.lists(st.integers(0, SKUS - 1), max_size=20))
def test_a_row_alone_equals_the_row_in_company(snapshot: Snapshot, positions: list[int]) -> None:
    """A row alone equals the row in company."""
    whole = snapshot.matrix(0, SKUS)
    np.testing.assert_array_equal(snapshot.matrix_at(np.array(positions, dtype=np.int64)), whole[positions])


@pytest.mark.parametrize("position", [-1, SKUS])
def test_a_position_outside_the_catalogue_is_an_error_and_not_a_row(snapshot: Snapshot, position: int) -> None:
    """A position outside the catalogue is an error and not a row."""
    with pytest.raises(IndexError, match="Positions run from 0 to 199"):
        snapshot.matrix_at(np.array([position]))


def test_a_slice_past_the_end_stops_at_the_end(snapshot: Snapshot) -> None:
    """A slice past the end stops at the end."""
    assert snapshot.matrix(SKUS - 3, SKUS + 50).shape == (3, len(FEATURE_NAMES))
    assert snapshot.keys(SKUS - 3, SKUS + 50).num_rows == 3


def test_it_says_what_it_was_made_of(tables: Tables, snapshot: Snapshot) -> None:
    """It says what it was made of."""
    assert snapshot.as_of == DAY
    assert snapshot.feature_version == feature_version()
    assert snapshot.fingerprint == tables.fingerprint
    assert snapshot.reference_digest == reference_digest(FittedTables.untrained())


def test_another_day_or_reference_has_another_name(tables: Tables) -> None:
    """Another day or reference has another name."""
    name = snapshot_name(tables, DAY, FittedTables.untrained())
    assert name == snapshot_name(tables, DAY, FittedTables.untrained())
    assert name != snapshot_name(tables, date(2026, 1, 11), FittedTables.untrained())
    assert name != snapshot_name(tables, DAY, FittedTables({}))


def test_only_skus_listed_by_the_day_are_in_the_catalogue(tables: Tables) -> None:
    """Only skus listed by the day are in the catalogue."""
    early = date(2024, 6, 1)
    listed = tables["skus"].listed_on.to_pyarrow().to_pylist()
    expected = sum(day <= early for day in listed)
    assert 0 < catalogue_on(tables, early).to_pyarrow().num_rows == expected < SKUS


def test_many_batches_read_like_one(
    tables: Tables, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many batches read like one."""
    monkeypatch.setattr(writer, "ROWS_PER_BATCH", 7)
    write_snapshot(tables, DAY, FittedTables.untrained(), tmp_path / "small batches", SilentProgress())
    other = open_snapshot(tmp_path / "small batches")
    np.testing.assert_array_equal(other.matrix(0, SKUS), snapshot.matrix(0, SKUS))
    np.testing.assert_array_equal(other.find(*keys_of(snapshot)), np.arange(SKUS))


def test_many_spans_read_like_one(
    tables: Tables, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computing a few SKUs at a time changes no value and no place, to the last bit."""
    monkeypatch.setattr(writer, "PLACES_PER_SPAN", 60)
    write_snapshot(tables, DAY, FittedTables.untrained(), tmp_path / "small spans", SilentProgress())
    other = open_snapshot(tmp_path / "small spans")
    np.testing.assert_array_equal(other.matrix(0, SKUS), snapshot.matrix(0, SKUS))
    assert keys_of(other) == keys_of(snapshot)


def test_keys_that_share_a_hash_are_told_apart(
    folder: Path, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that share a hash are told apart."""
    monkeypatch.setattr(storage, "key_hash", lambda sku_id, _market: len(sku_id))
    shutil.copytree(folder, tmp_path / "collisions")
    hashes = np.array([storage.key_hash(*key) for key in zip(*keys_of(snapshot), strict=True)], dtype=np.uint64)
    storage.write_hash_index(tmp_path / "collisions" / INDEX_FILE, hashes)
    MANIFEST.write(tmp_path / "collisions", MANIFEST.read(folder))
    other = open_snapshot(tmp_path / "collisions")
    np.testing.assert_array_equal(other.find(*keys_of(other)), np.arange(SKUS))
    assert other.find(["K-x"], ["DE"]) == [-1]


def test_an_empty_catalogue_is_refused_and_nothing_is_left(tables: Tables, tmp_path: Path) -> None:
    """An empty catalogue is refused and nothing is left."""
    with pytest.raises(UserError, match=r"No SKU is listed by 2000-01-01.*Ingest a catalogue"):
        write_snapshot(tables, date(2000, 1, 1), FittedTables.untrained(), tmp_path / "none", SilentProgress())
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_whose_writing_was_cut_off_is_refused(folder: Path, tmp_path: Path) -> None:
    """A snapshot whose writing was cut off is refused."""
    for path in folder.iterdir():
        if path.name != "snapshot.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="no complete snapshot"):
        open_snapshot(tmp_path)


@pytest.mark.parametrize("name", ["sku.arrow", "supplier.arrow", INDEX_FILE, "snapshot.json"])
def test_a_file_cut_short_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    """A file cut short is named."""
    for path in folder.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if path.name == name else content)
    with pytest.raises(UserError, match=name):
        open_snapshot(tmp_path)


def test_a_changed_byte_is_found_when_every_file_is_read(folder: Path, tmp_path: Path) -> None:
    """Verifying finds a changed byte of any file; opening, which reads none of them, need not."""
    shutil.copytree(folder, tmp_path / "changed")
    verify_snapshot(tmp_path / "changed")
    path = tmp_path / "changed" / "supplier.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"supplier\.arrow in .* changed since it was written"):
        verify_snapshot(tmp_path / "changed")


def test_another_snapshot_in_its_place_is_refused(folder: Path, snapshot: Snapshot) -> None:
    """A snapshot opened by its digest is that one."""
    assert open_snapshot(folder, snapshot.digest).digest == snapshot.digest
    with pytest.raises(UserError, match="another snapshot than the one that was published"):
        open_snapshot(folder, "0" * 64)


def columns_of(entity: str) -> list[int]:
    """Where the features of one kind of entity stand."""
    return [place for place, feature in enumerate(CATALOGUE) if feature.entity == entity]


def test_a_newcomer_is_told_what_its_supplier_and_category_are_told_elsewhere(snapshot: Snapshot) -> None:
    """The features of known entities are those of any SKU of theirs; of those not named nothing is told."""
    keys = snapshot.keys(0, SKUS).to_pylist()
    whole = snapshot.matrix(0, SKUS)
    for place in range(0, SKUS, 7):
        named: dict[Entity, tuple[str, ...]] = {
            "supplier": (keys[place]["supplier_id"],),
            "category": (keys[place]["category"], keys[place]["market"]),
        }
        row = snapshot.new_listing_features(named)
        for entity in ("supplier", "category"):
            np.testing.assert_array_equal(row[columns_of(entity)], whole[place, columns_of(entity)])
        for entity in ("factory", "title"):
            assert np.isnan(row[columns_of(entity)]).all()


def test_a_newcomer_without_history_is_told_what_the_pipeline_tells_of_no_event(
    tables: Tables, snapshot: Snapshot
) -> None:
    """What no event says of a SKU is what the pipeline says of one that the tables do not name."""
    spine = ibis.memtable(pa.table({"sku_id": ["nobody"], "market": ["DE"], "as_of": [DAY]}))
    told = tables.backend.to_pyarrow(feature_table(tables, spine, FittedTables.untrained())).to_pylist()[0]
    row = snapshot.new_listing_features({"supplier": ("nobody",)})
    of_events = [
        f for f in CATALOGUE if f.entity == "sku" and isinstance(f.source, EventSource) and tables_of(f, tables)
    ]
    assert len(of_events) >= 5
    for feature in of_events:
        value = told[feature.name]
        expected = np.nan if value is None else value
        np.testing.assert_equal(row[FEATURE_NAMES.index(feature.name)], expected)
    assert row[FEATURE_NAMES.index("supplier_tests")] == 0


def tables_of(feature: Feature, tables: Tables) -> bool:
    """Whether the tables that a feature needs are kept."""
    return all(tables.has(name) for name in feature.source.needs)


def test_a_failed_write_leaves_the_previous_snapshot(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write leaves the previous snapshot."""
    folder = tmp_path / "day"
    write_snapshot(tables, DAY, FittedTables.untrained(), folder, SilentProgress())
    before = open_snapshot(folder).matrix(0, SKUS)

    def no_space(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(writer, "write_hash_index", no_space)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(tables, DAY, FittedTables.untrained(), folder, SilentProgress())
    np.testing.assert_array_equal(open_snapshot(folder).matrix(0, SKUS), before)
    assert [path.name for path in tmp_path.iterdir()] == ["day"]
