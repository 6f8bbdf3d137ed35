"""The queue: which SKUs to look at first, why, and what is known of them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import QueryParams

from features.registry import BY_NAME
from models.reasons import brief_of, fact_of
from serving.console.blinding import BlindedScores, blind_scores, flagged_bands
from serving.console.context import AppContext
from serving.console.pages.queue_views import Deadlines, among
from serving.console.session import AnyHouse, Person, SignedIn, signed_in
from serving.console.templating import inert, page
from serving.decisions.assignment_and_labels import owners
from serving.decisions.blind_assessment import ESTIMATORS
from serving.decisions.deadlines import Due
from serving.online.store import OnlineStore
from serving.publication import Publication
from serving.review_queue.format import SORTS, QueueEvidence, QueueQuery
from serving.review_queue.reader import Numbers, QueueEntry

ESTIMATE = "estimate"
VIEWS: Mapping[str, str] = MappingProxyType({
    "flagged": "Flagged", "mine": "Mine", ESTIMATE: "Your estimate first", "due": "Due today",
    "new": "New since yesterday", "random": "Random stratum",
    "disagree": "Model and officer disagree", "all": "Whole catalogue",
})  # fmt: skip
"""The saved views by name."""

SORTED: Mapping[str, str] = MappingProxyType({
    "risk": "Highest predicted risk", "harm": "Most failing units expected", "units": "Most units sold",
    "tested": "Longest without a test", "sku": "SKU",
})  # fmt: skip

EVIDENCE: Mapping[str, tuple[QueueEvidence, str]] = MappingProxyType(
    {
        "failed": (QueueEvidence.FAILED, "failed a test"),
        "passed": (QueueEvidence.PASSED, "passed every test"),
        "certificate": (QueueEvidence.CERTIFICATE, "certificate refuted"),
        "returns": (QueueEvidence.RETURNS, "safety returns"),
        "reviews": (QueueEvidence.REVIEWS, "hazard in reviews"),
        "hold": (QueueEvidence.HOLD, "held by an authority"),
        "incident": (QueueEvidence.INCIDENT, "incident reported"),
    }
)
NEVER = "never"
LONGEST_SEARCH = 200
MOST_WORDS = 8
LARGEST_PAGE = 1_000_000


@dataclass(frozen=True)
class QueueFilter:
    """What somebody asked of the queue, as the address says it; unknown names ask for nothing."""

    view: str = "flagged"
    search: str = ""
    band: str = ""
    market: str = ""
    category: str = ""
    supplier: str = ""
    evidence: str = ""
    sort: str = "risk"
    number: int = 1

    @property
    def query(self) -> str:
        """The query of its address, without what asks for nothing."""
        plain = QueueFilter()
        named = {"q": "search", "page": "number"} | {name: name for name in _NAMES}
        told = {key: getattr(self, name) for key, name in named.items() if getattr(self, name) != getattr(plain, name)}
        return urlencode(told)

    def turned(self, number: int) -> str:
        """The query of another page of the same list."""
        return replace(self, number=number).query

    def seen_as(self, view: str) -> str:
        """The query of a saved view."""
        return QueueFilter(view=view).query

    def wanted(self, bands: Sequence[str], flagged: Sequence[str]) -> QueueQuery:
        """What the queue on disk is asked for; `flagged` are the bands that ask for a test."""
        asked = QueueEvidence(0)
        if self.evidence in EVIDENCE:
            asked |= EVIDENCE[self.evidence][0]
        if self.view == "new":
            asked |= QueueEvidence.NEW
        chosen = (self.band,) if self.band in bands else tuple(flagged) if self.view == "flagged" else ()
        words = tuple(self.search.split()[:MOST_WORDS])
        if self.view == "flagged" and (words or self.supplier) and self.band not in bands:
            chosen = ()
        return QueueQuery(
            bands=chosen, markets=(self.market,) if self.market else (),
            categories=(self.category,) if self.category else (), supplier=self.supplier, words=words,
            evidence=asked, never_tested=self.evidence == NEVER, sort=self.sort,
        )  # fmt: skip


_NAMES = ("view", "band", "market", "category", "supplier", "evidence", "sort")


def read_filter(asked: QueryParams) -> QueueFilter:
    """The filter of an address."""
    told = {name: asked.get(name, "")[:LONGEST_SEARCH].strip() for name in _NAMES}
    number = asked.get("page", "1")
    return QueueFilter(
        **{**told, "view": told["view"] if told["view"] in VIEWS else "flagged",
           "sort": told["sort"] if told["sort"] in SORTS else "risk"},
        search=asked.get("q", "")[:LONGEST_SEARCH].strip(),
        number=min(max(int(number), 1), LARGEST_PAGE) if number.isascii() and number.isdigit() else 1,
    )  # fmt: skip


RAISES_NOTHING = "No single fact raises it"


@dataclass(frozen=True)
class QueueLine:
    """A SKU, whose case it is, until when.

    `veiled`: the person gives an own estimate before they see the score, and `entry` tells nothing of it.
    """

    entry: QueueEntry
    veiled: bool
    owner: str | None
    due: Due | None

    @property
    def brief(self) -> str:
        """The main reason as one short line; empty where it must not show."""
        if self.veiled:
            return ""
        name = self.entry.reason
        return RAISES_NOTHING if name is None else brief_of(BY_NAME[name], self.entry.reason_value)

    @property
    def reason(self) -> str:
        """The main reason as a sentence; empty where it must not show."""
        if self.veiled:
            return ""
        name = self.entry.reason
        return f"{RAISES_NOTHING}." if name is None else fact_of(BY_NAME[name], self.entry.reason_value)


class QueueLines:
    """The lines of one publication for one person; asks the state once, for all owners and decisions."""

    def __init__(self, house: AppContext, published: OnlineStore, veil: BlindedScores) -> None:
        self._store, self._veil = published.queue, veil
        self._owners, self._deadlines = owners(house.engine), Deadlines(house, published)

    def of(self, numbers: Numbers) -> Sequence[QueueLine]:
        """One line per number, in their order."""
        return [
            QueueLine(
                self._veil.over(entry), self._veil.hides(entry), self._owners.get((entry.sku_id, entry.market)), due
            )
            for entry, due in zip(self._store.entries(numbers), self._deadlines.of(numbers), strict=True)
        ]  # fmt: skip


ROWS_PER_PIECE = 2_000
COLUMNS = (
    "rank", "sku_id", "market", "title", "supplier_id", "category", "band", "p_fail", "p_low", "p_high", "main_reason",
    "units_90", "days_since_test", "evidence", "owner", "due_on", "due_why", "own_estimate_first", "as_of",
    "model_version", "feature_version", "policy_version",
)  # fmt: skip


def exported(scored: Publication, lines: QueueLines, numbers: Numbers) -> Iterator[str]:
    """The header, then the SKUs in pieces; every row carries the day and the versions it was scored with."""
    versions = (scored.as_of.isoformat(), scored.model_version, scored.feature_version, scored.policy_version)
    yield "\ufeff" + _written([COLUMNS])
    for start in range(0, len(numbers), ROWS_PER_PIECE):
        piece = lines.of(numbers[start : start + ROWS_PER_PIECE])
        yield _written([[inert(value) for value in (*_told(line), *versions)] for line in piece])


def _told(line: QueueLine) -> tuple[object, ...]:
    entry, due = line.entry, line.due
    known = "; ".join(words for kind, words in EVIDENCE.values() if entry.evidence & kind)
    score = ("",) * 3 if line.veiled else tuple(f"{each:.4f}" for each in (entry.p_fail, entry.p_low, entry.p_high))
    return (
        "" if line.veiled else entry.rank, entry.sku_id, entry.market, entry.title, entry.supplier_id, entry.category,
        entry.band, *score, line.reason, entry.units_90, entry.days_since_test, known, line.owner,
        due.on.isoformat() if due else None, due.why if due else None, "yes" if line.veiled else "no",
    )  # fmt: skip


def _written(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROWS_PER_PAGE = 50


@router.get("/")
def queue(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The list that the address asks for."""
    published = house.desk.store()
    asked = read_filter(request.query_params)
    numbers, veil = _found(house, published, person, asked)
    pages = max(-(-len(numbers) // ROWS_PER_PAGE), 1)
    asked = replace(asked, number=min(asked.number, pages))
    start = (asked.number - 1) * ROWS_PER_PAGE
    lines = QueueLines(house, published, veil).of(numbers[start : start + ROWS_PER_PAGE])
    return page(
        request, "queue.html", lines=lines, asked=asked, count=len(numbers), pages=pages, first=start + 1,
        views={name: words for name, words in VIEWS.items() if name != ESTIMATE or person.role in ESTIMATORS},
        to_estimate=len(veil.asked), sorts=SORTED, kinds=EVIDENCE, store=published.queue, today=house.now().date(),
    )  # fmt: skip


@router.get("/queue.csv")
def export(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The whole list that the address asks for, as CSV."""
    published = house.desk.store()
    numbers, veil = _found(house, published, person, read_filter(request.query_params))
    name = f"queue-{published.publication.as_of}.csv"
    rows: Iterator[str] = exported(published.publication, QueueLines(house, published, veil), numbers)
    return StreamingResponse(
        rows, media_type="text/csv; charset=utf-8", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _found(
    house: AppContext, published: OnlineStore, person: Person, asked: QueueFilter
) -> tuple[Numbers, BlindedScores]:
    store, flagged = published.queue, flagged_bands(published)
    veil = blind_scores(house, published, person, flagged)
    wanted = asked.wanted(store.bands, flagged)
    places = among(asked.view, house, published, (person, veil))
    return store.find(replace(wanted, among=places, blinded=veil.veiled)), veil
