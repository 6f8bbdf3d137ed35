"""What sellers sent over their pages: corrective actions, files, requests for counter-samples; the links they use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from data.errors import NotFoundError, UserError
from serving.console.blinding import require_unblinded
from serving.console.case import signature_of
from serving.console.context import AppContext
from serving.console.letter_sources import letter_sources
from serving.console.pages.decision import text
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, requires_role
from serving.console.templating import address, page
from serving.decisions.cases import results_of
from serving.decisions.records import SkuKey
from serving.dossiers.records import current_tests
from serving.letters.policy import letter_policy_in_force
from serving.letters.words import words_of
from serving.seller.corrective_actions import (
    OUR_TURN,
    RUNNING,
    CorrectiveAction,
    VerifyingTest,
    action_by_id,
    actions_in,
    actions_of,
    answer_action,
    close_action,
    verify_action,
)
from serving.seller.counter_samples import answer_counter_sample, counter_samples_of, open_counter_samples
from serving.seller.files import SellerFileStore, file_by_id, files_of
from serving.seller.handed_in import hand_in_action
from serving.seller.links import NewLink, SellerCase, last_day, links_of, page_path, renew_link, revoke_links
from serving.seller.policy import seller_policy_in_force

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
Id = Annotated[str, Query(max_length=300)]


def seller_case(supplier_id: Id, sku_id: Id = "", market: Id = "") -> SellerCase:
    """The case of an address."""
    return SellerCase(supplier_id, sku_id or None, market or None)


AddressedCase = Annotated[SellerCase, Depends(seller_case)]


@dataclass(frozen=True)
class NewAddress:
    """The address of a page that was made just now; it is shown once."""

    url: str


@router.get("/sellers")
def overview(request: Request, context: ContextDep) -> Response:
    """What sellers sent and officers answer next, and what is overdue."""
    today, running = context.now().date(), actions_in(context.engine, RUNNING)
    ours = [each for each in running if each.state in OUR_TURN or each.is_overdue(today)]
    others = [each for each in running if each not in ours]
    return page(
        request, "sellers.html", ours=ours, others=others, samples=open_counter_samples(context.engine), today=today,
        path_of_case=path_of_case,
    )  # fmt: skip


def path_of_case(case: SellerCase) -> str:
    """The address of the page of a case, below the root of the console."""
    named = {"supplier_id": case.supplier_id, "sku_id": case.sku_id, "market": case.market}
    return "/sellers/case?" + urlencode({name: value for name, value in named.items() if value})


@router.get("/sellers/case")
def one(request: Request, context: ContextDep, person: CurrentPerson, case: AddressedCase) -> Response:
    """What a seller sent on one case, and the links to its page."""
    return _case_page(request, context, person, case)


@router.post("/sellers/links")
def change_links(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Revoke the links of a case, or make a new one in their place."""
    case = seller_case(text(form, "supplier_id"), text(form, "sku_id"), text(form, "market"))
    signature, today = signature_of(context, person), context.now().date()
    if not case.supplier_id or text(form, "do") not in ("renew", "revoke"):
        raise UserError(
            "Choose whether to make a new link or to revoke all. Open the page of the case and choose there."
        )
    if text(form, "do") == "revoke":
        revoke_links(context.engine, case, signature)
        return RedirectResponse(address(request, path_of_case(case)), 303)
    policy, languages = seller_policy_in_force(today), letter_policy_in_force(today).languages
    language = text(form, "language")
    new = NewLink(case, language if language in languages else languages[0], last_day(today, policy.link_days))
    renew_link(context.engine, new, signature)
    url = f"{context.settings.public_url or ''}{page_path(new.token)}"
    return _case_page(request, context, person, case, made=NewAddress(url))


