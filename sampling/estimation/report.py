"""Prevalence report of a workspace: estimate from its rounds, file and text."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.lake.report_versions import with_result
from data.workspace import Workspace, replace_atomically
from sampling.cancellations import Cancellation, cancellations
from sampling.estimation.known_rounds import KnownResults, load_rounds
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.prevalence import BY_SKUS, BY_UNITS_SOLD, DomainEstimate, domains_of, prevalence
from sampling.estimation.round_data import Domain, RoundData
from sampling.estimation.round_views import SurfaceRatio, ratio_words, surface_ratios, weighed_rounds
from sampling.estimation.screens import ScreenSensitivity
from sampling.plan_files import round_ids
from sampling.problem import Floats
from sampling.round_answers import round_answers

RISKIEST = (0.01, 0.05, 0.10)


@dataclass(frozen=True)
class ModelSkill:
    """Skills on the whole catalogue; NaN where the tests hold no failure.

    `auc` is the chance that a failing SKU scores above a good one; `failures_per_expected` is 1 when calibrated, above
    1 when the model is too calm; `recall` the share of all failures among the riskiest 1, 5 and 10 % of SKUs.
    `effective_tests` is Kish's number of equally weighted tests that would be worth as much.
    """

    auc: float
    failures_per_expected: float
    recall: tuple[float, ...]
    effective_tests: float


def model_skill(rounds: Sequence[RoundData]) -> ModelSkill:
    """The model's skill by tests weighted with 1 / (inclusion probability x response rate).

    The tests alone would flatter or slander it: they hold the SKUs it chose. Outcomes corrected for laboratory errors
    enter as they are.
    """
    tested = [each.tested(Domain(), by_exposure=False) for each in rounds]
    failed, p_fail = (np.concatenate([getattr(each, name) for each in tested]) for name in ("failed", "p_fail"))
    weight = np.concatenate([1 / each.inclusion for each in tested])
    order = np.argsort(-p_fail, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p_fail[order]) != 0])
    failures, everybody = (np.add.reduceat(mass[order], starts) for mass in (weight * failed, weight))
    return ModelSkill(
        auc=_auc(failures, everybody - failures),
        failures_per_expected=float((weight * failed).sum() / (weight * p_fail).sum()),
        recall=tuple(_recall(failures, everybody, share) for share in RISKIEST),
        effective_tests=float(weight.sum() ** 2 / (weight**2).sum()),
    )


def _auc(failures: Floats, passes: Floats) -> float:
    above = np.cumsum(failures) - failures / 2
    pairs = failures.sum() * passes.sum()
    return float((above * passes).sum() / pairs) if pairs > 0 else float("nan")


def _recall(failures: Floats, everybody: Floats, share: float) -> float:
    wanted = share * everybody.sum()
    share_taken = np.clip((wanted - (np.cumsum(everybody) - everybody)) / everybody, 0, 1)
    return float((failures * share_taken).sum() / failures.sum()) if failures.sum() > 0 else float("nan")


SHOWN_CELLS = 10


@dataclass(frozen=True)
class PrevalenceEstimate:
    """Estimate of a day: figures of the catalogue and its cells, the model's skill, and the tests they rest on.

    `failed_share` is the share of failures among the tests: it follows suspicion and is no prevalence. Of
    `not_obtainable` planned tests no result can be had; they count as tests that did not answer. `cancelled` are the
    rounds among them that were cancelled by then: what came in counts, what was not done did not answer. `shown` says,
    by surface, how much more often failing SKUs are shown than listed; empty where the marketplace tells of no views.
    `screens` is what all rounds so far teach of the screens among their packages.
    """

    as_of: date
    figures: tuple[DomainEstimate, ...]
    skill: ModelSkill
    failed_share: float
    tests: int
    share_in: float
    policy_version: str
    not_obtainable: int = 0
    cancelled: tuple[Cancellation, ...] = ()
    shown: tuple[SurfaceRatio, ...] = ()
    screens: tuple[ScreenSensitivity, ...] = ()

    @property
    def catalogue(self) -> DomainEstimate:
        """The prevalence of the whole catalogue in SKUs."""
        return self.figures[0]


def estimate_prevalence(
    workspace: Workspace, names: Sequence[str], as_of: date, policy: EstimationPolicy
) -> PrevalenceEstimate:
    """Estimate from rounds of a workspace, by the accepted results known before `as_of`.

    Raises UserError where a round is unknown, has no result yet, or was not drawn with known probabilities.
    """
    known = KnownResults.of(workspace, as_of)
    rounds = load_rounds(workspace, names, known, policy)
    ended = {name: each for name, each in cancellations(workspace, names).items() if each.day <= as_of}
    figures = [
        figure
        for measure in (BY_SKUS, BY_UNITS_SOLD)
        for domain in domains_of(rounds)
        if (figure := prevalence(rounds, domain, measure, policy)) is not None
    ]
    catalogue = figures[0]
    tests_drawn = sum(each.planned for each in rounds)
    return PrevalenceEstimate(
        as_of,
        tuple(figures),
        model_skill(rounds),
        catalogue.failures / catalogue.tests,
        catalogue.tests,
        catalogue.tests / tests_drawn,
        policy.version,
        sum(known.count_not_obtainable(name) for name in names if name not in ended)
        + sum(known.count_without_result(name) for name in ended),
        tuple(ended.values()),
        tuple(surface_ratios(weighed_rounds(workspace, rounds, policy), policy)),
        tuple(known.screens(as_of, policy).values()),
    )


def latest_rounds(workspace: Workspace, number: int) -> list[str]:
    """The names of the newest rounds by day that have results. Raises UserError where there is none."""
    answered = set(with_result(round_answers(workspace))["round_id"].to_pylist())
    names = [name for name in round_ids(workspace) if name in answered]
    if not names:
        raise UserError("No round has a result yet. Hand results in with `touchstone results FILE`.")
    return names[-number:]


def write_estimate(estimate: PrevalenceEstimate, folder: Path) -> Path:
    """Write `prevalence-<day>.json` into `folder`; returns the file. A withheld share keeps its upper limit only."""
    target = folder / f"prevalence-{estimate.as_of}.json"
    record = asdict(estimate) | {
        "figures": [_figure_record(figure) for figure in estimate.figures],
        "shown": [_ratio_record(each) for each in estimate.shown],
    }
    with replace_atomically(target) as attempt:
        attempt.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return target


def _figure_record(figure: DomainEstimate) -> dict[str, object]:
    record = asdict(figure)
    if figure.withheld:
        record["share"] = {"high": figure.share.high}
    return record


def _ratio_record(each: SurfaceRatio) -> dict[str, object]:
    ratio = each.ratio
    told = {} if ratio.withheld else {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
    return {"surface": each.surface, **told, "withheld": ratio.withheld}


def estimate_text(estimate: PrevalenceEstimate) -> str:
    """The estimate as text: the catalogue, the cells that may be published, and the model."""
    lines = [_figure_line(figure) for figure in estimate.figures if figure.domain.category is None]
    cells = [figure for figure in estimate.figures if figure.domain.category and figure.measure == BY_SKUS]
    largest = sorted((cell for cell in cells if not cell.withheld), key=lambda cell: -cell.share.value)
    lines += [_figure_line(cell) for cell in largest[:SHOWN_CELLS]]
    if len(largest) < len(cells):
        lines.append(f"{len(cells) - len(largest)} of {len(cells)} cells carry no figure of their own; see the file.")
    lines += [ratio_words(each) for each in estimate.shown]
    lines += [each.sentence for each in estimate.screens]
    lines.append(_skill_line(estimate))
    lines += [_cancelled_line(each) for each in estimate.cancelled]
    if estimate.not_obtainable:
        lines.append(f"Of {estimate.not_obtainable:,} planned tests no result can be had; they count like tests "
                     "without an answer.")  # fmt: skip
    lines.append(f"Of the {estimate.tests:,} tests {estimate.failed_share:.1%} failed; they were chosen to, "
                 "so this is no prevalence.")  # fmt: skip
    return "\n".join(lines)


def _cancelled_line(cancellation: Cancellation) -> str:
    cancelled = f"Round {cancellation.round_id} was cancelled on {cancellation.day} ({cancellation.reason})"
    return f"{cancelled}; the results that came in count."


def _skill_line(estimate: PrevalenceEstimate) -> str:
    if estimate.catalogue.withheld:
        return "How good the model is on the whole catalogue cannot be told from so few tests."
    model = estimate.skill
    recall = ", ".join(
        f"{part:.0%} in the riskiest {share:.0%}" for part, share in zip(model.recall, RISKIEST, strict=True)
    )
    return (f"The model on the whole catalogue: AUC {model.auc:.2f}; of all failing SKUs {recall}; "
            f"{model.failures_per_expected:.2f} failures per failure expected.")  # fmt: skip


def _figure_line(figure: DomainEstimate) -> str:
    domain, share = figure.domain, figure.share
    name = f"{domain.category} in {domain.market}" if domain.category else "Whole catalogue"
    state = ", provisional" if figure.provisional else ""
    if figure.withheld:
        return f"{name}: at most {share.high:.1%} of {figure.measure} fail{state} ({figure.withheld})."
    rounds = "1 round" if len(figure.rounds) == 1 else f"{len(figure.rounds)} rounds"
    return (f"{name}: {max(share.value, 0.0):.1%} of {figure.measure} fail ({share.low:.1%} to {share.high:.1%}), "
            f"{figure.tests:,} tests in {rounds}{state}.")  # fmt: skip
