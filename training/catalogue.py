"""What the catalogue looks like on one day, to the model that is trained or watched: a sample of it with features."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from features.catalogue import FEATURE_NAMES
from features.pipeline import feature_frame
from features.reference import Reference
from features.snapshot_writing import catalogue_on
from training.metrics import Floats
from training.reference_fit import matrix_of

MOST_SKUS = 20_000


@dataclass(frozen=True)
class CatalogueSample:
    """SKUs drawn from the catalogue of `as_of`: `keys` (sku_id, market) and their features, a row each.

    `size` is the number of SKUs that the catalogue has.
    """

    as_of: date
    size: int
    keys: pd.DataFrame
    matrix: Floats


def catalogue_sample(
    tables: Tables, as_of: date, reference: Reference, seed: int, most: int = MOST_SKUS
) -> CatalogueSample:
    """At most `most` SKUs listed by `as_of`, each with the same chance, with the features of that day.

    The same tables, day and seed give the same SKUs in the same order, by key.
    """
    listed = catalogue_on(tables, as_of).select("sku_id", "market").order_by(["sku_id", "market"])
    keys: pd.DataFrame = tables.backend.to_pyarrow(listed).to_pandas()
    size = len(keys)
    if size > most:
        drawn = np.sort(np.random.default_rng(seed).choice(size, most, replace=False))
        keys = keys.iloc[drawn].reset_index(drop=True)
    features = feature_frame(tables, keys.assign(as_of=pd.Timestamp(as_of)), reference)[list(FEATURE_NAMES)]
    return CatalogueSample(as_of, size, keys, matrix_of(features))
