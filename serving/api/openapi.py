"""The service's own description: one error shape, examples, keys, and no address that is not served."""

import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from html import escape
from inspect import cleandoc
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from serving.auth.middleware import App, Receive, Scope, Send
from serving.auth.permissions import CONSOLE, PUBLIC, RIGHTS

_ORDER = (
    "/score", "/explain", "/screen", "/allocate", "/results", "/catalogue/status", "/rescore/submit", "/rescore/status",
    "/rescore/get",
)  # fmt: skip
"""What most callers ask comes first; the rest by name."""

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


class Documentation:
    """ASGI middleware: answers the two addresses from the `document` that is given, made at the first question."""

    def __init__(self, app: App, document: Callable[[], Mapping[str, Any]]) -> None:
        self._app, self._document = app, document
        self._answers: dict[str, Response] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        ours = scope["type"] == "http" and scope["path"] in ("/", "/docs.json") and scope["method"] in ("GET", "HEAD")
        if not ours:
            await self._app(scope, receive, send)
            return
        if not self._answers:
            document = self._document()
            self._answers = {"/docs.json": JSONResponse(document), "/": HTMLResponse(page(document))}
        await self._answers[scope["path"]](scope, receive, send)


def page(document: Mapping[str, Any]) -> str:
    """Every address with its description, roles and an example question, as HTML without any script."""
    paths = sorted(document["paths"], key=lambda path: (_ORDER.index(path) if path in _ORDER else len(_ORDER), path))
    links = "".join(f'<li><a href="#{_anchor(path)}"><code>{escape(path)}</code></a></li>' for path in paths)
    return "".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Touchstone</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main><h1>Touchstone</h1>",
        _prose(document["info"]["description"]),
        f'<p><a href="{CONSOLE}">The console</a> for people, <a href="/docs.json">OpenAPI</a> for programs.</p>',
        f"<nav aria-label=\"Addresses\"><ul>{links}</ul></nav>",
        *(_section(path, method, operation)
          for path in paths for method, operation in document["paths"][path].items()),
        "</main></body></html>",
    ])  # fmt: skip


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    what, _, roles = operation["description"].partition("\n\nRoles: ")
    who = f"For the roles {escape(roles.rstrip('.'))}." if roles else "For everybody, without a key."
    told = f'<h2><code>{method.upper()} {escape(path)}</code></h2>{_prose(what)}<p class="soft">{who}</p>'
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        told += f"<h3>Example</h3><pre>{escape(json.dumps(example, indent=2))}</pre>"
    return f'<section id="{_anchor(path)}">{told}</section>'


def _prose(text: str) -> str:
    """Paragraphs, whose lines the browser breaks, with what stands between backticks as code."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return "".join(f"<p>{paragraph}</p>" for paragraph in marked.split("\n\n") if paragraph)


def _anchor(path: str) -> str:
    return path.strip("/").replace("/", "-")


ERRORS: Mapping[str, str] = {
    "400": "The question is not well formed, or cannot be answered as it is asked.",
    "401": "No key, or one that opens nothing.",
    "403": "The key's role may not ask this.",
    "405": "This address does not take this method.",
    "413": "The body is larger than the service reads.",
    "415": "The body is not JSON.",
    "429": "Too many requests; `Retry-After` says when to ask again.",
    "500": "Something went wrong in the service.",
    "503": "There are no scores yet, or the database cannot be reached; the sentence says what to do.",
    "504": "The answer took longer than the service waits.",
}
EXAMPLES: Mapping[str, Any] = {
    "/score": {"items": [{"sku_id": "K-000017", "market": "DE"}], "explain": True},
    "/explain": {"sku_id": "K-000017", "market": "DE"},
    "/allocate": {"budget_eur": 20_000},
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
_TASK = {
    "type": "object", "title": "Task", "required": ["task_id", "status"],
    "properties": {
        "task_id": {"type": "string"},
        "status": {"enum": ["pending", "in_progress", "completed", "failed", "canceled"]},
        "created_at": {"type": "string"}, "executed_at": {"type": ["string", "null"]},
    },
}  # fmt: skip
_TASK_ANSWERS = ("/rescore/submit", "/rescore/status")
_NOT_OURS = ("InvalidArgument", "NotFound", "InternalServerError", "TaskStatusResponse")


def our_document(generated: Mapping[str, Any], description: str) -> dict[str, Any]:
    """The OpenAPI document of the service with its `description`, from the one that the framework generates."""
    told = deepcopy(dict(generated))
    schemas = {name: schema for name, schema in told["components"]["schemas"].items() if name not in _NOT_OURS}
    served = {path: item for path, item in told["paths"].items() if path in RIGHTS or path in PUBLIC}
    return {
        # Null is a type of its own in these schemas, which 3.0 does not know.
        "openapi": "3.1.0",
        "info": {"title": "Touchstone", "version": "1", "description": cleandoc(description)},
        "security": [{"key": []}],
        "paths": {path: _item(path, item) for path, item in sorted(served.items())},
        "components": {
            "schemas": {**schemas, "Error": _ERROR_SCHEMA, "Task": _TASK},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer",
                                        "description": "a key that `touchstone keys create` made"}},
        },
    }  # fmt: skip


def _item(path: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {method: _operation(path, operation) for method, operation in item.items() if method in ("get", "post")}


def _operation(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_"),
        "description": cleandoc(operation.get("description") or ""),
        "responses": _responses(path, operation),
    }
    if "parameters" in operation:
        told["parameters"] = deepcopy(operation["parameters"])
    if "requestBody" in operation:
        body = deepcopy(operation["requestBody"])
        body["required"] = True
        body["content"]["application/json"]["example"] = EXAMPLES.get(path, {})
        told["requestBody"] = body
    if path in PUBLIC:
        told["security"] = []
    else:
        told["description"] += f"\n\nRoles: {', '.join(sorted(RIGHTS[path]))}."
    return told


def _responses(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    answered = {str(status): each for status, each in operation["responses"].items()}["200"]
    if not answered.get("content"):
        answered = {"description": "Plain text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    errors = {status: {"description": words, "content": error} for status, words in ERRORS.items()}
    if path in _TASK_ANSWERS:
        task = {"$ref": "#/components/schemas/Task"}
        answered = {"description": "Where the task stands.", "content": {"application/json": {"schema": task}}}
    if path.startswith("/rescore/"):
        errors["404"] = {"description": "There is no task of this name.", "content": error}
    if path in PUBLIC:
        errors = {status: errors[status] for status in ("405", "500", "503")}
    return {"200": answered, **errors}