@router.post("/sellers/actions/{action_id}")
def answer(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, action_id: str) -> Response:
    """Accept, refuse, verify or close a corrective action; an accepted one is handed in as a row of the lake."""
    signature, note = signature_of(context, person), text(form, "note")
    before = action_by_id(context.engine, action_id)
    engine = context.engine
    steps: dict[str, Callable[[], CorrectiveAction]] = {
        "accept": lambda: answer_action(engine, action_id, True, note, signature),
        "refuse": lambda: answer_action(engine, action_id, False, note, signature),
        "verify": lambda: verify_action(
            engine, action_id, _verifying_test(context, before, text(form, "test_id")), signature
        ),
        "effective": lambda: close_action(engine, action_id, True, signature),
        "ineffective": lambda: close_action(engine, action_id, False, signature),
    }
    step = steps.get(text(form, "do"))
    if step is None:
        raise UserError("Choose what to do with the corrective action. Open its page and choose there.")
    try:
        rows = hand_in_action(context, step(), signature)
    except UserError as refusal:
        return _case_page(request, context, person, before.case, str(refusal))
    if rows is not None and rows.refusals:
        refused = f"It is not a row of the table of corrective actions: {rows.refusals[0]}. Ask your admin."
        return _case_page(request, context, person, before.case, refused)
    return RedirectResponse(address(request, path_of_case(before.case)), 303)


@router.post("/sellers/counter-samples/{request_id}")
def answer_sample(
    request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, request_id: str
) -> Response:
    """Grant or decline the test of a counter-sample."""
    granted, signature = text(form, "do") == "grant", signature_of(context, person)
    asked = next((each for each in open_counter_samples(context.engine) if each.request_id == request_id), None)
    try:
        answered = answer_counter_sample(context.engine, request_id, granted, text(form, "note"), signature)
    except NotFoundError:
        raise
    except UserError as refusal:
        if asked is None:
            raise
        return _case_page(request, context, person, asked.case, str(refusal))
    return RedirectResponse(address(request, path_of_case(answered.case)), 303)


@router.get("/sellers/files/{file_id}/download.bin")
def download(context: ContextDep, person: CaseOfficer, file_id: str) -> Response:
    """A file as it was sent, as bytes to be saved: no browser shows or runs it."""
    file = file_by_id(context.engine, file_id)
    _require_visible(context, person, file.case)
    policy = seller_policy_in_force(context.now().date())
    store = SellerFileStore(context.engine, context.settings.workspace.seller_files, policy)
    headers = {"content-disposition": f'attachment; filename="{file.download_name}"'}
    return Response(store.content(file), media_type="application/octet-stream", headers=headers)


def verifying_tests(context: AppContext, action: CorrectiveAction) -> list[VerifyingTest]:
    """The independent tests of the SKU whose sample was drawn since the evidence came, the newest first."""
    if action.sku_id is None or action.market is None or action.evidence_at is None:
        return []
    key = SkuKey(action.sku_id, action.market)
    dossier = letter_sources(context).find_dossier(*key)
    known = results_of(context.engine, action.sku_id).get(key, ())
    tests = current_tests(known, dossier.newest_reports if dossier else ())
    since = action.evidence_at[:10]
    found = [
        VerifyingTest(each.test_id, each.result, each.happened_on, each.known_on)
        for each in tests
        if each.independent and each.outcome in ("pass", "fail") and each.happened_on.isoformat() >= since
    ]
    return sorted(found, key=lambda each: each.known_on, reverse=True)


def _verifying_test(context: AppContext, action: CorrectiveAction, test_id: str) -> VerifyingTest:
    found = next((each for each in verifying_tests(context, action) if each.test_id == test_id), None)
    if found is None:
        raise UserError(
            f"There is no report {test_id!r} on a sample drawn since the evidence came. Order a test first."
        )
    return found


def _require_visible(context: AppContext, person: Person, case: SellerCase) -> None:
    if case.sku_id and case.market:
        require_unblinded(context, person, SkuKey(case.sku_id, case.market))


def _case_page(
    request: Request, context: AppContext, person: Person, case: SellerCase, refused: str | None = None,
    made: NewAddress | None = None,
) -> Response:  # fmt: skip
    _require_visible(context, person, case)
    engine, today = context.engine, context.now().date()
    actions = actions_of(engine, case)
    languages = [(each, words_of(each).text("language.name", {})) for each in letter_policy_in_force(today).languages]
    return page(
        request, "seller_case.html", 400 if refused else 200, case=case, refused=refused, made=made, today=today,
        actions=actions, tests={each.action_id: verifying_tests(context, each) for each in actions},
        files=files_of(engine, case), samples=counter_samples_of(engine, case), links=links_of(engine, case),
        languages=languages, has_public_url=context.settings.public_url is not None,
    )  # fmt: skip
