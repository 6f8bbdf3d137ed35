"""Leakage audits: folds that share groups, features that change when later rows are removed, suspicious features."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from data.errors import UserError
from data.lake.tables import Tables
from data.progress import Progress
from features.point_in_time import feature_frame
from training import metrics
from training.dataset.splits import RollingPeriod, Rows
from training.fitting.model import TrainingSet
from training.fitting.target_encoding import learned_from_labels
from training.metrics import Floats, Truths
from training.recipe import Recipe


class LeakageError(UserError):
    """Validation data leaks into training."""


def audit_folds(labels: pd.DataFrame, period: RollingPeriod) -> None:
    """Raise LeakageError where a validation label shares a supplier, or factory and title, with a fitted one.

    Also where it was sampled before all fitted labels were known.
    """
    for fold in period.folds:
        for rows in (fold.fit, fold.calibration):
            _require_disjoint(labels, rows, fold.validation)


def _require_disjoint(labels: pd.DataFrame, fit: Rows, validation: Rows) -> None:
    fit_labels, validation_labels = labels.iloc[fit], labels.iloc[validation]
    shared = set(fit_labels["supplier_id"]) & set(validation_labels["supplier_id"])
    twins = set(_products(fit_labels)) & set(_products(validation_labels))
    if shared or twins:
        named = min(shared) if shared else "factory {} with title {!r}".format(*min(twins))
        raise LeakageError(
            f"The folds of the validation leak: {len(shared)} suppliers and {len(twins)} products teach and judge, "
            f"such as {named}. Group labels by training.dataset.labels.near_duplicate_groups."
        )
    late = int((fit_labels["known_on"] >= validation_labels["as_of"].min()).sum())
    if late:
        raise LeakageError(
            f"The folds of the validation leak: {late} labels teach that were not known when the judged period began "
            f"on {validation_labels['as_of'].min():%Y-%m-%d}. Fit on what was known before."
        )


def _products(labels: pd.DataFrame) -> list[tuple[str, str]]:
    named = labels[["factory_id", "title_key"]].dropna()
    return list(named.itertuples(index=False, name=None))


TOLERANCE = 1e-9
NAMED = 5


def audit_leakage(tables: Tables, training_set: TrainingSet, recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Recompute the features of the last days before calibration without what was known later; JSON.

    `rows` from `from` on were equal `without_rows_from`; `suspicious` features alone separate the training labels too
    well. Raises LeakageError, naming the features, where one has changed: it used a row before its `known_on`.
    """
    until = training_set.split.calibration_from
    days = training_set.labels["as_of"]
    start = pd.Timestamp(until) - timedelta(days=recipe.audit.days)
    rows = np.flatnonzero((days >= start) & (days <= pd.Timestamp(until)))
    with progress.step("Leakage audit", len(rows), "tests") as advance:
        changed = changed_features(tables, training_set, rows, until)
        advance(len(rows))
    if changed:
        named = ", ".join(f"{name} ({count} tests)" for name, count in list(changed.items())[:NAMED])
        raise LeakageError(
            f"{len(changed)} features of tests before {until} change when what was known from {until} on is removed: "
            f"{named}. They look into the future; use only rows with known_on before as_of."
        )
    train = training_set.split.train
    values = dict(zip(training_set.feature_set.names, training_set.matrix(train).T, strict=True))
    alone = suspicious_features(values, training_set.failed(train), recipe.audit.suspicious_auc)
    _require_honest(training_set, alone)
    return {"rows": len(rows), "from": f"{start:%Y-%m-%d}", "without_rows_from": until.isoformat(), "suspicious": alone}


def _require_honest(training_set: TrainingSet, suspicious: Sequence[Mapping[str, Any]]) -> None:
    """Raise LeakageError where an own feature alone tells failed from passed: it is the result, or follows from it."""
    own = {each.name: each for each in training_set.reference.own}
    for each in suspicious:
        if each["feature"] in own:
            declared = own[each["feature"]]
            raise LeakageError(
                f"The own feature {declared.name} (column {declared.source_column} of {declared.table}) alone tells "
                f"failed from passed tests with an AUC of {each['auc']:.3f}: it is the result itself, or was written "
                "after it. Take it out of features.toml, or give what was known before the test."
            )


def changed_features(
    tables: Tables, training_set: TrainingSet, rows: "np.typing.NDArray[np.int64]", until: date
) -> Mapping[str, int]:
    """Number of rows by feature that differ in tables without what was known from `until` on, most first.

    Target encodings are not recomputed.
    """
    entity_rows = training_set.labels.iloc[rows][["sku_id", "market", "as_of"]]
    recomputed = feature_frame(tables_known_before(tables, until), entity_rows, training_set.reference)
    declared, learned = training_set.feature_set, learned_from_labels(training_set.reference)
    names = [name for name in declared.names if name not in learned]
    first, second = training_set.features.iloc[rows][names].to_numpy(), recomputed[names].to_numpy()
    differ = ~np.isclose(first, second, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    counts = dict(zip(names, differ.sum(axis=0).tolist(), strict=True))
    return dict(sorted(((name, count) for name, count in counts.items() if count), key=lambda named: -named[1]))


def tables_known_before(tables: Tables, until: date) -> Tables:
    """The tables as they were when `until` began: no row known from then on, no remediation verified from then on."""
    border = ibis.date(until.isoformat())
    given = {name: _known_before(table, border) for name, table in tables.given.items()}
    return replace(tables, given=given, fingerprint=f"{tables.fingerprint}-before-{until}")


def suspicious_features(values_of: Mapping[str, Floats], failed: Truths, limit: float) -> list[dict[str, Any]]:
    """JSON entry of each feature whose AUC alone is above `limit`; `values_of` (n each), unknown values lowest."""
    ones = np.ones((1, len(failed)))
    suspicious = []
    for name, values in values_of.items():
        filled = np.nan_to_num(values, nan=np.nanmin(values, initial=0.0) - 1)
        area = float(metrics.auc(metrics.rank_scores(filled, failed), ones)[0])
        if max(area, 1 - area) > limit:
            suspicious.append({"feature": name, "auc": max(area, 1 - area)})
    return suspicious


def _known_before(table: ir.Table, border: ir.DateScalar) -> ir.Table:
    if "known_on" not in table.columns:
        return table
    known = table.filter(table.known_on < border)
    if "verified_on" not in table.columns:
        return known
    verified = known.verified_on < border
    return known.mutate(
        verified_on=verified.ifelse(known.verified_on, None), effective=verified.ifelse(known.effective, None)
    )
