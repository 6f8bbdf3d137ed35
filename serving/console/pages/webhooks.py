"""Messages to webhook endpoints that were given up, and the button that sends one again."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from serving.console.session import ContextDep, Person, VerifiedForm, requires_role
from serving.console.templating import address, page
from serving.webhooks.delivery import dead_deliveries, retry_delivery
from serving.webhooks.policy import webhook_policy_in_force

router = APIRouter()

Admin = Annotated[Person, requires_role("admin")]
MOST_LISTED = 200


@router.get("/webhooks")
def overview(request: Request, context: ContextDep, _: Admin) -> Response:
    """The endpoints of the policy and the messages that were given up, the newest first."""
    policy = webhook_policy_in_force(context.now().date())
    return page(
        request, "webhooks.html", endpoints=policy.endpoints, tries=1 + len(policy.retry_after_seconds),
        dead=dead_deliveries(context.engine, MOST_LISTED), most_listed=MOST_LISTED,
    )  # fmt: skip


@router.post("/webhooks/{delivery_id}/retry")
def retry(request: Request, context: ContextDep, _: Admin, __: VerifiedForm, delivery_id: str) -> Response:
    """Let a message be sent again."""
    retry_delivery(context.engine, delivery_id, context.now())
    return RedirectResponse(address(request, "/webhooks"), 303)
