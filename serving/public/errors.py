"""Errors as public pages."""

from fastapi import Request, Response

from serving.api.errors import to_problem
from serving.public.pages import public_page

_HEADINGS = {
    400: "This address or form is not complete",
    403: "This is not possible",
    404: "Page not found",
    410: "This page is closed",
    413: "This is too large",
    429: "Too many requests",
    503: "Not available at the moment",
}


def public_error_page(request: Request, error: Exception) -> Response:
    """Render an error as a page; its sentence is the one that an address of the API would give."""
    problem = to_problem(error)
    heading = _HEADINGS.get(problem.status, "Something went wrong")
    sentence = "There is no page at this address." if problem.status == 404 else problem.sentence
    page = public_page(request, "error.html", problem.status, heading=heading, message=sentence)
    page.headers.update(problem.headers)
    return page
