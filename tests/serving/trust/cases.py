"""A product of the test shop that may have a public test summary, and the acts of officers on it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from data.lab_results.store import Sender, store_results
from data.lake.lab_results import SCHEMA
from serving.console.case import case_view, decisions_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.records import Decision, SkuKey
from serving.decisions.rules import Officer, Proposal, Signature
from serving.trust.eligibility import TrustCase, trust_case
from serving.trust.store import TrustCode, TrustCodes
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW

SKUS = ("K-19", "K-31", "K-43", "K-67", "K-79")
"""Toys with a responsible person, without fact, order or notice."""

KEY, PACKAGE, PUBLIC = SkuKey("K-19", "EU"), "EN 71-1/2/3", "https://shop.example"
ANNA, BERND = (Officer(name, "officer", f"k-{name}") for name in ("Anna", "Bernd"))
REPORTED = DAY - timedelta(days=7)


def result(sku_id: str = KEY.sku_id, **changes: Any) -> dict[str, Any]:
    """A passed full test, as a laboratory hands it in."""
    return dict.fromkeys(SCHEMA.names) | {
        "test_id": f"N-{sku_id}", "sku_id": sku_id, "market": "EU", "happened_on": DAY - timedelta(days=20),
        "known_on": REPORTED, "result": "pass", "origin": "mystery_shopper", "strategy": "random", "propensity": 0.1,
        "package": PACKAGE, "lab_id": "LAB-01", "version": 1, "status": "final", "report_number": "26-4471",
        "standard": "EN 71-1", **changes,
    }  # fmt: skip


def hand_in(context: AppContext, *results: dict[str, Any]) -> None:
    """Hand results in."""
    store_results(context.engine, context.settings.workspace, results, Sender("LAB-01", "k-lab", context.now()))


def case_of(context: AppContext, key: SkuKey = KEY) -> TrustCase:
    """The case of a SKU now."""
    case = trust_case(context.engine, context.store, key, context.now().date())
    assert case is not None
    return case


def published(context: AppContext, sku_id: str = KEY.sku_id) -> TrustCode:
    """A code of a SKU that passed just now."""
    hand_in(context, result(sku_id))
    return TrustCodes(context.engine).issue(case_of(context, SkuKey(sku_id, "EU")), Signature(ANNA, context.now()))


def at(context: AppContext, moment: datetime) -> AppContext:
    """The application at another moment, with its address."""
    return replace(context, now=lambda: moment, settings=replace(context.settings, public_url=PUBLIC))


def moments() -> Iterator[datetime]:
    """Moments a minute apart."""
    now = SHOP_NOW.astimezone(UTC)
    while True:
        yield now
        now += timedelta(minutes=1)


def propose(context: AppContext, disposition: str, key: SkuKey = KEY) -> Decision:
    """A proposal of Anna for the first reason whose ground stands."""
    person = Person(ANNA.name, ANNA.role, ANNA.key_id)
    case = case_view(context, person, key.sku_id, key.market)
    option = case.policy.disposition(disposition)
    ground = next((each for each in case.grounds if each.kind in option.fact_kinds), None)
    code = ground.kind if ground and ground.kind in option.codes else option.codes[0]
    proposal = Proposal(
        disposition, code, "As the case shows, with every paper read.", ground.row_id if ground else None
    )
    return decisions_of(context).propose(proposal, ANNA, case.file, context.now())


def approve(context: AppContext, decision: Decision) -> Decision:
    """The proposal in force, approved by Bernd."""
    return decisions_of(context).approve(decision.decision_id, BERND, context.now(), "Read; it is sound.")
