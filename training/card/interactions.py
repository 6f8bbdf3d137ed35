"""Table of the model card on the pairs of features that weigh differently together than apart."""

from collections.abc import Mapping
from typing import Any


def interactions_table(metrics: Mapping[str, Any]) -> str:
    """The strongest pairs of `metrics.json` in plain words; empty where no two features interact."""
    rows = "\n".join(f"| {' | '.join(each['meanings'])} | {each['size']:.3f} |" for each in metrics["interactions"])
    if not rows:
        return ""
    return (
        "\n\nWhat two facts add together beyond what each adds alone: mean absolute size in log-odds over the tests, "
        f"the strongest pairs first.\n\n| one | and the other | size |\n|---|---|--:|\n{rows}"
    )
