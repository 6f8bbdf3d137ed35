"""What follows from selling: seasons, returns, reviews and incidents that the hazards cause."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from data.synthetic.vocabulary import categories, hazards

SAFETY = ("safety_concern", "allergic_reaction")
HARM_WORDS = ("caught fire", "electric shock", "burned my", "nearly choked", "cut her finger", "collapsed")


@pytest.fixture(scope="module")
def sold(large: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Per listing its truth, category and units sold."""
    keys = ["sku_id", "market"]
    units = large["orders"].groupby(keys).units.sum().rename("sold").reset_index()
    return large["truth"].merge(large["skus"][[*keys, "category"]], on=keys).merge(units, on=keys)


def _per_thousand_sold(events: pd.DataFrame, sold: pd.DataFrame) -> pd.Series:
    """Events per thousand units sold, for compliant (False) and non-compliant (True) listings."""
    merged = events.merge(sold[["sku_id", "market", "non_compliant"]], on=["sku_id", "market"])
    return 1000 * merged.groupby("non_compliant").size() / sold.groupby("non_compliant").sold.sum()


def test_toys_and_lights_sell_before_christmas(large: Mapping[str, pd.DataFrame]) -> None:
    """November and December more than double their demand; other goods hardly move."""
    seasonal = {category.name for category in categories() if category.seasonal}
    orders = large["orders"].merge(large["skus"][["sku_id", "market", "category"]], on=["sku_id", "market"])
    days = pd.to_datetime(orders.happened_on)
    year = orders[(days >= pd.Timestamp(2025, 7, 1))]
    holiday = pd.to_datetime(year.happened_on).dt.month >= 11
    peak = year.assign(holiday=holiday).groupby([year.category.isin(seasonal), "holiday"]).units.sum()
    ratio = {kind: (peak[kind, True] / 61) / (peak[kind, False] / 304) for kind in (True, False)}
    assert ratio[True] > 1.8
    assert ratio[False] < 1.4


def test_volumes_per_sku_are_those_of_a_marketplace(large: Mapping[str, pd.DataFrame]) -> None:
    """Orders 8 to 15, returns 2 to 5, reviews 3 to 6 rows per SKU, with a heavy tail."""
    for name, (low, high) in {"orders": (8, 15), "returns": (2, 5), "reviews": (3, 6)}.items():
        assert low < len(large[name]) / len(large["skus"]) < high, name
    per_listing = large["orders"].groupby(["sku_id", "market"]).units.sum()
    assert per_listing.quantile(0.99) > 10 * per_listing.median()


def test_few_listings_have_most_sales_and_many_no_review(large: Mapping[str, pd.DataFrame]) -> None:
    """The top hundredth sells a third or more, log sales fall on log rank about as published, half have no review."""
    keys = ["sku_id", "market"]
    units = large["orders"].groupby(keys).units.sum().sort_values(ascending=False)
    listed, top = len(large["skus"]), len(large["skus"]) // 100
    assert 0.25 < units.iloc[:top].sum() / units.sum() < 0.6
    slope = np.polyfit(np.log(np.arange(1, 5 * top)), np.log(units.iloc[: 5 * top - 1]), 1)[0]
    assert -1.3 < slope < -0.7
    reviews = large["reviews"].groupby(keys).size()
    assert 0.4 < 1 - len(reviews) / listed < 0.7
    assert reviews.max() > 100 * reviews.median()


def test_non_compliant_goods_come_back_for_safety(large: Mapping[str, pd.DataFrame], sold: pd.DataFrame) -> None:
    """Returns for a safety reason are more frequent among non-compliant listings."""
    returns = large["returns"]
    rates = _per_thousand_sold(returns[returns.reason.isin(SAFETY)], sold)
    assert rates[True] > 2 * rates[False]


def test_hazards_nobody_can_see_leave_no_trace(large: Mapping[str, pd.DataFrame], sold: pd.DataFrame) -> None:
    """Lead, cadmium and the like do not show in returns; fire does."""
    returns = large["returns"]
    safety = returns[returns.reason.isin(SAFETY)]
    hidden = {hazard.name for hazard in hazards() if hazard.visibility <= 0.05}
    unseen = _per_thousand_sold(safety, sold[sold.hazard.isin(hidden)])
    seen = _per_thousand_sold(safety, sold[sold.hazard == "fire"])
    assert unseen[True] < 1.6 * unseen[False]
    assert seen[True] > 5 * seen[False]


