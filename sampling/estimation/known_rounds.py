"""Rounds of a workspace with what was known of them on a day: their results, and what these teach of screens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.lake.lab_results import current_results
from data.lake.report_versions import with_result
from data.workspace import Workspace
from sampling.estimation.outcomes import planned_results
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.round_data import RoundData, RoundRecord, build_round_data
from sampling.estimation.screens import ScreenEvidence, Screens, learn_sensitivity
from sampling.plan_files import PLAN_FILE, planned_tests
from sampling.round_answers import (
    SUPPLIER_PROVIDED,
    UNIT,
    answers_among,
    confirmations_among,
    is_cancelled,
    screen_answers,
)
from sampling.rounds import OUTSIDE_FILE, STRATA_FILE, round_folder, round_record


@dataclass(frozen=True)
class KnownResults:
    """The results known by a day on samples that no supplier provided, in the order in which they became known.

    `answers` are of planned tests, where a screen was confirmed the full test's; `first` of the planned packages alone;
    `confirmations` the results of the full tests beside them, `all` every result; `planned` the tests of all rounds.
    """

    answers: pa.Table
    first: pa.Table
    confirmations: pa.Table
    all: pa.Table
    planned: pa.Table

    @classmethod
    def of(cls, workspace: Workspace, as_of: date) -> "KnownResults":
        """Those known before `as_of`, in the versions that counted then."""
        current = current_results(workspace, as_of).sort_by("known_on")
        independent = current.filter(pc.invert(pc.is_in(current["origin"], pa.array([SUPPLIER_PROVIDED]))))
        planned = planned_tests(workspace)
        return cls(
            answers_among(independent, planned), screen_answers(independent, planned),
            with_result(confirmations_among(independent, planned)), with_result(independent), planned,
        )  # fmt: skip

    def of_round(self, round_id: str) -> pa.Table:
        """The results of a round's own tests."""
        return _of_round(with_result(self.answers), round_id)

    def count_not_obtainable(self, round_id: str) -> int:
        """How many of a round's tests are known to have no result."""
        cancelled = _of_round(self.answers.filter(is_cancelled(self.answers)), round_id)
        return len(cancelled.join(self.of_round(round_id).select(UNIT), UNIT, join_type="left anti"))

    def count_without_result(self, round_id: str) -> int:
        """How many of a round's tests have no result."""
        answered = self.of_round(round_id).select(UNIT).group_by(UNIT).aggregate([])
        return len(_of_round(self.planned, round_id)) - len(answered)

    @cached_property
    def screen_evidence(self) -> Sequence[ScreenEvidence]:
        """What every round teaches of its screens."""
        screened = self.planned.filter(pc.less(self.planned["sensitivity"], 1))
        return [
            each
            for name in sorted(pc.unique(screened["round_id"]).to_pylist())
            for each in planned_results(
                _of_round(screened, name), _of_round(with_result(self.first), name),
                _of_round(self.confirmations, name),
            ).evidence(name)
        ]  # fmt: skip

    def screens(self, before: date, policy: EstimationPolicy) -> Screens:
        """What the rounds drawn before a day teach of screens, each stated as its first plan has it.

        A screen that a laboratory changes needs a new name.
        """
        screened = self.planned.filter(pc.less(self.planned["sensitivity"], 1)).sort_by("as_of")
        rows = screened.group_by(["package", "round_id"], use_threads=False).aggregate(
            [("sensitivity", "first"), ("as_of", "first")]
        ).to_pylist()  # fmt: skip
        stated = dict[str, float]()
        for row in rows:
            stated.setdefault(row["package"], row["sensitivity_first"])
        early = {row["round_id"] for row in rows if row["as_of_first"] < before}
        return {
            name: learn_sensitivity(
                name,
                value,
                [each for each in self.screen_evidence if each.screen == name and each.round_id in early],
                policy,
            )
            for name, value in stated.items()
        }

    def drawn_by(self, day: date, screens: Screens) -> pa.Table:
        """The results of samples drawn by a day, with `p_fail` of their plan; of one day a full test comes last."""
        earlier = self.all.filter(pc.less_equal(self.all["happened_on"], pa.scalar(day, pa.date32())))
        joined = earlier.join(self.planned.select([*UNIT, "p_fail"]), UNIT)
        is_full = pc.invert(pc.is_in(joined["package"], pa.array(list(screens), pa.string())))
        return joined.append_column("is_full", is_full).sort_by(
            [("known_on", "ascending"), ("is_full", "ascending"), ("test_id", "ascending")]
        )


def _of_round(table: pa.Table, round_id: str) -> pa.Table:
    return table.filter(pc.equal(table["round_id"], round_id))


def learned_screens(workspace: Workspace, as_of: date, policy: EstimationPolicy) -> Screens:
    """What is known of screens by the results known before `as_of`, by the name of their package."""
    return KnownResults.of(workspace, as_of).screens(as_of, policy)


def load_rounds(
    workspace: Workspace, names: Sequence[str], known: KnownResults, policy: EstimationPolicy
) -> list[RoundData]:
    """The rounds with their own results, and with those of tests drawn before each for what was in test.

    Raises UserError where a round is unknown, has no result yet, or was not drawn with known probabilities.
    """
    loaded = []
    for name in names:
        folder, day = round_folder(workspace, name), date.fromisoformat(round_record(workspace, name)["as_of"])
        files = {"plan": PLAN_FILE, "strata": STRATA_FILE, "outside": OUTSIDE_FILE}
        tables = {part: pq.read_table(folder / file) for part, file in files.items()}
        screens = known.screens(day, policy)
        loaded.append(build_round_data(RoundRecord(
            name, **tables, results=_of_round(with_result(known.first), name), earlier=known.drawn_by(day, screens),
            confirmations=_of_round(known.confirmations, name), screens=screens,
        ), policy))  # fmt: skip
    return loaded
