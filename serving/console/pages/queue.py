"""The queue page: the filter in its address, its rows, its CSV export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from starlette.datastructures import QueryParams

from data.visible_text import escape_formula
from models.reasons import FactWords, RowContext
from serving.console.blinding import BlindedScores, blind_scores, flagged_bands
from serving.console.case import catalogue_cases_of
from serving.console.context import AppContext
from serving.console.pages.queue_views import IN_GIVEN_ORDER, view_positions
from serving.console.pages.sku_documents import refuted_documents
from serving.console.session import ContextDep, CurrentPerson, Person
from serving.console.templating import page
from serving.decisions.assignment_and_labels import owners
from serving.decisions.blind_assessment import ESTIMATORS
from serving.decisions.deadlines import ActionDeadline
from serving.decisions.records import SkuKey
from serving.html.csv_text import csv_text
from serving.online.store import OnlineStore
from serving.publication import Publication
from serving.review_queue.format import SORTS, QueueEvidence, QueueQuery
from serving.review_queue.reader import Numbers, QueueEntry

ESTIMATE = "estimate"
VIEWS: Mapping[str, str] = MappingProxyType({
    "failed": "Failed and still on sale", "due": "Due", "mine": "Mine", ESTIMATE: "Your estimate first",
    "flagged": "Flagged", "decided": "Decided", "new": "Newly flagged", "random": "Random checks",
    "disagree": "Decided against the score", "all": "Whole catalogue",
})  # fmt: skip
"""The saved views by name."""

DEFAULT_SORT = "level"
"""The order where none is chosen; views in IN_GIVEN_ORDER, of facts and deadlines, come by the day they are due.

