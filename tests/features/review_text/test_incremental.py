"""Enrichment: incremental, resumable, deterministic, and a copied review counts once."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pytest

from data.errors import UserError
from data.lake.tables import Tables, tables_from_frames
from features.groups.reviews import READ, SIGNALS, read_reviews
from features.review_text import incremental as module
from features.review_text import records
from features.review_text.classifier import COUNTS_FROM
from features.review_text.extractor import extractor_version
from features.review_text.hazards import hazards
from features.review_text.incremental import (
    MONTHS,
    ExtractionCounts,
    add_review_tables,
    add_review_tables_in_memory,
    read_stored_reviews,
    review_signals,
    update_review_signals,
)
from features.review_text.records import ReviewRecords, records_of

TEXTS = (
    "It caught fire while charging.", "Great value.", "It caught fire, while charging!",
    "Call me: +49 170 1234567, it exploded.",
    "Nice.", "My son choked on a small piece.",
)  # fmt: skip


def reviews(count: int = 12, days: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "review_id": f"V{number}", "sku_id": "S1", "market": "EU", "happened_on": date(2025, 3, 1 + number % days),
            "known_on": date(2025, 3, 5), "rating": 1 + number % 5,
            "text": TEXTS[number % len(TEXTS)], "language": "en",
            "verified": True,
        }
        for number in range(count)
    ]  # fmt: skip


def tables_of(rows: list[dict[str, Any]]) -> Tables:
    return tables_from_frames({"reviews": pd.DataFrame(rows)})


def run(rows: list[dict[str, Any]], folder: Path) -> tuple[ExtractionCounts, pd.DataFrame]:
    tables = tables_of(rows)
    done = update_review_signals(tables, folder)
    kept = review_signals(tables, folder).to_pyarrow().to_pandas()
    return done, kept.sort_values(["review_id", "hazard", "start"], ignore_index=True)


def test_only_days_that_are_new_or_changed_are_read(tmp_path: Path) -> None:
    rows = reviews()
    first, before = run(rows, tmp_path)
    again, same = run(list(reversed(rows)), tmp_path)
    assert (first.days_read, first.reviews_read, again.days_read, again.days_kept) == (3, 12, 0, 3)
    pd.testing.assert_frame_equal(before, same)
    late = {**rows[0], "review_id": "V99", "text": "It exploded."}
    third, after = run([*rows, late], tmp_path)
    assert (third.days_read, third.days_kept) == (1, 2)
    assert set(after["review_id"]) - set(before["review_id"]) == {"V99"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_run_that_is_killed_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = run(reviews(), tmp_path / "whole")
    calls = []

    def dies_late(*given: Any) -> ReviewRecords:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return records_of(*given)

    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    monkeypatch.setattr(module, "records_of", dies_late)
    with pytest.raises(KeyboardInterrupt):
        run(reviews(), tmp_path / "killed")
    kept = [path.name for path in (tmp_path / "killed").iterdir()]
    assert 0 < len(kept) < 3
    assert all(not name.startswith(".") for name in kept)
    monkeypatch.setattr(module, "records_of", records_of)
    resumed, mentions = run(reviews(), tmp_path / "killed")
    assert resumed.days_kept == len(kept)
    pd.testing.assert_frame_equal(mentions, whole)


def test_rows_carry_the_version_and_hide_phone_numbers(tmp_path: Path) -> None:
    _, kept = run(reviews(), tmp_path)
    assert set(kept["extractor_version"]) == {extractor_version()}
    assert not kept["sentence"].str.contains("1234567").any()
    assert (kept["known_on"].astype(str) == "2025-03-05").all()


def test_another_extractor_reads_all_days_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(reviews(), tmp_path)
    for place in (module, records):
        monkeypatch.setattr(place, "extractor_version", lambda: "x-another")
    again, kept = run(reviews(), tmp_path)
    assert again.days_read == 3
    assert set(kept["extractor_version"]) == {"x-another"}


def test_a_copied_review_counts_once(tmp_path: Path) -> None:
    _, kept = run(reviews(), tmp_path)
    fires = kept[kept["hazard"].eq("fire_electric") & kept["sentence"].str.contains("charging")]
    assert fires["review_id"].nunique() == 4
    assert len(set(fires["copy_key"])) == 1


def test_every_review_has_one_row_among_the_reviews_kept(tmp_path: Path) -> None:
    tables = tables_of(reviews())
    update_review_signals(tables, tmp_path)
    kept = read_stored_reviews(tables, tmp_path).to_pyarrow().to_pandas()
    assert sorted(kept["review_id"]) == sorted(row["review_id"] for row in reviews())
    assert kept.groupby("is_hit").size().to_dict() == {False: 4, True: 8}


def test_reviews_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    run(reviews(), tmp_path)
    _, kept = run([row for row in reviews() if row["happened_on"] != date(2025, 3, 1)], tmp_path)
    assert date(2025, 3, 1).isoformat() not in set(kept["happened_on"].astype(str))
    shutil.rmtree(tmp_path)


def test_the_row_of_a_review_says_what_its_likely_mentions_say(tmp_path: Path) -> None:
    """Whatever was read: a column per hazard, the worst severity, and `hazard` for those that hurt people."""
    tables = add_review_tables(tables_of(reviews(60, 7)), tmp_path)
    rows, mentions = (tables[name].to_pyarrow().to_pandas() for name in (READ, SIGNALS))
    likely = mentions[mentions["probability"] >= COUNTS_FROM]
    assert 0 < len(likely) < len(rows)
    for name, hazard in hazards().items():
        of_hazard = likely[likely["hazard"] == name]
        assert set(rows.loc[rows[name], "review_id"]) == set(of_hazard["review_id"])
        assert not hazard.safety or rows.loc[rows[name], "hazard"].all()
    harmful = likely[[hazards()[name].safety for name in likely["hazard"]]]
    worst = harmful.groupby("review_id")["severity"].max()
    told = rows[rows["hazard"]].set_index("review_id")["severity"]
    assert told.astype(int).to_dict() == worst.astype(int).to_dict()
    assert rows.loc[~rows["hazard"], "severity"].isna().all()


def test_read_at_once_is_read_day_by_day(tmp_path: Path) -> None:
    tables = tables_of(reviews(40, 5))
    ways = add_review_tables(tables, tmp_path), add_review_tables_in_memory(tables)
    for name in (READ, SIGNALS):
        one, other = (way[name].to_pyarrow().to_pandas().sort_values(["review_id"], ignore_index=True) for way in ways)
        pd.testing.assert_frame_equal(one, other)


def test_a_sku_keeps_the_code_that_its_lake_gave_it(tmp_path: Path) -> None:
    """The code of a SKU is no part of the contract; days whose SKUs have got other codes are read again."""
    given = tables_of(reviews())
    for code in (7, 8):
        rows = given["reviews"].mutate(sku_code=ibis.literal(code, "int32"))
        coded = replace(given, given={"reviews": rows})
        assert update_review_signals(coded, tmp_path).days_read == 3
        assert set(read_stored_reviews(coded, tmp_path).sku_code.to_pyarrow().to_pylist()) == {code}
    assert update_review_signals(given, tmp_path).days_read == 3
    assert "sku_code" not in read_stored_reviews(given, tmp_path).columns


def test_only_months_of_days_that_changed_are_written_again(tmp_path: Path) -> None:
    rows = reviews(24, 6)
    for row in rows[::2]:
        row["happened_on"] = row["happened_on"].replace(month=2)
    kept: dict[str, int] = {}
    for given in (rows, [*rows, {**rows[0], "review_id": "V99"}], rows[1::2]):
        before = kept
        tables = add_review_tables(tables_of(given), tmp_path)
        assert sorted(tables[READ].review_id.to_pyarrow().to_pylist()) == sorted(row["review_id"] for row in given)
        kept = {path.name: path.stat().st_ino for path in (tmp_path / MONTHS).iterdir()}
        if before:
            assert len(before.items() & kept.items()) == 1
    assert [name[:7] for name in kept] == ["2025-03"]


def test_a_marketplace_without_one_review_is_read_too(tmp_path: Path) -> None:
    empty = tables_of(reviews(1))
    empty = replace(empty, given={"reviews": empty["reviews"].filter(False)})
    tables = add_review_tables(empty, tmp_path)
    assert tables[READ].count().to_pyarrow().as_py() == tables[SIGNALS].count().to_pyarrow().as_py() == 0
    assert set(add_review_tables_in_memory(empty)[READ].columns) == set(tables[READ].columns)
    nothing = replace(empty, given={})
    assert add_review_tables(nothing, tmp_path) is nothing
    assert add_review_tables_in_memory(nothing) is nothing


def test_features_of_unread_reviews_are_refused() -> None:
    with pytest.raises(UserError, match="have not been read for hazards yet"):
        read_reviews(tables_of(reviews()))
