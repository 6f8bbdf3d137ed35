"""The sections of a recipe as pydantic models: each setting with its range."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from data.policy import Several, TomlTable

Origin = Literal["mystery_shopper", "warehouse", "customs", "complaint"]
Severity = Literal["minor", "major", "critical"]
INDEPENDENT_ORIGINS: tuple[Origin, ...] = get_args(Origin)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
UNLIMITED = 1e9

Days = Annotated[int, Field(ge=0, le=UNLIMITED)]
Count = Annotated[int, Field(ge=1, le=UNLIMITED)]
Two = Annotated[int, Field(ge=2, le=UNLIMITED)]
Part = Annotated[float, Field(ge=0.01, le=0.99)]
Share = Annotated[float, Field(ge=0.01, le=1)]
Strength = Annotated[float, Field(ge=0, le=UNLIMITED)]
Positive = Annotated[float, Field(ge=1e-6, le=UNLIMITED)]


class LabelRecipe(TomlTable):
    """Which independent tests are labels, and which of them count as failed.

    A failure milder than `least_severity` counts as passed; one of unknown severity always counts. Only tests of
    these `origins` are labels.
    """

    least_severity: Severity
    origins: Annotated[Several[Origin], Field(min_length=1)]


class SplitRecipe(TomlTable):
    """How labels are divided by time, and by supplier inside the training part.

    Shares are of labels; `test_days` is the shortest test period chosen without --test-from. Labels sampled more
    than `window_days` before the end of training are left out; 0 keeps all.
    """

    test_share: Part
    test_days: Count
    calibration_share: Part
    folds: Two
    validation_share: Part
    minimum_labels: Count
    window_days: Days


class RollingRecipe(TomlTable):
    """How the backtest is divided: periods before the test period, and folds by supplier group.

    `periods` of `period_days` end `gap_days` before the test period: a period's labels count when known within
    `gap_days` after it. Each group is validated in one of `parts`, by a model that never saw the group.
    """

    periods: Count
    period_days: Count
    gap_days: Days
    parts: Two


class TreeRecipe(TomlTable):
    """How LightGBM grows its trees.

    Up to `most` trees are tried, fewer where the loss has not fallen for `patience` trees (0 tries all);
    `smallest_leaf` counts labels; `feature_share` and `row_share` are drawn anew for every tree. LightGBM takes
    `threads` for one fit; several fits share the cores.
    """

    most: Count
    leaves: Two
    learning_rate: Positive
    smallest_leaf: Count
    ridge: Strength
    feature_share: Share
    row_share: Share
    threads: Count
    patience: Days = 0


LearnerKind = Literal["trees", "line", "mean"]
LEARNER_KINDS: tuple[LearnerKind, ...] = get_args(LearnerKind)


class LearnerRecipe(TomlTable):
    """What learns the margin: boosted trees, a regularised line, or the mean of both.

    With `kind` "chosen" it is the mean, unless the backtest has evidence that one alone is better. The line reads
    every feature in at most `steps` steps of equally many rows; its penalty is one of `penalties` (of a squared
    coefficient of a feature with variance 1, in units of the log loss of one label).
    """

    kind: Literal["chosen", "trees", "line", "mean"]
    steps: Annotated[int, Field(ge=2, le=255)]
    penalties: Annotated[Several[Positive], Field(min_length=1)]


class ConstraintRecipe(TomlTable):
    """Whether margins must rise and fall with features as the feature registry declares."""

    monotone: bool


class WeightRecipe(TomlTable):
    """How much a label weighs in the fit.

    A failed label weighs `failure_weight` passed ones (calibration repairs what that does to the margin); with
    `propensity` labels also weigh by the inverse of the chance that they were tested.
    """

    failure_weight: Positive
    propensity: bool


class CalibrationRecipe(TomlTable):
    """How calibration follows drift: a label `half_life_days` older than another weighs half as much."""

    half_life_days: Positive


class TitleRecipe(TomlTable):
    """How the words of a title get their weights: L2 penalty, and which words are used."""

    ridge: Positive
    fewest_titles: Count
    most_words: Count


class EvaluationRecipe(TomlTable):
    """How the model is evaluated: bootstrap `replicates`, and the laboratory's budget for one round.

    The riskiest tests that `budget_eur` pays for are counted; a test without a price costs `test_eur`. Rows with
    fewer than `fewest_tests`, or `fewest_failures` failures or passes, are too few for a metric.
    """

    replicates: Count
    budget_eur: Positive
    test_eur: Positive
    fewest_tests: Count
    fewest_failures: Count


class AuditRecipe(TomlTable):
    """The leakage audit: features of labels of `days` days are recomputed without later rows.

    A feature that alone separates failed from passed with an AUC above `suspicious_auc` is named.
    """

    days: Count
    suspicious_auc: Annotated[float, Field(ge=0.5, le=1)]
