"""One document: what the paper says beside what its issuer says, and the steps of asking about it."""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from data.errors import NotFoundError, UserError
from data.text_values import parse_day
from serving.certificates.credentials import CredentialCase, CredentialReport, check_credential
from serving.certificates.issuer_policy import DocumentIssuer
from serving.certificates.records import Check, IssuerAnswer, Said, key_of
from serving.certificates.rules import WORDS, why_not_asked
from serving.certificates.states import ANSWERS, NEED_SECOND_OFFICER, Answer, Reply, State, may
from serving.certificates.store import AskedDocument, ask, checks_of, close_unanswered, record_answer, settle
from serving.console.case import dossier_of, signature_of
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.pages.certificates import desk_of
from serving.console.pages.decision import text
from serving.console.pages.sku_documents import DisplayedDocument, displayed_document
from serving.console.session import ContextDep, Person, VerifiedForm, VerifiedUpload, requires_role
from serving.console.templating import address, page
from serving.decisions.days import long_date
from serving.decisions.records import SkuKey
from serving.dossiers.records import Certificate, Dossier

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
Text = Annotated[str, Query(min_length=1, max_length=2_000)]
FIELDS = (
    "answered_on", "their_number", "their_holder", "their_model", "their_standard", "their_expires_on", "sender",
    "note", "credential", "status_list",
)  # fmt: skip
"""The fields of the forms whose values stay where they are refused."""
MOST_REPLY_BYTES = 10 * 2**20


@dataclass(frozen=True)
class ComparedField:
    """What the paper and its issuer say of one thing; None where one says nothing. `differs` where both say another."""

    name: str
    paper: str | None
    issuer: str | None

    @property
    def differs(self) -> bool:
        """Whether both say something, and not the same."""
        return bool(self.paper and self.issuer) and _folded(self.paper) != _folded(self.issuer)


@dataclass(frozen=True)
class DocumentPage:
    """A document of a product, its check, the issuer that the policy knows, and what can be done now."""

    dossier: Dossier
    displayed: DisplayedDocument
    check: Check | None
    state: State
    issuer: DocumentIssuer | None
    why_not: str | None
    required: bool

    @property
    def document(self) -> Certificate:
        """The document."""
        return self.displayed.row

    @property
    def paper(self) -> Certificate:
        """The document as it was when its issuer was asked, before what the issuer said of it."""
        return self.check.document if self.check else self.document

    @property
    def query(self) -> str:
        """The parameters that name it in addresses."""
        listing = self.dossier.listing
        return urlencode({"market": listing.market, "sku_id": listing.sku_id,
                          "certificate_id": self.document.certificate_id})  # fmt: skip

    @property
    def can_ask(self) -> bool:
        """Whether the issuer can be asked now."""
        return self.why_not is None and may(self.state, "ask")

    @property
    def can_answer(self) -> bool:
        """Whether an answer can be recorded now."""
        return self.why_not is None and may(self.state, "answer")

    @property
    def fields(self) -> tuple[ComparedField, ...]:
        """What the paper says beside what the issuer says."""
        paper, listing = self.paper, self.dossier.listing
        said = self.check.given.said if self.check and self.check.given else Said()
        rows = (("Number", paper.number, said.number), ("Holder", paper.holder, said.holder),
                ("Model", listing.model, said.model), ("Standard", paper.standard, said.standard),
                ("Last day", _day(paper.expires_on), _day(said.expires_on)))  # fmt: skip
        return tuple(ComparedField(*row) for row in rows)

    @property
    def mail(self) -> str | None:
        """The address that opens a letter to the issuer in the form of a mail; None where it has no mailbox."""
        if self.issuer is None or self.issuer.mailbox is None:
            return None
        subject = f"Is document {self.document.number or self.document.certificate_id} yours?"
        return f"mailto:{self.issuer.mailbox}?subject={quote(subject)}&body={quote(self.letter)}"

    @property
    def letter(self) -> str:
        """The question to the issuer: nothing of scores, and nothing that it would have to believe."""
        paper, listing = self.paper, self.dossier.listing
        said = [f"Document: {self.displayed.name}", f"Number: {paper.number or 'not stated'}",
                f"Holder: {paper.holder or 'not stated'}", f"Standard: {paper.standard or 'not stated'}",
                f"Last day: {_day(paper.expires_on) or 'not stated'}",
                f"Product: {listing.title or listing.sku_id}"]  # fmt: skip
        said += [f"Model: {listing.model}"] if listing.model else []
        return "\n".join([
            "A seller on our marketplace shows a document that names you as its issuer.", "", *said, "",
            "Please tell us:", "1. Did you issue it, and is it in force?",
            "2. Which number, holder, model and standard does it state?", "3. Does it cover this product?", "",
            "Please answer from an address of your organisation.",
        ])  # fmt: skip


@router.get("/certificate")
def certificate(
    request: Request, context: ContextDep, market: Text, sku_id: Text, certificate_id: Text
) -> Response:  # fmt: skip
    """One document of a product."""
    return _page(request, context, _read(context, SkuKey(sku_id, market), certificate_id))


