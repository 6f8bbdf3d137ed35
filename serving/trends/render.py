"""An edition as a page: the same words on the service's page and on the frozen `index.html`, which stands alone."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from serving.html.filters import STATIC_FOLDER, template_environment
from serving.trends.edition import Edition, Quarter
from serving.trends.figure_words import figure_sentences

_TEMPLATES = Path(__file__).parent / "templates"


def quarter_words(quarter: str) -> str:
    """2026Q3 as `July to September 2026`."""
    parsed = Quarter.parse(quarter)
    return f"{parsed.first:%B} to {parsed.last:%B} {parsed.year}"


def edition_values(edition: Edition) -> dict[str, Any]:
    """What the template of an edition shows."""
    return {
        "edition": edition, "quarter_words": quarter_words(edition.facts.quarter),
        "figures": figure_sentences(edition.figures),
    }  # fmt: skip


def edition_page(edition: Edition) -> str:
    """The frozen page of an edition: one file that needs nothing else, without a script."""
    style = "\n".join((STATIC_FOLDER / name).read_text(encoding="utf-8") for name in ("base.css", "public.css"))
    return _environment().get_template("edition_alone.html").render(edition_values(edition) | {"style": style})


@cache
def _environment() -> Environment:
    return template_environment(_TEMPLATES)
