"""Which tests become labels, and which SKUs belong together."""

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tests.training.worlds import market_frames, tables_of
from training.dataset.labels import build_labels, near_duplicate_groups
from training.recipe_schema import LabelRecipe


def test_only_independent_tests_with_a_clear_result_are_labels() -> None:
    frames = market_frames(300)
    tests = frames["lab_tests"]
    tests.loc[:9, "origin"] = "supplier_provided"
    tests.loc[10:14, "result"] = "inconclusive"
    labels = build_labels(tables_of(frames))
    assert sorted(labels["test_id"]) == sorted(tests["test_id"].iloc[15:])
    truth = tests.set_index("test_id")["result"] == "fail"
    assert (labels["failed"].to_numpy() == truth.reindex(labels["test_id"]).to_numpy()).all()


def test_until_keeps_what_was_known_strictly_before() -> None:
    frames = market_frames(300)
    until = frames["lab_tests"]["known_on"].iloc[150]
    labels = build_labels(tables_of(frames), until)
    assert (labels["known_on"] < pd.Timestamp(until)).all()
    assert len(labels) == (frames["lab_tests"]["known_on"] < until).sum()
    assert len(build_labels(tables_of(frames), date(2000, 1, 1))) == 0


def test_the_newest_version_is_the_label_and_a_withdrawn_report_is_none() -> None:
    """With `until`, the newest version that was known before that day."""
    frames = market_frames(300)
    tests = frames["lab_tests"].assign(version=1, status="final")
    other = tests["result"].map({"pass": "fail", "fail": "pass", "inconclusive": "inconclusive"})
    known_on = tests["known_on"] + pd.Timedelta(days=30)
    second = tests.assign(version=2, result=other, known_on=known_on, status="amended").iloc[:20]
    second.loc[second.index[:5], "status"] = "entered_in_error"
    amended = {**frames, "lab_tests": pd.concat([tests, second])}
    labels = build_labels(tables_of(amended)).set_index("test_id")["failed"]
    before = build_labels(tables_of(frames)).set_index("test_id")["failed"]
    assert set(before.index) - set(labels.index) == set(tests["test_id"].iloc[:5])
    assert {name for name in labels.index if labels[name] != before[name]} == set(tests["test_id"].iloc[5:20])
    until = min(second["known_on"])
    pd.testing.assert_frame_equal(build_labels(tables_of(amended), until), build_labels(tables_of(frames), until))


def test_the_order_of_rows_changes_nothing() -> None:
    frames = market_frames(200)
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in frames.items()}
    pd.testing.assert_frame_equal(build_labels(tables_of(frames)), build_labels(tables_of(shuffled)))


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([None, "f", "g"]),
                          st.sampled_from([None, "x", "y"])), min_size=1, max_size=25))  # fmt: skip
def test_ties_by_supplier_or_by_factory_and_title_are_in_one_group(
    rows: list[tuple[str, str | None, str | None]],
) -> None:
    skus = pd.DataFrame(rows, columns=["supplier_id", "factory_id", "title_key"])
    group = near_duplicate_groups(skus)
    for one in range(len(rows)):
        for two in range(one):
            twins = rows[one][1:] == rows[two][1:] and None not in rows[one]
            if rows[one][0] == rows[two][0] or twins:
                assert group[one] == group[two]


def test_a_missing_factory_or_title_ties_nobody() -> None:
    skus = pd.DataFrame({"supplier_id": ["a", "b", "c", "d"], "factory_id": [None, None, "f", "f"],
                         "title_key": ["x", "x", np.nan, np.nan]})  # fmt: skip
    assert near_duplicate_groups(skus).tolist() == ["a", "b", "c", "d"]


def test_the_label_rule_chooses_origins_and_forgives_milder_failures() -> None:
    frames = market_frames(300)
    tests = frames["lab_tests"]
    severities = pd.Series(np.resize(np.array(["minor", "major", None], dtype=object), len(tests)))
    tests["severity"] = severities.where(tests["result"] == "fail", None)
    rule = LabelRecipe(least_severity="major", origins=("warehouse",))
    labels = build_labels(tables_of(frames), rule=rule).set_index("test_id")
    result = tests.set_index("test_id").loc[labels.index]
    assert set(result["origin"]) == {"warehouse"}
    assert len(labels) == (tests["origin"] == "warehouse").sum()
    assert (labels["failed"] == (result["result"] == "fail") & (result["severity"] != "minor")).all()
    assert labels.loc[(result["result"] == "fail") & result["severity"].isna(), "failed"].all(), (
        "unknown severity counts"
    )


def test_the_same_product_sold_under_another_account_is_one_group() -> None:
    frames = market_frames(300)
    skus = frames["skus"]
    hopped = skus.iloc[:1].assign(sku_id="k999", supplier_id="s999")
    suppliers = pd.concat([frames["suppliers"], frames["suppliers"].iloc[:1].assign(supplier_id="s999")])
    test = frames["lab_tests"].iloc[:1].assign(test_id="t999", sku_id="k999", market=hopped["market"].iloc[0])
    own = test.assign(test_id="t998", sku_id=skus["sku_id"].iloc[0])
    tests = pd.concat([frames["lab_tests"], test, own])
    labels = build_labels(tables_of({"suppliers": suppliers, "skus": pd.concat([skus, hopped]), "lab_tests": tests}))
    group = labels.set_index("test_id")["group"]
    assert group["t999"] == group["t998"]
