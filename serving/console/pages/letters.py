"""Letters to sellers: the list of those to check and to send, one letter, its steps, its record for the EU."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from data.errors import UserError
from serving.console.blinding import require_unblinded
from serving.console.case import decisions_of, signature_of
from serving.console.context import AppContext
from serving.console.letter_sources import letter_sources
from serving.console.pages.decision import text
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, requires_role, verified_form
from serving.console.templating import address, page
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.decisions.store import Decisions
from serving.dsa.transparency_database import PublicStatement, transparency_record
from serving.letters.drafting import ensure_letters
from serving.letters.facts import STATEMENTS, LetterKind
from serving.letters.policy import letter_policy_in_force
from serving.letters.sending import check_letter, preview, send_letter
from serving.letters.sources import facts_of, letter_terms
from serving.letters.store import (
    CHECKED,
    DELIVERED,
    DRAFT,
    SENT,
    TO_SEND,
    Letter,
    count_letters,
    letter_by_id,
    letters_about,
    letters_in,
    newest_letters,
)
from serving.letters.words import words_of

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
Language = Annotated[str, Query(max_length=40)]
MOST_LISTED = 200
LISTED = {DRAFT: "To check", CHECKED: "To send", SENT: "Sent, not delivered yet", DELIVERED: "Delivered"}
"""The states on the list in order, with their headings."""


@dataclass(frozen=True)
class ListedLetters:
    """The letters of one state on the list, and how many there are in all."""

    heading: str
    letters: list[Letter]
    count: int

    @property
    def more(self) -> int:
        """The number of letters that are not listed."""
        return self.count - len(self.letters)


@router.get("/letters")
def overview(request: Request, context: ContextDep) -> Response:
    """The letters by state: those to check first."""
    ensure_letters(letter_sources(context), context.now())
    counts = count_letters(context.engine)
    groups = [_listed(context, state, counts.get(state, 0)) for state in LISTED]
    return page(request, "letters.html", groups=groups, subjects=_subjects())


def _listed(context: AppContext, state: str, count: int) -> ListedLetters:
    """The letters of a state: those to do in the order of their drafts, those that left the newest first."""
    if state in TO_SEND:
        letters = letters_in(context.engine, (state,), MOST_LISTED)
    else:
        letters = newest_letters(context.engine, (state,), MOST_LISTED)
    return ListedLetters(LISTED[state], letters, count)


def require_visible_letter(context: ContextDep, person: CurrentPerson, letter_id: str) -> None:
    """Raise UserError where the letter is about a case whose score is hidden from the person."""
    letter = letter_by_id(context.engine, letter_id)
    if letter.sku_id and letter.market:
        require_unblinded(context, person, SkuKey(letter.sku_id, letter.market))


def require_visible_decision(context: ContextDep, person: CurrentPerson, decision_id: str) -> None:
    """Raise UserError where the decision is on a case whose score is hidden from the person."""
    require_unblinded(context, person, decisions_of(context).decision(decision_id).key)


@router.get("/letters/{letter_id}", dependencies=[Depends(require_visible_letter)])
def one(request: Request, context: ContextDep, letter_id: str, language: Language = "") -> Response:
    """One letter in a language, with its steps."""
    return _letter_page(request, context, letter_id, language)


@router.get("/letters/{letter_id}/letter.txt", dependencies=[Depends(require_visible_letter)])
def letter_text(context: ContextDep, letter_id: str, language: Language = "") -> Response:
    """The letter as plain text."""
    letter = letter_by_id(context.engine, letter_id)
    shown = preview(letter_sources(context), letter, language or letter.language, context.now().date())
    headers = {"content-disposition": f'attachment; filename="{letter_id}.txt"'}
    return Response(shown.rendered.text, media_type="text/plain; charset=utf-8", headers=headers)


@router.post("/letters/{letter_id}/check")
def check(request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, letter_id: str) -> Response:
    """Check a letter in the language of the form."""
    try:
        check_letter(letter_sources(context), letter_id, text(form, "language"), signature_of(context, person))
    except UserError as refusal:
        return _letter_page(request, context, letter_id, "", str(refusal))
    return RedirectResponse(address(request, f"/letters/{letter_id}"), 303)


@router.post("/letters/{letter_id}/send", dependencies=[Depends(verified_form)])
def send(request: Request, context: ContextDep, person: CaseOfficer, letter_id: str) -> Response:
    """Put a checked letter into the outbox."""
    try:
        send_letter(letter_sources(context), letter_id, signature_of(context, person))
    except UserError as refusal:
        return _letter_page(request, context, letter_id, "", str(refusal))
    return RedirectResponse(address(request, f"/letters/{letter_id}"), 303)


@router.get("/decisions/{decision_id}/statement")
def statement(request: Request, context: ContextDep, decision_id: str) -> Response:
    """Lead to the letter of a decision."""
    return RedirectResponse(address(request, f"/letters/{_statement_of(context, decision_id).letter_id}"), 303)


@router.get("/decisions/{decision_id}/transparency.json", dependencies=[Depends(require_visible_decision)])
def transparency_json(context: ContextDep, decision_id: str) -> Response:
    """The record of a decision for the EU's transparency database."""
    record = _record_json(context, _statement_of(context, decision_id))
    headers = {"content-disposition": f'attachment; filename="{decision_id}.json"'}
    return Response(record, media_type="application/json", headers=headers)


