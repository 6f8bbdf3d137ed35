"""Resource `/decisions`: the changes of decisions since a cursor, for a marketplace's listing control."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from data.errors import UnavailableError, UserError
from serving.auth.permissions import require_role
from serving.console.session import ContextDep
from serving.decisions.feed import DecisionChange, decision_changes
from serving.decisions.policy import decision_policy_in_force

MOST_CHANGES = 1_000


class DecisionChanges(BaseModel):
    """Changes of decisions in the order of the ledger; ask again with `since` set to `cursor`.

    `more` says that others follow at once. Each decision comes with its present state and the versions of the score
    that it was about; `policy_version` is that of the decisions policy of today.
    """

    decisions: list[DecisionChange]
    cursor: int
    more: bool
    policy_version: str


router = APIRouter(prefix="/decisions", dependencies=[Depends(require_role("officer", "scheduler", "admin"))])


@router.get("")
def changes(
    context: ContextDep,
    since: Annotated[int, Query(ge=0, le=2**62, description="the cursor of the last answer, 0 for all")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_CHANGES, description="the most decisions to answer")] = MOST_CHANGES,
) -> DecisionChanges:
    """What changed since a cursor: restrictions that came into force, ended or were modified, tests ordered."""
    today = context.now().date()
    try:
        policy = decision_policy_in_force(today)
        found = decision_changes(context.engine, since, limit + 1, policy, today)
    except UserError as error:
        raise UnavailableError(str(error)) from error
    decisions = found[:limit]
    cursor = decisions[-1].cursor if decisions else since
    return DecisionChanges(decisions=decisions, cursor=cursor, more=len(found) > limit, policy_version=policy.version)
