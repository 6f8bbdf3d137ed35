"""The one FastAPI application: every resource and page of the service, mounted beside the BentoML APIs."""

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from data.errors import UserError
from serving.api import catalogue_status, certificate_answers, decision_feed, lab_orders, openapi, outbox, rounds
from serving.api.errors import error_response
from serving.auth.forwarded_prefix import path_below_root
from serving.auth.permissions import (
    CONSOLE,
    PERMISSIONS,
    PUBLIC,
    STATIC,
    UNKNOWN_ADDRESS,
    is_below,
    is_console,
    is_open,
)
from serving.console.app import add_console, error_page
from serving.console.context import AppContext
from serving.public.app import ROUTERS as PUBLIC_ROUTERS
from serving.public.app import add_public_pages
from serving.public.errors import public_error_page

RESOURCES = (
    openapi.router, catalogue_status.router, decision_feed.router, outbox.router, lab_orders.router, rounds.router,
    rounds.canceller, certificate_answers.router,
)  # fmt: skip
"""The resources that are no pages: each router names the roles that may use it as its dependencies."""

_ROUTES = tuple(
    route for router in (*RESOURCES, *PUBLIC_ROUTERS) for route in router.routes if isinstance(route, APIRoute)
)


def build_application(context: Callable[[], AppContext]) -> FastAPI:
    """The application; `context` gives what its routes draw on, and is called within requests only."""
    app = FastAPI(title="Touchstone", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.context = context
    add_public_pages(app)  # first, since routes are tried in order and the public asks most often
    for router in RESOURCES:
        app.include_router(router)
    add_console(app)
    for kind in (UserError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)
    return app


async def _answer(request: Request, error: Exception) -> Response:
    """An error as a page where pages are, elsewhere in the one shape."""
    path = path_below_root(request)
    if is_console(path):
        return error_page(request, error)
    return public_error_page(request, error) if is_open(path) else error_response(error)


def known_address(path: str) -> str:
    """The address that a path without prefix belongs to, one of few.

    CONSOLE for all its pages, STATIC for the files of all pages, the template of a resource or public page with
    parameters, UNKNOWN_ADDRESS for what does not exist.
    """
    if is_console(path):
        return CONSOLE
    if is_below(path, (STATIC,)):
        return STATIC
    if path in PERMISSIONS or path in PUBLIC:
        return path
    return next((route.path for route in _ROUTES if route.path_regex.match(path)), UNKNOWN_ADDRESS)
