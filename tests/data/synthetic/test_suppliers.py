"""Who sells: shared factories, suppliers that come back, audits and certificates that tell something."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from data.synthetic.ground_truth import World
from data.synthetic.suppliers import factory_ids, supplier_ids


def test_a_returning_supplier_keeps_factory_and_titles(large: Mapping[str, pd.DataFrame], large_world: World) -> None:
    """A new identifier, the same goods, listed after the suspension."""
    suppliers = large_world.suppliers
    returning = np.flatnonzero(suppliers.predecessor >= 0)
    assert len(returning) >= 1
    compared = 0
    for new in returning:
        names = supplier_ids(np.array([new, suppliers.predecessor[new]]), large_world.seed).to_pylist()
        later, earlier = (large["skus"][large["skus"].supplier_id == name] for name in names)
        if len(later) and len(earlier):
            compared += 1
            assert set(later.title) <= set(earlier.title)
            made_in = [set(later.factory_id.dropna()), set(earlier.factory_id.dropna())]
            assert made_in[0] <= set(factory_ids(suppliers.factories[new], large_world.seed).to_pylist())
            assert made_in[1] <= set(factory_ids(suppliers.factories[new], large_world.seed).to_pylist())
            held = large["holds"][large["holds"].supplier_id == names[1]]
            assert later.listed_on.min() > held.happened_on.max()
    assert compared


def test_factories_serve_several_sellers(large: Mapping[str, pd.DataFrame]) -> None:
    """At least one seller in four shares a factory with another."""
    pairs = large["skus"][["supplier_id", "factory_id"]].dropna().drop_duplicates()
    assert (pairs.groupby("factory_id").size() > 1).mean() > 0.25


def test_suppliers_differ_widely_in_size(large: Mapping[str, pd.DataFrame]) -> None:
    """A heavy tail: the largest tenth lists more than a third of the catalogue."""
    sizes = large["skus"].groupby("supplier_id").size().sort_values(ascending=False)
    assert sizes.head(len(large["suppliers"]) // 10).sum() > len(large["skus"]) / 3


def test_announced_audits_find_less(large: Mapping[str, pd.DataFrame]) -> None:
    """Who knows of the visit tidies up."""
    majors = large["audits"].groupby("announced").major.mean()
    assert majors[True] < 0.7 * majors[False]


def test_denied_certificates_mean_more_failures_than_confirmed_ones(large: Mapping[str, pd.DataFrame]) -> None:
    """Papers inform, although a confirmed one does not clear a product."""
    truth = large["truth"].drop_duplicates("sku_id").set_index("sku_id").non_compliant
    rates = {status: truth[rows.sku_id.unique()].mean() for status, rows in large["certificates"].groupby("status")}
    assert rates["denied"] > 1.3 * rates["confirmed"] > 0.05


def test_identifiers_are_unique(large_world: World) -> None:
    """One identifier per supplier."""
    names = supplier_ids(np.arange(len(large_world.suppliers)), large_world.seed)
    assert len(names.unique()) == len(large_world.suppliers)
    assert names.type == pa.string()
