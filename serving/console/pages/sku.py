"""The page of a SKU: score and its confidence, evidence, reasons, counterfactuals, unknowns, the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from numpy.typing import NDArray

from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell
from serving.api.counterfactuals import ALL_STEPS, Counterfactual, find_counterfactuals, steps_in_force
from serving.console.blinding import blind_scores, find_positions
from serving.console.case import CaseView, case_view, dossier_of
from serving.console.case_summary import summarize_case
from serving.console.context import AppContext
from serving.console.pages.sku_documents import DisplayedDocument, displayed_documents
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
from serving.console.pages.sku_sentences import (
    NextTest,
    ScoreConfidence,
    open_actions_sentence,
    outcome_sentence,
    prediction,
    recommendation,
    risk_level_sentence,
    score_confidence,
    unknowns_of,
)
from serving.console.pages.trust import TrustPanel, trust_panel
from serving.console.session import ContextDep, CurrentPerson, Person
from serving.console.templating import address, page
from serving.decisions.assignment_and_labels import labels_of
from serving.decisions.records import SkuKey
from serving.dossiers.records import Audit, Dossier, Remediation, ReviewQuote
from serving.online.store import OnlineStore
from serving.public.pages import public_address
from serving.review_queue.reader import QueueEntry

Floats = NDArray[np.float64]
PRIOR_NAMES = {"sku": "sku_fail", "supplier": "supplier_fail"}


def next_test(store: OnlineStore, position: int, category: str, market: str) -> NextTest:
    """The test of the sampling policy for a category and market, and the score after it passed."""
    package, *screens = sampling_policy_in_force(store.publication.as_of).options(Cell(category, market))
    names = store.snapshot.feature_names
    (values,) = store.snapshot.matrix_at(np.array([position]))
    passed = store.scorer.probabilities(_features_after_pass(store, names, values)[None, :]).p_fail
    return NextTest(package, tuple(screens), float(passed[0]))


def _features_after_pass(store: OnlineStore, names: Sequence[str], values: Floats) -> Floats:
    """The feature values after one more independent test of the SKU that passed."""
    changed, column = values.copy(), {name: number for number, name in enumerate(names)}
    for entity, prior in PRIOR_NAMES.items():
        mean, strength = store.prior(prior)
        tests = np.nan_to_num(values[column[f"{entity}_tests"]])
        rate = values[column[f"{entity}_fail_rate"]]
        rate = mean if np.isnan(rate) else rate
        changed[column[f"{entity}_tests"]] = tests + 1
        changed[column[f"{entity}_fail_rate"]] = rate * (tests + strength) / (tests + strength + 1)
        changed[column[f"{entity}_days_since_test"]] = 0.0
    return changed


router = APIRouter()

MOST_QUOTES = 5


@dataclass(frozen=True)
class DisplayedQuote:
    """A sentence of a review, and the label that officers gave it, None where there is none."""

    quote: ReviewQuote
    label: str | None


@dataclass(frozen=True)
class SkuView:
    """The content of the page besides the case; `markets` are the other markets where the SKU is listed."""

    entry: QueueEntry
    dossier: Dossier
    confidence: ScoreConfidence
    reasons: SkuReasons
    quotes: tuple[DisplayedQuote, ...]
    timeline: Timeline
    peers: tuple[Peer, ...]
    siblings: Siblings
    change: ScoreChange | None
    changes: tuple[Counterfactual, ...]
    test: NextTest
    unknowns: tuple[str, ...]
    markets: tuple[str, ...]
    recommendation: str
    risk_level: str
    trust: TrustPanel

    @property
    def prediction(self) -> str:
        """The score as a sentence."""
        return prediction(self.entry.p_fail)

    @property
    def outcomes(self) -> str:
        """What either result of the next test would change."""
        return outcome_sentence(self.test, self.entry.p_fail)

    @property
    def actions_due(self) -> str:
        """How many corrective actions are open, and until when."""
        return open_actions_sentence(self.open_actions)

    @property
    def documents(self) -> tuple[DisplayedDocument, ...]:
        """The newest status of each document."""
        return displayed_documents(self.dossier)

    @property
    def mentions(self) -> tuple[int, int] | None:
        """Numbers of reviews with a hazard and of all reviews in the timeline; None where none was analysed."""
        months = [(month.hazard_mentions, month.reviews) for month in self.dossier.months]
        known = [(mentions, reviews) for mentions, reviews in months if mentions is not None]
        return (sum(each[0] for each in known), sum(each[1] for each in known)) if known else None

    @property
    def last_audit(self) -> Audit | None:
        """The newest audit of the supplier."""
        return self.dossier.audits[0] if self.dossier.audits else None

    @property
    def open_actions(self) -> tuple[Remediation, ...]:
        """The supplier's corrective actions that are not verified."""
        return tuple(each for each in self.dossier.remediations if each.verified_on is None)

    @property
    def last_action_due(self) -> date | None:
        """The last day on which one of these is due."""
        return max((each.due_on for each in self.open_actions if each.due_on), default=None)


