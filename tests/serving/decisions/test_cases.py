"""The state of a case where the property test of the console does not lead: policies that changed, late results."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.lab_results.store import Sender, store_results
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from serving.decisions.cases import CaseEvidence, case_state, results_of, results_since
from serving.decisions.feed import decision_changes
from serving.decisions.index import decision_index
from serving.decisions.records import SkuKey
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import ANNA, BERND, DAY, NOON, POLICY, file, proposal


@pytest.mark.parametrize(("disposition", "restricts"), [("pause", True), ("refer", False)])
def test_a_kind_that_the_policy_dropped_restricts_as_before(
    decisions: Decisions, state: sa.Engine, disposition: str, restricts: bool
) -> None:
    """What is in force stays so for everybody who asks; nothing fails on a word of yesterday."""
    decision = decisions.propose(proposal(disposition), ANNA, file(), NOON)
    if decision.state == "proposed":
        decisions.approve(decision.decision_id, BERND, NOON)
    newer = POLICY.model_copy(update={"declared": tuple(each for each in POLICY.declared if each.name != disposition)})
    newer.__dict__.pop("dispositions", None)  # computed once for a policy
    assert disposition not in newer.dispositions
    evidence = CaseEvidence(decision.key, decision.supplier_id, DAY, None)
    active = decision_index(state).of(decision.key, decision.supplier_id)
    assert bool(case_state(evidence, active, newer, DAY).restrictions) == restricts
    assert [each.restricts for each in decision_changes(state, 0, 9, newer, DAY)] == [restricts]


def test_a_result_that_the_scoring_of_its_day_missed_is_read_by_both(state: sa.Engine, tmp_path: Path) -> None:
    """By the list of all cases as by the one that is asked for."""
    result = dict.fromkeys(SCHEMA.names) | {
        "test_id": "T-late", "sku_id": "K-1", "market": "EU", "happened_on": DAY - timedelta(9),
        "known_on": DAY - timedelta(2), "result": "fail", "origin": "warehouse",
    }  # fmt: skip
    sender = Sender("Lab", "k-lab", NOON - timedelta(days=1))
    store_results(state, Workspace(tmp_path), [result], sender)
    of_one = results_of(state, "K-1")
    assert results_since(state, DAY) == of_one
    assert [each.test_id for each in of_one[SkuKey("K-1", "EU")]] == ["T-late"]
