"""The dated policy `notices`: how many notices are taken, what is one case, how long personal data is kept."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from data.policy import POLICY_FOLDER, Count, Policy, policy_in_force


class NoticePolicy(Policy, subject="notices"):
    """The policy of shoppers' notices; each worker counts the notices of a client for itself."""

    per_client_per_hour: Count
    per_code_per_day: Count
    case_days: Annotated[int, Field(ge=1, le=3650)]
    least_characters: Count
    most_characters: Annotated[int, Field(ge=1, le=100_000)]
    personal_days: Annotated[int, Field(ge=1, le=36_500)]


def notice_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> NoticePolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(NoticePolicy, day, folder)
