"""The ledger page: the rows of the audit log, newest first, of all subjects or of one."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from data.database.audit_log import AuditRow, newest_audit_rows, verify_chain
from data.errors import UserError
from serving.console.blinding import blinded_keys
from serving.console.pages.audit_log_words import action_words, name_words, value_words
from serving.console.session import ContextDep, CurrentPerson
from serving.console.templating import page
from serving.decisions.records import SkuKey

router = APIRouter()

ROWS_PER_PAGE = 50


@dataclass(frozen=True)
class AuditLogLine:
    """A row of the ledger with its parsed content; None where it may reveal a score that is hidden from the person."""

    row: AuditRow
    content: dict[str, Any] | None

    @property
    def action(self) -> str:
        """What was done, in the past tense."""
        return action_words(self.row.action, self.content)


@router.get("/ledger")
def ledger(
    request: Request,
    context: ContextDep,
    person: CurrentPerson,
    subject: Annotated[str, Query(max_length=400)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    check: Annotated[bool, Query()] = False,
) -> Response:
    """A page of rows; with `check`, the result of verifying the whole hash chain."""
    rows = newest_audit_rows(context.engine, ROWS_PER_PAGE, subject.strip() or None, before)
    checked = None
    if check:
        try:
            head = verify_chain(context.engine)
            checked = (
                "The ledger is empty." if head is None else f"All {head.number:,} rows are complete and unchanged."
            )
        except UserError as refusal:
            checked = str(refusal)
    blinded = blinded_keys(context, person, [_key(row) for row in rows])
    lines = [AuditLogLine(row, None if _key(row) in blinded else json.loads(row.content)) for row in rows]
    return page(
        request, "ledger.html", lines=lines, subject=subject.strip(),
        checked=checked,
        name_words=name_words, value_words=value_words,
        older=rows[-1].number if len(rows) == ROWS_PER_PAGE and rows[-1].number > 1 else None,
    )  # fmt: skip


def _key(row: AuditRow) -> SkuKey:
    """The SKU that a row is about, where it is about one."""
    sku_id, _, market = row.subject.rpartition(" ")
    return SkuKey(sku_id, market)
