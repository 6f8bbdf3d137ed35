"""The pages of the console as part of the application of the service, and what an error looks like there."""

from collections.abc import Callable
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from data.errors import UnavailableError, UserError
from serving.auth.permissions import CONSOLE
from serving.console.pages import (
    appeals,
    approvals,
    audit_log,
    decision,
    order_tests,
    overview,
    plan,
    queue,
    sign_in,
    sku,
)
from serving.console.session import NotAllowedError, SignInNeededError, app_context, keep, new_session
from serving.console.templating import FOLDER, address, page, path_of

ROUTERS = (
    sign_in.router,
    queue.router,
    sku.router,
    order_tests.router,
    decision.router,
    approvals.router,
    appeals.router,
    plan.router,
    overview.router,
    audit_log.router,
)
"""The pages; a new module of pages adds its router here."""


def add_console(app: FastAPI) -> None:
    """Add the pages and their files to an application, whose state has the house (`app_context`)."""
    app.mount(f"{CONSOLE}/static", StaticFiles(directory=FOLDER / "static"), name="static")
    for router in ROUTERS:
        app.include_router(router, prefix=CONSOLE)
    app.add_api_route(CONSOLE, _first_page, include_in_schema=False)
    app.add_api_route(CONSOLE + "/{path:path}", _nothing, include_in_schema=False)
    app.add_exception_handler(SignInNeededError, _led_to_sign_in)
    app.add_exception_handler(NotAllowedError, _not_allowed)


def error_page(request: Request, error: Exception) -> Response:
    """What a person reads of an error within the console."""
    for kind, answer in _PAGES:
        if isinstance(error, kind):
            return answer(request, error)
    return _failed(request, error)


def _first_page(request: Request) -> Response:
    return RedirectResponse(address(request, "/"), 307)


def _nothing() -> None:
    raise HTTPException(404)


def _led_to_sign_in(request: Request, _: Exception) -> Response:
    """To the sign-in page, and from there back to the page asked for."""
    wanted = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
    after = wanted if request.method == "GET" else "/"
    target = address(request, "/sign-in?" + urlencode({"next": after}))
    if request.headers.get("hx-request"):
        response = Response(status_code=204, headers={"HX-Redirect": target})
    else:
        response = RedirectResponse(target, 303)
    house = app_context(request)
    keep(request, response, house, new_session(house, None))
    return response


def _not_allowed(request: Request, error: Exception) -> Response:
    return page(request, "error.html", 403, heading="That is not possible", message=str(error))


def _refused(request: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, UnavailableError) else 400
    return page(request, "error.html", status, heading="That did not work", message=str(error))


def _misread(request: Request, error: Exception) -> Response:
    """An address with a value that its page cannot read; the value itself is not repeated."""
    named = {str(each["loc"][-1]) for each in error.errors()} if isinstance(error, RequestValidationError) else set()
    said = f"The address has a value that cannot be read: {', '.join(sorted(named))}. Go back and choose again."
    return page(request, "error.html", 400, heading="That did not work", message=said)


def _no_such_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = str(error.detail) if isinstance(error, HTTPException) and status == 404 else ""
    said = message if message not in ("", "Not Found") else "There is no page at this address."
    return page(request, "error.html", status, heading="Nothing here", message=said)


def _failed(request: Request, _: Exception) -> Response:
    return page(
        request, "error.html", 500, heading="Something went wrong",
        message="This page could not be made. Try again; where it stays so, tell whoever runs the service.",
    )  # fmt: skip


_PAGES: tuple[tuple[type[Exception], Callable[[Request, Exception], Response]], ...] = (
    (UserError, _refused),
    (RequestValidationError, _misread),
    (HTTPException, _no_such_page),
)
