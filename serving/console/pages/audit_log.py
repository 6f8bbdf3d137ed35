"""The ledger as people read it: newest first, of everything or of one subject."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from data.database.audit_log import Row, newest_rows, verified
from data.errors import Refusal
from serving.console.blinding import Key, veiled_among
from serving.console.session import AnyHouse, SignedIn, signed_in
from serving.console.templating import page

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

PAGE = 50


@dataclass(frozen=True)
class Line:
    """A row of the ledger with its content read; None where it may tell a score that the person does not see yet."""

    row: Row
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
    found = newest_rows(house.engine, PAGE, subject.strip() or None, before)
    checked = None
    if check:
        try:
            head = verified(house.engine)
            checked = (
                "The ledger is empty." if head is None else f"All {head.number:,} rows follow one another unchanged."
            )
        except Refusal as refusal:
            checked = str(refusal)
    veiled = veiled_among(house, person, [_key(row) for row in found])
    lines = [Line(row, None if _key(row) in veiled else json.loads(row.content)) for row in found]
    return page(
        request, "ledger.html", lines=lines, subject=subject.strip(),
        checked=checked, older=found[-1].number if len(found) == PAGE and found[-1].number > 1 else None,
    )  # fmt: skip


def _key(row: Row) -> Key:
    """The SKU and market that a row is about, where it is about one."""
    sku_id, _, market = row.subject.rpartition(" ")
    return sku_id, market
