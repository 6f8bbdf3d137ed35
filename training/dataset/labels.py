"""Labels: independent lab tests with a clear result, and the groups that must not be split between folds."""

from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.lake.report_versions import current_tests
from data.lake.tables import Tables
from features.groups.titles import title_key
from training.dataset.own_codes import own_codes
from training.recipe_schema import INDEPENDENT_ORIGINS, SEVERITIES, LabelRecipe

EVALUATION_ONLY = ("propensity", "strategy", "lab_id", "cost_eur")
"""Columns on why, by whom and at what price a SKU was tested: for evaluation, never features."""

EVERY_TEST = LabelRecipe(least_severity=SEVERITIES[0], origins=INDEPENDENT_ORIGINS)


def build_labels(tables: Tables, until: date | None = None, rule: LabelRecipe = EVERY_TEST) -> pd.DataFrame:
    """Table of labels, one row per test that is a label by `rule` and, with `until`, was known before that day.

    Of a test whose report was amended the newest version counts, with `until` the newest one known before that day; a
    test without a result is no label.
    Columns: test_id, sku_id, market, as_of (the day the sample was drawn, datetime64), known_on, failed (bool),
    severity, hazard (of a failure); supplier_id, factory_id, category and title_key of the SKU; group (see
    `near_duplicate_groups`); and the columns of EVALUATION_ONLY and of `own_codes`. Sorted by day and test, so the
    order of the rows of the tables does not matter.
    """
    tests, skus = current_tests(tables["lab_tests"], until), tables["skus"]
    labelled = tests.filter(tests.origin.isin(rule.origins), tests.result.isin(["pass", "fail"]))
    joined = labelled.join(skus, ["sku_id", "market"])
    rows = joined.select(
        "test_id", "sku_id", "market", "known_on", "severity", "hazard", "supplier_id", "factory_id", "category",
        *EVALUATION_ONLY,
        title_key=title_key(joined.title), as_of=joined.happened_on, failed=_is_failure(joined, rule),
    )  # fmt: skip
    frame: pd.DataFrame = tables.backend.to_pyarrow(rows).to_pandas()
    for day in ("as_of", "known_on"):
        frame[day] = pd.to_datetime(frame[day]).astype("datetime64[us]")
    frame["failed"] = frame["failed"].astype(bool)
    frame = frame.sort_values(["as_of", "test_id"], ignore_index=True)
    frame["group"] = near_duplicate_groups(frame)
    return pd.concat([frame, own_codes(tables, frame)], axis=1)


def _is_failure(tests: ir.Table, rule: LabelRecipe) -> ir.BooleanValue:
    milder = SEVERITIES[: SEVERITIES.index(rule.least_severity)]
    forgiven = tests.severity.isin(milder).fill_null(False) if milder else ibis.literal(False)
    return (tests.result == "fail") & ~forgiven


def near_duplicate_groups(skus: pd.DataFrame) -> "pd.Series[str]":
    """Group of each row (supplier_id, factory_id, title_key): the first supplier_id of all it is connected to.

    Rows are connected when they share a supplier, or both a factory and a title (the same product sold under another
    account), directly or through others. Rows without factory or title are connected by supplier alone.
    """
    suppliers, position = np.unique(skus["supplier_id"].to_numpy(dtype=str), return_inverse=True)
    twin = skus["factory_id"].astype("string") + "\n" + skus["title_key"].astype("string")
    code = pd.factorize(twin)[0]
    tied = code >= 0
    size = len(suppliers) + int(code.max(initial=-1)) + 1
    ends = (position[tied], len(suppliers) + code[tied])
    graph = coo_array((np.ones(int(tied.sum())), ends), shape=(size, size))
    component = connected_components(graph, directed=False)[1][position]
    first = pd.Series(suppliers[position]).groupby(component).transform("min")
    return pd.Series(first.to_numpy(), index=skus.index, name="group")
