"""Reading reviews day by day is reading them all, and no day is read twice."""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import accumulate, groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from data.ingest import ingest
from data.lake import open_lake
from data.tables import schema_of, tables_from_frames
from data.workspace import Workspace
from features import review_partials
from features.review_partials import with_read_reviews
from features.reviews import read_reviews
from tests.features.small_world import AS_OF, Row, Rows, random_rows

Change = Callable[[list[Row]], list[Row]]

FIRST = AS_OF - timedelta(40)
SCHEMA = schema_of(BY_NAME["reviews"]).to_pyarrow()


def some_reviews(seed: int) -> list[Row]:
    """Thirty reviews on eight days."""
    kept = random_rows(seed)["reviews"]
    return [{**row, "happened_on": FIRST + timedelta(n % 8), "known_on": FIRST + timedelta(n % 8 + n % 3)}
            for n, row in enumerate(kept)]  # fmt: skip


def with_a_new_day(reviews: list[Row]) -> list[Row]:
    """A ninth day follows."""
    day, number = FIRST + timedelta(8), f"new-{len(reviews)}"
    return [*reviews, {**reviews[0], "review_id": number, "happened_on": day, "known_on": day, "text": "on fire"}]


def with_a_late_row(reviews: list[Row]) -> list[Row]:
    """A review of the first day becomes known late."""
    late = {"review_id": f"late-{len(reviews)}", "happened_on": FIRST, "known_on": AS_OF, "text": "on fire"}
    return [*reviews, {**reviews[0], **late}]


def with_a_changed_day(reviews: list[Row]) -> list[Row]:
    """The words of one review of the first day change."""
    return [{**reviews[0], "text": "It fell apart."}, *reviews[1:]]


def with_a_removed_row(reviews: list[Row]) -> list[Row]:
    """A review of the first day is withdrawn."""
    return reviews[1:]


CHANGES = {"new day": (with_a_new_day, 8), "late row": (with_a_late_row, 0), "changed day": (with_a_changed_day, 0),
           "removed row": (with_a_removed_row, 0)}  # fmt: skip


def read(reviews: list[Row], home: Path, *, kept: bool = True) -> pa.Table:
    """The reviews as read, in order of their ids, after an ingest by day; through the partials unless not `kept`."""
    source, workspace = home / "source", Workspace(home / "workspace")
    shutil.rmtree(source, ignore_errors=True)
    for day, rows in groupby(sorted(reviews, key=_day), _day):
        (source / "reviews" / f"happened_on={day}").mkdir(parents=True)
        table = pa.Table.from_pylist(list(rows), schema=SCHEMA).drop_columns(["happened_on"])
        pq.write_table(table, source / "reviews" / f"happened_on={day}" / "rows.parquet")
    for name, table in small_catalogue().items():
        pq.write_table(table, source / f"{name}.parquet")
    ingest(source, workspace, today=AS_OF + timedelta(100), strict=True)
    tables = open_lake(workspace)
    if kept:
        tables = with_read_reviews(tables, workspace.partials / "reviews")
        assert tables.has("read_reviews")
    return tables.backend.to_pyarrow(read_reviews(tables).order_by("review_id"))


def _day(row: Row) -> date:
    day: date = row["happened_on"]
    return day


def small_catalogue() -> dict[str, pa.Table]:
    """What an ingest cannot do without."""
    rows: Rows = {name: random_rows(0)[name] for name in ("suppliers", "skus", "lab_tests")}
    test = {**rows["lab_tests"][0], "known_on": rows["lab_tests"][0]["happened_on"], "sku_id": "k0", "market": "EU"}
    rows["lab_tests"] = [{name: test[name] for name in ("test_id", "sku_id", "market", "happened_on", "known_on",
                                                         "result", "origin")}]  # fmt: skip
    return {
        name: pa.Table.from_pylist(kept, schema=schema_of(BY_NAME[name]).to_pyarrow()) for name, kept in rows.items()
    }


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(changes=st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=2), seed=st.integers(0, 2**32 - 1))
def test_incremental_equals_full(tmp_path_factory: pytest.TempPathFactory, changes: list[str], seed: int) -> None:
    """After any changes to the reviews, and back again, the day files give what reading everything gives."""
    home, reviews = tmp_path_factory.mktemp("partials"), some_reviews(seed)
    worlds = list(accumulate(changes, lambda world, change: CHANGES[change][0](world), initial=reviews))
    for world in (*worlds, reviews):
        assert read(world, home).equals(read(world, home, kept=False))


@pytest.mark.parametrize("change", CHANGES)
def test_only_the_day_that_changed_is_written_and_read_again(tmp_path: Path, change: str) -> None:
    """One day is new in the lake and in the partials; all the others are the very same files."""
    reviews, (changed, day) = some_reviews(1), CHANGES[change]
    kept = ("workspace/lake/*/reviews", "workspace/partials/reviews")
    read(reviews, tmp_path)
    before = {path.stat().st_ino for place in kept for path in tmp_path.glob(f"{place}/*/*.parquet")}
    read(changed(reviews), tmp_path)
    days = {place: {str(path.parent.name[:10]) for path in tmp_path.glob(f"{place}/*/*.parquet")
                    if path.stat().st_ino not in before} for place in kept}  # fmt: skip
    assert set(map(frozenset, days.values())) == {frozenset({str(FIRST + timedelta(day))})}


def test_every_day_is_read_again_when_reading_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest covers the lexicon and the expression, not the reviews alone."""
    reviews, folder = some_reviews(2), tmp_path / "workspace" / "partials" / "reviews"
    read(reviews, tmp_path)
    before = {path.name for path in folder.iterdir()}
    monkeypatch.setattr(review_partials, "reading_version", lambda: "another lexicon")
    read(reviews, tmp_path)
    assert before.isdisjoint({path.name for path in folder.iterdir()})


def test_a_reading_cut_off_leaves_no_day_half_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days appear whole or not at all."""
    read(some_reviews(3), tmp_path, kept=False)
    tables, folder = open_lake(Workspace(tmp_path / "workspace")), tmp_path / "partials"

    def no_space(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", no_space)
        with pytest.raises(OSError, match="No space"):
            with_read_reviews(tables, folder)
    assert list(folder.iterdir()) == []
    assert with_read_reviews(tables, folder).has("read_reviews")


def test_reviews_in_one_file_are_read_as_they_are(tmp_path: Path) -> None:
    """Without days to tell new from old nothing is kept."""
    tables = tables_from_frames({"reviews": pa.Table.from_pylist(some_reviews(4), schema=SCHEMA)})
    assert with_read_reviews(tables, tmp_path / "none") is tables
    assert not (tmp_path / "none").exists()
