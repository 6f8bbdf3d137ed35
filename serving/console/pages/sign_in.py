"""Signing in with an API key, and signing out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from serving.console.session import ContextDep, Person, VerifiedForm, new_session, save_session
from serving.console.templating import address, page

router = APIRouter()

After = Annotated[str, Query(alias="next", max_length=2_000)]


@router.get("/sign-in")
def sign_in_form(request: Request, after: After = "/") -> Response:
    """The form for a key."""
    return page(request, "sign_in.html", after=_safe_path(after), refused=None)


@router.post("/sign-in")
def sign_in(request: Request, context: ContextDep, form: VerifiedForm) -> Response:
    """Sign in the holder of the key, or render the form with a message."""
    after = _safe_path(str(form.get("next", "/")))
    principal = context.principal_of(str(form.get("key", "")).strip())
    if principal is None or context.principal_by_id(principal.id) is None:
        refused = "This key is not valid. Paste it in full, or ask your admin for a new one."
        return page(request, "sign_in.html", 403, after=after, refused=refused)
    response = RedirectResponse(address(request, after), 303)
    person = Person(principal.person, principal.role, principal.id)
    save_session(request, response, context, new_session(context, person))
    return response


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
