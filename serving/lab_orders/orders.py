"""The tests that laboratories owe: those of planned rounds, and those that officers ordered."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pydantic import Field

from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.lake.lab_results import accepted_results
from data.policy import POLICY_FOLDER, Policy, policy_in_force
from data.workspace import Workspace
from sampling.policy import SamplingPolicy, sampling_policy_in_force
from sampling.problem import Package
from sampling.rounds import planned_tests
from serving.decisions.cases import ORDER_TEST
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import IN_FORCE, SkuKey
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.online.store import OnlineStore

NO_LAB = "unassigned"
"""Stands for the laboratory of a test whose method none has."""

Origin = Literal["warehouse", "mystery_shopper", "customs", "complaint"]


class LabOrderPolicy(Policy, subject="lab_orders"):
    """The policy `lab_orders`: link of a listing, origin of samples, the most rows of a returned file."""

    listing_link: Annotated[str, Field(min_length=1)]
    sample_origin: Origin
    most_rows: Annotated[int, Field(ge=1)]


def lab_order_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> LabOrderPolicy:
    """The policy of a day. Raises UserError where there is none."""
    return policy_in_force(LabOrderPolicy, day, folder)


@dataclass(frozen=True)
class LabOrder:
    """One ordered test. `round_id` is None where an officer ordered it; `answered` whether its result is in.

    After `given_up_on` nobody waits for it any more; a result that comes all the same still belongs to it.
    `order_id` is a digest, so that neither it nor its order in the file says why the SKU was chosen.
    """

    order_id: str
    key: SkuKey
    title: str | None
    lab: str
    package: Package | None
    package_name: str
    standard: str
    due_on: date
    given_up_on: date
    round_id: str | None
    answered: bool


@dataclass(frozen=True)
class OrderSources:
    """What orders are read from: workspace, database and the scores in service."""

    workspace: Workspace
    engine: sa.Engine
    store: OnlineStore


def lab_orders(sources: OrderSources, round_id: str | None = None) -> list[LabOrder]:
    """Every ordered test by order id; with a round, its tests alone."""
    orders = [*_planned(sources, round_id)]
    if round_id is None:
        orders += _ordered(sources)
    return sorted(orders, key=lambda each: each.order_id)


def open_orders(orders: Sequence[LabOrder], today: date | None) -> Mapping[str, tuple[LabOrder, ...]]:
    """The orders without a result, by laboratory; with a day, without those that are given up by then."""
    waiting = [each for each in orders if not each.answered and (today is None or each.given_up_on >= today)]
    labs = sorted({each.lab for each in waiting})
    return MappingProxyType({lab: tuple(each for each in waiting if each.lab == lab) for lab in labs})


def _planned(sources: OrderSources, round_id: str | None) -> Iterator[LabOrder]:
    planned = planned_tests(sources.workspace)
    if round_id is not None:
        planned = planned.filter(pc.equal(planned["round_id"], round_id))
    rows = planned.to_pylist()
    results = _independent_results(sources.workspace).select(["round_id", "sku_id", "market"]).to_pylist()
    answered = {(row["round_id"], row["sku_id"], row["market"]) for row in results if row["round_id"]}
    titles = sources.store.titles([(row["sku_id"], row["market"]) for row in rows])
    for row in rows:
        policy, key = sampling_policy_in_force(row["as_of"]), SkuKey(row["sku_id"], row["market"])
        yield LabOrder(
            _order_id(row["round_id"], *key), key, titles[key], row["lab_id"] or NO_LAB,
            _package(policy, row["package"]), row["package"], _standard(policy, row["package"]), row["due_on"],
            row["due_on"] + timedelta(days=policy.grace_days), row["round_id"],
            (row["round_id"], *key) in answered,
        )  # fmt: skip


def _ordered(sources: OrderSources) -> Iterator[LabOrder]:
    """The tests that officers ordered, until a report of the same package on a later sample is in."""
    rows = _order_decisions(sources)
    newest = _newest_samples(sources.workspace)
    titles = sources.store.titles([(row.sku_id, row.market) for row in rows])
    for row in rows:
        day, key = date.fromisoformat(row.proposed_at[:10]), SkuKey(row.sku_id, row.market)
        policy = sampling_policy_in_force(day)
        package = _package(policy, row.package)
        turnaround = package.turnaround_days if package else policy.default.turnaround_days
        answered = newest.get((*key, row.package), date.min) >= day
        yield LabOrder(
            _order_id(row.decision_id), key, titles[key], _lab_of(policy, package), package, row.package,
            _standard(policy, row.package),
            day + timedelta(days=turnaround), day + timedelta(days=_order_days(day)), None, answered,
        )  # fmt: skip


def _independent_results(workspace: Workspace) -> pa.Table:
    """The accepted results on samples that the supplier did not provide: only these answer an order."""
    results = accepted_results(workspace)
    return results.filter(pc.not_equal(results["origin"], SUPPLIER_PROVIDED))


def _newest_samples(workspace: Workspace) -> dict[tuple[str, str, str], date]:
    """The day of the newest sample with a result outside of rounds, by SKU, market and package."""
    results = _independent_results(workspace)
    outside = results.filter(pc.is_null(results["round_id"]))
    newest = outside.group_by(["sku_id", "market", "package"]).aggregate([("happened_on", "max")])
    return {(row["sku_id"], row["market"], row["package"]): row["happened_on_max"] for row in newest.to_pylist()}


def _order_decisions(sources: OrderSources) -> Sequence[Any]:
    table = DECISIONS.c
    query = sa.select(table.decision_id, table.sku_id, table.market, table.package, table.proposed_at).where(
        table.disposition == ORDER_TEST, table.state == IN_FORCE, table.package.is_not(None)
    )  # fmt: skip
    with read_transaction(sources.engine) as connection:
        return connection.execute(query).all()


def _order_days(day: date) -> int:
    """The days for which an order made on a day waits for its report."""
    return decision_policy_in_force(day).limits.order_days


def _order_id(*parts: str) -> str:
    return f"o-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"


def _package(policy: SamplingPolicy, name: str) -> Package | None:
    return next((each for each in policy.packages if each.name == name), None)


def _standard(policy: SamplingPolicy, name: str) -> str:
    """The standards by which a package is tested, and what the law asks of its laboratory."""
    offer = next((each for each in policy.offers if each.name == name), None)
    if offer is None:
        return ""
    standards = ", ".join(offer.standards)
    return f"{standards} (laboratory {offer.laboratory})" if offer.laboratory else standards


def _lab_of(policy: SamplingPolicy, package: Package | None) -> str:
    """The laboratory with the most slots for the method of a package."""
    able = policy.labs_for(package.method) if package else ()
    return max(able, key=lambda each: each[1])[0] if able else NO_LAB