def test_harmed_buyers_write_about_it(large: Mapping[str, pd.DataFrame], sold: pd.DataFrame) -> None:
    """Words of harm are more frequent in the reviews of non-compliant goods, yet not absent elsewhere."""
    reviews = large["reviews"]
    harm = reviews[(reviews.language == "en") & reviews.text.str.contains("|".join(HARM_WORDS)) & (reviews.rating < 4)]
    rates = _per_thousand_sold(harm, sold)
    assert rates[True] > 2 * rates[False] > 0


def test_reviews_come_in_six_languages_with_figures_negations_and_duplicates(
    large: Mapping[str, pd.DataFrame],
) -> None:
    """Words of harm without harm exist, preset phrases are a tenth, and no text is empty."""
    reviews = large["reviews"]
    assert set(reviews.language) == {"en", "de", "fr", "es", "ja", "zh"}
    assert reviews.text.str.len().min() > 1
    for words in ("No burning smell", "I was shocked how good", "might catch fire", "previous one caught fire"):
        assert reviews.text.str.contains(words).any(), words
    preset = reviews.text.isin(
        ["Good product.", "As described.", "Fast delivery, good seller.", "Recommended.", "Nice."]
    )
    assert preset[reviews.language == "en"].mean() == pytest.approx(0.10, abs=0.02)


def test_fakes_are_one_in_sixteen_and_concentrated(large: Mapping[str, pd.DataFrame]) -> None:
    """About 6 % of the reviews are bought, by fewer than a tenth of the suppliers."""
    reviews = large["reviews"].merge(large["skus"][["sku_id", "market", "supplier_id"]], on=["sku_id", "market"])
    english = reviews[reviews.language == "en"]
    bought = english.text.str.contains("best seller|everyone should buy|Best best best|Excellent excellent")
    assert bought.mean() == pytest.approx(0.06, abs=0.025)
    assert english[bought].supplier_id.nunique() < 0.12 * len(large["suppliers"])
    assert english[bought].verified.mean() < 0.6 < english[~bought].verified.mean()


def test_ratings_are_polar(large: Mapping[str, pd.DataFrame]) -> None:
    """Most give five stars, and one star is more frequent than two."""
    shares = large["reviews"].rating.value_counts(normalize=True)
    assert shares[5] > 0.5
    assert shares[1] > shares[2]


def test_the_truth_of_every_review_is_known(large: Mapping[str, pd.DataFrame], sold: pd.DataFrame) -> None:
    """Only harm that the product did counts as harm; four in ten who were harmed do not say by what."""
    reviews, truth = large["reviews"], large["truth_reviews"]
    assert sorted(truth.review_id) == sorted(reviews.review_id)
    known = reviews.merge(truth, on="review_id").merge(sold, on=["sku_id", "market"])
    assert set(truth.origin) == {"ordinary", "harmed", "mistaken", "bought", "planted"}
    assert (known.is_harm == (known.origin == "harmed")).all()
    harmed, mistaken = known[known.origin == "harmed"], known[known.origin == "mistaken"]
    assert harmed.non_compliant.mean() > mistaken.non_compliant.mean() + 0.3
    assert (harmed.says == "veiled").mean() == pytest.approx(0.4, abs=0.06)


def test_rivals_copy_and_buyers_write_their_own_words(large: Mapping[str, pd.DataFrame]) -> None:
    """Copies of one burst share text and language; of what harmed buyers write few texts are alike."""
    known = large["reviews"].merge(large["truth_reviews"], on="review_id")
    copied = known[known.copied]
    assert len(copied) > 20
    assert set(copied.origin) == {"planted"}
    assert len(copied[["sku_id", "market"]].drop_duplicates()) == len(
        copied[["sku_id", "market", "text", "language"]].drop_duplicates()
    )
    told = known[(known.origin == "harmed") & (known.says != "veiled") & (known.language == "en")]
    assert told.text.nunique() > 0.7 * len(told)
