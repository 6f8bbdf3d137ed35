"""Ordering tests for several SKUs at once: their cost, the budget left, the decisions."""

import secrets
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from data.errors import UserError
from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell, Package
from serving.console.blinding import BlindedScores, blind_scores, case_in, find_positions
from serving.console.case import (
    catalogue_cases_of,
    current_policy,
    decisions_of,
    newest_samples,
    officer_of,
    score_at_decision,
)
from serving.console.context import AppContext
from serving.console.round_budget import RoundBudget, round_budget
from serving.console.session import ContextDep, Person, VerifiedForm, requires_role
from serving.console.templating import page
from serving.decisions.cases import ORDER_TEST
from serving.decisions.deadlines import ActionDeadline
from serving.decisions.index import decision_index
from serving.decisions.records import IN_FORCE, CaseFile, Decision, SkuKey
from serving.decisions.rules import Proposal
from serving.html.filters import euros
from serving.online.store import OnlineStore
from serving.review_queue.reader import QueueEntry

router = APIRouter()

MOST_CHOSEN = 500
Orderer = Annotated[Person, requires_role("officer", "scheduler")]


@dataclass(frozen=True)
class PackageOrder:
    """A SKU, the test package to order for it, and its earliest clock, which an order of several tests never stops."""

    entry: QueueEntry
    package: Package
    deadline: ActionDeadline | None = None


@dataclass(frozen=True)
class OrderResult:
    """The result of one order: the decision, or in `refused` why there is none."""

    order: PackageOrder
    decision: Decision | None
    refused: str | None


@dataclass(frozen=True)
class OrderSelection:
    """The orders, riskiest first, and the chosen SKUs that get none.

    The score of `blinded` ones is hidden until the person gives an estimate, `unknown` ones are not in the catalogue.
    """

    orders: list[PackageOrder]
    blinded: list[QueueEntry]
    unknown: list[SkuKey]

    @property
    def cost_eur(self) -> float:
        """What all orders cost together."""
        return sum(each.package.cost_cents for each in self.orders) / 100


@router.post("/queue/order")
def review_order(request: Request, context: ContextDep, person: Orderer, form: VerifiedForm) -> Response:
    """The cost of the chosen tests, and the form for the reason."""
    return _order_page(request, context, person, form, None)


@router.post("/queue/ordered")
def order(request: Request, context: ContextDep, person: Orderer, form: VerifiedForm) -> Response:
    """Decide on a test for each chosen SKU; show the result of each."""
    store, policy = context.store, current_policy(context)
    code, explanation = str(form.get("code", "")), str(form.get("explanation", ""))
    if code not in policy.disposition(ORDER_TEST).codes or len(explanation.strip()) < policy.limits.least_explanation:
        needed = f"Choose a reason, and say why in at least {policy.limits.least_explanation} characters."
        return _order_page(request, context, person, form, needed)
    budget, selection = round_budget(context, store), _select_orders(store, form, blind_scores(context, store, person))
    token, cost = str(form.get("form_token", "")), selection.cost_eur
    if budget is not None and cost > budget.left_eur and not _is_sent_again(context, token, selection):
        return _order_page(request, context, person, form, _too_expensive(cost, budget))
    decisions, officer = decisions_of(context), officer_of(person)
    results = []
    for each in selection.orders:
        entry, package = each.entry, each.package
        proposal = Proposal(
            ORDER_TEST, code, explanation, package=package.name, cost_eur=package.cost_cents / 100,
            form_token=_token_of(token, entry), limit_eur=budget.unplanned_eur if budget else None,
        )  # fmt: skip
        try:
            decision = decisions.propose(proposal, officer, _case_file(store, entry), context.now())
            results.append(OrderResult(each, decision, None))
        except UserError as refusal:
            results.append(OrderResult(each, None, str(refusal)))
    return page(
        request, "ordered.html", results=results, unknown=selection.unknown, budget=round_budget(context, store)
    )


