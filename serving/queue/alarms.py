"""On which days authorities ordered something about a SKU, and notices told of a danger: what starts its clocks."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serving.dossiers.owned_rows import OWNER
from serving.dossiers.reading import LISTING, OF_SUPPLIER, SUPPLIER_PLACE, Dossiers
from serving.facts import FactPolicy, fact_policy_in_force
from serving.queue.shape import DAYS

Days = NDArray[Any]
"""datetime64[D], NaT where there is no such day."""


@dataclass(frozen=True)
class Alarms:
    """By position: when the first order that stands and the first notice became known."""

    first_order: Days
    first_notice: Days


def alarms_of(dossiers: Dossiers) -> Alarms:
    """The alarms of every dossier: the orders and notices that `serving.facts` takes to stand."""
    policy = fact_policy_in_force(dossiers.as_of)
    orders = [_standing(rows, policy, dossiers.as_of) for rows in _holds(dossiers)]
    incidents = dossiers.rows("incidents", (OWNER, "known_on"))
    notices = [] if incidents is None else [_since(incidents, dossiers.as_of - timedelta(days=policy.notice_days))]
    return Alarms(_first(orders, len(dossiers)), _first(notices, len(dossiers)))


def _holds(dossiers: Dossiers) -> list[pa.Table]:
    """The holds of products, and those of suppliers' whole ranges as one row for each product in their market."""
    columns = (OWNER, "known_on", "authority", "market")
    own, ranges = dossiers.rows("holds", columns), dossiers.rows("holds" + OF_SUPPLIER, columns)
    listed = dossiers.rows(LISTING, (OWNER, SUPPLIER_PLACE, "market"))
    found = [] if own is None else [own.drop(["market"])]
    if ranges is not None and listed is not None:
        ranges = ranges.rename_columns([SUPPLIER_PLACE, "known_on", "authority", "held_in"])
        joined = listed.join(ranges, SUPPLIER_PLACE, join_type="inner")
        here = pc.or_kleene(pc.is_null(joined["held_in"]), pc.equal(joined["held_in"], joined["market"]))
        found.append(joined.filter(here).select([OWNER, "known_on", "authority"]))
    return found


def _standing(holds: pa.Table, policy: FactPolicy, as_of: date) -> pa.Table:
    """The holds that are an authority's and not too old."""
    own = pc.is_in(holds["authority"], pa.array(sorted(policy.own_authorities), pa.string()))
    of_authorities = holds.filter(pc.and_(pc.is_valid(holds["authority"]), pc.invert(own)))
    return _since(of_authorities, as_of - timedelta(days=policy.order_days))


def _since(rows: pa.Table, day: date) -> pa.Table:
    """The rows that became known on a day or later."""
    return rows.filter(pc.greater_equal(rows["known_on"], day))


def _first(tables: list[pa.Table], rows: int) -> Days:
    """The first day that became known, by owner."""
    first = np.full(rows, "NaT", DAYS)
    for table in tables:
        np.fmin.at(first, table[OWNER].to_numpy(), table["known_on"].to_numpy().astype(DAYS))
    return first
