"""The pages `/rules`: the rules of today, and those of every day on which they changed."""

from datetime import date

from fastapi import APIRouter, Request, Response

from serving.console.session import ContextDep
from serving.public.pages import public_page
from serving.rules.content import policies_of, require_rule_day, rule_days, rule_sections, version_of

router = APIRouter(prefix="/rules", include_in_schema=False)
MAX_AGE_SECONDS = 300


@router.get("")
def present(request: Request, context: ContextDep) -> Response:
    """The rules of today."""
    today = context.now().date()
    return _page(request, version_of(today), today)


@router.get("/{day}")
def of_day(request: Request, context: ContextDep, day: str) -> Response:
    """The rules that came into force on a day, or will."""
    return _page(request, require_rule_day(day), context.now().date())


def _page(request: Request, version: date, today: date) -> Response:
    days = rule_days()
    later = [day for day in days if day > version]
    return public_page(
        request, "rules.html", max_age_seconds=MAX_AGE_SECONDS, version=version, days=days, today=today,
        until=later[-1] if later else None, sections=rule_sections(policies_of(version)),
    )  # fmt: skip
