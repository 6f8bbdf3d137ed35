"""Rendering of public pages: one frame, no script, no cookie, cached only where a page says for how long."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from serving.auth.forwarded_prefix import application_root
from serving.auth.permissions import STATIC
from serving.html.filters import template_environment

_SERVING = Path(__file__).parent.parent
TEMPLATES = template_environment(
    *(_SERVING / folder / "templates" for folder in ("public", "trust", "trends", "rules", "seller", "notices"))
)
"""The templates of all public pages; a page's own folder holds its own, `base.html` is their frame."""


def public_page(
    request: Request, template: str, status: int = 200, *, max_age_seconds: int = 0, **values: Any
) -> Response:
    """Render a template with `values` and: shared (address of stylesheet and mark), root (the proxy's prefix).

    `language` of the values becomes the page's, English without. Where `max_age_seconds` is given, everybody on the
    way may keep the page so long, and who has it already (`If-None-Match`) is answered 304.
    """
    root = application_root(request)
    content = TEMPLATES.get_template(template).render(
        {"root": root, "shared": root + STATIC, "language": "en", **values}
    )
    return cached(request, HTMLResponse(content, status), max_age_seconds)


def cached(request: Request, response: Response, max_age_seconds: int) -> Response:
    """The response with its ETag (digest of the body) and how long it may be kept; 304 where the caller has it."""
    if max_age_seconds <= 0 or response.status_code != 200:
        return response
    tag = f'"{sha256(response.body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": f"public, max-age={max_age_seconds}"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def public_address(request: Request, path: str) -> str:
    """The path of a public page with the prefix of a proxy, for links and redirections."""
    return application_root(request) + path
