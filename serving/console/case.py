"""The case of a SKU for one person: score, legal grounds, deadline, owner, history, the decisions they may take."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from data.database.audit_log import Versions
from data.errors import NotFoundError
from models.risk_bands import bands_in_force
from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell, Package
from serving.console.blinding import case_in
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.amended_reports import amended_reports
from serving.decisions.assignment_and_labels import owner_of
from serving.decisions.blind_assessment import ESTIMATORS, estimate_is_due
from serving.decisions.cases import CaseState
from serving.decisions.deadlines import ActionDeadline
from serving.decisions.ground_rows import rows_behind
from serving.decisions.legal_grounds import Ground, open_notices
from serving.decisions.new_documents import new_documents_of
from serving.decisions.policy import DecisionPolicy, Disposition, decision_policy_in_force
from serving.decisions.records import (
    CaseFile,
    ContextReason,
    Decision,
    DecisionContext,
    ListingSummary,
    ScoreAtDecision,
    SkuKey,
)
from serving.decisions.rules import Officer, Signature, missing_ground
from serving.decisions.store import Decisions
from serving.dossiers.records import Dossier, DossierListing, LabTest, current_tests
from serving.online.store import OnlineStore
from serving.publication import Publication
from serving.review_queue.cases import CatalogueCases, catalogue_cases
from serving.review_queue.format import QueueEvidence
from serving.schemas import Item, ScoreRow


@dataclass(frozen=True)
class DispositionOption:
    """A disposition in the form: `missing` names the ground it lacks, `barred` the role it needs; else None."""

    disposition: Disposition
    missing: str | None
    barred: str | None

    @property
    def possible(self) -> bool:
        """Whether the person can choose it now."""
        return self.missing is None and self.barred is None


@dataclass(frozen=True)
class CaseView:
    """The case of a SKU for one person today. `estimate_due`: they give an own estimate before they see the score.

    `amended` says which reports were amended after a decision or a letter rested on them.
    `publication` names the publication it was read from.
    """

    listing: DossierListing
    score: ScoreRow
    file: CaseFile
    state: CaseState
    policy: DecisionPolicy
    options: tuple[DispositionOption, ...]
    packages: tuple[Package, ...]
    history: tuple[Decision, ...]
    amended: tuple[str, ...]
    owner: str | None
    estimate_due: bool
    form_token: str
    publication: str
    person: Person
    today: date

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """The legal grounds that stand now."""
        return self.state.grounds

    @property
    def deadline(self) -> ActionDeadline | None:
        """The earliest running clock."""
        return self.state.deadline

    @property
    def query(self) -> dict[str, str]:
        """The parameters that name the SKU in addresses and forms."""
        return {"market": self.listing.market, "sku_id": self.listing.sku_id}


def officer_of(person: Person) -> Officer:
    """The person signed in, as the rules of decisions take them."""
    return Officer(person.name, person.role, person.key_id)


def signature_of(context: AppContext, person: Person) -> Signature:
    """The person signed in, acting now."""
    return Signature(officer_of(person), context.now())


def current_policy(context: AppContext) -> DecisionPolicy:
    """The decision policy in force today."""
    return decision_policy_in_force(context.now().date())


def decisions_of(context: AppContext) -> Decisions:
    """The decisions in the database, under the policy in force."""
    return Decisions(context.engine, current_policy(context))


def dossier_of(context: AppContext, sku_id: str, market: str) -> Dossier:
    """The dossier of a SKU with the documents since; UserError where the catalogue does not have it."""
    store = context.store
    position = int(store.snapshot.find([sku_id], [market])[0])
    if position < 0:
        raise NotFoundError(f"The catalogue of {store.publication.as_of} has no SKU {sku_id!r} in market {market!r}.")
    dossier = store.dossiers.of(position)
    return new_documents_of(context.engine, sku_id, dossier.listing.supplier_id).added_to(dossier)


def case_view(context: AppContext, person: Person, sku_id: str, market: str) -> CaseView:
    """Read the case of a SKU; UserError where the catalogue does not have it."""
    store, policy = context.store, current_policy(context)
    dossier = dossier_of(context, sku_id, market)
    score = store.score_row(Item(sku_id=sku_id, market=market))
    state, of_supplier = read_state(context, dossier), supplier_grounds(context, dossier.listing.supplier_id)
    displayed = tuple(dict.fromkeys((*state.grounds, *of_supplier)))
    case = case_in(store, SkuKey(sku_id, market), score.band)
    file = CaseFile(
        case, dossier.listing.supplier_id, score_at_decision(store.publication, score.p_fail, score.band),
        state.grounds, _decision_context(dossier, score, state, displayed), newest_samples(dossier, state.new_results),
        of_supplier,
    )  # fmt: skip
    history = tuple(decisions_of(context).of_sku(sku_id, market))
    return CaseView(
        listing=dossier.listing, score=score, file=file, state=state, policy=policy,
        options=tuple(
            _disposition_option(each, file, officer_of(person), context.now().date())
            for each in policy.dispositions.values()
        ),
        packages=sampling_policy_in_force(score.as_of).options(Cell(dossier.listing.category, market)),
        history=history,
        amended=amended_reports(context.engine, current_tests(state.new_results, dossier.newest_reports), history),
        owner=owner_of(context.engine, sku_id, market),
        estimate_due=person.role in ESTIMATORS and estimate_is_due(context.engine, case, person.key_id, policy),
        form_token=secrets.token_urlsafe(16),
        publication=store.name, person=person, today=context.now().date(),
    )  # fmt: skip


def score_at_decision(publication: Publication, p_fail: float, band: str) -> ScoreAtDecision:
    """The score of a publication with the action of its band and its versions."""
    action = str(bands_in_force(publication.as_of).action([p_fail])[0])
    versions = Versions(publication.model_version, publication.feature_version, publication.policy_version)
    return ScoreAtDecision(p_fail, band, action, versions)


def catalogue_cases_of(context: AppContext, store: OnlineStore) -> CatalogueCases:
    """The cases of the publication today."""
    return catalogue_cases(context.engine, store, current_policy(context), context.now().date())


def read_state(context: AppContext, dossier: Dossier) -> CaseState:
    """The state of the case of a SKU of the publication now, as the queue has it."""
    store, listing = context.store, dossier.listing
    position = int(store.snapshot.find([listing.sku_id], [listing.market])[0])
    return catalogue_cases_of(context, store).state(position)


def supplier_grounds(context: AppContext, supplier_id: str) -> tuple[Ground, ...]:
    """The legal grounds that stand for all SKUs of a supplier, the newest first."""
    store = context.store
    cases, numbers = catalogue_cases_of(context, store), store.queue.supplier_numbers([supplier_id])
    if not len(numbers):
        return ()
    evidence = store.queue.column("evidence")
    suspect = QueueEvidence.FAILED | QueueEvidence.CERTIFICATE | QueueEvidence.HOLD
    of_supplier = np.flatnonzero((store.queue.column("supplier") == numbers[0]) & ((evidence & suspect) > 0))
    positions = {*store.queue.positions(of_supplier).tolist(), *cases.positions_with_news(supplier_id)}
    grounds = {ground for position in sorted(positions) for ground in cases.state(position).grounds}
    return tuple(sorted(grounds, key=lambda each: (each.since, each.row_id), reverse=True))


def newest_samples(dossier: Dossier, results: Iterable[LabTest] = ()) -> dict[str, date]:
    """The day on which the newest sample with a report was drawn, by test package."""
    current = current_tests(results, dossier.newest_reports)
    tests = (test for test in current if test.independent and test.package and test.has_result)
    return {str(package): day for day, package in sorted((test.happened_on, test.package) for test in tests)}


def _decision_context(
    dossier: Dossier, score: ScoreRow, state: CaseState, grounds: tuple[Ground, ...]
) -> DecisionContext:
    """What the page of the SKU displays now, to be stored with a decision."""
    listing = dossier.listing
    reasons = tuple(ContextReason(each.feature, each.contribution, each.sentence) for each in score.reasons or ())
    offer = ListingSummary(listing.title, listing.category, listing.listed_on)
    notices = tuple(each.incident_id for each in (*state.notices, *open_notices(dossier, dossier.as_of)))
    flagged = str(bands_in_force(score.as_of).action([score.p_fail])[0]) != "none"
    rows = rows_behind(dossier, state.new_results, grounds, flagged, state.notices)
    return DecisionContext(score.p_low, score.p_high, reasons, grounds, offer, notices, rows)


def _disposition_option(disposition: Disposition, file: CaseFile, officer: Officer, today: date) -> DispositionOption:
    roles = " or ".join(disposition.roles)
    barred = None if officer.role in disposition.roles else f"For the role {roles}; you signed in as {officer.role}."
    return DispositionOption(disposition, missing_ground(disposition, file.grounds_for(disposition), today), barred)
