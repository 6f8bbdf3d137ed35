"""Who is shown how often: views follow sales, and the recommender shows failing listings more often."""

import numpy as np
import pandas as pd
import pytest

from data.synthetic.exposures import PERIODS, PROMOTED


def _ratio(world: dict[str, pd.DataFrame], views: pd.DataFrame) -> float:
    """Prevalence by views over prevalence by listings."""
    summed = views.groupby(["sku_id", "market"]).views.sum().reset_index()
    known = world["truth"].merge(summed, how="left", on=["sku_id", "market"]).fillna({"views": 0})
    return float(np.average(known.p_fail, weights=known.views) / known.p_fail.mean())


def test_the_recommender_favours_failing_listings(large: dict[str, pd.DataFrame]) -> None:
    """More than search does, which follows sales."""
    views = large["exposures"]
    recommended = _ratio(large, views[views.surface == "recommendation"])
    assert recommended > 1.4 * _ratio(large, views[views.surface == "search"])
    assert recommended > 1.5


def test_only_recommended_views_are_promoted(large: dict[str, pd.DataFrame]) -> None:
    views = large["exposures"]
    recommended = views[views.surface == "recommendation"]
    assert recommended.promoted.sum() / recommended.views.sum() == pytest.approx(PROMOTED, abs=0.01)
    assert (views[views.surface == "search"].promoted == 0).all()
    assert (views.views > 0).all()
    assert views.happened_on.nunique() == PERIODS


def test_a_listing_is_not_shown_before_it_is_listed(large: dict[str, pd.DataFrame]) -> None:
    listed = large["exposures"].merge(large["skus"][["sku_id", "market", "listed_on"]], on=["sku_id", "market"])
    assert (pd.to_datetime(listed.happened_on) > pd.to_datetime(listed.listed_on)).all()
