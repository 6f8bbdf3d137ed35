"""The pages of a seller: the list of tasks, the finding, the plan, documents."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from data.contract import DOCUMENT_KINDS
from data.errors import UserError
from serving.seller.appeals_and_samples import appeal_status, counter_sample_status
from serving.seller.corrective_actions import (
    ACCEPTED,
    ActionProposal,
    CorrectiveAction,
    actions_of,
    note_evidence,
    propose_action,
)
from serving.seller.file_types import RefusedFileError
from serving.seller.files import OTHER, FileDescription, SellerFileStore, files_of
from serving.seller.forms import FormReader, SentForm, new_form_token
from serving.seller.handed_in import hand_in_document
from serving.seller.opened_page import (
    Opened,
    OpenedPage,
    commonest_failures,
    day_of,
    redirect_to_task,
    render_page,
    shown_letters,
)
from serving.seller.task_status import DONE, TO_DO, WAITS, TaskStatus

router = APIRouter(prefix="/s", include_in_schema=False)

KINDS = (*DOCUMENT_KINDS, OTHER)
LONGEST_VALIDITY_DAYS = 36_500
_BADGES = {"open": WAITS, "accepted": TO_DO, "refused": TO_DO, "evidence": WAITS, "verified": WAITS,
           "effective": DONE, "ineffective": TO_DO}  # fmt: skip


@dataclass(frozen=True)
class SellerTask:
    """A task of the list: its name in the words and in the address, and how far it is."""

    name: str
    path: str
    status: TaskStatus


@router.get("/{token}")
def tasks(request: Request, opened: Opened) -> Response:
    """The list of tasks, each with how far it is."""
    listed = (
        SellerTask("finding", "finding", TaskStatus("tasks.to_read", TO_DO)),
        SellerTask("plan", "plan", plan_status(opened)),
        SellerTask("documents", "documents", _documents_status(opened)),
        SellerTask("counter_sample", "counter-sample", counter_sample_status(opened)),
        SellerTask("appeal", "appeal", appeal_status(opened)),
    )
    return render_page(request, opened, "seller_tasks.html", tasks=listed)


def plan_status(opened: OpenedPage) -> TaskStatus:
    """How far the plan of the case is."""
    action = newest_action(opened)
    return TaskStatus(f"plan.badge_{action.state}", _BADGES[action.state]) if action else TaskStatus("tasks.to_do")


def newest_action(opened: OpenedPage) -> CorrectiveAction | None:
    """The corrective action of the case that was proposed last."""
    actions = actions_of(opened.context.engine, opened.link.case)
    return actions[0] if actions else None


def _documents_status(opened: OpenedPage) -> TaskStatus:
    sent = len(files_of(opened.context.engine, opened.link.case))
    return TaskStatus("tasks.files", DONE, {"number": str(sent)}) if sent else TaskStatus("tasks.none")


@router.get("/{token}/finding")
def finding(request: Request, opened: Opened) -> Response:
    """What the letters of the case say."""
    return render_page(
        request, opened, "seller_finding.html", letters=shown_letters(opened), common=commonest_failures(opened)
    )


@router.get("/{token}/plan")
def plan(request: Request, opened: Opened) -> Response:
    """What the seller will do, or a form to say it."""
    return _plan_page(request, opened)


@router.post("/{token}/plan")
def send_plan(request: Request, opened: Opened, form: SentForm) -> Response:
    """Take what the seller will do."""
    reader = FormReader(opened, form)
    cause, correction, stock = (reader.text(name, f"plan.{name}") for name in ("cause", "correction", "stock"))
    due_on = reader.day("due_on", "plan.due", opened.policy.actions.most_days, required=True)
    if due_on is None or reader.problems:
        return _plan_page(request, opened, reader)
    proposal = ActionProposal(cause, correction, stock, due_on, reader.form_token())
    try:
        propose_action(opened.context.engine, opened.link, proposal, opened.context.now())
    except UserError:
        reader.problems["cause"] = opened.words.text("refused.under_way", {})
        return _plan_page(request, opened, reader)
    return redirect_to_task(request, opened, "plan")


def _plan_page(request: Request, opened: OpenedPage, reader: FormReader | None = None) -> Response:
    action = newest_action(opened)
    return render_page(
        request, opened, "seller_plan.html", 400 if reader else 200, action=action,
        fields=reader.fields() if reader else {}, problems=reader.problems if reader else {},
        form_token=reader.form_token() if reader else new_form_token(), day_of=day_of,
    )  # fmt: skip


@router.get("/{token}/documents")
def documents(request: Request, opened: Opened) -> Response:
    """The files that were sent, and a form for one more."""
    return _documents_page(request, opened)


@router.post("/{token}/documents")
def send_document(request: Request, opened: Opened, form: SentForm) -> Response:
    """Take a file."""
    reader, words, context = FormReader(opened, form), opened.words, opened.context
    file = reader.file("file")
    kind = reader.choice("kind", "documents.kind", KINDS)
    issuer, number, standard = (
        reader.line(name, f"documents.{name}") or None for name in ("issuer", "number", "standard")
    )
    expires_on = reader.day("expires_on", "documents.expires", LONGEST_VALIDITY_DAYS)
    if file is None or reader.problems:
        return _documents_page(request, opened, reader)
    description = FileDescription(file.filename or "", kind, issuer, number, standard, expires_on)
    store = SellerFileStore(context.engine, context.settings.workspace.seller_files, opened.policy)
    try:
        taken = store.take(opened.link, file.file.read(), description, context.now())
    except RefusedFileError as refusal:
        reader.problems["file"] = words.text(f"refused.{refusal.why}", opened.limits)
        return _documents_page(request, opened, reader)
    hand_in_document(context, taken)
    return redirect_to_task(request, opened, "documents")


@router.post("/{token}/evidence")
def send_evidence(request: Request, opened: Opened) -> Response:
    """The seller says that all evidence of the accepted corrective action was sent."""
    if not files_of(opened.context.engine, opened.link.case):
        return _documents_page(request, opened, needed=True)
    note_evidence(opened.context.engine, opened.link, opened.context.now())
    return redirect_to_task(request, opened, "plan")


def _documents_page(
    request: Request, opened: OpenedPage, reader: FormReader | None = None, needed: bool = False
) -> Response:
    action = newest_action(opened)
    problems = {"evidence": opened.words.text("documents.evidence_needed", {})} if needed else {}
    problems = reader.problems if reader else problems
    return render_page(
        request, opened, "seller_documents.html", 400 if problems else 200, kinds=KINDS, problems=problems,
        fields=reader.fields() if reader else {}, files=files_of(opened.context.engine, opened.link.case),
        awaits_evidence=action is not None and action.state == ACCEPTED, day_of=day_of,
    )  # fmt: skip
