"""One SKU: how likely it fails and how sure that is, what is known, why, what would change it, and the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from serving.console.casework import Casework, casework
from serving.console.house import House
from serving.console.knowledge import Knowledge, knowledge_of, unknowns_of
from serving.console.next_test import NextTest, next_test
from serving.console.pages import address, page
from serving.console.session import AnyHouse, Person, SignedIn, signed_in
from serving.console.sku_change import ScoreChange, score_change
from serving.console.sku_peers import Peer, peers_of
from serving.console.sku_reasons import SkuReasons, reasons_of
from serving.console.sku_siblings import Siblings, siblings_of
from serving.console.sku_timeline import HEIGHT, TRACKS, WIDTH, Timeline, timeline_of, usual_returns
from serving.console.veil import flagged_bands, veil_of
from serving.decisions.verdicts import verdicts_of
from serving.dossiers.dossier import Audit, Certificate, Dossier, Quote, Remediation
from serving.explanation.advice import TOGETHER, Change, changes, steps_in_force
from serving.published import Published
from serving.queue.reading import Entry

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

MOST_QUOTES = 5


@dataclass(frozen=True)
class Portrait:
    """All that the page tells of a SKU beside its case; `markets` are the other markets where it is listed."""

    entry: Entry
    dossier: Dossier
    knowledge: Knowledge
    reasons: SkuReasons
    quotes: tuple[tuple[Quote, str | None], ...]
    timeline: Timeline
    peers: tuple[Peer, ...]
    siblings: Siblings
    change: ScoreChange | None
    changes: tuple[Change, ...]
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
    work = casework(house, person, sku_id, market)
    if work.estimate_due:
        return RedirectResponse(address(request, "/decide?" + urlencode(work.query)), 303)
    portrait = _portrait(house, person, work)
    return page(
        request, "sku.html", work=work, it=portrait, policy=work.policy, refused=None, kept={}, width=WIDTH,
        height=HEIGHT, tracks=TRACKS, total=len(house.desk.published().queue), today=house.now().date(),
    )  # fmt: skip


def _portrait(house: House, person: Person, work: Casework) -> Portrait:
    published, listing = house.desk.published(), work.listing
    position = int(published.snapshot.find([listing.sku_id], [listing.market])[0])
    (row,) = published.snapshot.matrix_at(np.array([position]))
    names = published.snapshot.feature_names
    values: Mapping[str, float] = dict(zip(names, row.tolist(), strict=True))
    dossier = published.dossiers.of(position)
    return Portrait(
        entry=published.queue.entries(published.queue.numbers_of(np.array([position])))[0], dossier=dossier,
        knowledge=knowledge_of(work.score, values), reasons=reasons_of(published, position, listing.category),
        quotes=_quotes(house, dossier), timeline=timeline_of(dossier, usual_returns(published, listing.category)),
        peers=peers_of(published, position, listing.category),
        siblings=siblings_of(
            published, position, listing.factory_id, veil_of(house, published, person, flagged_bands(published))
        ),
        change=score_change(published, house.settings.workspace, position),
        changes=_telling(changes(published.assessor, names, row, steps_in_force(work.score.as_of)), work.score.p_fail),
        test=next_test(published, position, (listing.category, listing.market)),
        unknowns=unknowns_of(dossier, values, published.metrics),
        markets=_other_markets(published, published.queue.markets, listing.sku_id, listing.market),
    )  # fmt: skip


def _telling(steps: Sequence[Change], p_fail: float) -> tuple[Change, ...]:
    """The steps that would lower the predicted rate by a whole point at least; their sum only beside several."""
    told = [step for step in steps if p_fail - step.p_fail >= 0.01]
    single = tuple(step for step in told if step.step != TOGETHER)
    return tuple(told) if len(single) > 1 else single


def _quotes(house: House, dossier: Dossier) -> tuple[tuple[Quote, str | None], ...]:
    """The likeliest quotes, one of a review, each with the verdict that officers gave it."""
    given = verdicts_of(house.engine, dossier.listing.sku_id, dossier.listing.market)
    first: dict[str, Quote] = {}
    for quote in sorted(dossier.quotes, key=lambda each: (-each.probability, -each.severity)):
        first.setdefault(quote.review_id, quote)
    told = list(first.values())[:MOST_QUOTES]
    return tuple((quote, given.get((quote.review_id, quote.hazard, quote.sentence))) for quote in told)


def _other_markets(published: Published, markets: Sequence[str], sku_id: str, market: str) -> tuple[str, ...]:
    found = published.snapshot.find([sku_id] * len(markets), markets)
    return tuple(name for name, place in zip(markets, found, strict=True) if place >= 0 and name != market)
