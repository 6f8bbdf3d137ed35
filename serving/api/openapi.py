"""The description of the service: OpenAPI at `/docs.json` for programs, a page at `/` for people.

FastAPI's generator describes both the BentoML APIs and the routes of the FastAPI application.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from inspect import Parameter, Signature, cleandoc
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from serving.api.idempotency import HEADER, IDEMPOTENT, KEY_PATTERN, LONGEST_KEY
from serving.auth.api_keys import ROLES, Role
from serving.auth.forwarded_prefix import application_root
from serving.auth.permissions import CONSOLE, PERMISSIONS, RequiredRole, require_role

ERRORS: Mapping[str, str] = {
    "400": "The question is not well formed, or cannot be answered as it is asked.",
    "401": "No key, or one that opens nothing.",
    "403": "The key's role may not ask this.",
    "405": "This address does not take this method.",
    "413": "The body is larger than the service reads.",
    "415": "The body is not JSON, or packed otherwise than as gzip.",
    "429": "Too many requests; `Retry-After` says when to ask again.",
    "500": "Something went wrong in the service.",
    "503": "There are no scores yet, or the database cannot be reached; the sentence says what to do.",
    "504": "The answer took longer than the service waits.",
}
EXAMPLES: Mapping[str, Any] = {
    "/score": {"items": [{"sku_id": "K-000017", "market": "DE"}], "explain": True},
    "/explain": {"sku_id": "K-000017", "market": "DE"},
    "/allocate": {"budget_eur": 20_000},
    "/select": {"goal": "fails", "fdr": 0.1},
    "/screen": {
        "stage": "listing",
        "listing": {"sku_id": "K-900001", "market": "EU", "supplier_id": "P160cd59a9e", "category": "mains_chargers",
                    "title": "USB-C fast charger 65 W", "price_eur": 9.9, "mains_powered": True},
    },
    "/results": {
        "results": [{"test_id": "T-2026-000815", "sku_id": "K-000017", "market": "DE", "happened_on": "2026-07-03",
                     "known_on": "2026-07-14", "result": "fail", "origin": "mystery_shopper"}],
    },
}  # fmt: skip
_ERROR_SCHEMA = {
    "type": "object", "title": "Error", "required": ["error"], "additionalProperties": False,
    "properties": {"error": {"type": "string", "description": "what is wrong, what was given, what to do"}},
    "example": {"error": "items: Field required."},
}  # fmt: skip
_IDEMPOTENCY_ERRORS = {
    "409": "The first question with this Idempotency-Key is being answered; `Retry-After` says when to ask again.",
    "422": "This Idempotency-Key was sent with another question before.",
}
_IDEMPOTENCY_HEADER = {
    "name": HEADER, "in": "header", "required": False,
    "description": "a key of your own for this question, such as a UUID: sent again, it is carried out once and "
                   "answered alike",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
}  # fmt: skip
_PROBES: Mapping[str, str] = {
    "/livez": "Whether the service runs.",
    "/readyz": "Whether there are scores to answer from; 503 with what to do where there are none.",
    "/metrics": "Counts and durations of the requests so far, in the text form of Prometheus.",
}
_ORDER = (
    "/score", "/explain", "/screen", "/allocate", "/select", "/rounds", "/results", "/decisions", "/catalogue/status",
    "/rescore/submit", "/rescore/status", "/rescore/get",
)  # fmt: skip
"""The order on the page; other addresses follow by name."""

_STYLE = """
:root{color-scheme:light dark;--ground:#f4f5f3;--sheet:#fff;--ink:#1a2126;--soft:#4d5a63;--line:#d8dcd9;--link:#0b5a82}
@media(prefers-color-scheme:dark){:root{--ground:#12171b;--sheet:#1a2025;--ink:#e6eaec;--soft:#a9b4bb;--line:#323b42;
--link:#7cc4ea}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:var(--ground);color:var(--ink)}
main{max-width:52rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{margin:0 0 .5rem}
h2{margin:0;font-size:1.05rem;overflow-wrap:anywhere}
p{margin:.5rem 0}
a{color:var(--link)}
ul{padding:0;margin:1rem 0;display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none}
section{background:var(--sheet);border:1px solid var(--line);border-radius:6px;padding:1rem;margin:1rem 0}
h3{margin:.8rem 0 .3rem;font-size:.9rem}
.soft{color:var(--soft);font-size:.9rem}
code{font-family:ui-monospace,monospace;font-size:.92em}
pre{margin:0;padding:.7rem;overflow:auto;background:var(--ground);border:1px solid var(--line);border-radius:4px}
"""


class Task(BaseModel):
    """Where a task stands; the moments are ISO 8601."""

    task_id: str
    status: Literal["pending", "in_progress", "completed", "failed", "canceled"]
    created_at: str | None = None
    executed_at: str | None = None


@dataclass(frozen=True)
class ModelApi:
    """A BentoML API: its address, the models of question and answer, and its description."""

    path: str
    question: type[BaseModel]
    answer: type[BaseModel]
    description: str
    is_task: bool = False


def openapi_document(apis: Iterable[ModelApi], routers: Sequence[APIRouter], description: str) -> dict[str, Any]:
    """The OpenAPI document of the service: its probes, its BentoML APIs and the routes of its application."""
    probes = _probes()
    for api in apis:
        _add_api_routes(probes, api)
    routes = [route for router in (probes, *routers) for route in router.routes if isinstance(route, APIRoute)]
    document = get_openapi(title="Touchstone", version="1", description=cleandoc(description), routes=routes)
    schemas = {name: each for name, each in document["components"]["schemas"].items() if "ValidationError" not in name}
    roles = {(route.path, method.lower()): _roles(route) for route in routes for method in route.methods or ()}
    bearer = {"type": "http", "scheme": "bearer", "description": "a key that `touchstone keys create` made"}
    return {
        **document,
        "security": [{"key": []}],
        "components": {"schemas": {**schemas, "Error": _ERROR_SCHEMA}, "securitySchemes": {"key": bearer}},
        "paths": {
            path: {method: _complete_operation(path, each, roles[path, method]) for method, each in operations.items()}
            for path, operations in sorted(document["paths"].items())
        },
    }


def _probes() -> APIRouter:
    """The addresses that BentoML answers by itself, as routes for the description alone."""
    router = APIRouter()
    for path, description in _PROBES.items():
        router.add_api_route(path, _endpoint({}), description=description, response_class=PlainTextResponse)
    return router


def _add_api_routes(router: APIRouter, api: ModelApi) -> None:
    """Add a BentoML API as routes for the description alone; a task has three."""
    question, task_id = _endpoint({"question": Annotated[api.question, Body()]}), _endpoint({"task_id": str})
    path, response = (f"{api.path}/submit", Task) if api.is_task else (api.path, api.answer)
    example = {"requestBody": {"content": {"application/json": {"example": EXAMPLES.get(api.path, {})}}}}
    router.add_api_route(
        path, question, methods=["POST"], response_model=response, description=api.description, openapi_extra=example
    )
    if api.is_task:
        for name, answer, description in (
            ("status", Task, "Where a task stands."), ("get", api.answer, "What a task that is done has answered."),
        ):  # fmt: skip
            router.add_api_route(f"{api.path}/{name}", task_id, response_model=answer, description=description)


def _endpoint(parameters: Mapping[str, Any]) -> Callable[..., None]:
    """A function of these parameters, by name and type."""

    def endpoint(**_: Any) -> None: ...

    signature = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=each) for name, each in parameters.items()]
    endpoint.__signature__ = Signature(signature)  # type: ignore[attr-defined]
    return endpoint


def _roles(route: APIRoute) -> frozenset[Role] | None:
    """The roles that may use a route; None where it needs no key."""
    required = [each.dependency for each in route.dependencies if isinstance(each.dependency, RequiredRole)]
    return required[0].roles if required else PERMISSIONS.get(route.path)


def _complete_operation(path: str, operation: Mapping[str, Any], roles: frozenset[Role] | None) -> dict[str, Any]:
    """An operation with its name, its errors and its roles."""
    statuses = ERRORS if roles else {status: ERRORS[status] for status in ("405", "500", "503")}
    if operation.get("parameters") or path in ("/explain", "/rescore/submit"):
        statuses = {**statuses, "404": "There is nothing of this name."}
    if path.endswith("/submit"):
        operation = {**operation, "requestBody": {**operation["requestBody"], "required": False}}
    if path in IDEMPOTENT:
        statuses = {**statuses, **_IDEMPOTENCY_ERRORS}
        operation = {**operation, "parameters": [*operation.get("parameters", ()), _IDEMPOTENCY_HEADER]}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    errors = {status: {"description": words, "content": error} for status, words in statuses.items()}
    description = cleandoc(operation.get("description", ""))
    return {
        **{key: value for key, value in operation.items() if key != "summary"},
        "operationId": re.sub(r"\W+", "_", path).strip("_"),
        "description": f"{description}\n\nRoles: {', '.join(sorted(roles))}." if roles else description,
        "responses": {**{key: each for key, each in operation["responses"].items() if key < "400"}, **errors},
        **({} if roles else {"security": []}),
    }


router = APIRouter(include_in_schema=False, dependencies=[Depends(require_role(*ROLES))])


@router.api_route("/docs.json", methods=["GET", "HEAD"])
def document(request: Request) -> Response:
    """The description for programs; it names the server where that has a prefix."""
    root = application_root(request)
    servers = {"servers": [{"url": root}]} if root else {}
    return JSONResponse({**request.app.openapi(), **servers})


@router.api_route("/", methods=["GET", "HEAD"])
def index(request: Request) -> Response:
    """The description for people."""
    return HTMLResponse(page(request.app.openapi(), application_root(request)))


def page(document: Mapping[str, Any], root: str = "") -> str:
    """Every address with its description, roles and an example question, as HTML without any script.

    `root` is the prefix below which the service is found.
    """
    paths = sorted(document["paths"], key=lambda path: (_ORDER.index(path) if path in _ORDER else len(_ORDER), path))
    links = "".join(f'<li><a href="#{_anchor(path)}"><code>{escape(path)}</code></a></li>' for path in paths)
    return "".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Touchstone</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main><h1>Touchstone</h1>",
        _prose(document["info"]["description"]),
        f'<p><a href="{root}{CONSOLE}">The console</a> for people, ',
        f'<a href="{root}/docs.json">OpenAPI</a> for programs.</p>',
        f"<nav aria-label=\"Addresses\"><ul>{links}</ul></nav>",
        *(_address_section(path, method, operation)
          for path in paths for method, operation in document["paths"][path].items()),
        "</main></body></html>",
    ])  # fmt: skip


def _address_section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    what, _, roles = operation["description"].partition("\n\nRoles: ")
    who = f"For the roles {escape(roles.rstrip('.'))}." if roles else "For everybody, without a key."
    html = f'<h2><code>{method.upper()} {escape(path)}</code></h2>{_prose(what)}<p class="soft">{who}</p>'
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        html += f"<h3>Example</h3><pre>{escape(json.dumps(example, indent=2))}</pre>"
    return f'<section id="{_anchor(path)}">{html}</section>'


def _prose(text: str) -> str:
    """Paragraphs, whose lines the browser breaks, with what stands between backticks as code."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return "".join(f"<p>{paragraph}</p>" for paragraph in marked.split("\n\n") if paragraph)


def _anchor(path: str) -> str:
    return path.strip("/").replace("/", "-")
