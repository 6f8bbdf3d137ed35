"""Certificates of the sample marketplace: claimed, sometimes checked, sometimes forged."""

import numpy as np
import pyarrow as pa

from data.marketplace.categories import categories
from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import Integers, Truths, stream
from data.marketplace.identifiers import identifiers
from data.marketplace.products import PAPERS
from data.marketplace.suppliers import supplier_ids

STATUSES = ("claimed", "confirmed", "out_of_scope", "denied", "withdrawn", "expired")
CLAIMED, CONFIRMED, OUT_OF_SCOPE, DENIED, WITHDRAWN, EXPIRED = range(6)
ISSUERS = ("TUV-A", "SGS-B", "BV-C", "INT-D", "DK-E", "UNI-F", "LAB-G", "LAB-H")
CHECKED = 0.55
# What a check of each kind of paper ends in (none, valid, out_of_scope, expired, unverifiable, fake, withdrawn): the
# outcome and how often a check reaches it.
OUTCOME = np.array([CONFIRMED, CONFIRMED, OUT_OF_SCOPE, CONFIRMED, DENIED, DENIED, WITHDRAWN])
REACHED = np.array([0.0, 1.0, 0.9, 1.0, 0.35, 0.75, 0.8])
FOOLED = 0.15


def certificates_table(world: World, products: Integers, sku_ids: pa.Array, chunk: int) -> pa.Table:
    """The contract's certificates of these products, one row per change of status; `sku_ids` are theirs."""
    rng = stream(world.seed, "certificates", chunk)
    held = np.flatnonzero(world.products.paper[products] > 0)
    product = products[held]
    paper = world.products.paper[product]
    size = len(held)
    claimed = world.products.listed[product] + rng.integers(0, 20, size)
    # A lapsed paper had less than a year to go when it was claimed; the others have two to four.
    years = np.where(paper == PAPERS.index("expired"), rng.uniform(0.1, 0.8, size), rng.uniform(2.0, 4.0, size))
    expires = claimed + (365 * years).astype(np.int64)
    checked = rng.random(size) < CHECKED
    reached = rng.random(size) < REACHED[paper]
    fooled = (paper == PAPERS.index("fake")) & ~reached & (rng.random(size) < FOOLED / (1 - REACHED[5]))
    outcome = np.where(fooled, CONFIRMED, OUTCOME[paper])
    verdict = claimed + rng.integers(10, 121, size)
    verdict = np.where(outcome == WITHDRAWN, verdict + rng.integers(30, 300, size), verdict)
    until = world.period.until
    decided = checked & (reached | fooled)
    events: list[tuple[Integers, Integers, Integers]] = [
        (np.flatnonzero(claimed <= until), np.full(size, CLAIMED), claimed),
        (np.flatnonzero(decided & (verdict <= until)), outcome, verdict),
        (np.flatnonzero((expires <= until) & (expires > verdict)), np.full(size, EXPIRED), expires),
    ]
    which = np.concatenate([entries for entries, _, _ in events])
    status = np.concatenate([codes[entries] for entries, codes, _ in events])
    day = np.concatenate([days[entries] for entries, _, days in events])
    known = np.where(status == CLAIMED, day, np.minimum(day + rng.integers(0, 8, len(day)), until))
    return pa.table({
        "certificate_id": identifiers("C", product[which], world.seed),
        "supplier_id": supplier_ids(world.products.supplier[product[which]], world.seed),
        "happened_on": written_days(day),
        "known_on": written_days(known),
        "status": pa.array(STATUSES).take(pa.array(status)),
        "sku_id": sku_ids.take(pa.array(held[which])),
        "scheme": _schemes(world.products.category[product], world.products.design[product]).take(pa.array(which)),
        "issuer": _issuers(rng, paper).take(pa.array(which)),
        "expires_on": written_days(expires[which]),
    })  # fmt: skip


def _schemes(category: Integers, design: Integers) -> pa.Array:
    names = [c.schemes for c in categories()]
    count = np.array([len(schemes) for schemes in names])
    code = (np.cumsum(count) - count)[category] + (design >> 50) % count[category]
    return pa.array([scheme for schemes in names for scheme in schemes]).take(pa.array(code))


def _issuers(rng: np.random.Generator, paper: Integers) -> pa.Array:
    """The issuer of each paper; doubtful ones name the last issuers of the list more often."""
    doubtful: Truths = paper >= PAPERS.index("unverifiable")
    position = rng.random(len(paper)) ** np.where(doubtful, 0.5, 1.3)
    return pa.array(ISSUERS).take(pa.array((position * len(ISSUERS)).astype(np.int64)))
