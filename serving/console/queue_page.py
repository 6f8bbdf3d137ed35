"""The queue: which SKUs to look at first, why, and what is known of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from features.catalogue import BY_NAME
from models.phrases import fact_of
from models.policy import bands_in_force
from serving.answers import ScoreRow
from serving.console.house import House
from serving.console.pages import page
from serving.console.queue_export import exported
from serving.console.queue_filter import EVIDENCE, SORTED, VIEWS, QueueFilter, read_filter
from serving.console.queue_views import among, deadlines
from serving.console.session import AnyHouse, Person, SignedIn, signed_in
from serving.decisions.clock import Due
from serving.decisions.owners import owners
from serving.published import Published
from serving.queue.reading import Entry, Numbers
from serving.queue.shape import Evidence

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROWS_PER_PAGE = 50
RAISES_NOTHING = "No single feature raises it."
_CLOCKED = Evidence.HOLD | Evidence.INCIDENT


@dataclass(frozen=True)
class Line:
    """One line of the queue: what the store says of the SKU, its score, its main reason, whose it is, until when."""

    entry: Entry
    score: ScoreRow
    reason: str
    owner: str | None
    due: Due | None


@router.get("/")
def queue(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The list that the address asks for."""
    published = house.desk.published()
    asked = read_filter(request.query_params)
    numbers = _found(house, published, person, asked)
    pages = max(-(-len(numbers) // ROWS_PER_PAGE), 1)
    asked = replace(asked, number=min(asked.number, pages))
    start = (asked.number - 1) * ROWS_PER_PAGE
    return page(
        request, "queue.html", lines=_lines(house, published, numbers[start : start + ROWS_PER_PAGE]), asked=asked,
        count=len(numbers), pages=pages, first=start + 1, views=VIEWS, sorts=SORTED, kinds=EVIDENCE,
        store=published.queue, today=house.now().date(),
    )  # fmt: skip


@router.get("/queue.csv")
def export(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The whole list that the address asks for, as CSV."""
    published = house.desk.published()
    numbers = _found(house, published, person, read_filter(request.query_params))
    name = f"queue-{published.publication.as_of}.csv"
    lines: Iterator[str] = exported(published, numbers)
    return StreamingResponse(
        lines, media_type="text/csv; charset=utf-8", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def flagged_bands(published: Published) -> tuple[str, ...]:
    """The bands that ask for a test."""
    bands = bands_in_force(published.publication.as_of)
    asked = zip(bands.names, bands.actions, strict=True)
    return tuple(name for name, action in asked if action in ("test", "priority_test"))


def _found(house: House, published: Published, person: Person, asked: QueueFilter) -> Numbers:
    store = published.queue
    wanted = asked.wanted(store.bands, flagged_bands(published))
    return store.find(replace(wanted, among=among(asked.view, house, published, person)))


def _lines(house: House, published: Published, numbers: Numbers) -> list[Line]:
    entries = published.queue.entries(numbers)
    scores = published.rows_at(np.array([entry.position for entry in entries], dtype=np.int64))
    theirs = owners(house.engine) if entries else {}
    running = deadlines(house, published, [entry.position for entry in entries if entry.evidence & _CLOCKED])
    return [
        Line(entry, score, _main_reason(score), theirs.get((entry.sku_id, entry.market)), running.get(entry.position))
        for entry, score in zip(entries, scores, strict=True)
    ]


def _main_reason(score: ScoreRow) -> str:
    """The fact behind the strongest reason that raises the score."""
    raising: Sequence[str] = [
        fact_of(BY_NAME[reason.feature], float("nan") if reason.value is None else reason.value)
        for reason in score.reasons or ()
        if reason.contribution > 0
    ]
    return raising[0] if raising else RAISES_NOTHING
