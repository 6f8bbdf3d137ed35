"""Reading reviews day by day is reading them all, and no day is read twice."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from data.tables import schema_of, tables_from_frames
from features import review_partials
from features.review_partials import with_read_reviews
from features.reviews import read_reviews
from tests.features.small_world import AS_OF, Row, random_rows

Change = Callable[[list[Row]], list[Row]]

FIRST = AS_OF - timedelta(40)


def some_reviews(seed: int) -> list[Row]:
    """Thirty reviews on eight days."""
    kept = random_rows(seed)["reviews"]
    return [{**row, "happened_on": FIRST + timedelta(n % 8), "known_on": FIRST + timedelta(n % 8 + n % 3)}
            for n, row in enumerate(kept)]  # fmt: skip


def with_a_new_day(reviews: list[Row]) -> list[Row]:
    """A ninth day follows."""
    return [*reviews, {**reviews[0], "review_id": "new", "happened_on": FIRST + timedelta(8), "text": "on fire"}]


def with_a_late_row(reviews: list[Row]) -> list[Row]:
    """A review of the first day becomes known late."""
    return [*reviews, {**reviews[0], "review_id": "late", "happened_on": FIRST, "known_on": AS_OF, "text": "on fire"}]


def with_a_changed_day(reviews: list[Row]) -> list[Row]:
    """The words of one review of the first day change."""
    return [{**reviews[0], "text": "It fell apart."}, *reviews[1:]]


def with_a_removed_row(reviews: list[Row]) -> list[Row]:
    """A review of the first day is withdrawn."""
    return reviews[1:]


CHANGES = {"new day": (with_a_new_day, 8), "late row": (with_a_late_row, 0), "changed day": (with_a_changed_day, 0),
           "removed row": (with_a_removed_row, 0)}  # fmt: skip


def read(reviews: list[Row], folder: Path | None) -> pa.Table:
    """The reviews as read, in order of their ids; through `folder` where there is one."""
    schema = schema_of(BY_NAME["reviews"]).to_pyarrow()
    tables = tables_from_frames({"reviews": pa.Table.from_pylist(reviews, schema=schema)})
    if folder:
        tables = with_read_reviews(tables, folder)
        assert tables.has("read_reviews")
    return tables.backend.to_pyarrow(read_reviews(tables).order_by("review_id"))


@settings(max_examples=4, deadline=None)
@given(change=st.sampled_from(sorted(CHANGES)), seed=st.integers(0, 2**32 - 1))
def test_incremental_equals_full(tmp_path_factory: pytest.TempPathFactory, change: str, seed: int) -> None:
    """After any change to the reviews, the day files give what reading everything gives."""
    folder, reviews = tmp_path_factory.mktemp("partials") / "reviews", some_reviews(seed)
    assert read(reviews, folder).equals(read(reviews, None))
    later = CHANGES[change][0](reviews)
    assert read(later, folder).equals(read(later, None))
    assert read(reviews, folder).equals(read(reviews, None))


@pytest.mark.parametrize("change", CHANGES)
def test_only_the_day_that_changed_is_read_again(tmp_path: Path, change: str) -> None:
    """One folder is new; all the others are the very same files."""
    reviews, (changed, day) = some_reviews(1), CHANGES[change]
    read(reviews, tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.glob("*/*.parquet")}
    read(changed(reviews), tmp_path)
    after = {path: path.stat().st_ino for path in tmp_path.glob("*/*.parquet")}
    new = {path.parent.name[:10] for path in set(after) - set(before)}
    assert new == {str(FIRST + timedelta(day))}
    assert all(after[path] == before[path] for path in set(after) & set(before))
    assert len({path.parent.name[:10] for path in after}) == len(list(tmp_path.iterdir()))


def test_every_day_is_read_again_when_reading_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest covers the lexicon and the expression, not the reviews alone."""
    reviews = some_reviews(2)
    read(reviews, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.setattr(review_partials, "reading_version", lambda: "another lexicon")
    assert read(reviews, tmp_path).equals(read(reviews, None))
    assert before.isdisjoint({path.name for path in tmp_path.iterdir()})


def test_a_reading_cut_off_leaves_no_day_half_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days appear whole or not at all."""
    reviews = some_reviews(3)

    def no_space(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", no_space)
        with pytest.raises(OSError, match="No space"):
            read(reviews, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert read(reviews, tmp_path).equals(read(reviews, None))


def test_without_reviews_nothing_is_written(tmp_path: Path) -> None:
    """A marketplace that keeps no reviews gets no folder."""
    schema = schema_of(BY_NAME["suppliers"]).to_pyarrow()
    onboarded = pa.Table.from_pylist([{"supplier_id": "s", "onboarded_on": date(2024, 1, 1)}], schema=schema)
    with_read_reviews(tables_from_frames({"suppliers": onboarded}), tmp_path / "none")
    assert not (tmp_path / "none").exists()
