"""Deciding on a SKU: the form, the own estimate before it, labels of quotes, assigning the case."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from data.errors import UserError
from serving.console.case import CaseView, case_view, decisions_of, dossier_of, officer_of, signature_of
from serving.console.case_summary import summarize_case
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.round_budget import RoundBudget, round_budget
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, requires_role
from serving.console.templating import address, page
from serving.decisions.assignment_and_labels import LabelledQuote, assign, give_label
from serving.decisions.blind_assessment import record_estimate
from serving.decisions.cases import ORDER_TEST
from serving.decisions.records import SkuKey
from serving.decisions.rules import Proposal
from serving.html.filters import urlpath

router = APIRouter()

DECIDE = "/decide"
UNSENT = "You were signed out before this was sent: nothing has been decided. Read it again, then send it."
Id = Annotated[str, Query(min_length=1, max_length=200)]
CaseOfficer = Annotated[Person, requires_role("officer")]


@router.get(DECIDE)
def decision_form(request: Request, context: ContextDep, person: CurrentPerson, market: Id, sku_id: Id) -> Response:
    """The form of a SKU; or that of the own estimate, where one is due."""
    return _form(request, case_view(context, person, sku_id, market), None, {})


@router.post(DECIDE)
def decide(request: Request, context: ContextDep, person: CurrentPerson, form: VerifiedForm) -> Response:
    """Store a decision or a proposal; render the form with the message where a rule is broken."""
    case = case_view(context, person, text(form, "sku_id"), text(form, "market"))
    try:
        proposal = _proposal(form, case, round_budget(context, context.store))
        decision = decisions_of(context).propose(proposal, officer_of(person), case.file, context.now())
    except UserError as refusal:
        return _form(request, case, str(refusal), dict(form), 400)
    draft_letters(context)
    return RedirectResponse(address(request, f"/decisions/{decision.decision_id}"), 303)


def show_again(request: Request, context: AppContext, person: Person, fields: dict[str, object]) -> Response:
    """The form with what was typed into it before the session ended."""
    case = case_view(context, person, str(fields.get("sku_id", "")), str(fields.get("market", "")))
    return _form(request, case, UNSENT, fields)


@router.post("/estimate")
def estimate(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Store the officer's estimate, then show the SKU with its score."""
    case = case_view(context, person, text(form, "sku_id"), text(form, "market"))
    try:
        percent = float(text(form, "percent"))
    except ValueError:
        return _form(request, case, "Give a number from 0 to 100.", dict(form), 400)
    try:
        record_estimate(context.engine, case.file.case, percent / 100, signature_of(context, person), case.policy)
    except UserError as refusal:
        return _form(request, case, str(refusal), dict(form), 400)
    return RedirectResponse(address(request, _sku_path(case.listing.sku_id, case.listing.market)), 303)


@router.post("/assign")
def assign_owner(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Assign the case to the person named, or to whoever is signed in."""
    sku_id, market = text(form, "sku_id"), text(form, "market")
    dossier_of(context, sku_id, market)
    owner = person.name if form.get("mine") else text(form, "owner")
    assign(context.engine, SkuKey(sku_id, market), owner, officer_of(person), context.now())
    return RedirectResponse(address(request, _sku_path(sku_id, market)), 303)


@router.post("/verdict")
def label_quote(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Store the officer's label of a quote; the quote itself is read from the dossier, never from the form."""
    sku_id, market = text(form, "sku_id"), text(form, "market")
    quote = _find_quote(context, sku_id, market, form)
    give_label(context.engine, quote, text(form, "verdict"), officer_of(person), context.now())
    return RedirectResponse(address(request, _sku_path(sku_id, market) + "#quotes"), 303)


def text(form: FormData, name: str) -> str:
    """One field of a form as text; empty where it was not sent."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _form(
    request: Request, case: CaseView, refused: str | None, fields: dict[str, object], status: int = 200
) -> Response:
    template = "own_estimate.html" if case.estimate_due else "decide.html"
    return page(
        request, template, status, case=case, summary=summarize_case(case), today=case.today, refused=refused,
        fields=fields, policy=case.policy,
    )  # fmt: skip


def _proposal(form: FormData, case: CaseView, budget: RoundBudget | None) -> Proposal:
    """The proposal in the form; the cost of a test is the policy's, not the form's, and within the round's budget.

    Raises UserError where the form was made from other scores: a decision stores what its officer had read.
    """
    if text(form, "publication") != case.publication:
        raise UserError("The catalogue was scored anew while you were deciding. Read the SKU again, then decide.")
    code = text(form, "code")
    package = next((each for each in case.packages if each.name == text(form, "package")), None)
    ordered = package if text(form, "disposition") == ORDER_TEST else None
    return Proposal(
        text(form, "disposition"), code, text(form, "explanation"), text(form, "fact") or None,
        ordered.name if ordered else None, ordered.cost_cents / 100 if ordered else None,
        text(form, "form_token") or None, text(form, "reference") or None,
        budget.unplanned_eur if budget and ordered else None,
    )  # fmt: skip


def _find_quote(context: AppContext, sku_id: str, market: str, form: FormData) -> LabelledQuote:
    key = (text(form, "review_id"), text(form, "start"), text(form, "hazard"))
    for each in dossier_of(context, sku_id, market).quotes:
        if (each.review_id, str(each.start), each.hazard) == key:
            return LabelledQuote(each.review_id, sku_id, market, each.sentence, each.language, each.hazard)
    raise UserError(f"Review {key[0]!r} has no such quote here. Open the SKU again.")


def _sku_path(sku_id: str, market: str) -> str:
    return f"/sku/{urlpath(market)}/{urlpath(sku_id)}"
