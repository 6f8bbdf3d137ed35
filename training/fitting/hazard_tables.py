"""Fits what would fail: counts of hazards among failures, how far cells differ, and what mentions in reviews add."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from features.fitted_tables import SCHEMAS, FittedTables
from models.hazard_shares import CELL, LEVELS_OF, read_hazard_shares
from models.nested_shares import NestedCounts, count_nested, shrink
from models.risk_levels import SEVERITIES
from training.dataset.splits import Rows
from training.metrics import Floats

TOPICS = Path(__file__).resolve().parent / "hazard_topics.toml"
WHOLE_STRENGTH = 1.0
"""The whole is worth its counts and one failure spread evenly, so that no hazard that was seen has a share of 0."""

STRENGTHS = 2.0 ** np.arange(-1, 11)
LARGEST_WEIGHT, WEIGHT_SD = 3.0, 1.0
"""Bound and standard deviation of the prior of the weight of mentions (log-odds per log of rate / usual rate)."""


def fit_hazard_tables(
    labels: pd.DataFrame, features: pd.DataFrame, parts: Rows, reference: FittedTables
) -> Mapping[str, pa.Table]:
    """Tables `hazards`, `hazard_smoothing` and `hazard_evidence` of training labels; empty where none names a hazard.

    `features` has a row per label, `parts` (n) is the fold of each label's group; `reference` holds the usual rate of
    mentions. The weight of mentions is fitted on failures whose shares were counted without their fold.
    """
    known = (labels["failed"] & labels["hazard"].notna() & labels["category"].notna()).to_numpy()
    failures, features, parts = labels[known], features[known], parts[known]
    if not len(failures):
        return {name: SCHEMAS[name].empty_table() for name in ("hazards", "hazard_smoothing", "hazard_evidence")}
    tables = _count(failures)
    evidence = _evidence(sorted(set(failures["hazard"])), features, reference)
    weight = _fit_weight(failures, features, parts, {**tables, "hazard_evidence": evidence})
    weighed = evidence.set_column(3, SCHEMAS["hazard_evidence"].field("weight"), pa.repeat(weight, len(evidence)))
    return {**tables, "hazard_evidence": weighed}


def _count(failures: pd.DataFrame) -> dict[str, pa.Table]:
    """Tables `hazards` and `hazard_smoothing`."""
    columns = [*CELL, "hazard", "severity"]
    counted = failures.groupby(columns, dropna=False).size().rename("failures").reset_index().sort_values(columns)
    hazards = pa.Table.from_pandas(counted, schema=SCHEMAS["hazards"], preserve_index=False)
    names = sorted(set(failures["hazard"]))
    graded = failures.dropna(subset=["severity"])
    strengths = {
        "hazards": fit_strengths(_nested(failures, CELL, "hazard", names), len(CELL) + 1),
        "severities": fit_strengths(_nested(graded, ("category", "hazard"), "severity", SEVERITIES), 3),
    }
    rows = [{"shares": shares, "level": level, "strength": strength} for shares, of_levels in strengths.items()
            for level, strength in zip(LEVELS_OF[shares], of_levels, strict=True)]  # fmt: skip
    return {"hazards": hazards, "hazard_smoothing": pa.Table.from_pylist(rows, schema=SCHEMAS["hazard_smoothing"])}


def _nested(failures: pd.DataFrame, cell: Sequence[str], outcome: str, order: Sequence[str]) -> NestedCounts:
    codes = pd.Categorical(failures[outcome], categories=list(order)).codes.astype(np.int64)
    keys = failures[list(cell)].itertuples(index=False, name=None)
    return count_nested(keys, codes, np.ones(len(failures), dtype=np.int64), len(order))


def fit_strengths(nested: NestedCounts, levels: int) -> tuple[float, ...]:
    """How many failures of the cell around it a cell is worth, by depth (`levels` of them).

    Of STRENGTHS the likeliest given the shares of the cells around (Dirichlet-multinomial likelihood, empirical Bayes).
    """
    strengths = [WHOLE_STRENGTH]
    for depth in range(1, levels):
        cells = nested.depth == depth
        own, around = nested.counts[cells], shrink(nested, strengths)[nested.parent[cells]]
        likelihoods = [_log_likelihood(own, strength * around) for strength in STRENGTHS]
        strengths.append(float(STRENGTHS[int(np.argmax(likelihoods))]))
    return tuple(strengths)


def _log_likelihood(counts: Floats, prior: Floats) -> float:
    """Log-likelihood of counts (cells, outcomes) under a Dirichlet prior each, but for a constant."""
    total, expected = counts.sum(axis=1), prior.sum(axis=1)
    whole = gammaln(expected) - gammaln(expected + total)
    return float(whole.sum() + (gammaln(prior + counts) - gammaln(prior)).sum())


def _evidence(hazards: Sequence[str], features: pd.DataFrame, reference: FittedTables) -> pa.Table:
    """Table `hazard_evidence` without weights: the feature of each hazard that buyers write about."""
    usual = reference.prior("hazard_review").mean
    named = {hazard: f"sku_{hazard_topics()[hazard]}_review_rate" for hazard in hazards if hazard in hazard_topics()}
    rows = [{"hazard": hazard, "feature": feature, "usual": usual, "weight": 0.0} for hazard, feature in named.items()
            if feature in features]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SCHEMAS["hazard_evidence"])


def _fit_weight(failures: pd.DataFrame, features: pd.DataFrame, parts: Rows, tables: Mapping[str, pa.Table]) -> float:
    """The likeliest weight of mentions, 0 where the failures show none."""
    shares = read_hazard_shares(FittedTables(tables), list(features.columns))
    if shares is None or not len(shares.evidence.columns):
        return 0.0
    rates = features.iloc[:, shares.evidence.columns].to_numpy(dtype=float)
    told = np.flatnonzero((rates > shares.evidence.usual).any(axis=1))
    expected = out_of_fold_shares(failures, parts, shares.hazards)
    observed = pd.Categorical(failures["hazard"], categories=list(shares.hazards)).codes

    def loss(weight: float) -> float:
        tilted = replace(shares.evidence, weight=weight).tilt(expected[told], rates[told])
        return float(-np.log(tilted[np.arange(len(told)), observed[told]]).sum() + (weight / WEIGHT_SD) ** 2 / 2)

    found = minimize_scalar(loss, bounds=(0.0, LARGEST_WEIGHT), method="bounded")
    return float(found.x) if len(told) else 0.0


def out_of_fold_shares(failures: pd.DataFrame, parts: Rows, hazards: Sequence[str]) -> Floats:
    """Shares (failures, hazards) of the cell of each failure, counted without its fold."""
    shares = np.full((len(failures), len(hazards)), 1 / len(hazards))
    for part in np.unique(parts):
        own = parts == part
        nested = _nested(failures[~own], CELL, "hazard", hazards)
        counted = shrink(nested, fit_strengths(nested, len(CELL) + 1))
        keys = failures.loc[own, list(CELL)].itertuples(index=False, name=None)
        shares[own] = counted[[nested.deepest(key) for key in keys]]
    return shares


@cache
def hazard_topics() -> Mapping[str, str]:
    """The topic of reviews about each hazard."""
    topics: dict[str, str] = tomllib.loads(TOPICS.read_text(encoding="utf-8"))
    return topics
