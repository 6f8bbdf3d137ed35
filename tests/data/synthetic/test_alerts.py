"""Alerts of the sample marketplace: they point to bad products, and to goods that nobody sells here."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from data.alerts.matching import BY_NUMBER, match_alerts
from data.importers.identifiers import has_check_digit
from data.lake.tables import tables_from_frames
from data.synthetic.skus import gtins, model_numbers


def test_matched_skus_fail_more_often_and_many_alerts_match_none(large: Mapping[str, pd.DataFrame]) -> None:
    frames = {name: pa.Table.from_pandas(large[name], preserve_index=False) for name in ("skus", "alerts")}
    tables = tables_from_frames(frames)
    matches = tables.backend.to_pyarrow(match_alerts(tables)).to_pandas()
    bad = large["truth"].set_index(["sku_id", "market"]).non_compliant
    named = matches[matches.how.isin(BY_NUMBER)].set_index(["sku_id", "market"]).index.unique()
    alike = matches[~matches.how.isin(BY_NUMBER)].set_index(["sku_id", "market"]).index.unique()
    assert bad[named].mean() > 2 * bad.mean()
    assert bad[alike].mean() > 1.3 * bad.mean()
    unmatched = 1 - matches.alert_id.nunique() / len(large["alerts"])
    assert 0.15 < unmatched < 0.6


def test_numbers_of_products_are_unique_and_gtins_carry_their_check_digit() -> None:
    products = np.arange(5_000)
    numbers = gtins(products, 7).to_pylist()
    assert len(set(numbers)) == len(numbers)
    assert all(has_check_digit(number) for number in numbers)
    assert len(set(model_numbers(products, 7).to_pylist())) > 0.99 * len(products)
