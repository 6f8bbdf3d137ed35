"""Notices of a danger that set a deadline no more: how many ran out, and on how many of these nobody had decided."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import reading
from data.database.schema import DECISIONS
from serving.console.house import House
from serving.decisions.record import DECLINED
from serving.dossiers.owned_rows import OWNER
from serving.facts import fact_policy_in_force
from serving.published import Published

YEAR_DAYS = 365


@dataclass(frozen=True)
class Lapsed:
    """Notices whose `notice_days` ended in the year before the scores; on `undecided` nobody decided within them."""

    ended: int
    undecided: int
    notice_days: int


def lapsed(house: House, published: Published) -> Lapsed:
    """Count the notices of the catalogue in service; a decision, unless declined, answers those known by its day."""
    as_of = published.publication.as_of
    days = fact_policy_in_force(as_of).notice_days
    rows = published.dossiers.rows("incidents", (OWNER, "known_on"))
    if rows is None:
        return Lapsed(0, 0, days)
    owners, known = rows[OWNER].to_numpy(), rows["known_on"].to_numpy().astype("datetime64[D]")
    last = np.datetime64(as_of - timedelta(days=days))
    ended = (known < last) & (known >= last - YEAR_DAYS)
    owners, known = owners[ended], known[ended]
    answered = np.zeros(len(owners), dtype=np.bool_)
    for place, day in _decided(house, published, owners):
        here = slice(*np.searchsorted(owners, [place, place + 1]))
        answered[here] |= (known[here] <= np.datetime64(day)) & (np.datetime64(day) <= known[here] + days)
    return Lapsed(len(owners), int((~answered).sum()), days)


def _decided(house: House, published: Published, owners: NDArray[np.int32]) -> list[tuple[int, date]]:
    """Place and day of every decision on a SKU among `owners` that was not declined."""
    table = DECISIONS.c
    asked = sa.select(table.sku_id, table.market, table.proposed_at).where(table.state != DECLINED)
    with reading(house.engine) as connection:
        found = connection.execute(asked).all()
    places = published.snapshot.find([row[0] for row in found], [row[1] for row in found])
    told = zip(places.tolist(), (date.fromisoformat(row[2][:10]) for row in found), strict=True)
    return [each for each, is_owner in zip(told, np.isin(places, owners).tolist(), strict=True) if is_owner]
