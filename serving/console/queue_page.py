"""The queue: which SKUs to look at first."""

from fastapi import APIRouter, Depends, Request, Response

from serving.console.pages import page
from serving.console.session import AnyHouse, signed_in

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])


@router.get("/")
def queue(request: Request, house: AnyHouse) -> Response:
    """The riskiest SKUs."""
    return page(request, "queue.html", rows=house.desk.published().riskiest(50))
