"""The ledger as people read it: newest first, of everything or of one subject."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from data.database.audit_log import AuditRow, newest_audit_rows, verify_chain
from data.errors import UserError
from serving.console.blinding import Key, blinded_among
from serving.console.session import AnyHouse, SignedIn, signed_in
from serving.console.templating import page

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

PAGE = 50


@dataclass(frozen=True)
class AuditLogLine:
    """A row of the ledger with its content read; None where it may tell a score that the person does not see yet."""

    row: AuditRow
    content: dict[str, Any] | None


@router.get("/ledger")
def ledger(
    request: Request,
    house: AnyHouse,
    person: SignedIn,
    subject: Annotated[str, Query(max_length=400)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    check: Annotated[bool, Query()] = False,
) -> Response:
    """A page of rows; with `check`, whether the whole chain is as it was written."""
    found = newest_audit_rows(house.engine, PAGE, subject.strip() or None, before)
    checked = None
    if check:
        try:
            head = verify_chain(house.engine)
            checked = (
                "The ledger is empty." if head is None else f"All {head.number:,} rows follow one another unchanged."
            )
        except UserError as refusal:
            checked = str(refusal)
    veiled = blinded_among(house, person, [_key(row) for row in found])
    lines = [AuditLogLine(row, None if _key(row) in veiled else json.loads(row.content)) for row in found]
    return page(
        request, "ledger.html", lines=lines, subject=subject.strip(),
        checked=checked, older=found[-1].number if len(found) == PAGE and found[-1].number > 1 else None,
    )  # fmt: skip


def _key(row: AuditRow) -> Key:
    """The SKU and market that a row is about, where it is about one."""
    sku_id, _, market = row.subject.rpartition(" ")
    return sku_id, market