The risk level comes before p_fail, since it holds p_fail and what a failure would do; where no level is known, all are
equal and the order is that of p_fail.
"""

SORT_LABELS: Mapping[str, str] = MappingProxyType({
    "level": "Highest risk level", "risk": "Highest predicted risk",
    "harm": "Most failing units expected", "units": "Most units sold",
    "tested": "Longest without a test", "sku": "SKU",
})  # fmt: skip

EVIDENCE: Mapping[str, tuple[QueueEvidence, str]] = MappingProxyType(
    {
        "failed": (QueueEvidence.FAILED, "failed a test"),
        "passed": (QueueEvidence.PASSED, "passed every test"),
        "certificate": (QueueEvidence.CERTIFICATE, "document refuted (denied, withdrawn or out of scope)"),
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
    """The filter of the queue in an address; unknown values filter nothing."""

    view: str = "flagged"
    search: str = ""
    band: str = ""
    market: str = ""
    category: str = ""
    supplier: str = ""
    evidence: str = ""
    sort: str = DEFAULT_SORT
    page_number: int = 1

    @property
    def query(self) -> str:
        """The query string of its address, without defaults."""
        default = QueueFilter()
        fields = {"q": "search", "page": "page_number"} | {name: name for name in _NAMES}
        changed = {key: name for key, name in fields.items() if getattr(self, name) != getattr(default, name)}
        return urlencode({key: getattr(self, name) for key, name in changed.items()})

    def page_query(self, number: int) -> str:
        """The query string of another page of the same list."""
        return replace(self, page_number=number).query

    def view_query(self, view: str) -> str:
        """The query string of a saved view."""
        return QueueFilter(view=view).query

    def to_queue_query(self, bands: Sequence[str], flagged: Sequence[str]) -> QueueQuery:
        """The query of the queue on disk; `flagged` are the bands to test."""
        evidence = QueueEvidence(0)
        if self.evidence in EVIDENCE:
            evidence |= EVIDENCE[self.evidence][0]
        if self.view == "new":
            evidence |= QueueEvidence.NEW
        bands_wanted = (self.band,) if self.band in bands else tuple(flagged) if self.view == "flagged" else ()
        words = tuple(self.search.split()[:MOST_WORDS])
        if self.view == "flagged" and (words or self.supplier) and self.band not in bands:
            bands_wanted = ()
        return QueueQuery(
            bands=bands_wanted, markets=(self.market,) if self.market else (),
            categories=(self.category,) if self.category else (), supplier=self.supplier, words=words,
            evidence=evidence, never_tested=self.evidence == NEVER, sort=self.sort,
        )  # fmt: skip

    @property
    def leaves_out_decided(self) -> bool:
        """Whether SKUs that are restricted, or decided since their scoring, are left out: not where one is searched."""
        return self.view == "flagged" and not (self.search or self.supplier)


_NAMES = ("view", "band", "market", "category", "supplier", "evidence", "sort")


def read_filter(params: QueryParams) -> QueueFilter:
    """Read the filter from the parameters of an address."""
    values = {name: params.get(name, "")[:LONGEST_SEARCH].strip() for name in _NAMES}
    number = params.get("page", "1")
    return QueueFilter(
        **{**values, "view": values["view"] if values["view"] in VIEWS else "flagged",
           "sort": values["sort"] if values["sort"] in SORTS else DEFAULT_SORT},
        search=params.get("q", "")[:LONGEST_SEARCH].strip(),
        page_number=min(max(int(number), 1), LARGEST_PAGE) if number.isascii() and number.isdigit() else 1,
    )  # fmt: skip


NO_REASON = FactWords("No single fact raises it.", "No single fact raises it")


@dataclass(frozen=True)
class QueueRow:
    """A row of the queue: SKU, owner of its case, deadline.

    `is_blinded`: the person gives an own estimate before they see the score, and `entry` lacks all that depends on it.
    `words` are those of the main reason, None where it is hidden. `refuted` says how documents of the SKU were refuted.
    """

    entry: QueueEntry
    is_blinded: bool
    owner: str | None
    deadline: ActionDeadline | None
    words: FactWords | None
    refuted: str

    @property
    def brief(self) -> str:
        """The main reason in a few words; empty where it is hidden."""
        return "" if self.words is None else self.words.brief

    @property
    def reason(self) -> str:
        """The main reason as a sentence; empty where it is hidden."""
        return "" if self.words is None else self.words.fact


class QueueRows:
    """Makes the rows of one publication for one person; reads owners and decisions from the database once."""

    def __init__(self, context: AppContext, store: OnlineStore, blinding: BlindedScores) -> None:
        self._store, self._queue, self._blinding = store, store.queue, blinding
        self._owners, self._cases = owners(context.engine), catalogue_cases_of(context, store)

    def rows(self, numbers: Numbers) -> Sequence[QueueRow]:
        """One row per number, in their order."""
        entries = self._queue.entries(numbers)
        words = self._main_reasons(entries, self._queue.positions(numbers))
        deadlines = self._cases.first_deadlines([each.position for each in entries])
        return [
            QueueRow(
                self._blinding.redact(entry), self._blinding.is_hidden(entry),
                self._owners.get(SkuKey(entry.sku_id, entry.market)), deadline, main,
                refuted_documents(self._store, entry),
            )
            for entry, main, deadline in zip(entries, words, deadlines, strict=True)
        ]  # fmt: skip

    def _main_reasons(self, entries: Sequence[QueueEntry], positions: NDArray[np.int64]) -> Iterator[FactWords | None]:
        """The words of the first raising reason of each SKU, as on its own page; None where it is hidden."""
        values, writer = self._store.snapshot.matrix_at(positions), self._store.reason_writer
        contributions = self._store.scorer.score(values).contributions
        for entry, row, of_row in zip(entries, values, contributions, strict=True):
            if self._blinding.is_hidden(entry):
                yield None
            else:
                yield writer.main_reason(RowContext(entry.category, 0.0, row), of_row) or NO_REASON


ROWS_PER_PIECE = 2_000
COLUMNS = (
    "rank", "sku_id", "market", "title", "supplier_id", "category", "band", "p_fail", "p_low", "p_high", "hazard",
    "hazard_share", "risk_level", "main_reason",
    "units_90", "days_since_test", "evidence", "owner", "due_on", "due_why", "own_estimate_first", "as_of",
    "model_version", "feature_version", "policy_version",
)  # fmt: skip


def csv_export(publication: Publication, rows: QueueRows, numbers: Numbers) -> Iterator[str]:
    """Yield the queue as CSV, `ROWS_PER_PIECE` rows at a time, each with day and versions of its score."""
    versions = (
        publication.as_of.isoformat(), publication.model_version, publication.feature_version,
        publication.policy_version,
    )  # fmt: skip
    yield "\ufeff" + csv_text([COLUMNS])
    for start in range(0, len(numbers), ROWS_PER_PIECE):
        piece = rows.rows(numbers[start : start + ROWS_PER_PIECE])
        yield csv_text([escape_formula(value) for value in (*_csv_row(row), *versions)] for row in piece)


def _csv_row(row: QueueRow) -> tuple[object, ...]:
    entry, deadline = row.entry, row.deadline
    known = dict(EVIDENCE.values()) | {QueueEvidence.CERTIFICATE: row.refuted}
    evidence = "; ".join(words for kind, words in known.items() if entry.evidence & kind)
    share = None if entry.hazard_share is None else f"{entry.hazard_share:.4f}"
    score = ("",) * 3 if row.is_blinded else tuple(f"{each:.4f}" for each in (entry.p_fail, entry.p_low, entry.p_high))
    return (
        "" if row.is_blinded else entry.rank, entry.sku_id, entry.market, entry.title, entry.supplier_id,
        entry.category, entry.band, *score, entry.hazard, share, entry.risk_level, row.reason,
        entry.units_90, entry.days_since_test, evidence, row.owner,
        deadline.on.isoformat() if deadline else None, deadline.why if deadline else None,
        "yes" if row.is_blinded else "no",
    )  # fmt: skip


router = APIRouter()

ROWS_PER_PAGE = 50


@router.get("/")
def queue(request: Request, context: ContextDep, person: CurrentPerson) -> Response:
    """A page of the list."""
    store = context.store
    query = read_filter(request.query_params)
    numbers, blinding = _find_rows(context, store, person, query)
    pages = max(-(-len(numbers) // ROWS_PER_PAGE), 1)
    query = replace(query, page_number=min(query.page_number, pages))
    start = (query.page_number - 1) * ROWS_PER_PAGE
    rows = QueueRows(context, store, blinding).rows(numbers[start : start + ROWS_PER_PAGE])
    return page(
        request, "queue.html", rows=rows, query=query, count=len(numbers), pages=pages, first=start + 1,
        views={name: words for name, words in VIEWS.items() if name != ESTIMATE or person.role in ESTIMATORS},
        to_estimate=len(blinding.to_estimate), sorts=SORT_LABELS, default_sort=DEFAULT_SORT, kinds=EVIDENCE,
        queue=store.queue, today=context.now().date(),
    )  # fmt: skip


@router.get("/queue.csv")
def export(request: Request, context: ContextDep, person: CurrentPerson) -> Response:
    """The whole list as CSV."""
    store = context.store
    numbers, blinding = _find_rows(context, store, person, read_filter(request.query_params))
    text = csv_export(store.publication, QueueRows(context, store, blinding), numbers)
    name = f"queue-{store.publication.as_of}.csv"
    return StreamingResponse(
        text, media_type="text/csv; charset=utf-8", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _find_rows(
    context: AppContext, store: OnlineStore, person: Person, query: QueueFilter
) -> tuple[Numbers, BlindedScores]:
    blinding = blind_scores(context, store, person)
    positions = view_positions(query.view, context, store, person, blinding)
    queue_query = query.to_queue_query(store.queue.bands, flagged_bands(store))
    if query.leaves_out_decided:
        cases = catalogue_cases_of(context, store)
        positions = np.flatnonzero(~(cases.decided | cases.restricted))
    numbers = store.queue.find(replace(queue_query, among=positions, blinded=blinding.hidden))
    if query.view in IN_GIVEN_ORDER and positions is not None and query.sort == DEFAULT_SORT:
        place = np.full(len(store.queue), len(positions))
        place[positions] = np.arange(len(positions))
        numbers = numbers[np.argsort(place[store.queue.positions(numbers)], kind="stable")]
    return numbers, blinding
