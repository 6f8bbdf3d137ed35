"""Notices of shoppers: what they wrote, by case, with the clock of each."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from serving.console.case import current_policy
from serving.console.session import ContextDep
from serving.console.templating import page
from serving.decisions.deadlines import add_working_days
from serving.decisions.records import SkuKey
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import ReadNotice, decided_cases, read_notices

router = APIRouter()

MOST_LISTED = 500
Id = Annotated[str, Query(max_length=300)]


@dataclass(frozen=True)
class NoticeCase:
    """The listed notices of one case, the newest first: the day by which to act, and whether somebody decided."""

    case_id: str
    notices: tuple[ReadNotice, ...]
    due_on: date
    is_decided: bool

    @property
    def first(self) -> ReadNotice:
        """The oldest of them, which started the clock."""
        return self.notices[-1]

    @property
    def worst_injury(self) -> int | None:
        """The worst injury that was told, 0 (none) to 4."""
        told = [each.notice.injury_severity for each in self.notices if each.notice.injury_severity is not None]
        return max(told, default=None)


@router.get("/notices")
def overview(request: Request, context: ContextDep, sku_id: Id = "", market: Id = "") -> Response:
    """The cases of notices, undecided ones first and the most urgent first; of one SKU where it is named."""
    key = SkuKey(sku_id, market) if sku_id and market else None
    by_case: dict[str, list[ReadNotice]] = {}
    for each in read_notices(context.engine, MOST_LISTED, key):
        by_case.setdefault(each.notice.case_id, []).append(each)
    decided, terms = decided_cases(context.engine, by_case), current_policy(context).deadlines
    cases = [
        NoticeCase(
            case_id,
            tuple(notices),
            add_working_days(notices[-1].notice.received_on, terms.notice, terms.holidays),
            case_id in decided,
        )
        for case_id, notices in by_case.items()
    ]
    cases.sort(key=lambda each: (each.is_decided, each.due_on, each.case_id))
    today = context.now().date()
    return page(
        request, "notices.html", noticed=cases, key=key, today=today, most=MOST_LISTED,
        listed=sum(len(each.notices) for each in cases), policy=notice_policy_in_force(today),
    )  # fmt: skip
