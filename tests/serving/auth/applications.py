"""The middleware of the service before an application that echoes."""

from datetime import UTC, datetime

import httpx
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.api.application import known_address
from serving.api.errors import handle_error
from serving.auth.api_keys import ApiKeyCache
from serving.auth.middleware import AccessMiddleware
from serving.auth.permissions import PERMISSIONS, PUBLIC, STATIC, current_principal, require_role
from serving.auth.rate_limit import AccessPolicy

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
POLICY = AccessPolicy(
    requests_per_minute=60,
    burst=1000,
    open_requests_per_minute=60,
    open_burst=5,
    largest_body_bytes=1000,
    largest_upload_bytes=2000,
    trusted_seconds=60,
    trusted_without_database_seconds=300,
    idempotency_days=7,
    last_use_minutes=5,
    sign_ins_of_address=30,
    sign_ins_of_key=10,
    sign_in_minutes=15,
    sign_in_days=180,
)
LOCAL = "http://127.0.0.1:3000"
RESOURCE = "/catalogue/status"
"""An address of the application, whose route says itself who may ask."""


async def _echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"body": body.decode(), "bytes": len(body), "path": request.url.path,
                         "caller": current_principal().name if request.url.path in PERMISSIONS else None})  # fmt: skip


def app_with(engine: sa.Engine, insecure: bool = False, policy: AccessPolicy = POLICY) -> AccessMiddleware:
    """The middleware of the service before an application that echoes."""
    inner = FastAPI()
    inner.add_exception_handler(HTTPException, handle_error)
    for path in (*PERMISSIONS, *PUBLIC, "/", "/ui/queue", "/ui"):
        inner.add_api_route(path, _echo, methods=["GET", "POST"])
    for path in (f"{STATIC}/base.css", "/p/{code}", "/s/{token}"):
        inner.add_api_route(path, _echo, methods=["GET", "POST"])
    inner.add_api_route(RESOURCE, _echo, dependencies=[Depends(require_role("analyst"))])
    return AccessMiddleware(inner, ApiKeyCache(lambda: engine, policy), policy, insecure, known_address)


def asking(app: AccessMiddleware, base: str = LOCAL, client: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of an application in this process, which sees it come from `client`."""
    transport = httpx.ASGITransport(app, client=(client, 5555), raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=base)


def bearer(secret: str) -> dict[str, str]:
    """The headers of a question with this key."""
    return {"authorization": f"Bearer {secret}", "content-type": "application/json"}
