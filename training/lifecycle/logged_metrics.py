"""Metrics of an MLflow run: flat numbers by path, curves by step, one line of description."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

NOT_COMPARED = (
    "contributions",
    "data",
    "found",
    "audit",
    "interval_coverage",
    "propensity_weights",
    "tester",
    "learner",
)
OF_BASELINES = ("auc", "average_precision", "log_loss", "budget")


def description(metrics: Mapping[str, Any]) -> str:
    """A model's AUC and what it was tested on, in one line."""
    low, high = metrics["auc_interval"]
    return (
        f"AUC {metrics['auc']:.3f} ({low:.3f} to {high:.3f}) on {metrics['n']:,} tests from "
        f"{metrics['data']['test_from']}, {metrics['base_rate']:.1%} failed"
    )


FACTS = ("trained", "auc", "labels", "recipe")


def version_facts(metrics: Mapping[str, Any], recipe: str, at: datetime) -> Mapping[str, str]:
    """What a person compares models by, as text by the names of FACTS: `labels` is how many it learned from."""
    low, high = metrics["auc_interval"]
    auc, labels = f"{metrics['auc']:.3f} ({low:.3f} to {high:.3f})", f"{metrics['data']['train']['n']:,}"
    return dict(zip(FACTS, (f"{at:%Y-%m-%d %H:%M}", auc, labels, recipe), strict=True))


def flat_metrics(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Every number of nested metrics by its path, such as `baselines/random/auc`; intervals as `_low` and `_high`."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        path = re.sub(r"[^\w./-]", "_", f"{prefix}{key}")
        if isinstance(value, Mapping):
            flat |= flat_metrics(value, f"{path}/")
        elif key.endswith("_interval") and value is not None:
            stem = path.removesuffix("_interval")
            flat |= {f"{stem}_low": float(value[0]), f"{stem}_high": float(value[1])}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[path] = float(value)
    return flat


def headline(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics (by path) that are compared between runs; the rest is in the artifact's `metrics.json`."""
    chosen = {key: value for key, value in metrics.items() if key not in NOT_COMPARED}
    baselines = {
        name: {key: value for key, value in skills.items() if key.removesuffix("_interval") in OF_BASELINES}
        for name, skills in metrics["baselines"].items()
    }
    return flat_metrics({**chosen, "baselines": baselines})


def metric_curves(metrics: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """Points by step: months, and metrics by number of labels."""
    for step, month in enumerate(metrics.get("months", ())):
        yield step, flat_metrics({"by_month": {"share_failed": month["base_rate"], "p_fail": month["p_fail"]}})
    for point in metrics.get("learning_curve", {}).get("points", ()):
        yield int(point["labels"]), flat_metrics({"by_labels": point})
