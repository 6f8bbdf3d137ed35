"""Lab records of a simulation: tests so far, results known by a round, and rows of the catalogue that are eligible."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.metrics import Floats, Truths

Integers = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

CLOSES_AFTER = 2  # rounds from the draw to the last result
VALID_FOR = 13  # rounds for which a pass keeps a SKU out of the frame
MEMORY = 8  # rounds of results that make up a history
SUPPLIER_SHAPE = 0.6
"""Shape of the gamma distribution of a supplier's failures relative to their expectation (seeds 12 to 18)."""


@dataclass(frozen=True)
class LabTestBatch:
    """Tests of one round, arrays (n): catalogue rows, supplier codes, cells, features, scores and outcomes.

    `p_fail` is the score when sampled, `failed` the result, `sensitivity` that of the test; `known` is the round in
    which each result arrives.
    """

    round: int
    row: Integers
    supplier: Integers
    cell: Integers
    features: Matrix
    p_fail: Floats
    failed: Truths
    known: Integers
    sensitivity: Floats

    def __len__(self) -> int:
        """How many tests."""
        return len(self.row)


@dataclass(frozen=True)
class ObservedCellHistory:
    """Per cell over the last rounds: tests with a result, failures among them, tests whose results are awaited."""

    tests: Integers
    failures: Integers
    pending: Integers


class LabRecords:
    """Tests of a simulation in order, and the eligibility of each row of the catalogue.

    A row is out of the frame while its SKU is in test or its pass is valid, also that of a screen.
    """

    def __init__(self, rows: int, cells: int) -> None:
        self.batches: list[LabTestBatch] = []
        self._cells = cells
        self._busy_until = np.full(rows, -1, dtype=np.int64)
        self._sampled_in = np.full(rows, -1, dtype=np.int64)

    def renew(self, rows: Truths) -> None:
        """The SKUs of `rows` (mask) were replaced: forget their earlier tests."""
        self._busy_until[rows] = -1
        self._sampled_in[rows] = -1

    def eligible(self, now: int) -> Integers:
        """Rows that may be tested in round `now`."""
        return np.flatnonzero(self._busy_until < now)

    def add(self, batch: LabTestBatch) -> None:
        """Append the tests of a round."""
        self.batches.append(batch)
        self._busy_until[batch.row] = batch.known
        self._sampled_in[batch.row] = batch.round

    def arrivals(self, now: int) -> Integers:
        """Apply the results of round `now`; return the rows of the failures. A pass holds `VALID_FOR` rounds."""
        rows = [np.zeros(0, dtype=np.int64)]
        for batch in self.batches[-CLOSES_AFTER:]:
            here = batch.known == now
            still = here & (self._busy_until[batch.row] == now)
            self._busy_until[batch.row[still & ~batch.failed]] = batch.round + VALID_FOR
            rows.append(batch.row[still & batch.failed])
        return np.concatenate(rows)

    def failures_outside(self, now: int) -> float:
        """Number of failing SKUs outside the frame, once the results of all tests sampled before `now` are known.

        Failures that are still listed, plus the failures expected among passes of screens that are still valid.
        """
        total = 0.0
        for batch in self.batches[-VALID_FOR - 1 :]:
            valid = (self._sampled_in[batch.row] == batch.round) & (self._busy_until[batch.row] >= now)
            overlooked = float((1 / batch.sensitivity[batch.failed] - 1).sum())
            hidden = _hidden_failure_weights(batch)
            still = float(hidden @ valid) / float(hidden.sum()) if hidden.any() else 0.0
            total += float((valid & batch.failed).sum()) + overlooked * still
        return total

    def closed(self, now: int) -> list[LabTestBatch]:
        """Rounds with all results known, which models may be fitted on."""
        return [batch for batch in self.batches if batch.round + CLOSES_AFTER <= now]

    def cell_history(self, now: int) -> ObservedCellHistory:
        """Tests, failures and pending tests per cell over the last `MEMORY` rounds."""
        recent = [batch for batch in self.batches if batch.round >= now - MEMORY]
        closed = [batch for batch in recent if batch.round + CLOSES_AFTER <= now]
        awaited = [batch for batch in recent if batch.round + CLOSES_AFTER > now]
        return ObservedCellHistory(
            self._count_by_cell([batch.cell for batch in closed]),
            self._count_by_cell([batch.cell[batch.failed] for batch in closed]),
            self._count_by_cell([batch.cell for batch in awaited]),
        )

    def supplier_rates(self, now: int, suppliers: Integers, base_rate: float) -> tuple[Floats, Floats]:
        """Smoothed fail rate and number of tests of each of `suppliers` over the last closed rounds."""
        closed = [batch for batch in self.closed(now) if batch.round >= now - 2 * MEMORY]
        if not closed:
            return np.full(len(suppliers), base_rate), np.zeros(len(suppliers))
        tested = np.concatenate([batch.supplier for batch in closed])
        failed = np.concatenate([batch.failed for batch in closed])
        size = int(max(tested.max(), suppliers.max())) + 1
        tests = np.bincount(tested, minlength=size)[suppliers].astype(np.float64)
        failures = np.bincount(tested, weights=failed, minlength=size)[suppliers]
        return (failures + 5 * base_rate) / (tests + 5), tests

    def caught(self, now: int) -> Integers:
        """Codes of suppliers with two or more failures on closed rounds of the last `MEMORY` rounds."""
        closed = [batch for batch in self.closed(now) if batch.round >= now - MEMORY]
        if not closed:
            return np.zeros(0, dtype=np.int64)
        names = np.concatenate([batch.supplier[batch.failed] for batch in closed])
        return np.flatnonzero(np.bincount(names) >= 2) if len(names) else names

    def _count_by_cell(self, cells: list[Integers]) -> Integers:
        return np.bincount(np.concatenate([np.zeros(0, dtype=np.int64), *cells]), minlength=self._cells)


def _hidden_failure_weights(batch: LabTestBatch) -> Floats:
    """Weight (n) of each pass for the failures it may hide: 0 for failures.

    Larger for riskier SKUs and for suppliers whose other tests failed more often than expected, by the posterior mean
    of the gamma variable.
    """
    expected = batch.p_fail * batch.sensitivity
    _, own = np.unique(batch.supplier, return_inverse=True)
    failures = np.bincount(own, weights=batch.failed) * float(expected.sum() / max(batch.failed.sum(), 1))
    factor = (failures + SUPPLIER_SHAPE) / (np.bincount(own, weights=expected) + SUPPLIER_SHAPE)
    return np.where(batch.failed, 0.0, batch.p_fail * (1 - batch.sensitivity) / (1 - expected) * factor[own])
