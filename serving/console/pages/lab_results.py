"""The laboratories' page: order files out, the same files with results in, with a preview before they are taken."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import UploadFile

from data.errors import UserError
from data.lab_results.store import Sender
from serving.api.lab_results import LabResultIntake
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.pages.decision import text
from serving.console.session import ContextDep, Person, VerifiedForm, VerifiedUpload, requires_role
from serving.console.templating import page
from serving.lab_orders.files import file_name, order_file
from serving.lab_orders.intake import accept_rows, preview_rows, returned_rows
from serving.lab_orders.orders import OrderSources, lab_order_policy_in_force, lab_orders, open_orders

router = APIRouter()

UPLOAD = "/results"
Planner = Annotated[Person, requires_role("scheduler")]
Text = Annotated[str, Query(min_length=1, max_length=200)]


@router.get(UPLOAD)
def laboratories(request: Request, context: ContextDep) -> Response:
    """The open orders by laboratory, and the form for a returned file."""
    return _page(request, context, None)


@router.get("/lab-order.csv")
def download(context: ContextDep, lab: Text, round_id: str | None = None) -> Response:
    """The order file of one laboratory: of a round, or of all tests that are open."""
    today = context.now().date()
    orders = open_orders(lab_orders(_sources(context), round_id), None if round_id else today).get(lab)
    if not orders:
        raise UserError(f"Laboratory {lab!r} has no open test{f' of round {round_id}' if round_id else ''}.")
    content = order_file(orders, lab_order_policy_in_force(today))
    name = file_name(lab, today, round_id)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(UPLOAD)
def preview(request: Request, context: ContextDep, person: Planner, form: VerifiedUpload) -> Response:
    """What of a returned file would be accepted, row by row; nothing is stored yet."""
    file = form.get("file")
    content = file.file.read() if isinstance(file, UploadFile) else b""
    try:
        if not content:
            raise UserError("No file was sent, or it is empty. Choose the returned order file.")
        rows = returned_rows(_intake(context), content, _sender(context, person))
        outcomes = preview_rows(_intake(context), rows, _sender(context, person))
    except UserError as refusal:
        return _page(request, context, str(refusal))
    return page(
        request, "results_preview.html", outcomes=outcomes, new=sum(each.outcome == "new" for each in outcomes),
        content=_serializer(context).dumps(content.decode("utf-8-sig")),
    )  # fmt: skip


@router.post("/results/accept")
def accept(request: Request, context: ContextDep, person: Planner, form: VerifiedForm) -> Response:
    """Accept the results that were previewed; a row is judged once more, by what is known now."""
    try:
        content = str(_serializer(context).loads(text(form, "content")))
        rows = returned_rows(_intake(context), content.encode(), _sender(context, person))
    except BadSignature:
        return _page(request, context, "The preview was changed or is not ours. Send the file again.")
    except UserError as refusal:
        return _page(request, context, str(refusal))
    answer = accept_rows(_intake(context), rows, _sender(context, person))
    draft_letters(context)
    refused = [row.refused for row in rows if row.refused] + [", ".join(each.why) for each in answer.refused]
    return page(request, "results_accepted.html", answer=answer, refused=refused)


def _page(request: Request, context: AppContext, refused: str | None) -> Response:
    today = context.now().date()
    orders = open_orders(lab_orders(_sources(context)), today)
    return page(request, "results.html", 400 if refused else 200, orders=orders, refused=refused, today=today)


def _sources(context: AppContext) -> OrderSources:
    return OrderSources(context.settings.workspace, context.engine, context.store)


def _intake(context: AppContext) -> LabResultIntake:
    return LabResultIntake(context.engine, context.settings.workspace, context.store)


def _sender(context: AppContext, person: Person) -> Sender:
    return Sender(person.name, person.key_id, context.now())


def _serializer(context: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(context.secret, salt="returned file")
