"""Sentences of a SKU's page: the prediction, how sure it is, what is recommended, what is not known, the next test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from data.policy import POLICY_FOLDER, Policy, Share, policy_in_force
from features.groups.own import GROUP as OWN
from features.registry import BY_NAME
from models.risk_levels import risk_levels_in_force
from sampling.problem import Package
from serving.decisions.legal_grounds import FAILED_TEST, Ground
from serving.dossiers.records import Dossier, Remediation
from serving.html.filters import day, frequency, harm, percent
from serving.schemas import ScoreRow

Values = Mapping[str, float]
"""The features of a SKU by name, NaN where unknown."""

NEARBY_TESTS = ("supplier_tests", "factory_tests", "title_tests", "sku_tests", "category_tests_365")
"""Features that count independent tests of the SKU and of what it is like."""

AtLeast = Annotated[int, Field(ge=0)]


class ConfidencePolicy(Policy, subject="knowledge"):
    """The policy `knowledge`: when a score is well known, and when the product itself is."""

    widest_interval: Share
    least_tests: AtLeast
    least_units_sold: AtLeast
    least_reviews: AtLeast


@dataclass(frozen=True)
class ScoreConfidence:
    """The confidence in a score: a level in words, and its reason."""

    name: str
    why: str


@dataclass(frozen=True)
class NextTest:
    """The next test package, cheaper screening packages, and `p_fail` after the test passed."""

    package: Package
    screens: tuple[Package, ...]
    if_passed: float


def prediction(p_fail: float) -> str:
    """The score as a sentence: a prediction, since nothing of the kind has been counted."""
    return f"We predict that {frequency(p_fail)} products like this one would fail a test."


def risk_level_sentence(score: ScoreRow, folder: Path = POLICY_FOLDER) -> str:
    """What would fail, the risk level and where it comes from; empty where it is not known."""
    if score.risk_level is None:
        return ""
    day_of_policy = risk_levels_in_force(score.as_of, folder).version[:10]
    return (
        f"{harm(score)} Risk level {score.risk_level}: severity and probability of harm in the manner of the EU's "
        f"method (policy risk_levels {day_of_policy}). It orders work and is no ground for a decision."
    )


RECOMMENDED = {
    "none": "no action", "request_documents": "request documents", "test": "test", "priority_test": "priority test"
}  # fmt: skip


def recommendation(band_action: str, grounds: Sequence[Ground], is_restricted: bool = False) -> str:
    """What to do now: nothing more where restricted, decide where a fact stands, else what the band recommends."""
    if is_restricted:
        return "A restriction is in force."
    if any(ground.kind == FAILED_TEST for ground in grounds):
        return "A test has failed. Decide."
    if grounds:
        return "A fact stands on which a restriction may rest. Decide."
    return f"Recommended: {RECOMMENDED[band_action]}."


def score_confidence(score: ScoreRow, values: Values, folder: Path = POLICY_FOLDER) -> ScoreConfidence:
    """Rate the confidence in a score by the policy of its day."""
    policy = policy_in_force(ConfidencePolicy, score.as_of, folder)
    cell = _number(values, "category_tests_365")
    tests = f"{_counted(cell, 'independent test')} of its category in this market in the last year"
    if not any(_number(values, name) for name in NEARBY_TESTS):
        return ScoreConfidence(
            "unlike anything tested", "Neither its supplier, factory, title nor category was tested here."
        )
    width = score.p_high - score.p_low
    if width > policy.widest_interval or cell < policy.least_tests:
        why = f"It rests on {tests} and {_own_evidence(values)}; the range is {round(100 * width)} points wide."
        return ScoreConfidence("thin evidence", why)
    if not _is_known_itself(values, policy):
        own = _own_evidence(values)
        why = f"It rests mostly on products like it ({tests}). Of the product itself there is little: {own}."
        return ScoreConfidence("little known of this product", why)
    return ScoreConfidence("well known", f"The range is narrow and rests on {tests} and {_own_evidence(values)}.")


def _is_known_itself(values: Values, policy: ConfidencePolicy) -> bool:
    return (
        _number(values, "sku_tests") > 0
        or _number(values, "sku_units_365") >= policy.least_units_sold
        or _number(values, "sku_reviews_365") >= policy.least_reviews
    )


def _own_evidence(values: Values) -> str:
    """What is known of the product itself: "no test of its own, 6 units sold and 1 review in the last year"."""
    tests = _number(values, "sku_tests")
    own = f"{_counted(tests, 'test')} of its own" if tests else "no test of its own"
    units, reviews = _number(values, "sku_units_365"), _number(values, "sku_reviews_365")
    return f"{own}, {_counted(units, 'unit')} sold and {_counted(reviews, 'review')} in the last year"


def _number(values: Values, name: str) -> int:
    return int(np.nan_to_num(values.get(name, 0.0)))


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}" if number else f"no {one}s"


def unknowns_of(dossier: Dossier, values: Values, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences on what the model does not know about the SKU, the particular before the general."""
    sentences = []
    if not any(test.independent for test in dossier.tests):
        sentences.append("No independent laboratory has tested this product in this market.")
    if not _number(values, "sku_reviews_365"):
        sentences.append("Nobody reviewed it in this market in the last year.")
    if not _number(values, "sku_units_365"):
        sentences.append("It was not sold in this market in the last year, so there can be no returns or reviews.")
    if dossier.listing.factory_id is None:
        sentences.append("The listing does not state its factory.")
    if not dossier.audits:
        sentences.append("No audit of its supplier is known.")
    missing = [name for name, value in values.items() if np.isnan(value)]
    sentences.append(f"{len(missing)} of {len(values)} facts that the model reads are unknown{_main_groups(missing)}.")
    sentences.append(
        "Chemicals that nobody sees or smells show in neither reviews nor returns: only a test finds them."
    )
    auc, tests = metrics.get("auc"), metrics.get("n")
    if isinstance(auc, float) and isinstance(tests, int):
        sentences.append(
            "Shown one product that failed and one that passed, the model ranks the failing one higher "
            f"{100 * auc:.0f} times in 100. We measured this on {tests:,} later tests of all categories."
        )
    return tuple(sentences)


def _main_groups(missing: list[str]) -> str:
    groups = Counter(BY_NAME[name].group if name in BY_NAME else OWN for name in missing)
    most = [group for group, _ in groups.most_common(2)]
    return f", most of them about {' and '.join(most)}" if most else ""


def outcome_sentence(test: NextTest, p_fail: float) -> str:
    """What either result of the next test would change."""
    now, then = percent(p_fail), percent(test.if_passed)
    if now == then:
        passed = f"If it passes, the prediction stays at {now}."
    else:
        passed = f"If it passes, the prediction {'falls' if test.if_passed < p_fail else 'rises'} from {now} to {then}."
    return f"{passed} If it fails, you may restrict the listing."


def open_actions_sentence(actions: Sequence[Remediation]) -> str:
    """How many corrective actions are open and when the last is due."""
    due = [action.due_on for action in actions if action.due_on is not None]
    what = f"{len(actions)} corrective action{'s' if len(actions) > 1 else ''} open"
    if not due:
        return f"{what}, without a due date."
    return f"{what}; {'the last is ' if len(actions) > 1 else ''}due {day(max(due))}."
