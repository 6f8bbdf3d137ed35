"""Section of the model card on what learns, and why this and not another."""

from collections.abc import Mapping
from typing import Any

Metrics = Mapping[str, Any]


def learner_section(metrics: Metrics) -> str:
    """Section on which learner the model is, and how the rivals did on earlier periods."""
    return f"## What learns\n\n{learner_line(metrics)}" + _rivals(metrics["learner"])


def learner_line(metrics: Metrics) -> str:
    """Sentences on which learner the model is, and why."""
    trees = f"{metrics['data']['trees']} boosted trees"
    line = "a line (ridge logistic regression on normal scores of the features)"
    named = {"trees": trees, "line": line, "mean": f"the mean of two margins, half from {trees} and half from {line}"}
    return f"The learner is {named[metrics['learner']['kind']]}. {_why(metrics['learner'])}"


def _why(learner: Metrics) -> str:
    usual = {"mean": "the mean of trees and line"}.get(learner["usual"], f"the {learner['usual']}")
    if learner["fixed"]:
        return "The recipe names it."
    if not learner["rivals"]:
        return "There were too few labels to compare learners on earlier periods."
    if learner["kind"] == learner["usual"]:
        return "It is usual, and no other had a lower log loss on earlier periods beyond noise."
    return f"Its log loss on earlier periods is lower than that of {usual} beyond noise."


def _rivals(learner: Metrics) -> str:
    if not learner["rivals"]:
        return ""
    rows = "\n".join(
        f"| {kind} | {rival['auc']:.3f} | {rival['log_loss']:.4f} | {_change(rival, 'auc', 3)} | "
        f"{_change(rival, 'log_loss', 4)} |"
        for kind, rival in learner["rivals"].items()
    )
    return (
        f"\n\nOn the {learner['tests']:,} tests of the periods below, beside the {learner['usual']}, with 95 % "
        "intervals over suppliers:\n\n| learner | AUC | log loss | change of AUC | change of log loss |\n"
        f"|---|--:|--:|---|---|\n{rows}"
    )


def _change(rival: Metrics, name: str, digits: int) -> str:
    value, (low, high) = rival[f"{name}_change"], rival[f"{name}_change_interval"]
    return "0" if low == high == 0 else f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def own_features_line(metrics: Metrics) -> str:
    """The features that the marketplace declared, with their mean contribution; empty where it declared none."""
    own = metrics["data"]["own_features"]
    told = [f"`{name}` ({meaning}) {metrics['contributions'].get(name, 0):.2f}" for name, meaning in own.items()]
    return f". Of these the marketplace declared itself: {', '.join(told)}" if told else ""
