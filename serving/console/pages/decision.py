"""Deciding on a SKU: the form, the own estimate before it, verdicts on quotes, whose case it is."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from data.errors import UserError
from serving.console.case import CaseView, case_view, decisions_of, dossier_of, officer_of
from serving.console.context import AppContext
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, may, signed_in
from serving.console.templating import address, page
from serving.decisions.assignment_and_labels import LabelledQuote, assign, give_label
from serving.decisions.blind_assessment import give_estimate
from serving.decisions.rules import Proposal

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

Id = Annotated[str, Query(min_length=1, max_length=200)]
CaseOfficer = Annotated[Person, may("officer")]


@router.get("/decide")
def form(request: Request, house: AnyHouse, person: SignedIn, market: Id, sku_id: Id) -> Response:
    """The form of a SKU; first the own estimate, where its case was drawn for one."""
    return _form(request, case_view(house, person, sku_id, market), None, {})


@router.post("/decide")
def decide(request: Request, house: AnyHouse, person: SignedIn, sent: OwnForm) -> Response:
    """Decide, or propose where four eyes are needed; the form again, with the sentence, where a rule is broken."""
    work = case_view(house, person, text(sent, "sku_id"), text(sent, "market"))
    try:
        proposal = _proposal(sent, work)
        decision = decisions_of(house).propose(proposal, officer_of(person), work.file, house.now())
    except UserError as refusal:
        return _form(request, work, str(refusal), dict(sent), 400)
    return RedirectResponse(address(request, f"/decisions/{decision.decision_id}"), 303)


@router.post("/estimate")
def estimate(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm) -> Response:
    """Keep what the officer expects, then show the SKU with its score."""
    work = case_view(house, person, text(sent, "sku_id"), text(sent, "market"))
    try:
        percent = float(text(sent, "percent"))
    except ValueError:
        return _form(request, work, "Give a number from 0 to 100.", dict(sent), 400)
    try:
        give_estimate(house.engine, work.file.case, officer_of(person), (percent / 100, house.now()), work.policy)
    except UserError as refusal:
        return _form(request, work, str(refusal), dict(sent), 400)
    return RedirectResponse(address(request, _sku(work.listing.sku_id, work.listing.market)), 303)


@router.post("/assign")
def give_owner(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm) -> Response:
    """Make the case somebody's: the one named, or whoever is signed in."""
    sku_id, market = text(sent, "sku_id"), text(sent, "market")
    dossier_of(house, sku_id, market)
    owner = person.name if sent.get("mine") else text(sent, "owner")
    assign(house.engine, (sku_id, market), owner, officer_of(person), house.now())
    return RedirectResponse(address(request, _sku(sku_id, market)), 303)


@router.post("/verdict")
def verdict(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm) -> Response:
    """Keep what the officer says of a quote; the quote itself is read from the dossier, never from the form."""
    sku_id, market = text(sent, "sku_id"), text(sent, "market")
    found = _quote(house, sku_id, market, sent)
    give_label(house.engine, found, text(sent, "verdict"), officer_of(person), house.now())
    return RedirectResponse(address(request, _sku(sku_id, market) + "#quotes"), 303)


def text(sent: FormData, name: str) -> str:
    """One field of a form as text; empty where it was not sent."""
    value = sent.get(name)
    return value if isinstance(value, str) else ""


def _form(
    request: Request, work: CaseView, refused: str | None, kept: dict[str, object], status: int = 200
) -> Response:
    template = "own_estimate.html" if work.estimate_due else "decide.html"
    return page(request, template, status, work=work, refused=refused, kept=kept, policy=work.policy)


def _proposal(sent: FormData, work: CaseView) -> Proposal:
    """What the form proposes; the cost of a test is the policy's, not the form's.

    Raises UserError where the form was filled in before other scores: a decision keeps what its officer had read.
    """
    if text(sent, "publication") != work.publication:
        raise UserError("The catalogue was scored anew while you were deciding. Read the SKU again, then decide.")
    code = text(sent, "code")
    package = next((each for each in work.packages if each.name == text(sent, "package")), None)
    ordered = package if text(sent, "disposition") == "order_test" else None
    return Proposal(
        text(sent, "disposition"), code, text(sent, "explanation"), text(sent, "fact") or None,
        ordered.name if ordered else None, ordered.cost_cents / 100 if ordered else None,
        text(sent, "form_token") or None,
    )  # fmt: skip


def _quote(house: AppContext, sku_id: str, market: str, sent: FormData) -> LabelledQuote:
    asked = (text(sent, "review_id"), text(sent, "start"), text(sent, "hazard"))
    for each in dossier_of(house, sku_id, market).quotes:
        if (each.review_id, str(each.start), each.hazard) == asked:
            return LabelledQuote(each.review_id, sku_id, market, each.sentence, each.language, each.hazard)
    raise UserError(f"Review {asked[0]!r} has no such quote here. Open the SKU again.")


def _sku(sku_id: str, market: str) -> str:
    return f"/sku/{quote(market, safe='')}/{quote(sku_id, safe='')}"
