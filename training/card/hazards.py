"""What a model's card says of hazards."""

from collections.abc import Mapping
from typing import Any


def hazard_line(hazards: Mapping[str, Any] | None) -> str:
    """How well the hazard of a failure is foreseen, beside the category alone; empty where that is not evaluated."""
    if hazards is None:
        return ""
    interval, left_out = hazards["gain_interval"], hazards["left_out"]
    extent = "" if None in interval else f", {interval[0]:+.2f} to {interval[1]:+.2f}"
    others = f" {left_out:,} failures by hazards or in categories never seen before are left out." if left_out else ""
    return (
        f"Of {hazards['failures']:,} later failures, {hazards['likeliest_right']:.0%} were by the hazard called "
        f"likeliest. Log loss {hazards['log_loss']:.2f}; by the category alone {hazards['category_log_loss']:.2f} "
        f"(gain {hazards['gain']:+.2f}{extent}).{others} Risk levels rest on it, and on probabilities of injury "
        "that are policy, not learned."
    )
