"""The service's own description: one error shape, examples, keys, and no address that is not served."""

from collections.abc import Mapping
from copy import deepcopy
from inspect import cleandoc
from typing import Any

from serving.access.rights import PUBLIC, RIGHTS

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
