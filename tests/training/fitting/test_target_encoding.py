"""Fitted tables: priors, target encodings and title words, out of fold for training rows."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.fitted_tables import UNTRAINED_RATES, FittedTables, Prior
from features.point_in_time import feature_frame
from tests.training.worlds import START, WORDS, market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import group_parts
from training.fitting.beta_priors import STRONGEST, WEAKEST, beta_prior
from training.fitting.target_encoding import (
    category_rates,
    fit_reference,
    fit_title_words,
    out_of_fold,
    out_of_fold_signals,
    title_signals,
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


TITLE_RECIPE = small_recipe().title


def titled(count: int, seed: int) -> pd.DataFrame:
    """Labels with titles of three words, failing more under the word magnet."""
    draw = np.random.default_rng(seed)
    titles = [" ".join(draw.choice(WORDS, 3, replace=False)) for _ in range(count)]
    failed = draw.random(count) < np.where(["magnet" in title for title in titles], 0.6, 0.1)
    group = [f"s{number}" for number in draw.integers(40, size=count)]
    return pd.DataFrame({"title_key": titles, "failed": failed, "group": group})


def test_the_telling_word_weighs_most() -> None:
    labels = titled(600, 1)
    learned = fit_title_words(labels["title_key"].tolist(), labels["failed"].to_numpy(), TITLE_RECIPE).to_pandas()
    assert learned.loc[learned["weight"].idxmax(), "word"] == "magnet"


@given(st.integers(0, 199), st.integers(0, 20))
@settings(max_examples=8, deadline=None)
def test_a_row_s_out_of_fold_signal_does_not_depend_on_its_own_label(row: int, seed: int) -> None:
    labels = titled(200, seed)
    parts = group_parts(labels["group"].tolist(), 4)
    flipped = labels.assign(failed=labels["failed"] ^ (labels.index == row))
    before, after = (out_of_fold_signals(each, parts, TITLE_RECIPE) for each in (labels, flipped))
    same = labels["title_key"] == labels.loc[row, "title_key"]
    touched = (parts == parts[row]) & same.to_numpy()
    assert np.array_equal(before[touched], after[touched], equal_nan=True)


def test_a_row_s_out_of_fold_signal_does_not_depend_on_labels_of_its_title_under_other_suppliers() -> None:
    labels = titled(400, 2)
    labels.loc[:30, "title_key"] = "red magnet kit"
    parts = group_parts(labels["group"].tolist(), 4)
    twins = (labels["title_key"] == "red magnet kit").to_numpy()
    flipped = labels.assign(failed=labels["failed"] ^ (twins & (parts != 0)))
    before, after = (out_of_fold_signals(each, parts, TITLE_RECIPE) for each in (labels, flipped))
    rows = twins & (parts == 0)
    assert not np.isnan(before[rows]).any()
    assert np.array_equal(before[rows], after[rows])
    others = parts != 0
    one, other = (
        fit_title_words(each["title_key"][others].tolist(), each["failed"][others].to_numpy(), TITLE_RECIPE)
        for each in (labels, flipped)
    )
    assert not one.equals(other)


def test_signals_are_those_of_the_feature_to_the_last_bit() -> None:
    frames = market_frames(300)
    labels = titled(600, 3)
    learned = fit_title_words(labels["title_key"].tolist(), labels["failed"].to_numpy(), TITLE_RECIPE)
    skus = frames["skus"]
    skus.loc[0, "title"] = "Mini, MAGNET -- mini unheard-of!"
    skus.loc[1, "title"] = "nothing known here"
    skus.loc[2, "title"] = None
    keys = [*skus["title"].iloc[3:]]
    spine = skus[["sku_id", "market"]].assign(as_of=date(2025, 1, 1))
    reference = FittedTables({**FittedTables.untrained().tables, "title_words": learned})
    signals = feature_frame(tables_of(frames), spine, reference)["title_signal"].to_numpy()
    ours = title_signals(["mini magnet mini unheard of", "nothing known here", None, *keys], learned)
    assert np.array_equal(signals, ours, equal_nan=True)
    assert not np.isnan(ours[0])
    assert np.isnan(ours[1:3]).all()


def test_without_words_or_with_one_class_nothing_is_learned() -> None:
    assert fit_title_words([None, None], np.array([True, False]), TITLE_RECIPE).num_rows == 0
    assert fit_title_words(["red kit", "red toy", "red lamp"], np.zeros(3, bool), TITLE_RECIPE).num_rows == 0
