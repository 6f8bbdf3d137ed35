"""The description of the service: as a page for people at `/`, as OpenAPI at `/docs.json`."""

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from serving.access.gate import App, Receive, Scope, Send
from serving.access.rights import CONSOLE

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
