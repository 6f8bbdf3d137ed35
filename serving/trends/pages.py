"""The pages `/trends`: the editions, as they were published, and their files."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from data.errors import NotFoundError
from serving.console.session import ContextDep
from serving.public.pages import cached, public_page
from serving.trends.edition import (
    CELLS_FILE,
    FIGURES_FILE,
    PACKAGE_FILE,
    SUMS_FILE,
    check_sums,
    edition_names,
    editions_of,
    public_reports,
    read_edition,
)
from serving.trends.render import edition_values, quarter_words

router = APIRouter(prefix="/trends", include_in_schema=False)

MAX_AGE_SECONDS = 300
FILES = {
    CELLS_FILE: "shares, intervals and tests by category and market",
    FIGURES_FILE: "what was done about failures",
    PACKAGE_FILE: "what the columns mean (Data Package)",
    SUMS_FILE: "checksums of all files",
}
_MEDIA_TYPES = {CELLS_FILE: "text/csv", FIGURES_FILE: "text/csv", PACKAGE_FILE: "application/json"}


@dataclass(frozen=True)
class EditionLink:
    """An edition in the list of all: its name, and its months in words."""

    name: str
    words: str


@router.get("")
def newest(request: Request, context: ContextDep) -> Response:
    """The newest edition; a word where there is none yet."""
    names = edition_names(context.settings.workspace)
    if not names:
        return public_page(request, "no_edition.html", max_age_seconds=MAX_AGE_SECONDS)
    return edition(request, context, names[0])


@router.get("/{name}")
def edition(request: Request, context: ContextDep, name: str) -> Response:
    """One edition, with the list of all."""
    workspace = context.settings.workspace
    found = read_edition(workspace, name)
    newest_of_quarter = editions_of(workspace, found.facts.quarter)[0]
    return public_page(
        request, "edition.html", max_age_seconds=MAX_AGE_SECONDS, **edition_values(found),
        corrected_by=newest_of_quarter if newest_of_quarter != name else "", files=tuple(FILES.items()),
        editions=[EditionLink(each, _words(each)) for each in edition_names(workspace)],
    )  # fmt: skip


def _words(name: str) -> str:
    quarter, _, number = name.partition("-")
    return quarter_words(quarter) + (f", correction {int(number) - 1}" if number else "")


@router.get("/{name}/{file}")
def file(request: Request, context: ContextDep, name: str, file: str) -> Response:
    """A file of an edition, byte for byte."""
    workspace = context.settings.workspace
    if file not in FILES or name not in edition_names(workspace):
        raise NotFoundError("There is no such file of an edition.")
    folder = public_reports(workspace) / name
    check_sums(folder)
    media_type = f"{_MEDIA_TYPES.get(file, 'text/plain')}; charset=utf-8"
    return cached(request, Response((folder / file).read_bytes(), media_type=media_type), MAX_AGE_SECONDS)
