"""Who sells in the sample marketplace: latent quality that drifts, shared factories, suspensions and returns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.synthetic.randomness import (
    NEVER,
    Floats,
    Integers,
    SimulatedPeriod,
    Truths,
    format_days,
    identifiers,
    logistic,
    pick,
    random_stream,
)

SKUS_PER_SUPPLIER = 12
FACTORIES_PER_SUPPLIER = 0.6
KINDS = ("manufacturer", "trader", "brand")
COUNTRIES = ("CN", "VN", "TR", "IN", "DE", "US", "PL", "IT", "GB", "KR")
PERSISTENCE = 0.95
JUMP_RATE, JUMP = 0.01, 1.5
FAKING_SHARE = 0.08
RETURNING_SHARE = 0.03


@dataclass(frozen=True)
class Suppliers:
    """All suppliers, one array entry each; a supplier's number is its position.

    `quality` (suppliers by quarters) is the latent badness: log-odds of failing rise with it. `predecessor` is the
    supplier that came back under this number, or -1; `suspended_on` is NEVER for those in good standing.
    `factory_effect` is per factory, `factories` (suppliers by two) names the main and the second factory.
    """

    onboarded: Integers
    kind: Integers
    country: Integers
    quality: Floats
    factories: Integers
    factory_effect: Floats
    faking: Truths
    suspended_on: Integers
    predecessor: Integers
    weight: Floats

    def __len__(self) -> int:
        return len(self.onboarded)


def draw_suppliers(skus: int, period: SimulatedPeriod, seed: int) -> Suppliers:
    """The suppliers of a marketplace with `skus` listings, those who return under a new number last."""
    rng = random_stream(seed, "suppliers")
    count = max(6, round(skus / SKUS_PER_SUPPLIER))
    kind = pick(rng, (0.4, 0.48, 0.12), count)
    country = pick(rng, (0.62, 0.06, 0.05, 0.06, 0.05, 0.05, 0.03, 0.03, 0.03, 0.02), count)
    level = rng.standard_normal(count) + np.array([0.0, 0.12, -0.6])[kind] + np.where(country == 0, 0.08, -0.1)
    quality = _draw_quality(rng, level, period.quarters)
    suspended_on = _draw_suspensions(rng, quality, period)
    factory_effect = rng.standard_normal(max(3, round(count * FACTORIES_PER_SUPPLIER)))
    # A squared uniform makes a few factories serve many sellers.
    factories = (rng.random((count, 2)) ** 1.6 * len(factory_effect)).astype(np.int64)
    faking = rng.random(count) < FAKING_SHARE * 2 * logistic(quality[:, 0])
    weight = rng.lognormal(0.0, 1.1, count)
    onboarded = rng.integers(period.start - 900, period.until - 45, count)
    born = Suppliers(onboarded, kind, country, quality, factories, factory_effect, faking, suspended_on,
                     np.full(count, -1), weight)  # fmt: skip
    return _append_returning(rng, born, period)


def _draw_quality(rng: np.random.Generator, level: Floats, quarters: int) -> Floats:
    """Quality per quarter: an AR(1) around the first level's scale, with rare lasting jumps."""
    quality = np.empty((len(level), quarters))
    quality[:, 0] = level
    for quarter in range(1, quarters):
        innovation = rng.standard_normal(len(level)) * np.sqrt(1 - PERSISTENCE**2)
        jump = JUMP * (rng.random(len(level)) < JUMP_RATE)
        quality[:, quarter] = PERSISTENCE * quality[:, quarter - 1] + innovation + jump
    return quality


def _draw_suspensions(rng: np.random.Generator, quality: Floats, period: SimulatedPeriod) -> Integers:
    """The day each supplier was suspended, or NEVER; the worse the likelier."""
    suspended = rng.random(len(quality)) < logistic(-3.7 + 1.1 * quality.mean(axis=1))
    day = period.start + (rng.uniform(0.1, 0.8, len(quality)) * period.days).astype(np.int64)
    return np.where(suspended, day, NEVER)


def _append_returning(rng: np.random.Generator, born: Suppliers, period: SimulatedPeriod) -> Suppliers:
    """The suppliers, and after them the suspended ones that come back 30 to 90 days later under a new number."""
    candidates = np.flatnonzero(born.suspended_on < period.until - 150)
    if not len(candidates):
        return born
    old = rng.choice(candidates, max(1, round(RETURNING_SHARE * len(candidates))), replace=False)
    count = len(old)
    onboarded = born.suspended_on[old] + rng.integers(30, 91, count)

    return Suppliers(
        onboarded=np.concatenate([born.onboarded, onboarded]),
        kind=np.concatenate([born.kind, born.kind[old]]),
        country=np.concatenate([born.country, born.country[old]]),
        quality=np.concatenate([born.quality, born.quality[old]]),
        factories=np.concatenate([born.factories, born.factories[old]]),
        factory_effect=born.factory_effect,
        faking=np.concatenate([born.faking, born.faking[old]]),
        suspended_on=np.concatenate([born.suspended_on, np.full(count, NEVER)]),
        predecessor=np.concatenate([born.predecessor, old]),
        weight=np.concatenate([born.weight, np.zeros(count)]),
    )


def brand_owner(suppliers: Suppliers, numbers: Integers) -> Integers:
    """Whose brand these suppliers sell under: their own, or the one they had before they came back."""
    earlier = suppliers.predecessor[numbers]
    return np.where(earlier >= 0, earlier, numbers)


def supplier_ids(numbers: Integers, seed: int) -> pa.StringArray:
    """The identifiers of these suppliers."""
    return identifiers("P", numbers, seed)


def factory_ids(numbers: Integers, seed: int) -> pa.StringArray:
    """The identifiers of these factories."""
    return identifiers("F", numbers, seed)


def suppliers_table(suppliers: Suppliers, seed: int) -> pa.Table:
    """The contract's suppliers table, in random order."""
    order = random_stream(seed, "identifiers", 1).permutation(len(suppliers))
    return pa.table({
        "supplier_id": supplier_ids(order, seed),
        "onboarded_on": format_days(suppliers.onboarded[order]),
        "country": pa.array(COUNTRIES).take(pa.array(suppliers.country[order])),
        "kind": pa.array(KINDS).take(pa.array(suppliers.kind[order])),
    })  # fmt: skip
