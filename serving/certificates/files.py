"""Questions to an issuer as a CSV file, and the same file read back with answers, row by row."""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from data.errors import UserError
from data.text_values import parse_day
from data.visible_text import escape_formula
from serving.certificates.records import Check, IssuerAnswer, Said
from serving.certificates.states import ANSWERS, Answer, Reply

QUESTION_COLUMNS = (
    "question_id", "issuer", "document", "number", "holder", "standard", "expires_on", "product", "asked_on", "due_on",
)  # fmt: skip
ANSWER_COLUMNS = (
    "answer", "answered_on", "their_number", "their_holder", "their_model", "their_standard", "their_expires_on",
    "note",
)  # fmt: skip
NO_ANSWER = "no_answer"
_SAID = ("number", "holder", "model", "standard")


@dataclass(frozen=True)
class IssuerQuestion:
    """An open question with the document's name and the product's title in words."""

    check: Check
    document: str
    product: str


@dataclass(frozen=True)
class AnsweredRow:
    """A row of a returned file: its `line`, its question where there is one, the answer to record, else why not.

    `is_closed`: the issuer will not answer, which is no fact.
    """

    line: int
    check: Check | None
    given: IssuerAnswer | None
    refused: str | None
    is_closed: bool = False


def question_file(questions: Sequence[IssuerQuestion]) -> str:
    """The questions as CSV: nothing of score, order or seller but what the document itself says."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((*QUESTION_COLUMNS, *ANSWER_COLUMNS))
    for each in sorted(questions, key=lambda question: question.check.check_id):
        document, check = each.document, each.check
        paper = check.document
        row = (
            check.check_id, paper.issuer, document, paper.number or paper.certificate_id, paper.holder, paper.standard,
            paper.expires_on, each.product, check.asked_at.date() if check.asked_at else None, check.due_on,
        )  # fmt: skip
        writer.writerow(
            [escape_formula("" if value is None else value) for value in (*row, *[""] * len(ANSWER_COLUMNS))]
        )
    return out.getvalue()


def read_answer_file(content: bytes, sender: str, checks: Mapping[str, Check], most_rows: int) -> list[AnsweredRow]:
    """The rows of a returned file that have an answer; `sender` is the address that the file came from.

    Raises UserError where it is no file of questions, holds no answer, or too many.
    """
    rows, digest = _read_csv(content), hashlib.sha256(content).hexdigest()
    filled = [(line, row) for line, row in enumerate(rows, start=2) if row.get("answer")]
    if not filled:
        raise UserError(f"No row has an answer. Fill in the column `answer` with {', '.join((*ANSWERS, NO_ANSWER))}.")
    if len(filled) > most_rows:
        raise UserError(f"The file has {len(filled):,} answers; at most {most_rows:,} fit. Send several files.")
    reply = Reply(digest, sender) if sender else None
    read, seen = [], set[str]()
    for line, row in filled:
        each = _answered_row(line, row, checks, reply)
        check = each.check
        if check is not None and each.refused is None:
            if check.check_id in seen:
                each = AnsweredRow(line, check, None, f"question {check.check_id} has two answers")
            seen.add(check.check_id)
        read.append(each)
    return read


def _answered_row(line: int, row: Mapping[str, str], checks: Mapping[str, Check], reply: Reply | None) -> AnsweredRow:
    check = checks.get(row["question_id"])
    if check is None:
        return AnsweredRow(line, None, None, f"there is no question {row['question_id']!r}")
    number = check.document.number or check.document.certificate_id
    if row.get("number") not in (None, "", str(escape_formula(number))):
        return AnsweredRow(line, check, None, f"the number differs from that of question {check.check_id}")
    word = row["answer"].lower().replace(" ", "_")
    if word == NO_ANSWER:
        return AnsweredRow(line, check, None, None, is_closed=True)
    if word not in ANSWERS:
        return AnsweredRow(
            line, check, None, f"the answer {row['answer']!r} is none of {', '.join((*ANSWERS, NO_ANSWER))}"
        )
    days = {name: parse_day(row[name]) for name in ("answered_on", "their_expires_on") if row.get(name)}
    broken = [name for name, day in days.items() if day is None]
    if broken or "answered_on" not in days:
        return AnsweredRow(line, check, None, f"{(broken or ['answered_on'])[0]} is not a day such as 2026-07-01")
    answered_on = days["answered_on"] or date.max
    own: dict[str, str | None] = {name: row.get(f"their_{name}") or None for name in _SAID}
    said = Said(**own, expires_on=days.get("their_expires_on"))
    answer: Answer = next(each for each in ANSWERS if each == word)
    return AnsweredRow(line, check, IssuerAnswer(answer, answered_on, said, reply, row.get("note") or None), None)


def _read_csv(content: bytes) -> list[dict[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("The file is not UTF-8 text. Save it as `CSV UTF-8` and send it again.") from error
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    columns = {name.strip().strip('"') for name in head.split(delimiter)}
    missing = [name for name in ("question_id", "answer", "answered_on") if name not in columns]
    if missing:
        raise UserError(f"The file lacks the columns {', '.join(missing)}. Return the file of questions.")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [{str(name).strip(): value.strip() if isinstance(value, str) else ""
                 for name, value in row.items() if name} for row in reader]  # fmt: skip
    except csv.Error as error:
        raise UserError(f"The file is not CSV: {error}. Save it as `CSV UTF-8` and send it again.") from error


def file_name(issuer: str, today: date) -> str:
    """The name of an issuer's file, in plain letters."""
    plain = "".join(each if each.isascii() and each.isalnum() else "-" for each in issuer).strip("-").lower()
    return f"questions-{plain or 'issuer'}-{today.isoformat()}.csv"
