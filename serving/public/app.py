"""Adds the public pages to the application."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from serving.auth.permissions import STATIC
from serving.html.filters import STATIC_FOLDER
from serving.notices.pages import router as notices
from serving.rules.pages import router as rules
from serving.seller.appeals_and_samples import router as seller_appeals
from serving.seller.opened_page import ClosedLinkError, closed_page
from serving.seller.pages import router as seller
from serving.trends.pages import router as trends
from serving.trust.page import router as trust
from serving.trust.verify import router as verify

ROUTERS: tuple[APIRouter, ...] = (trust, rules, trends, verify, seller, seller_appeals, notices)
"""The routers of public pages; each begins with one of `OPEN` in `serving/auth/permissions.py`."""


def add_public_pages(app: FastAPI) -> None:
    """Add the public pages, and the files that all pages share, to an application with `state.context`."""
    app.mount(STATIC, StaticFiles(directory=STATIC_FOLDER), name="shared")
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ClosedLinkError, closed_page)
