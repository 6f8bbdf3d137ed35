"""Which of the monitoring rules ask for a new model, given what was seen of the one in force."""

from math import inf

from training.bootstrap import Skill
from training.drift import MARGIN
from training.gate import Verdict
from training.monitoring_policy import MonitoringPolicy
from training.watch import Watch


def asked(watch: Watch, policy: MonitoringPolicy) -> tuple[Verdict, ...]:
    """How the model in force stands by every rule; one that does not hold asks for a new model."""
    return (
        _features(watch, policy), _scores(watch, policy),
        _calibrated(watch, policy, "expected_per_observed", "failures expected per observed",
                    (policy.lowest_expected_per_observed, policy.highest_expected_per_observed)),
        _calibrated(watch, policy, "slope", "slope", (policy.lowest_slope, policy.highest_slope)),
        _labels(watch, policy), _age(watch, policy), _delay(watch, policy),
    )  # fmt: skip


def _features(watch: Watch, policy: MonitoringPolicy) -> Verdict:
    shifted = [each.feature for each in watch.moved if each.psi > policy.feature_psi and each.feature != MARGIN]
    share = sum(watch.carried.get(name, 0.0) for name in shifted)
    return Verdict(
        "features", share <= policy.most_features,
        f"{len(shifted)} of {len(watch.moved) - 1} features shifted (index above {policy.feature_psi}), which carry "
        f"{share:.0%} of the contributions; at most {policy.most_features:.0%}",
    )  # fmt: skip


def _scores(watch: Watch, policy: MonitoringPolicy) -> Verdict:
    psi = next((each.psi for each in watch.moved if each.feature == MARGIN), inf)
    told = f"the scores moved by an index of {psi:.2f}; at most {policy.score_psi}"
    return Verdict("scores", psi <= policy.score_psi, told)


def _calibrated(watch: Watch, policy: MonitoringPolicy, name: str, words: str, wanted: tuple[float, float]) -> Verdict:
    rule = name.replace("_", " ")
    if watch.skills is None or watch.skills.tests < policy.fewest_labels or "model" not in watch.skills.claims:
        known = 0 if watch.skills is None else watch.skills.tests
        return Verdict(rule, True, f"{known:,} new labels that tell; at least {policy.fewest_labels:.0f}")
    skill: Skill = watch.skills.claims["model"][name]
    holds = not (skill.high < wanted[0] or skill.low > wanted[1])
    told = f"{words} {skill.value:.2f} ({skill.low:.2f} to {skill.high:.2f}) on {watch.skills.tests:,} new labels"
    return Verdict(rule, holds, f"{told}; wanted {wanted[0]} to {wanted[1]}")


def _labels(watch: Watch, policy: MonitoringPolicy) -> Verdict:
    share = len(watch.tests) / max(watch.taught, 1)
    told = f"{len(watch.tests):,} labels became known since training, {share:.0%} of those it learned from"
    return Verdict("new labels", share <= policy.most_new_labels, f"{told}; at most {policy.most_new_labels:.0%}")


def _age(watch: Watch, policy: MonitoringPolicy) -> Verdict:
    told = f"it knows nothing of the last {watch.age_days} days; at most {policy.most_age_days:.0f}"
    return Verdict("age", watch.age_days <= policy.most_age_days, told)


def _delay(watch: Watch, policy: MonitoringPolicy) -> Verdict:
    if watch.report_days is None:
        return Verdict("label delay", True, "no report since training")
    told = (
        f"nine of ten reports came within {watch.report_days:.0f} days of the sample, in training within "
        f"{watch.report_days_in_training:.0f}; at most {policy.most_days_for_nine_of_ten:.0f}"
    )
    return Verdict("label delay", watch.report_days <= policy.most_days_for_nine_of_ten, told)
