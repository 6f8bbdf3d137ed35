"""What has been tested so far in a replay, what may be known of it by now, and who may be tested."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]

CLOSES_AFTER = 2  # rounds from the draw to the last result
VALID_FOR = 13  # rounds for which a pass keeps a SKU out of the frame
MEMORY = 8  # rounds of results that make up a history
SUPPLIER_SHAPE = 0.6
"""Suppliers' failures vary about what their scores foresee like a gamma variable of this shape (seeds 12 to 18)."""


@dataclass(frozen=True)
class LabTestBatch:
    """The tests of one round, as drawn: places, supplier names, cells, what the model saw and said, what came out.

    `p_fail` is the score at the draw, `failed` what the test says, `sensitivity` the share of failures that it finds;
    `known` is the round in which each result arrives.
    """

    round: int
    place: Integers
    supplier: Integers
    cell: Integers
    looks: Matrix
    p_fail: Floats
    failed: Truths
    known: Integers
    sensitivity: Floats

    def __len__(self) -> int:
        """How many tests."""
        return len(self.place)


@dataclass(frozen=True)
class ObservedCellHistory:
    """Per cell over the last rounds: tests with a result, failures among them, tests whose results are awaited."""

    tests: Integers
    failures: Integers
    pending: Integers


class LabRecords:
    """The tests of a replay in order, and the standing of each place of the catalogue.

    A place is out of the frame while its SKU is in test or its pass is valid; a screen's pass holds as long as another.
    """

    def __init__(self, places: int, cells: int) -> None:
        self.batches: list[LabTestBatch] = []
        self._cells = cells
        self._busy_until = np.full(places, -1, dtype=np.int64)
        self._drawn_in = np.full(places, -1, dtype=np.int64)

    def renew(self, places: Truths) -> None:
        """Other goods are at `places` now: earlier tests say nothing about them."""
        self._busy_until[places] = -1
        self._drawn_in[places] = -1

    def eligible(self, now: int) -> Integers:
        """The places that may be tested in round `now`."""
        return np.flatnonzero(self._busy_until < now)

    def add(self, batch: LabTestBatch) -> None:
        """Enter the tests of a round."""
        self.batches.append(batch)
        self._busy_until[batch.place] = batch.known
        self._drawn_in[batch.place] = batch.round

    def arrivals(self, now: int) -> Integers:
        """Take in the results of round `now`; returns the places of the failures. A pass holds `VALID_FOR` rounds."""
        places = [np.zeros(0, dtype=np.int64)]
        for batch in self.batches[-CLOSES_AFTER:]:
            here = batch.known == now
            still = here & (self._busy_until[batch.place] == now)
            self._busy_until[batch.place[still & ~batch.failed]] = batch.round + VALID_FOR
            places.append(batch.place[still & batch.failed])
        return np.concatenate(places)

    def failures_outside(self, now: int) -> float:
        """How many SKUs outside the frame fail, once the results of all tests drawn before `now` are in.

        Of every draw the failures that still stand there, and for each failure found by a screen the share it stands
        for beside itself, as far as the passes that may hide it are still valid.
        """
        total = 0.0
        for batch in self.batches[-VALID_FOR - 1 :]:
            valid = (self._drawn_in[batch.place] == batch.round) & (self._busy_until[batch.place] >= now)
            overlooked = float((1 / batch.sensitivity[batch.failed] - 1).sum())
            hidden = _hidden(batch)
            still = float(hidden @ valid) / float(hidden.sum()) if hidden.any() else 0.0
            total += float((valid & batch.failed).sum()) + overlooked * still
        return total

    def closed(self, now: int) -> list[LabTestBatch]:
        """The rounds all of whose results are in: what may be learned from."""
        return [batch for batch in self.batches if batch.round + CLOSES_AFTER <= now]

    def cell_history(self, now: int) -> ObservedCellHistory:
        """Tests, failures and pending tests per cell over the last `MEMORY` rounds."""
        recent = [batch for batch in self.batches if batch.round >= now - MEMORY]
        closed = [batch for batch in recent if batch.round + CLOSES_AFTER <= now]
        awaited = [batch for batch in recent if batch.round + CLOSES_AFTER > now]
        return ObservedCellHistory(
            self._counted([batch.cell for batch in closed]),
            self._counted([batch.cell[batch.failed] for batch in closed]),
            self._counted([batch.cell for batch in awaited]),
        )

    def supplier_rates(self, now: int, suppliers: Integers, base_rate: float) -> tuple[Floats, Floats]:
        """Smoothed fail rate and number of tests of each of `suppliers` over the last rounds, on closed rounds."""
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
        """The names of suppliers with two or more failures on closed rounds of the last `MEMORY` rounds."""
        closed = [batch for batch in self.closed(now) if batch.round >= now - MEMORY]
        if not closed:
            return np.zeros(0, dtype=np.int64)
        names = np.concatenate([batch.supplier[batch.failed] for batch in closed])
        return np.flatnonzero(np.bincount(names) >= 2) if len(names) else names

    def _counted(self, cells: list[Integers]) -> Integers:
        return np.bincount(np.concatenate([np.zeros(0, dtype=np.int64), *cells]), minlength=self._cells)


def _hidden(batch: LabTestBatch) -> Floats:
    """How likely each pass hides a failure, up to a common factor: 0 for failures.

    Riskier SKUs hide more, and so do suppliers whose other tests failed more often than foreseen: where these change
    their name, their passes are the first to go. Their factor is the posterior mean of the gamma variable.
    """
    foreseen = batch.p_fail * batch.sensitivity
    _, own = np.unique(batch.supplier, return_inverse=True)
    failures = np.bincount(own, weights=batch.failed) * float(foreseen.sum() / max(batch.failed.sum(), 1))
    factor = (failures + SUPPLIER_SHAPE) / (np.bincount(own, weights=foreseen) + SUPPLIER_SHAPE)
    return np.where(batch.failed, 0.0, batch.p_fail * (1 - batch.sensitivity) / (1 - foreseen) * factor[own])
