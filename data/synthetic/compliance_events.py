"""Holds, corrective actions and audits of the sample marketplace."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.synthetic.ground_truth import World
from data.synthetic.lab_testing_history import Remediations, SampledTests
from data.synthetic.listings import CRITICAL
from data.synthetic.randomness import NEVER, format_days, identifiers, random_stream
from data.synthetic.skus import sku_ids
from data.synthetic.suppliers import factory_ids, supplier_ids
from data.synthetic.vocabulary import MARKETS

AUTHORITIES = ("EU customs", "US CPSC", "UK OPSS", "Health Canada", "ACCC", "marketplace")
KINDS = ("detained", "refused", "seized", "order", "suspension")
AFTER_FAILURE, AFTER_CRITICAL = 0.10, 0.35
AT_THE_BORDER_BAD, AT_THE_BORDER_GOOD = 0.020, 0.002
REMEDY_DAYS = 60


def holds_table(world: World, tests: SampledTests) -> pa.Table:
    """The contract's holds: after failed tests, at the border, and of suspended suppliers."""
    rng = random_stream(world.seed, "holds")
    row, day = _held_listings(rng, world, tests)
    suspended = np.flatnonzero(world.suppliers.suspended_on != NEVER)
    happened = np.concatenate([day, world.suppliers.suspended_on[suspended]])
    known = happened + rng.integers(0, 8, len(happened))
    market = np.concatenate([world.listings.market[row], np.zeros(len(suspended), dtype=np.int64)])
    authority = np.concatenate([world.listings.market[row], np.full(len(suspended), len(AUTHORITIES) - 1)])
    kind = np.concatenate([rng.integers(0, 4, len(row)), np.full(len(suspended), 4)])
    of_supplier = np.arange(len(happened)) >= len(row)
    named = np.concatenate([row, np.zeros(len(suspended), dtype=np.int64)])
    supplier = np.concatenate([np.zeros(len(row), dtype=np.int64), suspended])
    selected = pa.array(rng.permutation(np.flatnonzero(known <= world.period.until)))
    missing = pa.scalar(None, pa.string())
    table = pa.table({
        "hold_id": identifiers("H", np.arange(len(happened)), world.seed),
        "happened_on": format_days(happened),
        "known_on": format_days(known),
        "sku_id": pc.if_else(pa.array(~of_supplier), sku_ids(world, named), missing),
        "supplier_id": pc.if_else(pa.array(of_supplier), supplier_ids(supplier, world.seed), missing),
        "market": pc.if_else(pa.array(~of_supplier), pa.array(MARKETS).take(pa.array(market)), missing),
        "authority": pa.array(AUTHORITIES).take(pa.array(authority)),
        "kind": pa.array(KINDS).take(pa.array(kind)),
    })  # fmt: skip
    return table.take(selected)


def _held_listings(rng: np.random.Generator, world: World, tests: SampledTests) -> tuple[np.ndarray, np.ndarray]:
    """Listings held and the days, after a failure became known or at the border."""
    failed = np.flatnonzero(tests.failed & ~tests.inconclusive)
    severe = world.products.severity[world.listings.product[tests.row[failed]]] == CRITICAL
    after = failed[rng.random(len(failed)) < np.where(severe, AFTER_CRITICAL, AFTER_FAILURE)]
    rows = np.arange(len(world.listings))
    earliest = np.maximum(world.listings.listed + 1, world.period.start)
    day = earliest + (rng.random(len(rows)) * (world.period.until - earliest)).astype(np.int64)
    state = world.non_compliant(rows, world.period.quarter_of(day))
    share = np.where(state, AT_THE_BORDER_BAD, AT_THE_BORDER_GOOD)
    border = np.flatnonzero((rng.random(len(rows)) < share) & (earliest <= world.period.until))
    return (
        np.concatenate([tests.row[after], border]),
        np.concatenate([tests.known[after] + rng.integers(2, 21, len(after)), day[border]]),
    )


def remediations_table(world: World, parts: list[Remediations]) -> pa.Table:
    """The contract's remediations; what was not verified by the last day is still open."""
    rng = random_stream(world.seed, "holds", 1)
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("supplier", "opened",
               "verified", "effective")}  # fmt: skip
    selected = rng.permutation(np.flatnonzero(columns["opened"] <= world.period.until))
    opened, verified = columns["opened"][selected], columns["verified"][selected]
    pending = verified > world.period.until
    return pa.table({
        "remediation_id": identifiers("R", np.arange(len(selected)), world.seed),
        "supplier_id": supplier_ids(columns["supplier"][selected], world.seed),
        "happened_on": format_days(opened),
        "known_on": format_days(opened),
        "due_on": format_days(opened + REMEDY_DAYS),
        "verified_on": format_days(np.where(pending, 0, verified), pending),
        "effective": pa.array(columns["effective"][selected], mask=pending),
    })  # fmt: skip


AUDITS_A_YEAR = 0.35
ANNOUNCED = 0.7
FINDINGS = {"critical": 0.10, "major": 1.0, "minor": 3.0}


def audits_table(world: World) -> pa.Table:
    """The contract's audits: of each supplier's main factory, findings rising with factory and supplier badness."""
    rng = random_stream(world.seed, "audits")
    suppliers = world.suppliers
    count = rng.poisson(AUDITS_A_YEAR * world.period.days / 365, len(suppliers))
    supplier = np.repeat(np.arange(len(suppliers)), count)
    earliest = np.maximum(suppliers.onboarded[supplier] + 1, world.period.start)
    day = earliest + (rng.random(len(supplier)) * (world.period.until - earliest)).astype(np.int64)
    known = day + rng.integers(3, 22, len(supplier))
    selected = rng.permutation(np.flatnonzero((known <= world.period.until) & (day >= earliest)))
    supplier, day, known = supplier[selected], day[selected], known[selected]
    factory = suppliers.factories[supplier, 0]
    announced = rng.random(len(selected)) < ANNOUNCED
    quality = suppliers.quality[supplier, world.period.quarter_of(day)]
    badness = np.exp(0.35 * quality + 0.55 * suppliers.factory_effect[factory]) * np.where(announced, 0.5, 1.2)
    findings = {name: rng.poisson(mean * badness) for name, mean in FINDINGS.items()}
    return pa.table({
        "audit_id": identifiers("A", np.arange(len(selected)), world.seed),
        "supplier_id": supplier_ids(supplier, world.seed),
        "happened_on": format_days(day),
        "known_on": format_days(known),
        "factory_id": factory_ids(factory, world.seed),
        "announced": pa.array(announced),
        **findings,
    })  # fmt: skip
