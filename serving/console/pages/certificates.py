"""The verification desk: documents to ask their issuers about, questions as a file, a file of answers previewed."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import UploadFile

from data.errors import UserError
from serving.certificates.board import TO_ASK, VIEWS, Board, DeskRow
from serving.certificates.files import IssuerQuestion, file_name, question_file, read_answer_file
from serving.certificates.intake import JudgedAnswer, judge_answers, record_answers
from serving.certificates.records import Check
from serving.certificates.store import AskedDocument, Desk, ask, checks_of, open_desk
from serving.certificates.work_list import WorkItem, read_work_list
from serving.console.blinding import blind_scores
from serving.console.case import signature_of
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.pages.decision import text
from serving.console.session import (
    ContextDep,
    CurrentPerson,
    Person,
    VerifiedForm,
    VerifiedUpload,
    requires_role,
)
from serving.console.templating import address, page
from serving.decisions.new_documents import new_documents
from serving.decisions.records import SkuKey

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
Text = Annotated[str, Query(min_length=1, max_length=2_000)]
Filter = Annotated[str, Query(max_length=2_000)]
ROWS_PER_PAGE = 50
UPLOAD = "/certificates/answers"
MOST_LISTED_ISSUERS = 12


@dataclass(frozen=True)
class DeskFilter:
    """What of the desk is displayed: a view, the documents of one issuer or of all, a page of the list from 1."""

    view: str
    issuer: str
    number: int


def desk_of(context: AppContext) -> Desk:
    """The desk today."""
    return open_desk(context.engine, context.settings.workspace, context.now().date())


def board_of(context: AppContext, person: Person) -> Board:
    """The lists of the desk for a person; documents of cases that await their own estimate are left out."""
    store, desk = context.store, desk_of(context)
    items = read_work_list(context.settings.workspace, store.publication)
    return Board(
        _visible(context, person, items), checks_of(context.engine),
        new_documents(context.engine, store.publication.as_of), desk.issuers, desk.documents, desk.today,
    )  # fmt: skip


def _visible(context: AppContext, person: Person, items: tuple[WorkItem, ...]) -> tuple[WorkItem, ...]:
    """The items whose score the person may see: the order of the list tells something of it."""
    hidden = set(blind_scores(context, context.store, person).to_estimate.tolist())
    return tuple(item for item in items if item.position not in hidden) if hidden else items


@router.get("/certificates")
def desk(
    request: Request, context: ContextDep, person: CurrentPerson, view: Filter = TO_ASK, issuer: Filter = "",
    number: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1,
) -> Response:  # fmt: skip
    """The documents of a view, those whose answer would change the most first."""
    return _desk_page(request, context, person, DeskFilter(view if view in VIEWS else TO_ASK, issuer, number), None)


def _desk_page(
    request: Request, context: ContextDep, person: Person, chosen: DeskFilter, refused: str | None
) -> Response:
    board = board_of(context, person)
    rows = board.rows(chosen.view, chosen.issuer)
    pages = max(-(-len(rows) // ROWS_PER_PAGE), 1)
    number = min(chosen.number, pages)
    start = (number - 1) * ROWS_PER_PAGE
    shown = rows[start : start + ROWS_PER_PAGE]
    return page(
        request, "certificates.html", 400 if refused else 200, rows=shown, view=chosen.view, issuer=chosen.issuer,
        views=VIEWS, counts=board.counts(), count=len(rows), first=start + 1, number=number, pages=pages,
        asking=board.issuers_to_ask()[:MOST_LISTED_ISSUERS], titles=_titles(context, shown), refused=refused,
        most=board.issuers.most_at_once, today=board.today,
        open_questions=_open_by_issuer(board),
    )  # fmt: skip


def _open_by_issuer(board: Board) -> list[tuple[str, int]]:
    names = [row.document.issuer for row in board.rows("asked") if row.document.issuer]
    return sorted(((name, names.count(name)) for name in set(names)), key=lambda each: (-each[1], each[0]))


def _titles(context: AppContext, rows: list[DeskRow]) -> dict[tuple[str, str], str | None]:
    keys = [(row.sku_id, row.market) for row in rows if row.sku_id and row.market]
    return context.store.titles(keys) if keys else {}


@router.post("/certificates/ask")
def ask_issuer(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Ask an issuer about all documents of the list that it can confirm, at most so many as policy allows at once."""
    issuer, desk = text(form, "issuer"), desk_of(context)
    rows = board_of(context, person).rows(TO_ASK, issuer) if issuer else []
    asked = [AskedDocument(row.document, _case(row)) for row in rows[: desk.issuers.most_at_once]]
    try:
        ask(desk, asked, "file", signature_of(context, person))
    except UserError as refusal:
        return _desk_page(request, context, person, DeskFilter(TO_ASK, issuer, 1), str(refusal))
    query = str(request.url.replace_query_params(view="asked", issuer=issuer).query)
    return RedirectResponse(address(request, f"/certificates?{query}"), 303)


