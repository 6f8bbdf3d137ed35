"""The prefix below which a proxy serves the application (`X-Forwarded-Prefix`)."""

import re

from starlette.requests import Request

from serving.api.errors import Scope

_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


def apply_forwarded_prefix(scope: Scope) -> tuple[Scope, str]:
    """The scope below the prefix that a proxy took off (`X-Forwarded-Prefix`), and the path without any prefix.

    A header that is no path is ignored: it would end up in links.
    """
    path, root = scope["path"], scope.get("root_path", "")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    given = next((value for name, value in scope["headers"] if name == b"x-forwarded-prefix"), b"").decode("latin-1")
    prefix = "".join(part.strip().rstrip("/") for part in given.split(","))
    if not _PREFIX.fullmatch(prefix):
        return scope, path
    return {**scope, "root_path": prefix, "path": prefix + path}, path


def application_root(request: Request) -> str:
    """The prefix below which the service is found, empty where it is found at /; within mounted routes too."""
    return str(request.scope.get("app_root_path", request.scope.get("root_path", "")))


def path_below_root(request: Request) -> str:
    """The path of a request without that prefix."""
    return str(request.scope["path"]).removeprefix(application_root(request))
