"""When an estimate may be published, and what laboratories miss."""

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from data.errors import UserError
from data.policy import POLICY_FOLDER, PolicyText, policy_in_force

_RANGE = {
    "level": (0.5, 0.9999), "final_share": (0, 1), "least_effective_tests": (0, 1e9), "widest": (0, 1),
    "least_expected_failures": (0, 1e9), "narrow": (0, 1), "widest_relative": (0, 1e9), "sensitivity": (0.5, 1),
    "specificity": (0.500001, 1),
}  # fmt: skip


@dataclass(frozen=True)
class EstimationPolicy:
    """The numbers of `policy/estimation/<day>.toml`, where each is explained."""

    version: str
    level: float
    final_share: float
    least_effective_tests: float
    least_expected_failures: float
    widest: float
    narrow: float
    widest_relative: float
    sensitivity: float
    specificity: float


def estimation_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> EstimationPolicy:
    """The estimation policy of a day. Raises UserError where there is none or it is not usable."""
    return estimation_policy(policy_in_force("estimation", as_of, folder))


def estimation_policy(text: PolicyText) -> EstimationPolicy:
    """The estimation policy that a policy file states. Raises UserError where a number lacks or is impossible."""
    given = {**text.tables, **text.tables.get("laboratory", {})}
    known: dict[str, float] = {}
    for name in (field.name for field in fields(EstimationPolicy) if field.name != "version"):
        value, (low, high) = given.get(name), _RANGE[name]
        if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
            raise UserError(
                f"Estimation policy {text.version} has {name} {value!r}. Set a number from {low} to {high}."
            )
        known[name] = float(value)  # type: ignore[arg-type]
    return EstimationPolicy(text.version, **known)
