"""Groups of sellers and tests for the fairness report; never a feature."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import AfterValidator, Field

from data.lake.tables import Tables
from data.policy import POLICY_FOLDER, Count, Policy, Several, policy_in_force

DIMENSIONS = ("country", "size_band", "tenure", "review_language")
UNKNOWN = "unknown"


def _require_rising(edges: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(set(edges)) != list(edges):
        raise ValueError(f"edges must rise, got {list(edges)}")
    return edges


Edges = Annotated[Several[Count], Field(min_length=1), AfterValidator(_require_rising)]


class FairnessPolicy(Policy, subject="fairness"):
    """Edges of size bands (SKUs listed) and tenure bands (days since onboarding), and the smallest counts reported."""

    fewest_tests: Count
    fewest_outcomes: Count
    fewest_sellers: Count
    size_edges_skus: Edges
    tenure_edges_days: Edges


def fairness_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> FairnessPolicy:
    """The fairness policy of a day. Raises UserError where there is none or where it lacks a whole number it needs."""
    return policy_in_force(FairnessPolicy, as_of, folder)


def group_tests(tables: Tables, labels: pd.DataFrame, policy: FairnessPolicy | None = None) -> pd.DataFrame:
    """Table of groups, a row per label (index of `labels`) and a column per dimension, as known on the label's day.

    `labels` has sku_id, market, supplier_id and as_of. The review language is the one most reviews of the SKU in its
    market are written in. What no table states is `unknown`. Without a policy, that of the last label's day is used.
    """
    if labels.empty:
        return pd.DataFrame(columns=list(DIMENSIONS), index=labels.index, dtype=object)
    policy = policy or fairness_policy_in_force(labels["as_of"].max().date())
    rows = labels[["supplier_id", "sku_id", "market", "as_of"]].reset_index(drop=True)
    return _assign_groups(tables, rows, ["sku_id", "market"], policy).set_axis(labels.index)


def group_sellers(tables: Tables, as_of: date, policy: FairnessPolicy) -> pd.DataFrame:
    """Table of groups, a row per supplier (index supplier_id) with a SKU listed by `as_of`, a column per dimension."""
    skus = tables["skus"]
    listed = skus.filter(skus.listed_on < ibis.date(as_of.isoformat())).select("supplier_id").distinct()
    rows = tables.backend.to_pyarrow(listed.order_by("supplier_id")).to_pandas()
    rows["as_of"] = pd.Timestamp(as_of).as_unit("us")
    return _assign_groups(tables, rows, ["supplier_id"], policy).set_axis(pd.Index(rows["supplier_id"]))


def _assign_groups(tables: Tables, rows: pd.DataFrame, review_keys: list[str], policy: FairnessPolicy) -> pd.DataFrame:
    """Groups of rows (supplier_id, as_of and `review_keys`, the keys of their reviews), in their order."""
    # Through Arrow: Ibis 12 asks pandas 3 for an option that pandas has deprecated.
    table = pa.Table.from_pandas(rows.assign(row=np.arange(len(rows))), preserve_index=False)
    entity_rows = ibis.memtable(table).mutate(as_of=lambda rows: rows.as_of.cast("date"))
    of_supplier = tables["suppliers"].select("supplier_id", "country", "onboarded_on")
    joined = entity_rows.left_join(of_supplier, "supplier_id").left_join(_sizes(tables, entity_rows), "row")
    joined = joined.left_join(_languages(tables, entity_rows, review_keys), "row").select(
        "row", "country", "skus", "language", days=joined.as_of.delta(joined.onboarded_on, unit="day")
    )
    frame = tables.backend.to_pyarrow(joined).to_pandas().sort_values("row", ignore_index=True)
    return pd.DataFrame({
        "country": frame["country"].fillna(UNKNOWN),
        "size_band": _band(frame["skus"].fillna(0), policy.size_edges_skus, "SKUs"),
        "tenure": _band(frame["days"], policy.tenure_edges_days, "days"),
        "review_language": frame["language"].fillna(UNKNOWN),
    })  # fmt: skip


def _sizes(tables: Tables, entity_rows: ir.Table) -> ir.Table:
    """Table (row, skus): SKUs that the row's supplier had listed before its day."""
    skus = tables["skus"].select("supplier_id", "sku_id", "listed_on")
    listed = entity_rows.select("row", "supplier_id", "as_of").inner_join(skus, "supplier_id")
    return listed.filter(listed.listed_on < listed.as_of).group_by("row").agg(skus=lambda rows: rows.sku_id.nunique())


def _languages(tables: Tables, entity_rows: ir.Table, by: list[str]) -> ir.Table:
    """Table (row, language): the language of most reviews known before the row's day, ties by name."""
    reviews = tables["reviews"]
    if "supplier_id" in by:
        reviews = reviews.inner_join(tables["skus"].select("sku_id", "market", "supplier_id"), ["sku_id", "market"])
    reviews = reviews.select(*by, "language", "known_on").drop_null("language")
    read = entity_rows.select("row", *by, "as_of").inner_join(reviews, by)
    counted = read.filter(read.known_on < read.as_of).group_by("row", "language").agg(reviews=lambda rows: rows.count())
    position = ibis.row_number().over(group_by="row", order_by=[counted.reviews.desc(), counted.language])
    return counted.mutate(position=position).filter(lambda rows: rows.position == 0).select("row", "language")


def _band(amount: "pd.Series[float]", edges: Sequence[int], unit: str) -> "pd.Series[str]":
    between = [f"{low} to {high - 1} {unit}" for low, high in pairwise(edges)]
    names = np.array([f"under {edges[0]} {unit}", *between, f"{edges[-1]} {unit} or more"], dtype=object)
    banded = names[np.searchsorted(np.asarray(edges), amount.fillna(0).to_numpy(np.float64), side="right")]
    return pd.Series(banded, index=amount.index).where(amount.notna(), UNKNOWN)
