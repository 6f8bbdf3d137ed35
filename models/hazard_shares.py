"""Shares of hazards and severities among failures, by category, market, supplier, and mentions in reviews."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.fitted_tables import FittedTables
from models.nested_shares import Key, count_nested, shrink
from models.risk_levels import SEVERITIES, UNKNOWN

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CELL = ("category", "market", "supplier_id")
"""The cells of hazards, the widest first."""

LEVELS_OF: Mapping[str, tuple[str, ...]] = {
    "hazards": ("all", *CELL), "severities": ("all", "category", "hazard")
}  # fmt: skip
"""The nested levels of each kind of shares, as the table `hazard_smoothing` names them."""


@dataclass(frozen=True)
class ReviewEvidence:
    """What mentions in reviews say of hazards.

    `columns` are those of the matrix with rates of mentions, `usual` their usual rates, `of_hazard` the number of each
    hazard's column, UNKNOWN where buyers write of none, `weight` the power of rate / usual by which a hazard grows.
    """

    columns: Integers
    usual: Floats
    of_hazard: Integers
    weight: float

    def tilt(self, shares: Floats, rates: Floats) -> Floats:
        """Shares (rows, hazards) given the rates (rows, columns) of mentions; a rate below the usual one says nothing.

        More mentions of a hazard never lower its share.
        """
        above = np.log(np.fmax(rates / self.usual, 1.0))
        log_odds = np.column_stack([above, np.zeros(len(above))])[:, self.of_hazard]
        odds = shares * np.exp(self.weight * log_odds)
        tilted: Floats = odds / odds.sum(axis=1, keepdims=True)
        return tilted


@dataclass(frozen=True)
class HazardShares:
    """The hazards of a model's failures.

    `shares` (cells, hazards) of each cell of failures, `severities` (categories, hazards, SEVERITIES) of a failure by
    its hazard, `category` (cells) the row of a cell in `severities`.
    """

    hazards: tuple[str, ...]
    shares: Floats
    severities: Floats
    category: Integers
    row_of: Mapping[Key, int]
    evidence: ReviewEvidence

    def cells(self, keys: Iterable[tuple[str | None, ...]]) -> Integers:
        """The row of the narrowest cell of each key, as in CELL; UNKNOWN where its category never failed."""
        find = self.row_of.get
        rows = (find(key) or find(key[:2]) or find(key[:1], UNKNOWN) for key in keys)  # type: ignore[arg-type]
        return np.fromiter(rows, dtype=np.int64)


def read_hazard_shares(reference: FittedTables, feature_names: Sequence[str]) -> HazardShares | None:
    """The hazards in the fitted tables of a model, None where its failures named none.

    `feature_names` are the columns of the matrices that will be assessed.
    """
    counts = reference["hazards"].to_pydict()
    if not counts["hazard"]:
        return None
    strengths = {(row["shares"], row["level"]): row["strength"] for row in reference["hazard_smoothing"].to_pylist()}
    by_kind = {kind: [strengths[kind, level] for level in levels] for kind, levels in LEVELS_OF.items()}
    hazards = tuple(sorted(set(counts["hazard"])))
    failures = np.array(counts["failures"], dtype=np.int64)
    cells = count_nested(zip(*(counts[name] for name in CELL), strict=True), _codes(counts["hazard"], hazards),
                         failures, len(hazards))  # fmt: skip
    categories = sorted(set(counts["category"]))
    number = {category: row for row, category in enumerate(categories)}
    return HazardShares(
        hazards=hazards,
        shares=shrink(cells, by_kind["hazards"]),
        severities=_severities(counts, failures, categories, hazards, by_kind["severities"]),
        category=np.array([number[key[0]] if key else 0 for key in cells.row_of], dtype=np.int64),
        row_of={key: row for key, row in cells.row_of.items() if key},
        evidence=_evidence(reference, feature_names, hazards),
    )


def _codes(names: Sequence[str], order: Sequence[str]) -> Integers:
    number = {name: code for code, name in enumerate(order)}
    return np.array([number[name] for name in names], dtype=np.int64)


def _severities(
    counts: Mapping[str, list[str]], failures: Integers, categories: Sequence[str], hazards: Sequence[str],
    strengths: Sequence[float],
) -> Floats:  # fmt: skip
    """Array (categories, hazards, SEVERITIES) of shares; critical where no failure states its severity."""
    stated = [row for row, severity in enumerate(counts["severity"]) if severity is not None]
    shares = np.zeros((len(categories), len(hazards), len(SEVERITIES)))
    if not stated:
        shares[..., SEVERITIES.index("critical")] = 1.0
        return shares
    keys = [(counts["category"][row], counts["hazard"][row]) for row in stated]
    codes = _codes([counts["severity"][row] for row in stated], SEVERITIES)
    nested = count_nested(keys, codes, failures[stated], len(SEVERITIES))
    of_cells = shrink(nested, strengths)
    for row, category in enumerate(categories):
        shares[row] = of_cells[[nested.deepest((category, hazard)) for hazard in hazards]]
    return shares


def _evidence(reference: FittedTables, feature_names: Sequence[str], hazards: Sequence[str]) -> ReviewEvidence:
    column = {name: number for number, name in enumerate(feature_names)}
    rows = [row for row in reference["hazard_evidence"].to_pylist() if row["feature"] in column]
    usual = {row["feature"]: row["usual"] for row in rows}
    features = list(usual)
    of_hazard = {row["hazard"]: features.index(row["feature"]) for row in rows}
    return ReviewEvidence(
        columns=np.array([column[name] for name in features], dtype=np.int64),
        usual=np.array(list(usual.values())),
        of_hazard=np.array([of_hazard.get(hazard, UNKNOWN) for hazard in hazards], dtype=np.int64),
        weight=max((row["weight"] for row in rows), default=0.0),
    )
