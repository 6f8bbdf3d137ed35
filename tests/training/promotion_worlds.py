"""Metrics of a model with what the promotion rules read, and small models with such metrics."""

from dataclasses import replace
from functools import cache
from typing import Any

from data.workspace import Workspace
from models.registry import store_model
from tests.models.worlds import tiny_parts

_PARTS = cache(tiny_parts)


def passing_metrics(**changes: Any) -> dict[str, Any]:
    """The metrics of a model that holds every rule; `changes` replace slope, catalogue_slope, jaccard or gap."""
    given = {"slope": 1.0, "catalogue_slope": [0.7, 1.3], "jaccard": 0.7, "gap": 1e-12, **changes}
    return {
        "calibration": {"after": {"slope": given["slope"]}},
        "catalogue": {"logged": {"claims": {"corrected": {"slope_interval": given["catalogue_slope"]}}}},
        "gate": {"reason_jaccard": given["jaccard"], "contribution_gap": given["gap"]},
        "data": {"test_from": "2026-03-01"},
    }


def winning_comparison(version: str = "m-0123456789ab", **changes: Any) -> dict[str, Any]:
    """A comparison with a champion that a challenger wins; `changes` replace single numbers."""
    group = {"dimension": "country", "group": "DE", "compliant": 200, "challenger": 0.10, "champion": 0.10,
             "worse": 0.0, "worse_interval": [-0.02, 0.02]}  # fmt: skip
    return {
        "version": version, "from": "2026-03-01", "n": 1000, "failures": 200, "tests": 100, "found": 63.0,
        "found_by_champion": 60.0, "gain": 0.05, "gain_interval": [-0.04, 0.15], "auc_gain": 0.01,
        "auc_gain_interval": [-0.01, 0.03], "groups": [group], **changes,
    }  # fmt: skip


def store_small_model(workspace: Workspace, seed: int, metrics: dict[str, Any]) -> str:
    """A small model with these metrics in the workspace; its version."""
    return store_model(workspace, replace(_PARTS(seed), metrics=metrics))
