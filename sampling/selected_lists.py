"""Lists with a promise from a round: SKUs of its frame that were not drawn, at most a given share of them wrong."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import UserError
from data.policy import POLICY_FOLDER, Count, Policy, Share, policy_in_force
from data.visible_text import escape_formula
from data.workspace import Workspace, replace_atomically
from sampling.conformal_selection import (
    CalibrationUnits,
    CandidateUnits,
    list_probability,
    select_units,
    smallest_false_share,
)
from sampling.estimation.known_rounds import KnownResults
from sampling.estimation.report import latest_rounds
from sampling.estimation.round_data import Domain
from sampling.plan_files import PLAN_FILE
from sampling.policy import sampling_policy_in_force
from sampling.problem import Integers, Truths, floats
from sampling.randomness import hash_columns, key_words, permanent_random_numbers
from sampling.rounds import FRAME_FILE, STRATA_FILE, round_folder, round_record

Goal = Literal["fails", "passes"]
FAILS: Goal = "fails"
INCLUSION = "inclusion_probability"


class SelectionPolicy(Policy, subject="selection"):
    """The share of a list that may be wrong where nobody asks for another, and the tests a list rests on at least."""

    false_share: Share
    least_tests: Count


def selection_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> SelectionPolicy:
    """The selection policy of a day. Raises UserError where there is none or it is not usable."""
    return policy_in_force(SelectionPolicy, as_of, folder)


@dataclass(frozen=True)
class ListRequest:
    """What a list is to promise: SKUs of a domain that would fail, or pass, at most `false_share` of them wrong."""

    goal: Goal
    false_share: float
    domain: Domain


@dataclass(frozen=True)
class SelectedList:
    """The SKUs of a list (`units`: sku_id, market, category, p_fail, surest first), and what its promise rests on.

    `tests` full tests of round `round_id`, `wrong` of them against the goal. The list was chosen among `candidates`;
    not among them are the `drawn` SKUs (tested, or in test), and `left_out` ones which that round could not have
    drawn for a full test. `as_of` is the day of the round's scores; `probability` is that with which such tests give a
    list at all, else none.
    """

    units: pa.Table
    goal: Goal
    false_share: float
    round_id: str
    as_of: date
    tests: int
    wrong: int
    candidates: int
    drawn: int
    left_out: int
    probability: float
    model_version: str | None
    feature_version: str | None
    policy_version: str

    @property
    def promise(self) -> str:
        """The promise as a sentence."""
        verb = "pass" if self.goal == FAILS else "fail"
        promise = (
            f"Of these {len(self.units):,} SKUs at most {100 * self.false_share:.3g} % would {verb} the test, on "
            f"average over repeated draws; this rests on {self.tests:,} full tests of round {self.round_id}."
        )
        wrong, asked = (f"{100 * share:.2g}" for share in (self.false_share_given, self.false_share))
        if wrong == asked:
            return promise
        return (
            f"{promise} Such tests give a list in {100 * self.probability:.2g} of 100 cases, by chance, and the "
            f"average counts the other cases as none wrong: where a list is given, up to about {wrong} % may {verb}."
        )

    @property
    def false_share_given(self) -> float:
        """About the expected share of wrong SKUs where a list is given."""
        return min(self.false_share / self.probability, 1.0)


def select_list(workspace: Workspace, request: ListRequest, as_of: date, policy: SelectionPolicy) -> SelectedList:
    """The longest list that keeps the promise, by results of the newest round with any, known before `as_of`.

    The scores are those of the round's day, which no result of the round could have changed. Raises UserError where
    the tests of the round are too few, or carry no list with so small a share.
    """
    if not 0 < request.false_share < 1:
        raise UserError(f"A false share of {request.false_share} promises nothing. Give one between 0 and 1, like 0.1.")
    round_id = latest_rounds(workspace, 1)[0]
    frame = _frame(workspace, round_id, request.domain)
    plan = pq.read_table(round_folder(workspace, round_id) / PLAN_FILE)
    drawn, failed = _drawn_rows(frame, plan, KnownResults.of(workspace, as_of).of_round(round_id))
    chance = floats(frame, INCLUSION)
    fully = _is_fully_tested(workspace, round_id, frame) & (chance > 0)
    open_ = fully.copy()
    open_[drawn] = False
    answered = (failed >= 0) & fully[drawn]
    tested, wrong = drawn[answered], failed[answered] == (0 if request.goal == FAILS else 1)
    score = floats(frame, "p_fail") * (1 if request.goal == FAILS else -1)
    weight = np.divide(1 - chance, chance, out=np.zeros(len(chance)), where=chance > 0)
    calibration = CalibrationUnits(score[tested], wrong, weight[tested])
    candidates = CandidateUnits(score[open_], weight[open_])
    _require_tests(len(tested), round_id, policy)
    luck = permanent_random_numbers(np.zeros(1, dtype=np.uint64), hash_columns(f"{round_id} {request.goal} list"))
    chosen = np.flatnonzero(open_)[select_units(calibration, candidates, request.false_share, float(luck[0]))]
    _require_list(chosen, calibration, candidates, request, round_id)
    chosen = chosen[np.argsort(-score[chosen], kind="stable")]
    first = plan.slice(0, 1).to_pylist()[0]
    return SelectedList(
        frame.select(["sku_id", "market", "category", "p_fail"]).take(pa.array(chosen)), request.goal,
        request.false_share, round_id, first["as_of"], len(tested), int(wrong.sum()), len(candidates), len(drawn),
        len(frame) - len(candidates) - len(drawn),
        list_probability(calibration, candidates, request.false_share), first.get("model_version"),
        first.get("feature_version"), policy.version,
    )  # fmt: skip


def _frame(workspace: Workspace, round_id: str, domain: Domain) -> pa.Table:
    file = round_folder(workspace, round_id) / FRAME_FILE
    if not file.is_file():
        raise UserError(f"The frame of round {round_id} is no longer kept. Draw a round with `touchstone allocate`.")
    if INCLUSION not in pq.read_schema(file).names:
        raise UserError(
            f"The frame of round {round_id} holds no inclusion probabilities: it was drawn by an earlier version. "
            "Draw a round with `touchstone allocate`."
        )
    frame = pq.read_table(file, columns=["sku_id", "market", "category", "stratum", "p_fail", INCLUSION])
    inside = domain.holds(frame)
    if not inside.any():
        raise UserError(
            f"Round {round_id} has no SKU of {_named(domain)}. Name a category and market of the catalogue."
        )
    return frame if inside.all() else frame.filter(pa.array(inside))


def _named(domain: Domain) -> str:
    return " in ".join(name for name in (domain.category, domain.market) if name)


def _drawn_rows(frame: pa.Table, plan: pa.Table, results: pa.Table) -> tuple[Integers, Integers]:
    """The rows of the frame that were drawn, and of each 1 for a failure, 0 for a pass, -1 without a result yet."""
    words, planned = (key_words(table["sku_id"], table["market"]) for table in (frame, plan))
    order = np.argsort(words, kind="stable")
    place = np.minimum(np.searchsorted(words, planned, sorter=order), len(words) - 1)
    inside = words[order[place]] == planned
    keys = zip(results["sku_id"].to_pylist(), results["market"].to_pylist(), strict=True)
    last = dict(zip(keys, results["result"].to_pylist(), strict=True))
    code = {"pass": 0, "fail": 1}
    every = zip(plan["sku_id"].to_pylist(), plan["market"].to_pylist(), strict=True)
    failed = np.array([code.get(str(last.get(key)), -1) for key in every], dtype=np.int64)
    return order[place[inside]], failed[inside]


def _is_fully_tested(workspace: Workspace, round_id: str, frame: pa.Table) -> Truths:
    """The SKUs whose package in this round is a full laboratory test: what a screen overlooks, a list cannot know."""
    day = date.fromisoformat(round_record(workspace, round_id)["as_of"])
    full = [each.name for each in sampling_policy_in_force(day).packages
            if each.sensitivity == 1 and each.finds_laboratory_failures]  # fmt: skip
    strata = pq.read_table(round_folder(workspace, round_id) / STRATA_FILE, columns=["stratum", "package"])
    wanted = strata["stratum"].filter(pc.is_in(strata["package"], pa.array(full, pa.string())))
    return np.asarray(pc.is_in(frame["stratum"], wanted.cast(frame.schema.field("stratum").type)), dtype=np.bool_)


def _require_tests(tests: int, round_id: str, policy: SelectionPolicy) -> None:
    if tests < policy.least_tests:
        raise UserError(
            f"Round {round_id} has {tests:,} results of full tests here; a list rests on {policy.least_tests} "
            "(policy/selection least_tests). Wait for results, or ask about a larger part of the catalogue."
        )


def _require_list(
    chosen: Integers, calibration: CalibrationUnits, candidates: CandidateUnits, request: ListRequest, round_id: str
) -> None:
    if len(chosen):
        return
    least = smallest_false_share(calibration, candidates)
    wrong, verb = int(calibration.wrong.sum()), "passed" if request.goal == FAILS else "failed"
    raise UserError(
        f"The {len(calibration.score):,} full tests of round {round_id}, of which {wrong:,} {verb}, carry no list with "
        f"at most {100 * request.false_share:.3g}% wrong; none is possible below {100 * least:.3g}%. Ask for a larger "
        "share, or test more."
    )


def write_list(selected: SelectedList, file: Path) -> None:
    """Write the list as CSV, with values that a spreadsheet takes for no formula."""
    with replace_atomically(file) as attempt, attempt.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(selected.units.column_names)
        for batch in selected.units.to_batches(max_chunksize=5_000):
            rows.writerows([escape_formula(value) for value in row.values()] for row in batch.to_pylist())
