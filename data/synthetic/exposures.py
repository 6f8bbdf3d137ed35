"""Exposures of the sample marketplace: how often listings were shown, with a recommender that favours unsafe ones.

The recommender shows what sells fast for little, and such listings fail more often: the views that it adds follow the
latent margin. `RECOMMENDER_BIAS` is planted; by how much failing listings are shown more often than they are listed
follows from it, from the sales and from the margins.
"""

import numpy as np
import pyarrow as pa

from data.synthetic.ground_truth import World
from data.synthetic.randomness import Floats, Integers, format_days, random_stream
from data.synthetic.skus import markets

PERIODS, PERIOD_DAYS, REPORTING_DAYS = 3, 28, 1
"""Views are summed over four weeks, of the last twelve; they are known a day later."""

VIEWS_PER_UNIT, BROWSED = 30.0, 0.4
"""Views in search for each unit that a listing sells a day, and views a day of what hardly sells."""

RECOMMENDED, RECOMMENDER_BIAS, NOISE = 0.5, 0.9, 0.5
"""Recommended views per view in search; how their logarithm rises with the latent margin; what else moves it."""

PROMOTED = 0.15
"""The share of recommended views that were paid for."""

SEARCH, RECOMMENDATION = "search", "recommendation"


def exposures_table(world: World, rows: Integers, names: pa.Array, chunk: int) -> pa.Table:
    """The contract's exposures of these listings, of surfaces on which they were shown at all."""
    rng = random_stream(world.seed, "exposures", chunk)
    daily = expected_views(world, rows) * np.exp(NOISE * rng.standard_normal((2, len(rows))) - NOISE**2 / 2)
    last = world.period.until - PERIOD_DAYS * np.arange(PERIODS)[::-1] - REPORTING_DAYS
    shown_days = np.clip(last[:, None] - np.maximum(world.listings.listed[rows], last[:, None] - PERIOD_DAYS), 0, None)
    views = rng.poisson(daily[:, None, :] * shown_days[None, :, :])
    promoted = rng.binomial(views[1], PROMOTED)
    surface, period, listing = np.nonzero(views)
    day = last[period]
    return pa.table({
        "sku_id": names.take(pa.array(listing)),
        "market": markets(world, rows[listing]),
        "happened_on": format_days(day),
        "known_on": format_days(day + REPORTING_DAYS),
        "surface": pa.array([SEARCH, RECOMMENDATION]).take(pa.array(surface)),
        "views": views[surface, period, listing],
        "promoted": np.where(surface == 1, promoted[period, listing], 0),
    })  # fmt: skip


def expected_views(world: World, rows: Integers) -> Floats:
    """Views a day in search and by recommendation (two rows), of each listing."""
    search = BROWSED + VIEWS_PER_UNIT * world.listings.units_a_day[rows]
    margin = world.margin(rows, world.period.quarters - 1)
    return np.stack([search, RECOMMENDED * search * np.exp(RECOMMENDER_BIAS * np.clip(margin - CENTRE, -3, 3))])


CENTRE = -2.5
"""The margin at which the recommender adds `RECOMMENDED`: about the median of a marketplace."""