def _order_page(request: Request, context: AppContext, person: Person, form: FormData, refused: str | None) -> Response:
    store, policy = context.store, current_policy(context)
    selection = _select_orders(store, form, blind_scores(context, store, person))
    clocks = catalogue_cases_of(context, store).first_deadlines([each.entry.position for each in selection.orders])
    orders = [replace(each, deadline=clock) for each, clock in zip(selection.orders, clocks, strict=True)]
    return page(
        request, "order.html", 400 if refused else 200, orders=orders, blinded=selection.blinded,
        unknown=selection.unknown, cost_eur=selection.cost_eur, refused=refused, budget=round_budget(context, store),
        codes=[policy.codes[code] for code in policy.disposition(ORDER_TEST).codes],
        least=policy.limits.least_explanation, most=policy.limits.most_explanation, who=person.name,
        explanation=str(form.get("explanation", "")), form_token=secrets.token_urlsafe(12),
    )  # fmt: skip


def _select_orders(store: OnlineStore, form: FormData, blinding: BlindedScores) -> OrderSelection:
    """The SKUs that were ticked, each with the full test package of its category and market."""
    ticked = list(dict.fromkeys(str(value) for value in form.getlist("sku")))
    if not ticked:
        raise UserError("No SKU was chosen. Go back and tick the SKUs to test.")
    if len(ticked) > MOST_CHOSEN:
        raise UserError(f"{len(ticked)} SKUs were chosen. Order tests for at most {MOST_CHOSEN} at once.")
    pairs = [value.partition("/")[::2] for value in ticked]
    keys = [SkuKey(sku_id, market) for market, sku_id in pairs]
    positions = find_positions(store, keys)
    unknown = [key for key, position in zip(keys, positions.tolist(), strict=True) if position < 0]
    if not (positions >= 0).any():
        raise UserError(f"The catalogue of {store.publication.as_of} has none of the chosen SKUs. Choose again.")
    entries = store.queue.entries(store.queue.numbers_of(positions[positions >= 0]))
    policy = sampling_policy_in_force(store.publication.as_of)
    visible = [entry for entry in entries if not blinding.is_hidden(entry)]
    blinded = sorted(
        (blinding.redact(entry) for entry in entries if blinding.is_hidden(entry)), key=lambda each: each.position
    )
    if not visible:
        raise UserError(
            "Every chosen case was drawn for your own estimate. Open each and give it, then order its test."
        )
    orders = [PackageOrder(entry, policy.options(Cell(entry.category, entry.market))[0]) for entry in visible]
    return OrderSelection(orders, blinded, unknown)


def _case_file(store: OnlineStore, entry: QueueEntry) -> CaseFile:
    score = score_at_decision(store.publication, entry.p_fail, entry.band)
    case = case_in(store, SkuKey(entry.sku_id, entry.market), entry.band)
    samples = newest_samples(store.dossiers.of(entry.position))
    return CaseFile(case, entry.supplier_id, score, (), newest_samples=samples)


def _too_expensive(cost_eur: float, budget: RoundBudget) -> str:
    return (
        f"These tests cost {euros(cost_eur)}, and {euros(max(budget.left_eur, 0))} of the round's "
        f"{euros(budget.budget_eur)} are left. Nothing has been ordered: choose fewer SKUs, or ask the scheduler for "
        "another round."
    )


def _token_of(token: str, entry: QueueEntry) -> str:
    return f"{token}/{entry.market}/{entry.sku_id}"


def _is_sent_again(context: AppContext, token: str, selection: OrderSelection) -> bool:
    """Whether this form was sent before, and so its tests are among those that the budget has paid."""
    active = (each.decision for each in decision_index(context.engine).all())
    stored = {each.form_token for each in active if each.state == IN_FORCE and each.disposition == ORDER_TEST}
    return bool(token) and any(_token_of(token, each.entry) in stored for each in selection.orders)
