"""What followed in the sample marketplace: holds by authorities, suspensions, corrective actions."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.marketplace.catalogue import sku_ids
from data.marketplace.categories import MARKETS
from data.marketplace.compliance import World
from data.marketplace.days import NEVER, written_days
from data.marketplace.draws import stream
from data.marketplace.identifiers import identifiers
from data.marketplace.products import CRITICAL
from data.marketplace.suppliers import supplier_ids
from data.marketplace.testing_history import Draws, Remediations

AUTHORITIES = ("EU customs", "US CPSC", "UK OPSS", "Health Canada", "ACCC", "marketplace")
KINDS = ("detained", "refused", "seized", "order", "suspension")
AFTER_FAILURE, AFTER_CRITICAL = 0.10, 0.35
AT_THE_BORDER_BAD, AT_THE_BORDER_GOOD = 0.020, 0.002
REMEDY_DAYS = 60


def holds_table(world: World, drawn: Draws) -> pa.Table:
    """The contract's holds: after failed tests, at the border, and of suspended suppliers."""
    rng = stream(world.seed, "holds")
    row, day = _held_listings(rng, world, drawn)
    suspended = np.flatnonzero(world.suppliers.suspended_on != NEVER)
    happened = np.concatenate([day, world.suppliers.suspended_on[suspended]])
    known = happened + rng.integers(0, 8, len(happened))
    market = np.concatenate([world.listings.market[row], np.zeros(len(suspended), dtype=np.int64)])
    authority = np.concatenate([world.listings.market[row], np.full(len(suspended), len(AUTHORITIES) - 1)])
    kind = np.concatenate([rng.integers(0, 4, len(row)), np.full(len(suspended), 4)])
    of_supplier = np.arange(len(happened)) >= len(row)
    named = np.concatenate([row, np.zeros(len(suspended), dtype=np.int64)])
    supplier = np.concatenate([np.zeros(len(row), dtype=np.int64), suspended])
    kept = pa.array(rng.permutation(np.flatnonzero(known <= world.period.until)))
    nothing = pa.scalar(None, pa.string())
    table = pa.table({
        "hold_id": identifiers("H", np.arange(len(happened)), world.seed),
        "happened_on": written_days(happened),
        "known_on": written_days(known),
        "sku_id": pc.if_else(pa.array(~of_supplier), sku_ids(world, named), nothing),
        "supplier_id": pc.if_else(pa.array(of_supplier), supplier_ids(supplier, world.seed), nothing),
        "market": pc.if_else(pa.array(~of_supplier), pa.array(MARKETS).take(pa.array(market)), nothing),
        "authority": pa.array(AUTHORITIES).take(pa.array(authority)),
        "kind": pa.array(KINDS).take(pa.array(kind)),
    })  # fmt: skip
    return table.take(kept)


def _held_listings(rng: np.random.Generator, world: World, drawn: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Listings held and the days, after a failure became known or at the border."""
    failed = np.flatnonzero(drawn.failed & ~drawn.inconclusive)
    severe = world.products.severity[world.listings.product[drawn.row[failed]]] == CRITICAL
    after = failed[rng.random(len(failed)) < np.where(severe, AFTER_CRITICAL, AFTER_FAILURE)]
    rows = np.arange(len(world.listings))
    earliest = np.maximum(world.listings.listed + 1, world.period.start)
    day = earliest + (rng.random(len(rows)) * (world.period.until - earliest)).astype(np.int64)
    state = world.non_compliant(rows, world.period.quarter_of(day))
    share = np.where(state, AT_THE_BORDER_BAD, AT_THE_BORDER_GOOD)
    border = np.flatnonzero((rng.random(len(rows)) < share) & (earliest <= world.period.until))
    return (
        np.concatenate([drawn.row[after], border]),
        np.concatenate([drawn.known[after] + rng.integers(2, 21, len(after)), day[border]]),
    )


def remediations_table(world: World, parts: list[Remediations]) -> pa.Table:
    """The contract's remediations; what was not verified by the last day is still open."""
    rng = stream(world.seed, "holds", 1)
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("supplier", "opened",
               "verified", "effective")}  # fmt: skip
    kept = rng.permutation(np.flatnonzero(columns["opened"] <= world.period.until))
    opened, verified = columns["opened"][kept], columns["verified"][kept]
    pending = verified > world.period.until
    return pa.table({
        "remediation_id": identifiers("R", np.arange(len(kept)), world.seed),
        "supplier_id": supplier_ids(columns["supplier"][kept], world.seed),
        "happened_on": written_days(opened),
        "known_on": written_days(opened),
        "due_on": written_days(opened + REMEDY_DAYS),
        "verified_on": written_days(np.where(pending, 0, verified), pending),
        "effective": pa.array(columns["effective"][kept], mask=pending),
    })  # fmt: skip
