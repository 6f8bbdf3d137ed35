"""The learned reference: nothing from later, nothing of the row itself."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.fitted_tables import UNTRAINED_RATES, Prior
from tests.training.worlds import START, market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import group_parts
from training.fitting.target_encoding import (
    STRONGEST,
    WEAKEST,
    beta_prior,
    category_rates,
    fit_reference,
    out_of_fold,
    with_norms,
)


@pytest.mark.parametrize(("mean", "strength"), [(0.2, 8.0), (0.05, 40.0), (0.6, 2.0)])
def test_the_beta_prior_of_the_counts_is_recovered(mean: float, strength: float) -> None:
    draw = np.random.default_rng(7)
    trials = draw.integers(1, 30, size=4000).astype(float)
    rates = draw.beta(mean * strength, (1 - mean) * strength, size=4000)
    fitted = beta_prior(draw.binomial(trials.astype(int), rates).astype(float), trials, "supplier_fail")
    assert fitted.mean == pytest.approx(mean, rel=0.05)
    assert fitted.strength == pytest.approx(strength, rel=0.2)


def test_entities_that_do_not_differ_make_the_strongest_prior() -> None:
    fitted = beta_prior(np.full(50, 2.0), np.full(50, 10.0), "supplier_fail")
    assert fitted.strength == STRONGEST


def test_entities_that_fail_always_or_never_make_the_weakest_prior() -> None:
    fitted = beta_prior(np.repeat([0.0, 10.0], 25), np.full(50, 10.0), "supplier_fail")
    assert fitted.strength == WEAKEST


def test_too_few_entities_keep_the_untrained_prior() -> None:
    assert beta_prior(np.ones(9), np.full(9, 5.0), "return") == UNTRAINED_RATES["return"]
    assert beta_prior(np.empty(0), np.empty(0), "return") == UNTRAINED_RATES["return"]


def test_the_order_of_entities_does_not_change_one_bit_of_a_prior() -> None:
    draw = np.random.default_rng(11)
    trials = draw.integers(1, 900, size=500).astype(float)
    hits = np.floor(trials * draw.uniform(0, 0.4, size=500))
    fitted = {beta_prior(hits[order], trials[order], "return") for order in map(draw.permutation, [500] * 20)}
    assert len(fitted) == 1


UNTIL = date(2025, 3, 1)
RECIPE = small_recipe().title


def test_rows_known_later_and_skus_listed_later_change_nothing() -> None:
    frames = market_frames(800)
    labels = build_labels(tables_of(frames), UNTIL)
    learned = fit_reference(tables_of(frames), labels, UNTIL, RECIPE)
    tests, skus = frames["lab_tests"], frames["skus"]
    later_sku = skus.iloc[:1].assign(sku_id="k999", listed_on=UNTIL, price_eur=1e6)
    golden = tests.iloc[:5].assign(test_id=list("abcde"), origin="supplier_provided", known_on=UNTIL)
    more = {**frames, "skus": pd.concat([skus, later_sku]), "lab_tests": pd.concat([tests, golden])}
    repeated = fit_reference(tables_of(more), labels, UNTIL, RECIPE)
    assert {name: table.to_pylist() for name, table in repeated.tables.items()} == {
        name: table.to_pylist() for name, table in learned.tables.items()
    }


def test_every_rate_of_the_features_has_a_prior() -> None:
    frames = market_frames(800)
    learned = fit_reference(tables_of(frames), build_labels(tables_of(frames), UNTIL), UNTIL, RECIPE)
    assert set(UNTRAINED_RATES) >= set(learned["rates"]["rate"].to_pylist()) >= {"supplier_fail", "category_fail"}


def test_out_of_fold_columns_do_not_depend_on_the_labels_of_their_part() -> None:
    frames = market_frames(800)
    tables = tables_of(frames)
    labels = build_labels(tables, UNTIL)
    parts = group_parts(labels["group"].tolist(), 4)
    reference = fit_reference(tables, labels, UNTIL, RECIPE)
    flipped = labels.assign(failed=labels["failed"] ^ (parts == 1))
    before, after = (out_of_fold(each, parts, reference.prior("category_fail"), RECIPE) for each in (labels, flipped))
    pd.testing.assert_frame_equal(before[parts == 1], after[parts == 1])
    assert (before[parts != 1] != after[parts != 1]).any().all()


def test_category_rates_are_shrunk_to_the_prior() -> None:
    labels = pd.DataFrame({"category": ["a", "a", "b"], "market": "EU", "failed": [True, True, False]})
    learned = category_rates(labels, Prior(0.2, 10))
    assert learned.loc[("a", "EU"), "fail_rate"] == pytest.approx(4 / 12)
    assert learned.loc[("b", "EU"), "fail_rate"] == pytest.approx(2 / 11)


def test_prices_are_compared_within_category_and_market() -> None:
    frames = market_frames(400)
    tables = tables_of(frames)
    learned = fit_reference(tables, build_labels(tables, UNTIL), UNTIL, RECIPE)["categories"].to_pandas()
    toys = frames["skus"].query("category == 'toys' and market == 'EU'")
    row = learned.query("category == 'toys' and market == 'EU'").iloc[0]
    assert row["log_price_mean"] == pytest.approx(np.log(toys["price_eur"]).mean())
    assert row["log_price_sd"] == pytest.approx(np.log(toys["price_eur"]).std())
    assert frames["skus"]["listed_on"].eq(START).all()


def test_norms_are_medians_by_category_and_leave_out_what_nobody_knows() -> None:
    features = pd.DataFrame({"one": [1.0, 3.0, 10.0], "two": [np.nan, np.nan, 5.0]})
    reference = fit_reference(tables_of(market_frames(300)), build_labels(tables_of(market_frames(300))), UNTIL, RECIPE)
    norms = with_norms(reference, pd.Series(["a", "a", "b"]), features)["norms"].to_pylist()
    result = {(row["category"], row["feature"]): row["median"] for row in norms}
    assert result == {("a", "one"): 2.0, ("b", "one"): 10.0, ("b", "two"): 5.0}