def _statement_of(context: AppContext, decision_id: str) -> Letter:
    """The statement of a decision, drafted where it was not yet; UserError where none is owed."""
    ensure_letters(letter_sources(context), context.now())
    found = letters_about(context.engine, decision_id, STATEMENTS)
    if not found:
        decision = Decisions(context.engine, decision_policy_in_force(context.now().date())).decision(decision_id)
        raise UserError(
            f"Decision {decision_id} is {decision.state.replace('_', ' ')}, and no statement of reasons is owed for it "
            "now. A statement is drafted when a restriction comes into force."
        )
    return found[0]


def _letter_page(
    request: Request, context: AppContext, letter_id: str, language: str, refused: str | None = None
) -> Response:
    letter, policy = letter_by_id(context.engine, letter_id), letter_policy_in_force(context.now().date())
    chosen = letter.language if letter.is_sent or not language else language
    shown = preview(letter_sources(context), letter, chosen, context.now().date())
    record, why = None, None
    if letter.kind in STATEMENTS:
        try:
            record = _record_json(context, letter)
        except UserError as refusal:
            why = str(refusal)
    return page(
        request, "letter.html", 400 if refused else 200, letter=letter, shown=shown, language=chosen, refused=refused,
        languages=[(each, words_of(each).text("language.name", {})) for each in policy.languages],
        record=record, why=why, subjects=_subjects(), today=context.now().date(),
    )  # fmt: skip


def _record_json(context: AppContext, letter: Letter) -> str:
    """The record under the policy of the day on which the decision came into force."""
    decision = Decisions(context.engine, decision_policy_in_force(context.now().date())).decision(letter.about)
    if decision.decision_context is None:
        raise UserError(
            f"Decision {decision.decision_id} was taken without the page of its SKU, so the day of the listing is not "
            "known. Write its record from its row in the ledger."
        )
    policy = decision_policy_in_force(date.fromisoformat(decision.since[:10]))
    facts = facts_of(letter, letter_sources(context), letter_terms("en", context.now().date()))
    public = PublicStatement(
        facts, decision.decision_context.offer.listed_on, policy.grounds[decision.fact_kind or "terms"]
    )
    record: dict[str, Any] = transparency_record(public, letter_terms("en", context.now().date()))
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _subjects() -> dict[str, str]:
    """What letters of each kind are about, in English."""
    return {kind.value: words_of("en").text(f"subject.{kind.value}", {}) for kind in LetterKind}
