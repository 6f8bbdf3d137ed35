"""Resource `/lab-orders`: the open tests of a laboratory, without scores and reasons."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from data.errors import UnavailableError, UserError
from serving.auth.permissions import current_principal, require_role
from serving.console.session import ContextDep
from serving.lab_orders.orders import LabOrder, OrderSources, lab_order_policy_in_force, lab_orders, open_orders


class OpenLabOrder(BaseModel):
    """An open test: results name it by `order_id`. `units` is the number of samples, null where the package is gone."""

    order_id: str
    lab_id: str
    sku_id: str
    market: str
    title: str | None
    package: str
    standard: str
    units: int | None
    due_on: date


class LabOrdersAnswer(BaseModel):
    """The open tests by order; nothing says why a product was chosen."""

    orders: list[OpenLabOrder]
    policy_version: str


router = APIRouter(prefix="/lab-orders", dependencies=[Depends(require_role("laboratory", "scheduler", "admin"))])


@router.get("")
def open_tests(
    context: ContextDep,
    lab: Annotated[str | None, Query(min_length=1, max_length=200, description="the tests of this one only")] = None,
) -> LabOrdersAnswer:
    """The tests that wait for a result: a laboratory's own, for others those of one laboratory or of all."""
    own = current_principal().lab_id
    if own is not None and lab not in (None, own):
        raise HTTPException(403, f"This key is of laboratory {own!r}. Leave out `lab`.")
    today = context.now().date()
    try:
        orders = lab_orders(OrderSources(context.settings.workspace, context.engine, context.store))
        by_lab, policy = open_orders(orders, today), lab_order_policy_in_force(today)
    except UserError as error:
        raise UnavailableError(str(error)) from error
    wanted = own or lab
    waiting = by_lab.get(wanted, ()) if wanted else [each for tests in by_lab.values() for each in tests]
    return LabOrdersAnswer(orders=[_open_order(each) for each in waiting], policy_version=policy.version)


def _open_order(order: LabOrder) -> OpenLabOrder:
    return OpenLabOrder(
        order_id=order.order_id, lab_id=order.lab, sku_id=order.key.sku_id, market=order.key.market, title=order.title,
        package=order.package_name, standard=order.standard, units=order.package.units if order.package else None,
        due_on=order.due_on,
    )  # fmt: skip
