"""The console as one web application, mounted below the service's own addresses."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from data.errors import UnavailableError, UserError
from serving.console.context import AppContext
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
from serving.console.templating import FOLDER, address, page

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
KEEP_NOTHING = (b"cache-control", b"no-store")
STATIC = "/static/"


class ConsoleHeaders:
    """ASGI middleware: adds them; pages are not kept by the browser, static files are asked for anew each hour."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass the request on and add headers to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        keeping = (b"cache-control", b"private, max-age=3600") if STATIC in scope["path"] else KEEP_NOTHING

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS} | {keeping[0]}
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
                message = {**message, "headers": [*kept, *HEADERS, keeping]}
            await send(message)

        await self._app(scope, receive, sent)


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


def console_app(house: Callable[[], AppContext]) -> FastAPI:
    """The console; `house` gives what its pages draw on, and is called within requests only."""
    app = FastAPI(title="Touchstone console", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.house = house
    app.add_middleware(ConsoleHeaders)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_api_route("/{path:path}", _nothing, include_in_schema=False)
    app.add_exception_handler(SignInNeededError, _led_to_sign_in)
    app.add_exception_handler(NotAllowedError, _not_allowed)
    app.add_exception_handler(UserError, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(HTTPException, _no_such_page)
    app.add_exception_handler(Exception, _failed)
    return app


def _nothing() -> None:
    raise HTTPException(404)


def _led_to_sign_in(request: Request, _: Exception) -> Response:
    """To the sign-in page, and from there back to the page asked for."""
    root = request.scope.get("root_path", "")
    wanted = request.url.path.removeprefix(root) + (f"?{request.url.query}" if request.url.query else "")
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
