"""Factory audits of the sample marketplace: announced visits find less."""

import numpy as np
import pyarrow as pa

from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import stream
from data.marketplace.identifiers import identifiers
from data.marketplace.suppliers import factory_ids, supplier_ids

AUDITS_A_YEAR = 0.35
ANNOUNCED = 0.7
FINDINGS = {"critical": 0.10, "major": 1.0, "minor": 3.0}


def audits_table(world: World) -> pa.Table:
    """The contract's audits: of each supplier's main factory, findings rising with factory and supplier badness."""
    rng = stream(world.seed, "audits")
    suppliers = world.suppliers
    count = rng.poisson(AUDITS_A_YEAR * world.period.days / 365, len(suppliers))
    supplier = np.repeat(np.arange(len(suppliers)), count)
    earliest = np.maximum(suppliers.onboarded[supplier] + 1, world.period.start)
    day = earliest + (rng.random(len(supplier)) * (world.period.until - earliest)).astype(np.int64)
    known = day + rng.integers(3, 22, len(supplier))
    kept = rng.permutation(np.flatnonzero((known <= world.period.until) & (day >= earliest)))
    supplier, day, known = supplier[kept], day[kept], known[kept]
    factory = suppliers.factories[supplier, 0]
    announced = rng.random(len(kept)) < ANNOUNCED
    quality = suppliers.quality[supplier, world.period.quarter_of(day)]
    badness = np.exp(0.35 * quality + 0.55 * suppliers.factory_effect[factory]) * np.where(announced, 0.5, 1.2)
    findings = {name: rng.poisson(mean * badness) for name, mean in FINDINGS.items()}
    return pa.table({
        "audit_id": identifiers("A", np.arange(len(kept)), world.seed),
        "supplier_id": supplier_ids(supplier, world.seed),
        "happened_on": written_days(day),
        "known_on": written_days(known),
        "factory_id": factory_ids(factory, world.seed),
        "announced": pa.array(announced),
        **findings,
    })  # fmt: skip
