"""Which rows are quarantined, and for which rules: one example per kind of rule, through a whole ingest."""

from pathlib import Path

import pandas as pd

from tests.data.small_marketplace import Ingested, good_frames, ingested, quarantined, spoiled


def rules_of(home: Path, table: str) -> dict[int, list[str]]:
    """The broken rules of each quarantined row, by row number."""
    bad = quarantined(home, table)
    return {int(number): list(rules) for number, rules in zip(bad.row_number, bad.broken_rules, strict=True)}


def test_a_row_names_every_rule_it_broke_and_keeps_its_original_values(tmp_path: Path) -> None:
    frames = spoiled("lab_tests", 1, sku_id=None, market=None, happened_on="soon", result="maybe", propensity="1.5")
    count = ingested(frames, tmp_path)["lab_tests"]
    assert (count.read, count.accepted, count.quarantined) == (3, 2, 1)
    assert rules_of(tmp_path, "lab_tests")[2] == [
        "sku_id is missing", "market is missing", "happened_on is not a day",
        "result is not one of pass, fail, inconclusive", "propensity is above 1",
    ]  # fmt: skip
    assert quarantined(tmp_path, "lab_tests").happened_on.tolist() == ["soon"]
    assert count.rules["happened_on is not a day"] == 1


def test_each_kind_of_rule_has_its_sentence(tmp_path: Path) -> None:
    frames = good_frames() | spoiled(
        "skus", 1, price_eur="cheap", age_grade_months="1201", battery="lithium", radio="yes?"
    )
    frames["audits"].loc[0, "critical"] = "1.5"
    frames["holds"].loc[1, "supplier_id"] = None
    frames["returns"].loc[1, "happened_on"] = "2026-07-01"
    frames["reviews"].loc[1, "rating"] = "0"
    frames["reviews"]["known_on"] = [None, None, "2025-03-09"]
    counts = ingested(frames, tmp_path)
    assert set(counts["skus"].rules) == {
        "price_eur is not a number", "age_grade_months is above 1200", "radio is not true or false",
        "battery is not one of none, button, li_ion, other",
    }  # fmt: skip
    assert set(counts["audits"].rules) == {"critical is not a whole number"}
    assert set(counts["holds"].rules) == {"neither sku_id nor supplier_id is given"}
    assert "happened_on is in the future" in counts["returns"].rules
    assert "rating is below 1" in counts["reviews"].rules
    assert "known_on is before happened_on" in counts["reviews"].rules


def test_what_happened_today_is_not_in_the_future(tmp_path: Path) -> None:
    assert ingested(spoiled("orders", 0, happened_on="2026-06-30"), tmp_path)["orders"].quarantined == 0


def test_what_refers_to_a_quarantined_row_is_quarantined_down_the_line(tmp_path: Path) -> None:
    counts = ingested(good_frames() | spoiled("suppliers", 1, onboarded_on=None), tmp_path)
    assert rules_of(tmp_path, "skus") == {3: ["unknown supplier_id"]}
    assert rules_of(tmp_path, "lab_tests") == {3: ["unknown sku_id, market"]}
    assert rules_of(tmp_path, "certificates") == {3: ["unknown supplier_id"]}
    assert counts["orders"].rules == {"unknown sku_id, market": 1}


def test_of_rows_with_one_key_the_first_stays(tmp_path: Path) -> None:
    frames = good_frames()
    frames["suppliers"] = pd.concat([frames["suppliers"]] * 3, ignore_index=True)
    ingested(frames, tmp_path)
    assert rules_of(tmp_path, "suppliers") == {n: ["duplicate supplier_id"] for n in (3, 4, 5, 6)}


def test_a_broken_first_row_does_not_take_the_key_from_its_correction(tmp_path: Path) -> None:
    frames = good_frames()
    broken = frames["suppliers"].head(1).assign(onboarded_on="?")
    frames["suppliers"] = pd.concat([broken, frames["suppliers"], broken], ignore_index=True)
    counts = ingested(frames, tmp_path)
    assert rules_of(tmp_path, "suppliers") == {
        1: ["onboarded_on is not a day"],
        4: ["onboarded_on is not a day", "duplicate supplier_id"],
    }
    assert counts["skus"].quarantined == 0


def test_a_document_may_say_its_kind_and_only_a_known_one(tmp_path: Path) -> None:
    """Files without the column ingest as before; a kind that nobody knows is quarantined."""
    frames = spoiled("certificates", 0, kind="paper", number="TR-1")
    frames["certificates"].loc[1, "kind"] = "test_report"
    counts = ingested(frames, tmp_path)
    assert counts["certificates"].accepted == 2
    assert rules_of(tmp_path, "certificates") == {
        1: [
            "kind is not one of declaration_of_conformity, eu_type_examination, test_report, registration, "
            "safety_report, voluntary_mark"
        ]
    }


def test_a_status_change_of_one_certificate_is_no_duplicate(good_marketplace: Ingested) -> None:
    assert good_marketplace.counts["certificates"].quarantined == 0
