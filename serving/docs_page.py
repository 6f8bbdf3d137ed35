"""The description of the service: as a page for people at `/`, as OpenAPI at `/docs.json`."""

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from serving.access.gate import App, Receive, Scope, Send
from serving.access.rights import CONSOLE

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem;color:#1a1a1a}"
    "h2{margin:2rem 0 .3rem;font-size:1.1rem}pre{background:#f4f4f4;padding:.7rem;overflow:auto}"
    "code{font-size:.9em}p{margin:.4rem 0;white-space:pre-line}a{color:#0b5394}"
)


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
    """Every address with its description and an example question, as HTML without any script."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Touchstone</title>',
        f"<style>{_STYLE}</style></head><body><h1>Touchstone</h1>",
        f"<p>{escape(document['info']['description'])}</p>",
        f'<p><a href="{CONSOLE}">The console</a> for people; <a href="/docs.json">OpenAPI</a> for programs.</p>',
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parts.append(
                f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['description'])}</p>"
            )
            if "requestBody" in operation:
                example = operation["requestBody"]["content"]["application/json"]["example"]
                parts.append(f"<pre>{escape(json.dumps(example, indent=1))}</pre>")
    return "".join([*parts, "</body></html>"])