@router.get("/sku/{market}/{sku_id:path}")
def sku(request: Request, context: ContextDep, person: CurrentPerson, market: str, sku_id: str) -> Response:
    """The page of a SKU; redirects to the own estimate where one is due."""
    case = case_view(context, person, sku_id, market)
    if case.estimate_due:
        return RedirectResponse(address(request, "/decide?" + urlencode(case.query)), 303)
    return page(
        request, "sku.html", case=case, summary=summarize_case(case), it=_sku_view(context, person, case),
        policy=case.policy, refused=None,
        fields={}, width=WIDTH, height=HEIGHT, tracks=TRACKS, total=len(context.store.queue),
        today=case.today, public=public_address(request, "/p/"),
    )  # fmt: skip


def _sku_view(context: AppContext, person: Person, case: CaseView) -> SkuView:
    store, listing = context.store, case.listing
    position = int(store.snapshot.find([listing.sku_id], [listing.market])[0])
    (row,) = store.snapshot.matrix_at(np.array([position]))
    names = store.snapshot.feature_names
    values: Mapping[str, float] = dict(zip(names, row.tolist(), strict=True))
    dossier = dossier_of(context, listing.sku_id, listing.market)
    return SkuView(
        entry=store.queue.entries(store.queue.numbers_of(np.array([position])))[0], dossier=dossier,
        confidence=score_confidence(case.score, values), reasons=reasons_of(store, position, listing.category),
        quotes=_quotes(context, dossier), timeline=timeline_of(dossier, usual_returns(store, listing.category)),
        peers=peers_of(store, position, listing.category),
        siblings=siblings_of(
            store, position, listing.factory_id, blind_scores(context, store, person)
        ),
        change=score_change(store, context.settings.workspace, position),
        changes=_effective_steps(
            find_counterfactuals(store.scorer, names, row, steps_in_force(case.score.as_of)), case.score.p_fail
        ),
        test=next_test(store, position, listing.category, listing.market),
        unknowns=unknowns_of(dossier, values, store.metrics),
        markets=_other_markets(store, listing.sku_id, listing.market),
        recommendation=recommendation(case.file.score.band_action, case.grounds, bool(case.state.restrictions)),
        risk_level=risk_level_sentence(case.score),
        trust=trust_panel(context, person, SkuKey(listing.sku_id, listing.market)),
    )  # fmt: skip


def _effective_steps(steps: Sequence[Counterfactual], p_fail: float) -> tuple[Counterfactual, ...]:
    """The steps that would lower `p_fail` by one point or more; all together only with several of them."""
    effective = tuple(step for step in steps if p_fail - step.p_fail >= 0.01)
    single = tuple(step for step in effective if step.step != ALL_STEPS)
    return effective if len(single) > 1 else single


def _quotes(context: AppContext, dossier: Dossier) -> tuple[DisplayedQuote, ...]:
    """The likeliest quotes, at most one of a review, with their labels."""
    labels = labels_of(context.engine, dossier.listing.sku_id, dossier.listing.market)
    first: dict[str, ReviewQuote] = {}
    for quote in sorted(dossier.quotes, key=lambda each: (-each.probability, -each.severity)):
        first.setdefault(quote.review_id, quote)
    return tuple(
        DisplayedQuote(quote, labels.get((quote.review_id, quote.hazard, quote.sentence)))
        for quote in list(first.values())[:MOST_QUOTES]
    )


def _other_markets(store: OnlineStore, sku_id: str, market: str) -> tuple[str, ...]:
    markets = store.queue.markets
    positions = find_positions(store, [SkuKey(sku_id, each) for each in markets])
    return tuple(each for each, at in zip(markets, positions, strict=True) if at >= 0 and each != market)
