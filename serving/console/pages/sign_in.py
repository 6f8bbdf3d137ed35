"""Signing in with an API key, and signing out; a form that came too late is shown again after the sign-in."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from data.errors import UserError
from serving.auth.api_keys import LABORATORY
from serving.console.context import AppContext
from serving.console.pages import decision
from serving.console.session import ContextDep, Person, VerifiedForm, new_session, save_session
from serving.console.templating import address, page
from serving.console.unsent_form import UNSENT_FIELD, UnsentForm, open_unsent, seal_unsent

router = APIRouter()

After = Annotated[str, Query(alias="next", max_length=2_000)]


@router.get("/sign-in")
def sign_in_form(request: Request, after: After = "/") -> Response:
    """The form for a key."""
    return page(request, "sign_in.html", after=_safe_path(after), refused=None, unsent="")


def sign_in_page(request: Request, context: AppContext, after: str, unsent: UnsentForm) -> Response:
    """The form for a key, which carries what was typed into another form."""
    return page(request, "sign_in.html", 403, after=after, refused=None, unsent=seal_unsent(unsent, context))


def stale_sign_in_page(request: Request, context: AppContext, form: FormData | None) -> Response:
    """The form for a key anew, where it was open for too long."""
    fields = form or FormData()
    unsent = open_unsent(str(fields.get(UNSENT_FIELD, "")), context)
    return page(
        request, "sign_in.html", 403, after=_safe_path(str(fields.get("next", "/"))),
        refused="This page was open for too long. Enter your key again.",
        unsent=seal_unsent(unsent, context) if unsent else "",
    )  # fmt: skip


@router.post("/sign-in")
def sign_in(request: Request, context: ContextDep, form: VerifiedForm) -> Response:
    """Sign in the holder of the key, or render the form with a message."""
    after, sealed = _safe_path(str(form.get("next", "/"))), str(form.get(UNSENT_FIELD, ""))
    principal = context.principal_of(str(form.get("key", "")).strip())
    if principal is None or context.principal_by_id(principal.id) is None:
        refused = "This key is not valid. Paste it in full, or ask your admin for a new one."
        return page(request, "sign_in.html", 403, after=after, refused=refused, unsent=sealed)
    if principal.role == LABORATORY:
        refused = "Keys of laboratories open no pages. Ask GET /lab-orders, and send results to POST /results."
        return page(request, "sign_in.html", 403, after=after, refused=refused, unsent=sealed)
    person = Person(principal.person, principal.role, principal.id)
    session, unsent = new_session(context, person), open_unsent(sealed, context)
    if unsent is not None and unsent.key_id == person.key_id:
        request.state.session = session
        return show_unsent_form(request, context, person, unsent)
    response = RedirectResponse(address(request, after), 303)
    save_session(request, response, context, session)
    return response


def show_unsent_form(request: Request, context: AppContext, person: Person, unsent: UnsentForm) -> Response:
    """What was typed, to be sent once more: the form of a decision as it was, any other as a list."""
    if unsent.path == decision.DECIDE:
        try:
            return decision.show_again(request, context, person, dict(unsent.fields))
        except UserError:
            pass
    return page(request, "unsent.html", unsent=unsent)


@router.post("/sign-out")
def sign_out(request: Request, context: ContextDep, _: VerifiedForm) -> Response:
    """Sign out; forms of the session are no longer valid."""
    response = RedirectResponse(address(request, "/sign-in"), 303)
    save_session(request, response, context, new_session(context, None))
    return response


def _safe_path(path: str) -> str:
    """`path` where it is a path of the console, else `/`, against open redirects."""
    is_safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_safe else "/"
