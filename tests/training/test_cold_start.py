"""New suppliers, SKUs and categories: told apart by what was known on the day, and never by what came later."""

from datetime import date

import numpy as np
import pandas as pd

from tests.training.worlds import small_recipe
from training.cold_start import cold_rows, cold_start
from training.evaluation import Claim, Judged, sigmoid

UNTIL = date(2025, 3, 1)


def labels_of(rows: list[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """Labels (supplier, SKU, category, drawn, known) in one market."""
    labels = pd.DataFrame(rows, columns=["supplier_id", "sku_id", "category", "as_of", "known_on"])
    days = {name: pd.to_datetime(labels[name]) for name in ("as_of", "known_on")}
    return labels.assign(market="EU", **days)


def test_what_was_known_before_the_day_is_not_new() -> None:
    labels = labels_of([
        ("a", "k1", "toys", "2025-01-01", "2025-02-01"),
        ("a", "k1", "toys", "2025-02-01", "2025-03-15"),  # the first report came on this day, too late for it
        ("a", "k1", "toys", "2025-02-02", "2025-03-15"),
        ("a", "k2", "toys", "2025-02-02", "2025-03-15"),
        ("b", "k3", "lamps", "2025-04-01", "2025-04-15"),
    ])  # fmt: skip
    rows = cold_rows(labels, np.array([1, 2, 3, 4]), UNTIL)
    assert rows["new supplier"].tolist() == [True, False, False, True]
    assert rows["new SKU"].tolist() == [True, False, True, True]
    assert rows["new category"].tolist() == [False, False, False, True]
    assert (rows["known supplier"] == ~rows["new supplier"]).all()


def test_a_sku_in_another_market_is_another_sku() -> None:
    days = [("2025-01-01", "2025-01-02"), ("2025-02-01", "2025-04-02")]
    labels = labels_of([("a", "k1", "toys", *each) for each in days])
    labels.loc[1, "market"] = "US"
    rows = cold_rows(labels, np.array([1]), UNTIL)
    assert rows["new SKU"].tolist() == [True]
    assert rows["new category"].tolist() == [True]
    assert rows["new supplier"].tolist() == [False]


def test_too_few_is_said_with_the_base_rate_alone() -> None:
    draw = np.random.default_rng(1)
    margin = draw.normal(-1, 1, 200)
    failed = draw.random(200) < sigmoid(margin)
    judged = Judged(failed, np.vstack([np.ones(200), draw.poisson(1, (40, 200))]), budget=20)
    few = np.arange(200) < 20
    rows = {"new": few, "known": ~few, "none": few & ~few}
    new, known, none = cold_start(Claim(margin, sigmoid(margin)), judged, rows, small_recipe().evaluation)
    assert (new["rows"], new["n"], new["failures"], new["too_few"]) == ("new", 20, int(failed[:20].sum()), True)
    assert new["base_rate_interval"][0] <= new["base_rate"] <= new["base_rate_interval"][1]
    assert "auc" not in new
    assert (none["n"], none["base_rate"], none["too_few"]) == (0, None, True)
    assert not known["too_few"]
    assert known["auc_interval"][0] < known["auc"] < known["auc_interval"][1]
    assert known["budget"]["of"] == 180
