"""The rows of an edition: prevalence of every cell and of what sums them, and which of it is published."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import ceil, floor

import numpy as np

from data.workspace import Workspace
from sampling.estimation.disclosure import CellContent, DisclosureTable, Row, round_to, rows_to_publish
from sampling.estimation.known_rounds import KnownResults, load_rounds
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.prevalence import BY_SKUS, DomainEstimate, domains_of, prevalence
from sampling.estimation.publication_policy import PublicationPolicy
from sampling.estimation.round_data import CellUnion, RoundData
from sampling.problem import floats
from serving.trends.edition import CATALOGUE, CATEGORY, CELL, GROUP, TrendRow
from serving.trends.tested_skus import Cell, Sellers, sales_by_supplier, tested_skus

HAZARDS_OF_CATEGORY = 3


@dataclass(frozen=True)
class RowLabel:
    """The level of a row, and its category and market, empty for all."""

    level: str
    category: str = ""
    market: str = ""


@dataclass(frozen=True)
class RoundsAsKnown:
    """Rounds with their results known before a day, and the policies to publish them by."""

    workspace: Workspace
    rounds: Sequence[str]
    as_of: date
    publication: PublicationPolicy
    estimation: EstimationPolicy


def trend_rows(known: RoundsAsKnown, closed: Collection[RowLabel] = ()) -> list[TrendRow]:
    """The rows of an edition, by level and name; rows that are `closed` stay hidden.

    Estimates are the difference estimator's, from tests with known inclusion probabilities alone. Raises UserError
    where a round has none, or no result.
    """
    estimates = RowEstimates.of(known)
    labels = label_rows(estimates.cells, known.publication)
    table = estimates.disclosure_table(labels, {labels[label] for label in closed if label in labels})
    published = rows_to_publish(table, known.publication)
    return [
        estimates.trend_row(label, row)
        if row in published
        else TrendRow(label.level, label.category, label.market, published=False)
        for label, row in labels.items()
    ]


def label_rows(cells: Sequence[Cell], policy: PublicationPolicy) -> dict[RowLabel, Row]:
    """The rows of an edition: the catalogue, categories, groups of categories in regions, cells."""
    rows = dict[RowLabel, set[int]]()
    for number, (category, market) in enumerate(cells):
        for label in (
            RowLabel(CATALOGUE), RowLabel(CATEGORY, category),
            RowLabel(GROUP, policy.category_group(category), policy.region(market)), RowLabel(CELL, category, market),
        ):  # fmt: skip
            rows.setdefault(label, set()).add(number)
    levels = (CATALOGUE, CATEGORY, GROUP, CELL)
    ordered = sorted(rows, key=lambda label: (levels.index(label.level), label.category, label.market))
    return {label: frozenset(rows[label]) for label in ordered}


@dataclass(frozen=True)
class RowEstimates:
    """Estimates of any sums of cells of some rounds, and what they rest on."""

    known: RoundsAsKnown
    data: Sequence[RoundData]
    cells: Sequence[Cell]
    sellers: Sellers
    _estimates: dict[Row, DomainEstimate] = field(default_factory=dict)

    @classmethod
    def of(cls, known: RoundsAsKnown) -> "RowEstimates":
        """Those of rounds as known on a day."""
        results = KnownResults.of(known.workspace, known.as_of)
        data = load_rounds(known.workspace, known.rounds, results, known.estimation)
        cells = [(each.category, each.market) for each in domains_of(data) if each.category and each.market]
        tested = tested_skus(known.workspace, known.rounds, results)
        return cls(known, data, cells, Sellers.of(cells, tested, sales_by_supplier(known.workspace, known.rounds[-1])))

    def estimate(self, row: Row) -> DomainEstimate:
        """The estimate of a row."""
        if row not in self._estimates:
            union = CellUnion(cells=frozenset(self.cells[cell] for cell in row))
            found = prevalence(self.data, union, BY_SKUS, self.known.estimation)
            assert found is not None  # each cell has SKUs in some round
            self._estimates[row] = found
        return self._estimates[row]

    def content(self, row: Row) -> CellContent:
        """What a row rests on."""
        estimate = self.estimate(row)
        return self.sellers.content(row, estimate.share.effective_tests, estimate.withheld)

    def disclosure_table(self, labels: dict[RowLabel, Row], closed: Collection[Row]) -> DisclosureTable:
        """The table that disclosure control judges: SKUs are those of the newest frame, failing ones as estimated."""
        numbers = range(len(self.cells))
        skus = np.array([_count_skus(self.data, cell) for cell in self.cells])
        share = np.array([self.estimate(frozenset({cell})).share.value for cell in numbers])
        tests = np.array([len(tests) for tests in self.sellers.tests], dtype=np.float64)
        rows = list(dict.fromkeys(labels.values()))
        failing = np.clip(share, 0, 1) * skus
        return DisclosureTable(tests, skus, failing, self.sellers.single_seller(), rows, self.content, closed)

    def trend_row(self, label: RowLabel, row: Row) -> TrendRow:
        """A published row: shares in whole percent, the interval rounded outwards, tests rounded."""
        policy, share = self.known.publication, self.estimate(row).share
        step, least = policy.rounding.percent_to, policy.least
        most = HAZARDS_OF_CATEGORY if label.level == CATEGORY else 1
        hazards = self.sellers.hazards(row, least.hazard_failures, least.hazard_suppliers, most)
        return TrendRow(
            label.level, label.category, label.market, published=True,
            share=round(round_to(100 * min(max(share.value, 0.0), 1.0), step)),
            low=floor(100 * share.low / step + 1e-9) * step, high=min(ceil(100 * share.high / step - 1e-9) * step, 100),
            tests=round(round_to(len(self.sellers.of_row(row)), policy.rounding.counts_to)), hazards=hazards,
        )  # fmt: skip


def _count_skus(rounds: Sequence[RoundData], cell: Cell) -> float:
    """The SKUs of a cell in the newest round that has some."""
    one = CellUnion(cells=frozenset({cell}))
    counts = [
        float(floats(each.strata, "skus")[one.holds(each.strata)].sum() + one.holds(each.outside).sum())
        for each in rounds
    ]
    return next((count for count in reversed(counts) if count > 0), 0.0)
