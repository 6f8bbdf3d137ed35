"""Attributes of the sample marketplace: what it notes of its suppliers, quarter by quarter."""

import numpy as np
import pyarrow as pa

from data.contract import ANYWHERE
from data.synthetic.ground_truth import World
from data.synthetic.randomness import QUARTER, format_days, logistic, random_stream
from data.synthetic.suppliers import supplier_ids

LATE_SHIPMENTS = "late_shipments_percent"
USUAL, OF_QUALITY, NOISE = -2.2, 0.25, 0.7
"""Log-odds of a late shipment: the usual, what the latent badness of a supplier adds, and everything else."""

REPORTING_DAYS = 5


def attributes_table(world: World) -> pa.Table:
    """The contract's attributes: the percentage of late shipments of every supplier in each quarter that has ended."""
    rng = random_stream(world.seed, "attributes")
    quality = world.suppliers.quality
    supplier, quarter = (each.ravel() for each in np.indices(quality.shape))
    margin = USUAL + OF_QUALITY * quality[supplier, quarter] + NOISE * rng.standard_normal(len(supplier))
    ended = world.period.start + (quarter + 1) * QUARTER - 1
    known = np.flatnonzero(ended + REPORTING_DAYS <= world.period.until)
    count = len(known)
    return pa.table({
        "entity": pa.array(["supplier"] * count),
        "id": supplier_ids(supplier[known], world.seed),
        "market": pa.array([ANYWHERE] * count),
        "name": pa.array([LATE_SHIPMENTS] * count),
        "value": pa.array([f"{value:.1f}" for value in 100 * logistic(margin[known])]),
        "happened_on": format_days(ended[known]),
        "known_on": format_days(ended[known] + REPORTING_DAYS),
    })  # fmt: skip
