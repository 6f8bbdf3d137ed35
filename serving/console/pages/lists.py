"""The page of a list with a promise: untested SKUs that would fail, or pass, and an order of their tests."""

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Annotated
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from data.errors import UserError
from sampling.estimation.round_data import Domain
from sampling.selected_lists import (
    FAILS,
    Goal,
    ListRequest,
    SelectedList,
    SelectionPolicy,
    select_list,
    selection_policy_in_force,
)
from serving.console.blinding import blinded_keys, find_positions
from serving.console.case import catalogue_cases_of
from serving.console.context import AppContext
from serving.console.session import ContextDep, CurrentPerson, Person
from serving.console.templating import page
from serving.decisions.records import SkuKey
from serving.html.csv_text import csv_rows

router = APIRouter()

ROWS_PER_PAGE = 100
NO_LONGER_LISTED, RESTRICTED, DECIDED, OPEN = "no longer in the catalogue", "restricted", "decided", ""
Words = Annotated[str, Field(max_length=200)]


class ListQuery(BaseModel):
    """The parameters of the address; `percent` as typed, empty for the policy's share."""

    goal: Goal = FAILS
    percent: Annotated[str, Field(max_length=20)] = ""
    category: Words = ""
    market: Words = ""
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    def address_of(self, number: int) -> str:
        """The query string of a page of the same list."""
        return urlencode({**self.model_dump(exclude_defaults=True), "page": number})


@dataclass(frozen=True)
class ListRow:
    """A SKU of the list: its title, `p_fail` of the round's day, and why no test is proposed (empty where one is)."""

    key: SkuKey
    title: str | None
    category: str | None
    p_fail: float
    state: str

    @property
    def is_listed(self) -> bool:
        """Whether the catalogue still has it, and so a page of it."""
        return self.state != NO_LONGER_LISTED


@dataclass(frozen=True)
class ShownList:
    """A list as one person may see it: `units` leaves out the `blinded` SKUs drawn for their own estimate."""

    selected: SelectedList
    units: pa.Table
    blinded: int


@router.get("/lists")
def lists(
    request: Request, context: ContextDep, person: CurrentPerson, query: Annotated[ListQuery, Query()]
) -> Response:
    """A page of the list, or why there is none."""
    policy = selection_policy_in_force(context.now().date())
    shown, refused, status = None, "", 200
    try:
        list_request = _read(query, policy)
    except UserError as error:
        refused, status = str(error), 400
    else:
        try:
            shown = _shown_list(context, person, list_request, policy)
        except UserError as error:
            refused = str(error)
    pages = max(-(-len(shown.units) // ROWS_PER_PAGE), 1) if shown else 1
    number = min(query.page, pages)
    rows = _rows(context, shown.units.slice((number - 1) * ROWS_PER_PAGE, ROWS_PER_PAGE)) if shown else []
    return page(
        request, "lists.html", status, shown=shown, refused=refused, query=query, rows=rows, number=number, pages=pages,
        first=(number - 1) * ROWS_PER_PAGE + 1, typed=query.percent or f"{100 * policy.false_share:.3g}",
        queue=context.store.queue, can_order=query.goal == FAILS and person.role in ("officer", "scheduler", "admin"),
    )  # fmt: skip


@router.get("/lists.csv")
def export(context: ContextDep, person: CurrentPerson, query: Annotated[ListQuery, Query()]) -> Response:
    """The whole list as CSV, with what its promise rests on."""
    policy = selection_policy_in_force(context.now().date())
    shown = _shown_list(context, person, _read(query, policy), policy)
    units = shown.units
    for name in ("goal", "false_share", "round_id", "as_of", "model_version", "feature_version", "policy_version"):
        units = units.append_column(name, pa.repeat(pa.scalar(getattr(shown.selected, name)), len(units)))
    headers = {"content-disposition": f'attachment; filename="{query.goal}-{shown.selected.round_id}.csv"'}
    return StreamingResponse(csv_rows(units), media_type="text/csv; charset=utf-8", headers=headers)


def _read(query: ListQuery, policy: SelectionPolicy) -> ListRequest:
    """What the address asks for. UserError where the share is none."""
    share = policy.false_share
    if query.percent.strip():
        try:
            share = float(query.percent.replace("%", "").replace(",", ".")) / 100
        except ValueError:
            share = float("nan")
        if not (isfinite(share) and 0 < share < 1):
            raise UserError(
                f"{query.percent!r} is no share of a list. Type the percentage that may be wrong, between 0 and 100."
            )
    return ListRequest(query.goal, share, Domain(query.category or None, query.market or None))


def _shown_list(context: AppContext, person: Person, asked: ListRequest, policy: SelectionPolicy) -> ShownList:
    tomorrow = context.now().date() + timedelta(days=1)
    selected = select_list(context.settings.workspace, asked, tomorrow, policy)
    keys = _keys(selected.units)
    blinded = blinded_keys(context, person, keys)
    visible = np.array([key not in blinded for key in keys], dtype=np.bool_)
    return ShownList(selected, selected.units.filter(pa.array(visible)), int((~visible).sum()))


def _rows(context: AppContext, units: pa.Table) -> list[ListRow]:
    """The rows of a page, each with the state of its case."""
    store, keys = context.store, _keys(units)
    titles, cases = store.titles(keys), catalogue_cases_of(context, store)
    rows = zip(keys, find_positions(store, keys).tolist(), units.to_pylist(), strict=True)
    return [
        ListRow(
            key, titles.get(key), unit["category"], unit["p_fail"],
            NO_LONGER_LISTED if position < 0
            else RESTRICTED if cases.restricted[position]
            else DECIDED if cases.decided[position] else OPEN,
        )
        for key, position, unit in rows
    ]  # fmt: skip


def _keys(units: pa.Table) -> list[SkuKey]:
    return [SkuKey(*key) for key in zip(units["sku_id"].to_pylist(), units["market"].to_pylist(), strict=True)]
