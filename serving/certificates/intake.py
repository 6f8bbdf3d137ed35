"""Answers of issuers in a file or over HTTP: what would become of each, and recording them one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data.errors import UserError
from serving.certificates.files import AnsweredRow
from serving.certificates.records import Check
from serving.certificates.rules import broken_answer_rules
from serving.certificates.states import next_state
from serving.certificates.store import AskedDocument, Desk, close_unanswered, record_answer
from serving.decisions.records import SkuKey
from serving.decisions.rules import Signature

AnswerOutcome = Literal["recorded", "proposed", "closed", "known", "refused"]


@dataclass(frozen=True)
class JudgedAnswer:
    """What becomes of a row.

    `recorded` counts at once, `proposed` awaits a second officer, `closed` stays unanswered, `known` changes nothing,
    `refused` says `why`.
    """

    row: AnsweredRow
    outcome: AnswerOutcome
    why: str = ""


def judge_answers(desk: Desk, rows: Sequence[AnsweredRow]) -> list[JudgedAnswer]:
    """What `record_answers` would make of each row; nothing is stored."""
    return [_judge(desk, row) for row in rows]


def record_answers(desk: Desk, rows: Sequence[AnsweredRow], officer: Signature) -> list[JudgedAnswer]:
    """Record the answers one by one; a bad one costs the others nothing."""
    return [_record(desk, row, officer) for row in rows]


def _judge(desk: Desk, row: AnsweredRow) -> JudgedAnswer:
    check, given = row.check, row.given
    if check is None or row.refused:
        return JudgedAnswer(row, "refused", row.refused or "")
    try:
        if given is None:
            next_state(check.state, "no_answer")
            return JudgedAnswer(row, "closed")
        broken = broken_answer_rules(check.document, given, desk.issuers, desk.documents, desk.today)
        if broken:
            return JudgedAnswer(row, "refused", " ".join(broken))
        if check.given == given and check.state in ("proposed", given.answer):
            return JudgedAnswer(row, "known")
        state = next_state(check.state_on(desk.today), "answer", given.answer)
    except UserError as refusal:
        return JudgedAnswer(row, "refused", str(refusal))
    return JudgedAnswer(row, "proposed" if state == "proposed" else "recorded")


def _record(desk: Desk, row: AnsweredRow, officer: Signature) -> JudgedAnswer:
    judged = _judge(desk, row)
    check = row.check
    if check is None or judged.outcome in ("refused", "known"):
        return judged
    try:
        if row.given is None:
            close_unanswered(desk, check.check_id, officer)
        else:
            record_answer(desk, AskedDocument(check.document, case_of(check)), row.given, officer)
    except UserError as refusal:
        return JudgedAnswer(row, "refused", str(refusal))
    return judged


def case_of(check: Check) -> SkuKey | None:
    """The case that a question came from."""
    return SkuKey(check.sku_id, check.market) if check.sku_id and check.market else None
