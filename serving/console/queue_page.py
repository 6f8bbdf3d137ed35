"""The queue: which SKUs to look at first, why, and what is known of them."""

from collections.abc import Iterator
from dataclasses import replace

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from serving.console.house import House
from serving.console.pages import page
from serving.console.queue_export import exported
from serving.console.queue_filter import ESTIMATE, EVIDENCE, SORTED, VIEWS, QueueFilter, read_filter
from serving.console.queue_lines import Lines
from serving.console.queue_views import among
from serving.console.session import AnyHouse, Person, SignedIn, signed_in
from serving.console.veil import Veil, flagged_bands, veil_of
from serving.decisions.own_estimate import ESTIMATORS
from serving.published import Published
from serving.queue.reading import Numbers

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROWS_PER_PAGE = 50


@router.get("/")
def queue(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The list that the address asks for."""
    published = house.desk.published()
    asked = read_filter(request.query_params)
    numbers, veil = _found(house, published, person, asked)
    pages = max(-(-len(numbers) // ROWS_PER_PAGE), 1)
    asked = replace(asked, number=min(asked.number, pages))
    start = (asked.number - 1) * ROWS_PER_PAGE
    lines = Lines(house, published, veil).of(numbers[start : start + ROWS_PER_PAGE])
    return page(
        request, "queue.html", lines=lines, asked=asked, count=len(numbers), pages=pages, first=start + 1,
        views={name: words for name, words in VIEWS.items() if name != ESTIMATE or person.role in ESTIMATORS},
        to_estimate=len(veil.asked), sorts=SORTED, kinds=EVIDENCE, store=published.queue, today=house.now().date(),
    )  # fmt: skip


@router.get("/queue.csv")
def export(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The whole list that the address asks for, as CSV."""
    published = house.desk.published()
    numbers, veil = _found(house, published, person, read_filter(request.query_params))
    name = f"queue-{published.publication.as_of}.csv"
    rows: Iterator[str] = exported(published.publication, Lines(house, published, veil), numbers)
    return StreamingResponse(
        rows, media_type="text/csv; charset=utf-8", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _found(house: House, published: Published, person: Person, asked: QueueFilter) -> tuple[Numbers, Veil]:
    store, flagged = published.queue, flagged_bands(published)
    veil = veil_of(house, published, person, flagged)
    wanted = asked.wanted(store.bands, flagged)
    places = among(asked.view, house, published, (person, veil))
    return store.find(replace(wanted, among=places, veiled=veil.veiled)), veil
