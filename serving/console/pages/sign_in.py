"""Signing in with a key of the service, and out again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from serving.console.session import AnyHouse, OwnForm, Person, keep, new_session
from serving.console.templating import address, page

router = APIRouter(include_in_schema=False)

After = Annotated[str, Query(alias="next", max_length=2_000)]


@router.get("/sign-in")
def ask(request: Request, after: After = "/") -> Response:
    """The form that asks for a key."""
    return page(request, "sign_in.html", after=_below(after), refused=None)


@router.post("/sign-in")
def sign_in(request: Request, house: AnyHouse, form: OwnForm) -> Response:
    """Sign in the holder of the key, or say that the key is not one."""
    after = _below(str(form.get("next", "/")))
    holder = house.holder_of(str(form.get("key", "")).strip())
    if holder is None or house.holder_by_id(holder.id) is None:
        refused = "No key in force reads like this. Copy it whole, or ask an admin for a new one."
        return page(request, "sign_in.html", 403, after=after, refused=refused)
    response = RedirectResponse(address(request, after), 303)
    person = Person(holder.person, holder.role, holder.id)
    keep(request, response, house, new_session(house, person))
    return response


@router.post("/sign-out")
def sign_out(request: Request, house: AnyHouse, _: OwnForm) -> Response:
    """Sign out, and forget the session's forms."""
    response = RedirectResponse(address(request, "/sign-in"), 303)
    keep(request, response, house, new_session(house, None))
    return response


def _below(path: str) -> str:
    """`path` where it is a page of the console, else the first page: a sign-in never leads elsewhere."""
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if inside else "/"
