"""Title words: learned without the row itself, and read the way the feature reads them."""

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from tests.training.worlds import WORDS, market_frames, small_recipe, tables_of
from training.dataset.splits import group_parts
from training.fitting.target_encoding import fit_title_words, out_of_fold_signals, title_signals

RECIPE = small_recipe().title


def titled(count: int, seed: int) -> pd.DataFrame:
    """Labels with titles of three words, failing more under the word magnet."""
    draw = np.random.default_rng(seed)
    titles = [" ".join(draw.choice(WORDS, 3, replace=False)) for _ in range(count)]
    failed = draw.random(count) < np.where(["magnet" in title for title in titles], 0.6, 0.1)
    group = [f"s{number}" for number in draw.integers(40, size=count)]
    return pd.DataFrame({"title_key": titles, "failed": failed, "group": group})


def test_the_telling_word_weighs_most() -> None:
    labels = titled(600, 1)
    learned = fit_title_words(labels["title_key"].tolist(), labels["failed"].to_numpy(), RECIPE).to_pandas()
    assert learned.loc[learned["weight"].idxmax(), "word"] == "magnet"


@given(st.integers(0, 199), st.integers(0, 20))
@settings(max_examples=8, deadline=None)
def test_a_row_s_out_of_fold_signal_does_not_depend_on_its_own_label(row: int, seed: int) -> None:
    labels = titled(200, seed)
    parts = group_parts(labels["group"].tolist(), 4)
    flipped = labels.assign(failed=labels["failed"] ^ (labels.index == row))
    before, after = (out_of_fold_signals(each, parts, RECIPE) for each in (labels, flipped))
    same = labels["title_key"] == labels.loc[row, "title_key"]
    touched = (parts == parts[row]) & same.to_numpy()
    assert np.array_equal(before[touched], after[touched], equal_nan=True)


def test_a_row_s_out_of_fold_signal_does_not_depend_on_labels_of_its_title_under_other_suppliers() -> None:
    labels = titled(400, 2)
    labels.loc[:30, "title_key"] = "red magnet kit"
    parts = group_parts(labels["group"].tolist(), 4)
    twins = (labels["title_key"] == "red magnet kit").to_numpy()
    flipped = labels.assign(failed=labels["failed"] ^ (twins & (parts != 0)))
    before, after = (out_of_fold_signals(each, parts, RECIPE) for each in (labels, flipped))
    rows = twins & (parts == 0)
    assert not np.isnan(before[rows]).any()
    assert np.array_equal(before[rows], after[rows])
    others = parts != 0
    one, other = (
        fit_title_words(each["title_key"][others].tolist(), each["failed"][others].to_numpy(), RECIPE)
        for each in (labels, flipped)
    )
    assert not one.equals(other)


def test_signals_are_those_of_the_feature_to_the_last_bit() -> None:
    frames = market_frames(300)
    labels = titled(600, 3)
    learned = fit_title_words(labels["title_key"].tolist(), labels["failed"].to_numpy(), RECIPE)
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
    assert fit_title_words([None, None], np.array([True, False]), RECIPE).num_rows == 0
    assert fit_title_words(["red kit", "red toy", "red lamp"], np.zeros(3, bool), RECIPE).num_rows == 0
