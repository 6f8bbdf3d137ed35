"""Enrichment: incremental, resumable, deterministic, and a copied review counts once."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.tables import Tables, tables_from_frames
from features.text import enrichment as module
from features.text.copies import text_keys
from features.text.enrichment import Enrichment, enrich, read_reviews_kept, review_signals
from features.text.extractor import extractor_version

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


def run(rows: list[dict[str, Any]], folder: Path) -> tuple[Enrichment, pd.DataFrame]:
    tables = tables_of(rows)
    done = enrich(tables, folder)
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
    real, calls = text_keys, []

    def dies_late(texts: Any) -> list[bytes]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(texts)

    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    monkeypatch.setattr("features.text.enrichment.text_keys", dies_late)
    with pytest.raises(KeyboardInterrupt):
        run(reviews(), tmp_path / "killed")
    kept = [path.name for path in (tmp_path / "killed").iterdir()]
    assert 0 < len(kept) < 3
    assert all(not name.startswith(".") for name in kept)
    monkeypatch.setattr("features.text.enrichment.text_keys", real)
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
    monkeypatch.setattr(module, "extractor_version", lambda: "x-another")
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
    enrich(tables, tmp_path)
    kept = read_reviews_kept(tables, tmp_path).to_pyarrow().to_pandas()
    assert sorted(kept["review_id"]) == sorted(row["review_id"] for row in reviews())
    assert kept.groupby("is_hit").size().to_dict() == {False: 4, True: 8}


def test_reviews_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    run(reviews(), tmp_path)
    _, kept = run([row for row in reviews() if row["happened_on"] != date(2025, 3, 1)], tmp_path)
    assert date(2025, 3, 1).isoformat() not in set(kept["happened_on"].astype(str))
    shutil.rmtree(tmp_path)
