"""The sections of a recipe: which choices there are, and what each may be."""

from dataclasses import dataclass
from typing import Annotated

INDEPENDENT_ORIGINS = ("mystery_shopper", "warehouse", "customs", "complaint")
UNLIMITED = 1e9
SEVERITIES = ("minor", "major", "critical")


@dataclass(frozen=True)
class Within:
    """A number from `least` to `most`, both included."""

    least: float
    most: float = UNLIMITED

    def __str__(self) -> str:
        return f"at least {self.least:g}" if self.most == UNLIMITED else f"from {self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class OneOf:
    """A text, or each of a list of texts, among `names`."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"among {', '.join(self.names)}"


Days = Annotated[int, Within(0)]
Count = Annotated[int, Within(1)]
Several = Annotated[int, Within(2)]
Part = Annotated[float, Within(0.01, 0.99)]
Share = Annotated[float, Within(0.01, 1)]
Strength = Annotated[float, Within(0)]
Positive = Annotated[float, Within(1e-6)]


@dataclass(frozen=True)
class LabelRecipe:
    """Which independent tests are labels, and which of them count as failed.

    A failure milder than `least_severity` counts as passed; one of unknown severity always counts. Only tests of
    these `origins` are labels.
    """

    least_severity: Annotated[str, OneOf(SEVERITIES)]
    origins: Annotated[tuple[str, ...], OneOf(INDEPENDENT_ORIGINS)]


@dataclass(frozen=True)
class SplitRecipe:
    """How labels are divided by time, and by supplier inside the training part.

    Shares are of labels; `test_days` is the shortest test period chosen when none is asked for. Labels drawn more
    than `window_days` before the end of training do not teach; 0 lets all teach.
    """

    test_share: Part
    test_days: Count
    calibration_share: Part
    folds: Several
    validation_share: Part
    minimum_labels: Count
    window_days: Days


@dataclass(frozen=True)
class RollingRecipe:
    """How the procedure is validated on earlier periods, each after what taught it.

    `periods` of `period_days` end `gap_days` before the test period: a period's labels count when known within
    `gap_days` after it. Each group is validated in one of `parts`, by a model that never saw the group.
    """

    periods: Count
    period_days: Count
    gap_days: Days
    parts: Several


@dataclass(frozen=True)
class TreeRecipe:
    """How LightGBM grows its trees.

    Up to `most` trees are tried; `smallest_leaf` counts labels; `feature_share` and `row_share` are drawn anew for
    every tree.
    """

    most: Count
    leaves: Several
    learning_rate: Positive
    smallest_leaf: Count
    ridge: Strength
    feature_share: Share
    row_share: Share
    threads: Count


@dataclass(frozen=True)
class ConstraintRecipe:
    """Whether margins must rise and fall with features as the catalogue expects."""

    monotone: bool


@dataclass(frozen=True)
class WeightRecipe:
    """How much a label weighs in the fit.

    A failed label weighs `failure_weight` passed ones (calibration repairs what that does to the margin); with
    `propensity` labels also weigh by the inverse of the chance that they were tested.
    """

    failure_weight: Positive
    propensity: bool


@dataclass(frozen=True)
class TitleRecipe:
    """How the words of a title get their weights: L2 penalty, and which words are kept."""

    ridge: Positive
    fewest_titles: Count
    most_words: Count


@dataclass(frozen=True)
class EvaluationRecipe:
    """How the model is judged: bootstrap `replicates`, and the laboratory's money for one round.

    The riskiest tests that `budget_eur` pays for are looked at; a test without a price costs `test_eur`. Rows with
    fewer than `fewest_tests`, or `fewest_failures` failures or passes, are too few for a skill.
    """

    replicates: Count
    budget_eur: Positive
    test_eur: Positive
    fewest_tests: Count
    fewest_failures: Count


@dataclass(frozen=True)
class AuditRecipe:
    """When a feature knows too much: labels of `days` days are recomputed without later rows.

    A feature that alone tells failed from passed with an AUC above `suspicious_auc` is named.
    """

    days: Count
    suspicious_auc: Annotated[float, Within(0.5, 1)]
