"""The pictures a person looks at after a training."""

from collections.abc import Sequence
from pathlib import Path

from features.catalogue import FEATURE_NAMES
from training import course_plots, explanation_plots, plots
from training.card_findings import group_rows
from training.drift import Drift
from training.evaluation import sigmoid
from training.picture import house_style, save
from training.report import Evaluation


def draw_pictures(evaluation: Evaluation, drifts: Sequence[Drift], shift: float, folder: Path) -> None:
    """Write every picture of an evaluation as `folder/<name>.png`, named as in `card_page.CAPTIONS`.

    `drifts` tell how far today's catalogue lies from the training labels; from an index of `shift` on a feature counts
    as shifted. What cannot be drawn is left out.
    """
    metrics, judged, model = evaluation.metrics, evaluation.judged, evaluation.claims["model"]
    margins = {name: claim.margin for name, claim in evaluation.claims.items()}
    p_fail = {"before calibration": sigmoid(model.margin), "after calibration": model.p_fail}
    explained = (evaluation.explained, evaluation.matrix, FEATURE_NAMES)
    with house_style():
        drawn = {
            "reliability": plots.reliability(p_fail, judged.failed, evaluation.at_random, evaluation.p_catalogue),
            "gain": plots.gain(margins, judged.failed, judged.budget),
            "lift": plots.lift(margins, judged.failed, judged.budget),
            "beeswarm": explanation_plots.beeswarm(*explained),
            "dependence": explanation_plots.dependence(*explained),
            "drift": course_plots.drift(drifts, shift, "Today's catalogue against the training labels"),
        }
        if metrics["periods"]:
            drawn["periods"] = course_plots.periods(metrics["periods"], metrics)
        if not metrics["learning_curve"]["too_few"]:
            drawn["learning_curve"] = course_plots.learning_curve(metrics["learning_curve"])
        if group_rows(metrics):
            drawn["groups"] = course_plots.groups(group_rows(metrics))
        for name, figure in drawn.items():
            save(figure, folder / f"{name}.png")
