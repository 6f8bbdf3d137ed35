"""Signing in with an API key, and signing out; a form that came too late is shown again after the sign-in."""

from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from data.errors import NotFoundError, UserError
from serving.auth.api_keys import LABORATORY, ExpiredKeyError, key_id_of
from serving.auth.rate_limit import access_policy_in_force
from serving.auth.sign_ins import (
    Attempt,
    begin_session,
    end_session,
    record_sign_in,
    seconds_to_wait,
    session_id_of,
)
from serving.console.context import AppContext
from serving.console.pages import decision
from serving.console.session import (
    ContextDep,
    Person,
    SessionDep,
    VerifiedForm,
    address_of,
    new_session,
    save_session,
)
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
    secret, policy = str(form.get("key", "")).strip(), access_policy_in_force(context.now().date())
    attempt = Attempt(address_of(request), key_id_of(secret), context.now())
    wait = seconds_to_wait(context.engine, attempt, policy)
    if wait:
        refused = f"Too many sign-ins were refused. Try again in {ceil(wait / 60)} minutes."
        answer = page(request, "sign_in.html", 429, after=after, refused=refused, unsent=sealed)
        answer.headers["retry-after"] = str(wait)
        return answer
    holder = _holder_of(context, secret)
    record_sign_in(context.engine, attempt, "refused" if isinstance(holder, str) else "signed_in", policy)
    if isinstance(holder, str):
        return page(request, "sign_in.html", 403, after=after, refused=holder, unsent=sealed)
    session, unsent = new_session(context, holder), open_unsent(sealed, context)
    begin_session(context.engine, session.nonce, holder.name, replace(attempt, key_id=holder.key_id))
    if unsent is not None and unsent.key_id == holder.key_id:
        request.state.session = session
        return show_unsent_form(request, context, holder, unsent)
    response = RedirectResponse(address(request, after), 303)
    save_session(request, response, context, session)
    return response


def _holder_of(context: AppContext, secret: str) -> Person | str:
    """The person who signs in with a secret, or the sentence why nobody does."""
    try:
        principal = context.principal_of(secret)
    except ExpiredKeyError as error:
        return str(error)
    if principal is None or context.principal_by_id(principal.id) is None:
        return "This key is not valid. Paste it in full, or ask your admin for a new one."
    if principal.role == LABORATORY:
        return "Keys of laboratories open no pages. Ask GET /lab-orders, and send results to POST /results."
    return Person(principal.person, principal.role, principal.id)


def show_unsent_form(request: Request, context: AppContext, person: Person, unsent: UnsentForm) -> Response:
    """What was typed, to be sent once more: the form of a decision as it was, any other as a list."""
    if unsent.path == decision.DECIDE:
        try:
            return decision.show_again(request, context, person, dict(unsent.fields))
        except UserError:
            pass
    return page(request, "unsent.html", unsent=unsent)


@router.post("/sign-out")
def sign_out(request: Request, context: ContextDep, session: SessionDep, _: VerifiedForm) -> Response:
    """Sign out, on every worker at once; forms of the session are no longer valid."""
    if session.person is not None:
        with suppress(NotFoundError):  # it was ended before
            end_session(context.engine, session_id_of(session.nonce), context.now())
    response = RedirectResponse(address(request, "/sign-in"), 303)
    save_session(request, response, context, new_session(context, None))
    return response


def _safe_path(path: str) -> str:
    """`path` where it is a path of the console, else `/`, against open redirects."""
    is_safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_safe else "/"
