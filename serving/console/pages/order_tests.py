"""Ordering tests for several SKUs at once: what they cost, what is left of the money, and the decisions themselves."""

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from data.database.audit_log import Versions
from data.errors import UserError
from models.risk_bands import bands_in_force
from sampling.policy import sampling_policy_in_force
from sampling.problem import Package
from sampling.rounds import round_record
from serving.console.blinding import BlindedScores, blind_scores, flagged_bands
from serving.console.case import sampled_of
from serving.console.context import AppContext
from serving.console.pages.queue_views import newest_round
from serving.console.session import AnyHouse, OwnForm, Person, may, signed_in
from serving.console.templating import page
from serving.decisions.blind_assessment import Case
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import CaseFile, Decision, ScoreAtDecision
from serving.decisions.rules import Officer, Proposal
from serving.decisions.store import Decisions
from serving.online.store import OnlineStore
from serving.review_queue.reader import QueueEntry

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ORDER = "order_test"
MOST_CHOSEN = 500
Orderer = Annotated[Person, may("officer", "scheduler")]


@dataclass(frozen=True)
class Budget:
    """The money of the newest round of the day in service; `left_eur` after its plan and the tests ordered since."""

    round_id: str
    budget_eur: float
    left_eur: float


@dataclass(frozen=True)
class OrderResult:
    """What became of one order: the decision, or the sentence that says why there is none."""

    entry: QueueEntry
    package: Package
    decision: Decision | None
    refused: str | None


@dataclass(frozen=True)
class OrderSelection:
    """The orders, riskiest first; `veiled` are SKUs whose score the person may not see before an own estimate."""

    orders: list[tuple[QueueEntry, Package]]
    veiled: list[QueueEntry]


@router.post("/queue/order")
def ask(request: Request, house: AnyHouse, person: Orderer, form: OwnForm) -> Response:
    """What the chosen tests would cost, and the reason to give."""
    return _asked(request, house, person, form, None)


@router.post("/queue/ordered")
def order(request: Request, house: AnyHouse, person: Orderer, form: OwnForm) -> Response:
    """Decide for each chosen SKU that it is tested; say for each what became of it."""
    published, policy = house.desk.store(), decision_policy_in_force(house.now().date())
    code, explanation = str(form.get("code", "")), str(form.get("explanation", ""))
    if code not in policy.disposition(ORDER).codes or len(explanation.strip()) < policy.limits.least_explanation:
        needed = f"Choose a reason, and say why in at least {policy.limits.least_explanation} characters."
        return _asked(request, house, person, form, needed)
    token = str(form.get("form_token", ""))
    decisions, officer = Decisions(house.engine, policy), Officer(person.name, person.role, person.key_id)
    told = []
    for entry, package in _chosen(published, form, _veil(house, published, person)).orders:
        proposal = Proposal(
            ORDER, code, explanation, package=package.name, cost_eur=package.cost_cents / 100,
            form_token=f"{token}/{entry.market}/{entry.sku_id}",
        )  # fmt: skip
        try:
            decision = decisions.propose(proposal, officer, _file(published, entry), house.now())
            told.append(OrderResult(entry, package, decision, None))
        except UserError as refusal:
            told.append(OrderResult(entry, package, None, str(refusal)))
    return page(request, "ordered.html", told=told, budget=_budget(house, published))


def _asked(request: Request, house: AppContext, person: Person, form: FormData, refused: str | None) -> Response:
    published, policy = house.desk.store(), decision_policy_in_force(house.now().date())
    chosen = _chosen(published, form, _veil(house, published, person))
    cost = sum(package.cost_cents for _, package in chosen.orders) / 100
    return page(
        request, "order.html", 400 if refused else 200, chosen=chosen.orders, veiled=chosen.veiled,
        cost_eur=cost, refused=refused, budget=_budget(house, published),
        codes=[policy.codes[code] for code in policy.disposition(ORDER).codes],
        least=policy.limits.least_explanation, most=policy.limits.most_explanation, who=person.name,
        explanation=str(form.get("explanation", "")), form_token=secrets.token_urlsafe(12),
    )  # fmt: skip


def _veil(house: AppContext, published: OnlineStore, person: Person) -> BlindedScores:
    return blind_scores(house, published, person, flagged_bands(published))


def _chosen(published: OnlineStore, form: FormData, veil: BlindedScores) -> OrderSelection:
    """The SKUs that were ticked, each with the full package for its category and market."""
    ticked = list(dict.fromkeys(str(value) for value in form.getlist("sku")))
    if not ticked:
        raise UserError("No SKU was chosen. Go back and tick the SKUs to test.")
    if len(ticked) > MOST_CHOSEN:
        raise UserError(f"{len(ticked)} SKUs were chosen. Order tests for at most {MOST_CHOSEN} at once.")
    keys = [value.partition("/")[::2] for value in ticked]
    positions = published.snapshot.find([sku_id for _, sku_id in keys], [market for market, _ in keys])
    if not (positions >= 0).any():
        raise UserError(f"The catalogue of {published.publication.as_of} has none of the chosen SKUs. Choose again.")
    entries = published.queue.entries(published.queue.numbers_of(positions[positions >= 0]))
    policy = sampling_policy_in_force(published.publication.as_of)
    told = [entry for entry in entries if not veil.hides(entry)]
    veiled = sorted((veil.over(entry) for entry in entries if veil.hides(entry)), key=lambda each: each.position)
    if not told:
        raise UserError(
            "Every chosen case was drawn for your own estimate. Open each and give it, then order its test."
        )
    return OrderSelection([(entry, policy.options((entry.category, entry.market))[0]) for entry in told], veiled)


def _file(published: OnlineStore, entry: QueueEntry) -> CaseFile:
    scored = published.publication
    asked = str(bands_in_force(scored.as_of).action([entry.p_fail])[0])
    versions = Versions(scored.model_version, scored.feature_version, scored.policy_version)
    case = Case(entry.sku_id, entry.market, scored.as_of)
    sampled = sampled_of(published.dossiers.of(entry.position))
    return CaseFile(
        case, entry.supplier_id, ScoreAtDecision(entry.p_fail, entry.band, asked, versions), (), sampled=sampled
    )


def _budget(house: AppContext, published: OnlineStore) -> Budget | None:
    """None where no round was drawn for the day in service."""
    as_of = published.publication.as_of
    round_id = newest_round(house.settings.workspace, as_of)
    if round_id is None:
        return None
    record = round_record(house.settings.workspace, round_id)
    decided = Decisions(house.engine, decision_policy_in_force(house.now().date())).in_force()
    ordered = [d.cost_eur or 0.0 for d in decided if d.disposition == ORDER and d.as_of == as_of.isoformat()]
    budget = float(record["budget_eur"])
    return Budget(round_id, budget, budget - float(record["cost_eur"]) - sum(ordered))
