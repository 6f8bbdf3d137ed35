"""The dated policy `seller`: how long links open, which letters carry them, what may be sent in over them."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from data.policy import POLICY_FOLDER, Count, Policy, Several, TomlTable, policy_in_force

LinkLetter = Literal[
    "test_failed", "documents_requested", "statement_of_reasons", "suspension", "appeal_received", "appeal_answered",
    "pause_ended", "corrective_action_due", "test_passed",
]  # fmt: skip


class TextLimits(TomlTable):
    """Least and most characters of an explanation."""

    least_characters: Count
    most_characters: Annotated[int, Field(ge=1, le=100_000)]


class FileLimits(TomlTable):
    """Most bytes and pixels of a file, most files and bytes of a case."""

    most_bytes: Count
    most_pixels: Count
    most_files: Count
    most_total_bytes: Count


class ScanTerms(TomlTable):
    """The command of the virus scanner, empty where there is none, and how many seconds it may take."""

    command: Several[str]
    seconds: Count


class ActionTerms(TomlTable):
    """A corrective action is due at most `most_days` after it was proposed."""

    most_days: Annotated[int, Field(ge=1, le=3650)]


class SellerPolicy(Policy, subject="seller"):
    """The policy of sellers' pages; a link opens for `link_days`."""

    link_days: Annotated[int, Field(ge=1, le=366)]
    letters: Several[LinkLetter]
    texts: TextLimits
    files: FileLimits
    scan: ScanTerms
    actions: ActionTerms


def seller_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> SellerPolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(SellerPolicy, day, folder)
