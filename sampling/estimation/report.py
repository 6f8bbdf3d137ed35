"""Prevalence report of a workspace: estimate from its rounds, file and text."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import UserError
from data.lake.lab_results import current_results
from data.lake.report_versions import with_result
from data.workspace import Workspace, replace_atomically
from sampling.cancellations import Cancellation, cancellations
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.prevalence import BY_SKUS, BY_UNITS_SOLD, DomainEstimate, domains_of, prevalence
from sampling.estimation.round_data import Domain, RoundData, RoundRecord, build_round_data
from sampling.estimation.round_views import SurfaceRatio, ratio_words, surface_ratios, weighed_rounds
from sampling.plan_files import PLAN_FILE, planned_tests, round_ids
from sampling.problem import Floats
from sampling.round_answers import SUPPLIER_PROVIDED, UNIT, answers_among, is_cancelled, round_answers
from sampling.rounds import OUTSIDE_FILE, STRATA_FILE, round_folder, round_record

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
    tests_drawn = sum(len(each.units) / each.share_in for each in rounds)
    return PrevalenceEstimate(
        as_of,
        tuple(figures),
        model_skill(rounds),
        catalogue.failures / catalogue.tests,
        catalogue.tests,
        catalogue.tests / tests_drawn,
        policy.version,
        sum(known.count_not_obtainable(name) for name in names if name not in ended)
        + sum(known.count_without_result(workspace, name) for name in ended),
        tuple(ended.values()),
        tuple(surface_ratios(weighed_rounds(workspace, rounds, policy), policy)),
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


@dataclass(frozen=True)
class KnownResults:
    """The results known by a day on samples that no supplier provided: `answers` of planned tests, and `all`."""

    answers: pa.Table
    all: pa.Table

    @classmethod
    def of(cls, workspace: Workspace, as_of: date) -> "KnownResults":
        """Those known before `as_of`, in the versions that counted then, in the order in which they became known."""
        current = current_results(workspace, as_of).sort_by("known_on")
        independent = current.filter(pc.invert(pc.is_in(current["origin"], pa.array([SUPPLIER_PROVIDED]))))
        return cls(answers_among(independent, planned_tests(workspace)), with_result(independent))

    def of_round(self, round_id: str) -> pa.Table:
        """The results of a round's own tests."""
        return with_result(self.answers.filter(pc.equal(self.answers["round_id"], round_id)))

    def count_not_obtainable(self, round_id: str) -> int:
        """How many of a round's tests are known to have no result."""
        cancelled = self.answers.filter(is_cancelled(self.answers)).filter(pc.field("round_id") == round_id)
        return len(cancelled.join(self.of_round(round_id).select(UNIT), UNIT, join_type="left anti"))

    def count_without_result(self, workspace: Workspace, round_id: str) -> int:
        """How many of a round's tests have no result."""
        answered = self.of_round(round_id).select(UNIT).group_by(UNIT).aggregate([])
        return len(planned_tests(workspace, [round_id])) - len(answered)


def load_rounds(
    workspace: Workspace, names: Sequence[str], known: KnownResults, policy: EstimationPolicy
) -> list[RoundData]:
    """The rounds with their own results. Raises UserError as `estimate_prevalence`."""
    return [_load_round(workspace, name, known, policy) for name in names]


def _load_round(workspace: Workspace, round_id: str, known: KnownResults, policy: EstimationPolicy) -> RoundData:
    """One round with its own results, and with those of tests drawn before it for what was in test."""
    folder = round_folder(workspace, round_id)
    day = date.fromisoformat(round_record(workspace, round_id)["as_of"])
    own = known.of_round(round_id)
    earlier = known.all.filter(pc.less_equal(known.all["happened_on"], pa.scalar(day, pa.date32())))
    files = {"plan": PLAN_FILE, "strata": STRATA_FILE, "outside": OUTSIDE_FILE}
    tables = {name: pq.read_table(folder / file) for name, file in files.items()}
    return build_round_data(RoundRecord(round_id, **tables, results=own, earlier=earlier), policy)


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
