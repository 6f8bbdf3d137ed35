"""The policy `alerts`: when a SKU counts as matched by an alert."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from data.policy import POLICY_FOLDER, Count, Names, Policy, Share, policy_in_force

FIRST_DAY = date(1900, 1, 1)


class AlertPolicy(Policy, subject="alerts"):
    """The policy `alerts`: lengths and shares from which a match counts, and words that are no brand."""

    shortest_model: Count
    title_share_same_brand: Share
    fewest_words_same_brand: Count
    title_share_without_brand: Share
    fewest_words_without_brand: Count
    not_a_brand: Names


def alert_policies(folder: Path = POLICY_FOLDER) -> Iterator[tuple[date, AlertPolicy]]:
    """Every policy with the first day on which it holds, in order; the first one holds for all days before, too.

    Raises UserError where there is none, or where one breaks a rule of the model.
    """
    days = sorted(date.fromisoformat(path.stem) for path in (folder / AlertPolicy._subject).glob("*.toml"))
    for number, day in enumerate(days or [FIRST_DAY]):
        yield (day if number else FIRST_DAY), policy_in_force(AlertPolicy, day, folder)
