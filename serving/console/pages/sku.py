"""One SKU: how likely it fails and how sure that is, what is known, why, what would change it, and the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from numpy.typing import NDArray
from pydantic import Field

from data.policy import POLICY_FOLDER, Policy, Share, policy_in_force
from features.registry import BY_NAME
from sampling.policy import sampling_policy_in_force
from sampling.problem import Package
from serving.api.counterfactuals import ALL_STEPS, Counterfactual, find_counterfactuals, steps_in_force
from serving.console.blinding import blind_scores, flagged_bands
from serving.console.case import CaseView, case_view
from serving.console.context import AppContext
from serving.console.pages.sku_evidence import Peer, Siblings, SkuReasons, peers_of, reasons_of, siblings_of
from serving.console.pages.sku_history import (
    HEIGHT,
    TRACKS,
    WIDTH,
    ScoreChange,
    Timeline,
    score_change,
    timeline_of,
    usual_returns,
)
from serving.console.session import AnyHouse, Person, SignedIn, signed_in
from serving.console.templating import address, page
from serving.decisions.assignment_and_labels import labels_of
from serving.dossiers.records import Audit, Certificate, Dossier, Remediation, ReviewQuote
from serving.online.store import OnlineStore
from serving.review_queue.reader import QueueEntry
from serving.schemas import ScoreRow

Values = Mapping[str, float]
NEAR = ("supplier_tests", "factory_tests", "title_tests", "sku_tests", "category_tests_365")
"""Independent tests of what is near a SKU."""


class KnowledgePolicy(Policy, subject="knowledge"):
    """When a score is well known."""

    widest_interval: Share
    least_tests: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class ScoreConfidence:
    """How sure a score is: a word or two, and the sentence behind them."""

    name: str
    why: str


def score_confidence(score: ScoreRow, values: Values, folder: Path = POLICY_FOLDER) -> ScoreConfidence:
    """How well a score is known, by the policy `knowledge` of its day; `values` are the features, NaN = unknown."""
    policy = policy_in_force(KnowledgePolicy, score.as_of, folder)
    cell = int(np.nan_to_num(values.get("category_tests_365", 0.0)))
    near = sum(np.nan_to_num(values.get(name, 0.0)) for name in NEAR)
    tests = f"{cell} independent test{'' if cell == 1 else 's'} of its category in this market in the last year"
    if not near:
        return ScoreConfidence(
            "unlike anything tested", "Neither its supplier, factory, title nor category was tested here."
        )
    if score.p_high - score.p_low <= policy.widest_interval and cell >= policy.least_tests:
        return ScoreConfidence("well known", f"The interval is narrow and rests on {tests}.")
    return ScoreConfidence("thin evidence", f"There were {tests}, and the interval is {_width(score)} points wide.")


def unknowns_of(dossier: Dossier, values: Values, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the model does not know about this SKU, the particular before the general."""
    listing = dossier.listing
    told = []
    if not any(test.independent for test in dossier.tests):
        told.append("No independent laboratory ever tested this product in this market.")
    if not np.nan_to_num(values.get("sku_reviews_365", 0.0)):
        told.append("Nobody reviewed it in this market in the last year.")
    if not np.nan_to_num(values.get("sku_units_365", 0.0)):
        told.append("It was not sold in this market in the last year, so returns and reviews can say nothing.")
    if listing.factory_id is None:
        told.append("Its factory is not stated.")
    if not dossier.audits:
        told.append("No audit of its supplier is known.")
    missing = [name for name, value in values.items() if np.isnan(value)]
    told.append(f"{len(missing)} of {len(values)} facts that the model reads are unknown{_groups(missing)}.")
    told.append("Chemicals that nobody sees or smells show neither in reviews nor in returns; only a test finds them.")
    auc, tests = metrics.get("auc"), metrics.get("n")
    if isinstance(auc, float) and isinstance(tests, int):
        told.append(
            f"The model was judged on {tests:,} later tests of all categories: of a product that failed and one that "
            f"passed, it put the failing one higher in {100 * auc:.0f} of 100 pairs."
        )
    return tuple(told)


def _groups(missing: list[str]) -> str:
    counts: dict[str, int] = {}
    for name in missing:
        counts[BY_NAME[name].group] = counts.get(BY_NAME[name].group, 0) + 1
    most = sorted(counts, key=lambda group: -counts[group])[:2]
    return f", most of them about {' and '.join(most)}" if most else ""


def _width(score: ScoreRow) -> int:
    return round(100 * (score.p_high - score.p_low))


Floats = NDArray[np.float64]
PRIOR_NAMES = {"sku": "sku_fail", "supplier": "supplier_fail"}


@dataclass(frozen=True)
class NextTest:
    """The best next test, the screens before it, and p_fail after it passed; a failed one is a fact, not a score."""

    package: Package
    screens: tuple[Package, ...]
    if_passed: float


def next_test(published: OnlineStore, position: int, cell: tuple[str, str]) -> NextTest:
    """The test that the sampling policy names for a category and market, and what passing it would change."""
    package, *screens = sampling_policy_in_force(published.publication.as_of).options(cell)
    names = published.snapshot.feature_names
    (values,) = published.snapshot.matrix_at(np.array([position]))
    passed = published.scorer.probabilities(_passed(published, names, values)[None, :]).p_fail
    return NextTest(package, tuple(screens), float(passed[0]))


