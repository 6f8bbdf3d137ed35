"""Adds the routes of the console to the application, and renders errors as pages."""

from collections.abc import Callable
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from data.errors import UserError
from serving.api.errors import to_problem
from serving.auth.permissions import CONSOLE
from serving.console.pages import (
    appeals,
    approvals,
    audit_log,
    certificate,
    certificates,
    decision,
    lab_results,
    letters,
    lists,
    notices,
    order_tests,
    overview,
    plan,
    queue,
    sellers,
    sign_in,
    sku,
    supplier,
    trust,
    webhooks,
)
from serving.console.session import (
    NotAllowedError,
    SignInNeededError,
    StaleFormError,
    app_context,
    current_person,
    new_session,
    save_session,
    session_of,
)
from serving.console.templating import FOLDER, address, page, path_of
from serving.console.unsent_form import read_unsent, unsent_form

ROUTERS = (
    sign_in.router,
    queue.router,
    sku.router,
    trust.router,
    supplier.router,
    order_tests.router,
    decision.router,
    approvals.router,
    appeals.router,
    letters.router,
    sellers.router,
    notices.router,
    plan.router,
    lists.router,
    lab_results.router,
    certificates.router,
    certificate.router,
    overview.router,
    audit_log.router,
    webhooks.router,
)
"""The routers of the pages; all but the sign-in need a person signed in."""


def add_console(app: FastAPI) -> None:
    """Add pages, static files and exception handlers to an application with `state.context`."""
    app.mount(f"{CONSOLE}/static", StaticFiles(directory=FOLDER / "static"), name="static")
    for router in ROUTERS:
        needs = [] if router is sign_in.router else [Depends(current_person)]
        app.include_router(router, prefix=CONSOLE, include_in_schema=False, dependencies=needs)
    app.add_api_route(CONSOLE, _first_page, include_in_schema=False)
    app.add_api_route(CONSOLE + "/{path:path}", _not_found, include_in_schema=False)
    app.add_exception_handler(SignInNeededError, _redirect_to_sign_in)
    app.add_exception_handler(NotAllowedError, _not_allowed_page)
    app.add_exception_handler(StaleFormError, _stale_form_page)


def error_page(request: Request, error: Exception) -> Response:
    """Render an error as a page."""
    if isinstance(error, OSError) and to_problem(error).status == 503:
        return _user_error_page(request, error)
    for kind, render in _ERROR_PAGES:
        if isinstance(error, kind):
            return render(request, error)
    return _server_error_page(request, error)


def _first_page(request: Request) -> Response:
    return RedirectResponse(address(request, "/"), 307)


def _not_found() -> None:
    raise HTTPException(404)


async def _redirect_to_sign_in(request: Request, _: Exception) -> Response:
    """Redirect to the sign-in page, which then leads back to the page of the request, or to the form it brought."""
    context, here = app_context(request), path_of(request)
    unsent = await unsent_form(request, context)
    if unsent is not None:
        request.state.session = new_session(context, None)
        return sign_in.sign_in_page(request, context, "/", unsent)
    query = f"?{request.url.query}" if request.url.query else ""
    after = here + query if request.method == "GET" else here if here == lab_results.UPLOAD else "/"
    target = address(request, "/sign-in?" + urlencode({"next": after}))
    if request.headers.get("hx-request"):
        response = Response(status_code=204, headers={"HX-Redirect": target})
    else:
        response = RedirectResponse(target, 303)
    save_session(request, response, context, new_session(context, None))
    return response


def _stale_form_page(request: Request, error: Exception) -> Response:
    """The form of an earlier session once more, with what was typed; a sign-in page that was open for too long anew."""
    context = app_context(request)
    person = session_of(request, context).person
    unsent = read_unsent(path_of(request), error.form, context) if isinstance(error, StaleFormError) else None
    if person is None or unsent is None:
        return sign_in.stale_sign_in_page(request, context, error.form if isinstance(error, StaleFormError) else None)
    return sign_in.show_unsent_form(request, context, person, unsent)


def _not_allowed_page(request: Request, error: Exception) -> Response:
    return page(request, "error.html", 403, heading="You cannot do this", message=str(error))


def _user_error_page(request: Request, error: Exception) -> Response:
    problem = to_problem(error)
    return page(request, "error.html", problem.status, heading="This could not be done", message=problem.sentence)


def _validation_error_page(request: Request, error: Exception) -> Response:
    """An address with an invalid value; the page does not repeat the value."""
    names = {str(each["loc"][-1]) for each in error.errors()} if isinstance(error, RequestValidationError) else set()
    what = ", ".join(sorted(names)).replace("_", " ")
    message = f"This address is not complete or has a value that is not valid: {what}. Go back and choose again."
    return page(request, "error.html", 400, heading="This address is not valid", message=message)


def _http_error_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = str(error.detail) if isinstance(error, HTTPException) and status == 404 else ""
    if message in ("", "Not Found"):
        message = "There is no page at this address."
    return page(request, "error.html", status, heading="Page not found", message=message)


def _server_error_page(request: Request, _: Exception) -> Response:
    return page(
        request, "error.html", 500, heading="Something went wrong",
        message="This page could not be shown. Try again. If it happens again, tell your admin.",
    )  # fmt: skip


_ERROR_PAGES: tuple[tuple[type[Exception], Callable[[Request, Exception], Response]], ...] = (
    (UserError, _user_error_page),
    (RequestValidationError, _validation_error_page),
    (HTTPException, _http_error_page),
)
