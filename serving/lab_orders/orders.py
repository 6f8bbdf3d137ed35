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

from data.contract import ENTERED_IN_ERROR
from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.lake.lab_results import current_results
from data.policy import POLICY_FOLDER, Policy, policy_in_force
from data.workspace import Workspace
from sampling.cancellations import cancellations
from sampling.plan_files import planned_tests
from sampling.policy import SamplingPolicy, sampling_policy_in_force
from sampling.problem import Package
from sampling.round_answers import UNIT, confirmations_among, screen_answers
from serving.decisions.cases import ORDER_TEST
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import IN_FORCE, SkuKey
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.online.store import OnlineStore

NO_LAB = "unassigned"
"""Stands for the laboratory of a test whose method none has."""

Record = Mapping[str, Any]
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

    Where its round was `cancelled`, and after `given_up_on`, nobody waits for it any more; a result that comes all the
    same still belongs to it.
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
    cancelled: bool = False

    @property
    def result_fields(self) -> dict[str, Any]:
        """What a result of this test has in common with every other one, in the columns of results."""
        own = {"sku_id": self.key.sku_id, "market": self.key.market, "package": self.package_name,
               "lab_id": None if self.lab == NO_LAB else self.lab, "round_id": self.round_id,
               "strategy": "follow_up" if self.round_id is None else None}  # fmt: skip
        return {name: value for name, value in own.items() if value is not None}


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


def complete_from_order(
    record: Record, orders: Mapping[str, LabOrder], lab_id: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The record with what it leaves open as its order says it, without `order_id`; and the rules it breaks.

    With a `lab_id`, the record is of that laboratory, and so is its order.
    """
    order_id = record.get("order_id")
    values = {name: value for name, value in record.items() if name != "order_id"}
    order = orders.get(str(order_id)) if order_id is not None else None
    broken = []
    if order_id is not None and (order is None or lab_id not in (None, order.lab)):
        broken.append(f"there is no order {order_id!r}{f' of laboratory {lab_id!r}' if lab_id else ''}")
    elif order is not None:
        broken += [
            f"{name} is {values[name]!r}, order {order_id} is of {own!r}"
            for name, own in order.key._asdict().items()
            if values.get(name) not in (None, own)
        ]
        values = {**order.result_fields, **{name: value for name, value in values.items() if value is not None}}
    if lab_id is not None:
        if values.get("lab_id") not in (None, "", lab_id):
            broken.append(f"lab_id is {values['lab_id']!r}, and this key is of laboratory {lab_id!r}: leave it out")
        values["lab_id"] = lab_id
    return values, broken


def open_orders(orders: Sequence[LabOrder], today: date | None) -> Mapping[str, tuple[LabOrder, ...]]:
    """The orders without a result, by laboratory; with a day, without those that are given up by then.

    Those of cancelled rounds are not among them.
    """
    waiting = [
        each for each in orders
        if not each.answered and not each.cancelled and (today is None or each.given_up_on >= today)
    ]  # fmt: skip
    labs = sorted({each.lab for each in waiting})
    return MappingProxyType({lab: tuple(each for each in waiting if each.lab == lab) for lab in labs})


def _planned(sources: OrderSources, round_id: str | None) -> Iterator[LabOrder]:
    """The tests of rounds: those planned, and the full tests that confirm screens unless the screen failed."""
    planned = planned_tests(sources.workspace)
    if round_id is not None:
        planned = planned.filter(pc.equal(planned["round_id"], round_id))
    rows, cancelled = planned.to_pylist(), cancellations(sources.workspace)
    current = current_results(sources.workspace)
    first = screen_answers(current, planned)
    failed = first.filter(pc.fill_null(pc.equal(first["result"], "fail"), False))
    confirmed = _units(confirmations_among(current, planned)) | _units(failed)
    answered = _units(first) | _units(confirmations_among(current, planned))
    titles = sources.store.titles([(row["sku_id"], row["market"]) for row in rows])
    for row in rows:
        policy, key = sampling_policy_in_force(row["as_of"]), SkuKey(row["sku_id"], row["market"])
        unit, title, ended = (row["round_id"], *key), titles[key], row["round_id"] in cancelled
        due_on, until = row["due_on"], row["due_on"] + timedelta(days=policy.grace_days)
        yield LabOrder(
            _order_id(*unit), key, title, row["lab_id"] or NO_LAB, _package(policy, row["package"]), row["package"],
            _standard(policy, row["package"]), due_on, until, row["round_id"], unit in answered, ended,
        )  # fmt: skip
        if row["confirmed"] and (full := row["confirming_package"]) is not None:
            package = _package(policy, full)
            yield LabOrder(
                _order_id(*unit, full), key, title, _lab_of(policy, package), package, full, _standard(policy, full),
                due_on, until, row["round_id"], unit in confirmed, ended,
            )  # fmt: skip


def _units(answers: pa.Table) -> set[tuple[str, ...]]:
    return {tuple(row.values()) for row in answers.select(UNIT).to_pylist()}


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
    """The results on samples that the supplier did not provide: only these answer an order.

    That no result can be had is an answer, too; a report that was withdrawn is none.
    """
    results = current_results(workspace)
    results = results.filter(pc.not_equal(results["origin"], SUPPLIER_PROVIDED))
    return results.filter(pc.invert(pc.equal(pc.fill_null(results["status"], ""), ENTERED_IN_ERROR)))


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