def _case(row: DeskRow) -> SkuKey | None:
    return SkuKey(row.sku_id, row.market) if row.sku_id and row.market else None


@router.get("/certificates/questions.csv")
def questions(context: ContextDep, person: CurrentPerson, issuer: Text) -> Response:
    """The open questions to one issuer as CSV, without anything of scores or other sellers."""
    rows = board_of(context, person).rows("asked", issuer)
    if not rows:
        raise UserError(f"There is no open question to {issuer!r}. Ask it about the documents of its list first.")
    titles = _titles(context, rows)
    content = question_file([
        IssuerQuestion(row.check, row.name, titles.get((row.sku_id or "", row.market or "")) or row.sku_id or "")
        for row in rows
        if row.check is not None
    ])  # fmt: skip
    headers = {"content-disposition": f'attachment; filename="{file_name(issuer, context.now().date())}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(UPLOAD)
def preview(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedUpload) -> Response:
    """What would become of the answers in a file, row by row; nothing is stored yet."""
    file, sender = form.get("file"), text(form, "sender").strip()
    content = file.file.read() if isinstance(file, UploadFile) else b""
    try:
        if not content:
            raise UserError("No file was sent, or it is empty. Choose the file of questions with its answers.")
        judged = _judge(context, content, sender)
    except UserError as refusal:
        return _desk_page(request, context, person, DeskFilter("asked", "", 1), str(refusal))
    kept = {"content": content.decode("utf-8-sig"), "sender": sender}
    return page(
        request, "certificate_answers.html", judged=judged, stored=False, content=_serializer(context).dumps(kept),
        usable=sum(each.outcome not in ("refused", "known") for each in judged),
    )  # fmt: skip


@router.post(f"{UPLOAD}/accept")
def accept(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Record the answers that were previewed; each is judged once more, by what is known now."""
    try:
        kept = _serializer(context).loads(text(form, "content"))
        desk = desk_of(context)
        rows = read_answer_file(
            kept["content"].encode(), kept["sender"], _checks_by_id(context), desk.issuers.most_at_once
        )
    except BadSignature:
        refused = "The preview was changed or is not ours. Send the file again."
        return _desk_page(request, context, person, DeskFilter("asked", "", 1), refused)
    judged = record_answers(desk, rows, signature_of(context, person))
    draft_letters(context)
    return page(request, "certificate_answers.html", judged=judged, stored=True, content="", usable=0)


def _judge(context: AppContext, content: bytes, sender: str) -> list[JudgedAnswer]:
    desk = desk_of(context)
    return judge_answers(desk, read_answer_file(content, sender, _checks_by_id(context), desk.issuers.most_at_once))


def _checks_by_id(context: AppContext) -> dict[str, Check]:
    return {check.check_id: check for check in checks_of(context.engine).values()}


def _serializer(context: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(context.secret, salt="file of answers")
