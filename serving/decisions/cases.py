"""The one state of a case: what restricts a SKU in its market, what is awaited, and which clocks run."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from data.contract import ENTERED_IN_ERROR
from data.database.connection import read_transaction
from data.database.schema import RESULTS
from data.lab_results.store import read_result
from serving.decisions.days import long_date
from serving.decisions.deadlines import (
    APPEAL,
    CORRECTIVE_ACTION,
    DOCUMENTS,
    ActionDeadline,
    add_working_days,
    ground_deadline,
    notice_deadline,
)
from serving.decisions.index import ActiveDecision
from serving.decisions.legal_grounds import FAILED_TEST, Ground, grounds_in_force, open_notices
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import PROPOSED, Decision, SkuKey
from serving.dossiers.records import Dossier, Incident, LabTest, Remediation, current_tests

OVERLAP = timedelta(days=31)
ORDER_TEST, REQUEST_DOCUMENTS = "order_test", "request_documents"


@dataclass(frozen=True)
class CaseEvidence:
    """What is known of a SKU: its dossier of the scoring of `as_of`, None where the catalogue lacks it, and results.

    `results` are the laboratory results that came in over the service, those since the scoring among them; `notices`
    are the cases of shoppers' notices, which no scoring knows.
    """

    key: SkuKey
    supplier_id: str | None
    as_of: date
    dossier: Dossier | None
    results: tuple[LabTest, ...] = ()
    notices: tuple[Incident, ...] = ()

    @property
    def new_results(self) -> tuple[LabTest, ...]:
        """The results that the dossier does not have yet, or in an earlier version, the newest first."""
        known = {test.test_id: test.version for test in self.dossier.newest_reports} if self.dossier else {}
        new = (result for result in self.results if result.version > known.get(result.test_id, 0))
        return tuple(sorted(new, key=lambda each: (each.known_on, each.test_id), reverse=True))

    @property
    def tests(self) -> tuple[LabTest, ...]:
        """Every known test in its newest version, also those whose report was withdrawn."""
        return current_tests(self.results, self.dossier.newest_reports if self.dossier else ())


@dataclass(frozen=True)
class CaseState:
    """The state of a case on a day.

    `restrictions` are the decisions in force that restrict it, those of its supplier among them, the hardest first;
    `proposals` await approval; `tests_ordered` and `documents_requested` are decisions that nothing answered yet.
    `grounds` are the facts that stand, those of the `new_results` since the scoring among them. `deadlines` are the
    clocks that run for the marketplace, `corrective_actions` those of the supplier, each the earliest first. `notices`
    are the cases of shoppers' notices.
    """

    key: SkuKey
    supplier_id: str | None
    grounds: tuple[Ground, ...]
    new_results: tuple[LabTest, ...]
    restrictions: tuple[Decision, ...]
    proposals: tuple[Decision, ...]
    tests_ordered: tuple[Decision, ...]
    documents_requested: tuple[Decision, ...]
    deadlines: tuple[ActionDeadline, ...]
    corrective_actions: tuple[ActionDeadline, ...]
    notices: tuple[Incident, ...] = ()

    @property
    def restriction(self) -> Decision | None:
        """The hardest restriction in force."""
        return self.restrictions[0] if self.restrictions else None

    @property
    def failed_test(self) -> Ground | None:
        """The newest failed independent test that stands."""
        return next((ground for ground in self.grounds if ground.kind == FAILED_TEST), None)

    @property
    def is_failed_on_sale(self) -> bool:
        """Whether a failed test stands and nothing restricts the product."""
        return self.failed_test is not None and not self.restrictions

    @property
    def deadline(self) -> ActionDeadline | None:
        """The earliest running clock."""
        return self.deadlines[0] if self.deadlines else None


def case_state(
    evidence: CaseEvidence, decisions: Sequence[ActiveDecision], policy: DecisionPolicy, today: date
) -> CaseState:
    """The state of a case; `decisions` are those on the SKU and on its supplier that wait or may be in force."""
    in_force = [each for each in decisions if each.decision.is_in_force(today)]
    restrictions = restrictions_among((each.decision for each in in_force), policy)
    grounds = _standing_grounds(evidence, in_force, policy)
    of_sku = [each for each in in_force if each.decision.key == evidence.key]
    documents = tuple(
        each.decision
        for each in of_sku
        if each.decision.disposition == REQUEST_DOCUMENTS and not _documents_came(evidence, each.decision)
    )
    clocks = [
        *([] if restrictions else _clocks_of_evidence(evidence, grounds, of_sku, policy)),
        *_clocks_of_decisions(decisions, documents, policy),
    ]
    return CaseState(
        key=evidence.key,
        supplier_id=evidence.supplier_id,
        grounds=grounds,
        new_results=evidence.new_results,
        restrictions=restrictions,
        proposals=tuple(each.decision for each in decisions if each.decision.state == PROPOSED),
        tests_ordered=tuple(
            each.decision
            for each in of_sku
            if each.decision.disposition == ORDER_TEST and not _report_came(evidence, each.decision)
        ),
        documents_requested=documents,
        deadlines=_in_order(clocks),
        corrective_actions=_in_order(_corrective_actions(evidence.dossier.remediations) if evidence.dossier else ()),
        notices=evidence.notices,
    )


def _in_order(deadlines: Iterable[ActionDeadline]) -> tuple[ActionDeadline, ...]:
    return tuple(sorted(deadlines, key=lambda each: (each.on, each.kind, each.row_id)))


def restrictions_among(in_force: Iterable[Decision], policy: DecisionPolicy) -> tuple[Decision, ...]:
    """Those of the decisions in force that restrict the seller, the hardest first."""
    restricting = [each for each in in_force if policy.restricts(each.disposition)]
    strengths = {name: each.strength for name, each in policy.dispositions.items()}
    return tuple(sorted(restricting, key=lambda each: (-strengths.get(each.disposition, 0), each.decision_id)))


def results_of(engine: sa.Engine, sku_id: str) -> dict[SkuKey, tuple[LabTest, ...]]:
    """The laboratory results of a SKU that came in over the service or the command line, in every market."""
    return results_of_skus(engine, [sku_id])


def results_of_skus(engine: sa.Engine, sku_ids: Collection[str]) -> dict[SkuKey, tuple[LabTest, ...]]:
    """`results_of` for some thousand SKUs at once."""
    return _results(engine, RESULTS.c.sku_id.in_(sku_ids))


def results_since(engine: sa.Engine, as_of: date) -> dict[SkuKey, tuple[LabTest, ...]]:
    """The laboratory results that the scoring of `as_of` may lack, by SKU: those of a month before it, too.

    Those that it has are known by their ids.
    """
    return _results(engine, RESULTS.c.received_at >= (as_of - OVERLAP).isoformat())


def _results(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> dict[SkuKey, tuple[LabTest, ...]]:
    """By SKU, each test in the newest version that was handed in."""
    query = sa.select(RESULTS.c.content).where(condition).order_by(RESULTS.c.received_at)
    by_key: dict[SkuKey, list[LabTest]] = {}
    with read_transaction(engine) as connection:
        for content in connection.execute(query).scalars():
            test = lab_test_of(content)
            by_key.setdefault(SkuKey(test.sku_id, test.market), []).append(test)
    return {key: current_tests(tests) for key, tests in by_key.items()}


_TEST_FIELDS = tuple(each.name for each in fields(LabTest))


def lab_test_of(content: str) -> LabTest:
    """The test in the text of a result that was handed in."""
    values: dict[str, Any] = read_result(content)
    return LabTest(**{name: values[name] for name in _TEST_FIELDS})


def _standing_grounds(
    evidence: CaseEvidence, in_force: Sequence[ActiveDecision], policy: DecisionPolicy
) -> tuple[Ground, ...]:
    """The grounds in force, without orders that an answer to the authority settled."""
    if evidence.dossier is None:
        return ()
    answering = {name for name, each in policy.dispositions.items() if each.answers is not None}
    answered = {each.decision.fact_row for each in in_force if each.decision.disposition in answering}
    grounds = grounds_in_force(evidence.dossier, evidence.as_of, evidence.results)
    return tuple(ground for ground in grounds if ground.row_id not in answered)


def _clocks_of_evidence(
    evidence: CaseEvidence, grounds: Sequence[Ground], of_sku: Sequence[ActiveDecision], policy: DecisionPolicy
) -> list[ActionDeadline]:
    """The clocks of facts and notices that no decision with them before its officer has stopped."""
    stopped = {
        (kind, row_id)
        for each in of_sku
        if (disposition := policy.dispositions.get(each.decision.disposition)) is not None
        for kind in disposition.stops
        for row_id in each.row_ids
    }
    terms = policy.deadlines
    started = [clock for ground in grounds if (clock := ground_deadline(ground, terms)) is not None]
    notices = open_notices(evidence.dossier, evidence.as_of) if evidence.dossier is not None else ()
    started += [notice_deadline(each, terms) for each in (*notices, *evidence.notices)]
    return [clock for clock in started if (clock.kind, clock.row_id) not in stopped]


def _clocks_of_decisions(
    decisions: Sequence[ActiveDecision], documents: Sequence[Decision], policy: DecisionPolicy
) -> list[ActionDeadline]:
    """The clocks of appeals to answer and of documents to come."""
    terms = policy.deadlines
    appeals = [
        ActionDeadline(
            add_working_days(filed_on, policy.appeals.answer_working_days, terms.holidays),
            f"Appeal of {long_date(filed_on)}: answer within {policy.appeals.answer_working_days} working days.",
            APPEAL, appeal_id,
        )
        for each in decisions
        for appeal_id, filed_on in each.open_appeals
    ]  # fmt: skip
    awaited = [
        ActionDeadline(
            add_working_days(asked_on, terms.documents, terms.holidays),
            f"Documents requested on {long_date(asked_on)}: due within {terms.documents} working days.",
            DOCUMENTS, each.decision_id,
        )
        for each in documents
        for asked_on in [date.fromisoformat(each.since[:10])]
    ]  # fmt: skip
    return [*appeals, *awaited]


def _corrective_actions(remediations: Iterable[Remediation]) -> list[ActionDeadline]:
    """The clocks of the supplier's corrective actions that nobody has verified."""
    return [
        ActionDeadline(
            each.due_on, f"Corrective action of the supplier due {long_date(each.due_on)}.", CORRECTIVE_ACTION,
            each.remediation_id,
        )
        for each in remediations
        if each.due_on is not None and each.verified_on is None
    ]  # fmt: skip


def _report_came(evidence: CaseEvidence, ordered: Decision) -> bool:
    """Whether a report on a sample drawn since the order is known."""
    ordered_on = date.fromisoformat(ordered.proposed_at[:10])
    return any(
        test.independent and test.package == ordered.package and test.happened_on >= ordered_on
        for test in evidence.tests
        if test.outcome != ENTERED_IN_ERROR
    )


def _documents_came(evidence: CaseEvidence, request: Decision) -> bool:
    """Whether a document became known after the request."""
    asked_on = date.fromisoformat(request.since[:10])
    return evidence.dossier is not None and any(each.known_on > asked_on for each in evidence.dossier.certificates)