@router.post("/certificate/ask")
def ask_issuer(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Record that the issuer was asked, by mail or in its register."""
    it = _read_form(context, form)
    try:
        channel = it.issuer.channel if it.issuer else "mail"
        ask(desk_of(context), [_asked(it)], channel, signature_of(context, person))
    except UserError as refusal:
        return _page(request, context, it, str(refusal))
    return _again(request, it)


@router.post("/certificate/answer")
def answer(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedUpload) -> Response:
    """Record what the issuer answered, or that it did not."""
    it, desk, officer = _read_form(context, form), desk_of(context), signature_of(context, person)
    try:
        if text(form, "answer") == "no_answer":
            if it.check is None:
                raise UserError("The issuer was not asked yet, so there is no question without an answer.")
            close_unanswered(desk, it.check.check_id, officer)
        else:
            record_answer(desk, _asked(it), _answer_in(form), officer)
    except UserError as refusal:
        return _page(request, context, it, str(refusal), form)
    draft_letters(context)
    return _again(request, it)


@router.post("/certificate/settle")
def settle_answer(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Approve or decline what another officer recorded."""
    it = _read_form(context, form)
    try:
        if it.check is None:
            raise UserError("No answer of the issuer awaits approval.")
        is_approved = text(form, "decision") == "approve"
        settle(desk_of(context), it.check.check_id, is_approved, signature_of(context, person))
    except UserError as refusal:
        return _page(request, context, it, str(refusal))
    draft_letters(context)
    return _again(request, it)


@router.post("/certificate/credential")
def credential(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm) -> Response:
    """Check a signed document; where all of it verifies and the officer asks for it, record it as confirmed."""
    it, desk = _read_form(context, form), desk_of(context)
    case = CredentialCase(it.document, it.dossier.listing, desk.issuers, context.now(), text(form, "status_list"))
    report = check_credential(text(form, "credential"), case)
    if text(form, "record") != "yes" or not report.is_verified or it.issuer is None:
        return _page(request, context, it, None, form, report)
    reply = Reply(report.digest, it.issuer.domains[0])
    given = IssuerAnswer("confirmed", desk.today, report.said, reply, "Verified by its signature.")
    try:
        record_answer(desk, _asked(it), given, signature_of(context, person))
    except UserError as refusal:
        return _page(request, context, it, str(refusal), form, report)
    return _again(request, it)


def _read(context: AppContext, key: SkuKey, certificate_id: str) -> DocumentPage:
    dossier, desk = dossier_of(context, key.sku_id, key.market), desk_of(context)
    found = next((each for each in dossier.standing_certificates if each.certificate_id == certificate_id), None)
    if found is None:
        raise NotFoundError(f"SKU {key.sku_id} in market {key.market} has no document {certificate_id!r}.")
    check = checks_of(context.engine, [key_of(found)]).get(key_of(found))
    return DocumentPage(
        dossier, displayed_document(desk.documents, found, desk.today), check,
        check.state_on(desk.today) if check else "unchecked", desk.issuers.find(found.issuer),
        why_not_asked(found, desk.issuers, desk.documents),
        desk.documents.requires(found, dossier.listing.category, dossier.listing.market),
    )  # fmt: skip


def _read_form(context: AppContext, form: FormData) -> DocumentPage:
    return _read(context, SkuKey(text(form, "sku_id"), text(form, "market")), text(form, "certificate_id"))


def _asked(it: DocumentPage) -> AskedDocument:
    listing = it.dossier.listing
    return AskedDocument(it.document, SkuKey(listing.sku_id, listing.market))


def _answer_in(form: FormData) -> IssuerAnswer:
    """The answer that a form states; UserError where a day in it cannot be read."""
    word = text(form, "answer")
    given: Answer | None = next((each for each in ANSWERS if each == word), None)
    if given is None:
        raise UserError("Choose what the issuer answered.")
    days = {name: parse_day(text(form, name)) for name in ("answered_on", "their_expires_on") if text(form, name)}
    if None in days.values():
        raise UserError("A day is written like 2026-07-01.")
    answered_on = days.get("answered_on")
    if answered_on is None:
        raise UserError("Give the day on which the issuer answered.")
    own: dict[str, str | None] = {
        name: text(form, f"their_{name}").strip() or None for name in ("number", "holder", "model", "standard")
    }
    said = Said(**own, expires_on=days.get("their_expires_on"))
    return IssuerAnswer(given, answered_on, said, _reply_in(form), text(form, "note").strip() or None)


def _reply_in(form: FormData) -> Reply | None:
    """The issuer's reply: only the digest of its file is kept, the file stays in your own records."""
    file, sender = form.get("reply"), text(form, "sender").strip()
    content = file.file.read(MOST_REPLY_BYTES + 1) if isinstance(file, UploadFile) else b""
    if len(content) > MOST_REPLY_BYTES:
        raise UserError("The reply is larger than 10 MB. Save the mail without its attachments.")
    if not content and not sender:
        return None
    if not content or not sender:
        missing = "its file" if not content else "the address that sent it"
        raise UserError(f"Of the issuer's reply {missing} is missing. Give both, or neither.")
    return Reply(hashlib.sha256(content).hexdigest(), sender)


def _page(
    request: Request, context: AppContext, it: DocumentPage, refused: str | None = None,
    form: FormData | None = None, report: CredentialReport | None = None,
) -> Response:  # fmt: skip
    typed = {name: text(form, name) if form else "" for name in FIELDS}
    return page(
        request, "certificate.html", 400 if refused else 200, it=it, refused=refused, fields=typed, report=report,
        words=WORDS, second=NEED_SECOND_OFFICER, today=context.now().date(),
    )  # fmt: skip


def _again(request: Request, it: DocumentPage) -> Response:
    return RedirectResponse(address(request, f"/certificate?{it.query}"), 303)


def _day(day: date | None) -> str | None:
    return long_date(day) if day else None


def _folded(value: str | None) -> str:
    return "".join((value or "").split()).casefold()