def _passed(published: OnlineStore, names: Sequence[str], values: Floats) -> Floats:
    """The features after one more independent test of the SKU, which passed."""
    changed, column = values.copy(), {name: number for number, name in enumerate(names)}
    for entity, prior in PRIOR_NAMES.items():
        mean, strength = published.prior(prior)
        tests = np.nan_to_num(values[column[f"{entity}_tests"]])
        rate = values[column[f"{entity}_fail_rate"]]
        known = mean if np.isnan(rate) else rate
        changed[column[f"{entity}_tests"]] = tests + 1
        changed[column[f"{entity}_fail_rate"]] = known * (tests + strength) / (tests + strength + 1)
        changed[column[f"{entity}_days_since_test"]] = 0.0
    return changed


router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

MOST_QUOTES = 5


@dataclass(frozen=True)
class SkuView:
    """All that the page tells of a SKU beside its case; `markets` are the other markets where it is listed."""

    entry: QueueEntry
    dossier: Dossier
    knowledge: ScoreConfidence
    reasons: SkuReasons
    quotes: tuple[tuple[ReviewQuote, str | None], ...]
    timeline: Timeline
    peers: tuple[Peer, ...]
    siblings: Siblings
    change: ScoreChange | None
    changes: tuple[Counterfactual, ...]
    test: NextTest
    unknowns: tuple[str, ...]
    markets: tuple[str, ...]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The standing of each certificate."""
        return self.dossier.standing_certificates

    @property
    def mentions(self) -> tuple[int, int] | None:
        """How many reviews of the timeline's months speak of a hazard, and how many there are; None where unread."""
        read = [(month.hazard_mentions, month.reviews) for month in self.dossier.months]
        told = [(mentions, reviews) for mentions, reviews in read if mentions is not None]
        return (sum(each[0] for each in told), sum(each[1] for each in told)) if told else None

    @property
    def last_audit(self) -> Audit | None:
        """The newest audit of the supplier."""
        return self.dossier.audits[0] if self.dossier.audits else None

    @property
    def open_actions(self) -> tuple[Remediation, ...]:
        """The supplier's corrective actions that nobody has verified."""
        return tuple(each for each in self.dossier.remediations if each.verified_on is None)


@router.get("/sku/{market}/{sku_id:path}")
def sku(request: Request, house: AnyHouse, person: SignedIn, market: str, sku_id: str) -> Response:
    """The page of a SKU; where its case was drawn for an own estimate, that comes first."""
    work = case_view(house, person, sku_id, market)
    if work.estimate_due:
        return RedirectResponse(address(request, "/decide?" + urlencode(work.query)), 303)
    portrait = _portrait(house, person, work)
    return page(
        request, "sku.html", work=work, it=portrait, policy=work.policy, refused=None, kept={}, width=WIDTH,
        height=HEIGHT, tracks=TRACKS, total=len(house.desk.store().queue), today=house.now().date(),
    )  # fmt: skip


def _portrait(house: AppContext, person: Person, work: CaseView) -> SkuView:
    published, listing = house.desk.store(), work.listing
    position = int(published.snapshot.find([listing.sku_id], [listing.market])[0])
    (row,) = published.snapshot.matrix_at(np.array([position]))
    names = published.snapshot.feature_names
    values: Mapping[str, float] = dict(zip(names, row.tolist(), strict=True))
    dossier = published.dossiers.of(position)
    return SkuView(
        entry=published.queue.entries(published.queue.numbers_of(np.array([position])))[0],
        dossier=dossier,
        knowledge=score_confidence(work.score, values),
        reasons=reasons_of(published, position, listing.category),
        quotes=_quotes(house, dossier),
        timeline=timeline_of(dossier, usual_returns(published, listing.category)),
        peers=peers_of(published, position, listing.category),
        siblings=siblings_of(
            published, position, listing.factory_id, blind_scores(house, published, person, flagged_bands(published))
        ),
        change=score_change(published, house.settings.workspace, position),
        changes=_telling(
            find_counterfactuals(published.scorer, names, row, steps_in_force(work.score.as_of)), work.score.p_fail
        ),
        test=next_test(published, position, (listing.category, listing.market)),
        unknowns=unknowns_of(dossier, values, published.metrics),
        markets=_other_markets(published, published.queue.markets, listing.sku_id, listing.market),
    )


def _telling(steps: Sequence[Counterfactual], p_fail: float) -> tuple[Counterfactual, ...]:
    """The steps that would lower the predicted rate by a whole point at least; their sum only beside several."""
    told = [step for step in steps if p_fail - step.p_fail >= 0.01]
    single = tuple(step for step in told if step.step != ALL_STEPS)
    return tuple(told) if len(single) > 1 else single


def _quotes(house: AppContext, dossier: Dossier) -> tuple[tuple[ReviewQuote, str | None], ...]:
    """The likeliest quotes, one of a review, each with the verdict that officers gave it."""
    given = labels_of(house.engine, dossier.listing.sku_id, dossier.listing.market)
    first: dict[str, ReviewQuote] = {}
    for quote in sorted(dossier.quotes, key=lambda each: (-each.probability, -each.severity)):
        first.setdefault(quote.review_id, quote)
    told = list(first.values())[:MOST_QUOTES]
    return tuple((quote, given.get((quote.review_id, quote.hazard, quote.sentence))) for quote in told)


def _other_markets(published: OnlineStore, markets: Sequence[str], sku_id: str, market: str) -> tuple[str, ...]:
    found = published.snapshot.find([sku_id] * len(markets), markets)
    return tuple(name for name, place in zip(markets, found, strict=True) if place >= 0 and name != market)
