"""When the model in force no longer fits the world, by the policy of a day."""

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from data.errors import Refusal
from data.policy import POLICY_FOLDER, policy_in_force


@dataclass(frozen=True)
class MonitoringPolicy:
    """The numbers of `policy/monitoring/<day>.toml`, named as there; `version` is the policy's."""

    version: str
    feature_psi: float
    most_features: float
    score_psi: float
    fewest_labels: float
    lowest_expected_per_observed: float
    highest_expected_per_observed: float
    lowest_slope: float
    highest_slope: float
    most_new_labels: float
    most_age_days: float
    most_days_for_nine_of_ten: float


def monitoring_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> MonitoringPolicy:
    """The monitoring policy of a day. Raises Refusal where there is none, or a number is missing or unknown."""
    text = policy_in_force("monitoring", as_of, folder)
    sections = [section for section in text.tables.values() if isinstance(section, dict)]
    given = {name: value for section in sections for name, value in section.items()}
    wanted = {field.name for field in fields(MonitoringPolicy)} - {"version"}
    if set(given) != wanted:
        missing, unknown = sorted(wanted - set(given)), sorted(set(given) - wanted)
        raise Refusal(f"Monitoring policy {text.version} lacks {missing} and has unknown {unknown}. Mend the file.")
    try:
        return MonitoringPolicy(text.version, **{name: float(value) for name, value in given.items()})
    except (TypeError, ValueError) as error:
        raise Refusal(f"Monitoring policy {text.version} holds what is no number: {error}. Mend the file.") from error
