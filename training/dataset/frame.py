"""Frames for data scientists: labels with their features, or the catalogue of a day, each column with its meaning."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.lake.tables import Tables
from data.progress import Progress
from data.workspace import replace_atomically
from features.fitted_tables import FittedTables
from features.registry import features_of
from features.snapshot.reader import open_snapshot
from features.snapshot.writer import write_snapshot
from features.version import feature_version
from models.artifact import Artifact
from training.dataset.labels import build_labels
from training.dataset.splits import Split, group_parts, split_by_time
from training.fitting.model import build_training_rows, build_training_set
from training.metrics import Floats
from training.recipe import Recipe

ROWS_AT_ONCE = 65_536
MEANINGS = {
    "test_id": "the test", "sku_id": "the product", "market": "where it is sold", "supplier_id": "the supplier",
    "category": "the product category", "as_of": "the day on which the features are known: of a label, its sample's",
    "known_on": "the day of the report; a model of that day may learn from it from the next day on",
    "failed": "the label: whether an independent laboratory found a failure",
    "weight": "the weight that the recipe trains with",
    "period": "train, calibration or test; missing where the test spans a border",
    "fold": "cross-fitting fold of a training row; missing elsewhere",
    "group": "rows of one group (supplier, twins of its products) are never split between folds",
    "severity": "of a failure", "strategy": "why it was tested", "lab_id": "the laboratory",
    "propensity": "the probability with which it was chosen for testing", "cost_eur": "what the test cost in euros",
}  # fmt: skip
LABEL_COLUMNS = tuple(name for name in MEANINGS)


def write_label_frame(
    tables: Tables, recipe: Recipe, test_from: date | None, out: Path, progress: Progress
) -> pa.Schema:
    """Write the labels with weight, period, fold and features, as `train` sees them, to a Parquet file.

    Encodings of training rows are out of fold. Raises UserError where `train` would.
    """
    labels = build_labels(tables, rule=recipe.labels)
    split = split_by_time(labels, test_from, recipe.split)
    training_set = build_training_set(tables, labels, split, recipe, progress)
    columns = _label_columns(labels, split, recipe, training_set.matrix(split.train))
    features = {name: pa.array(training_set.features[name]) for name in training_set.feature_set.names}
    made = {"recipe": recipe.name, "test_from": split.test_from.isoformat(), "lake": tables.fingerprint}
    rows = pa.table({**columns, **features})
    schema = _explained(rows.schema, made, training_set.reference)
    with replace_atomically(out) as attempt:
        pq.write_table(rows.cast(schema), attempt, compression="zstd")
    return schema


def write_catalogue_frame(tables: Tables, model: Artifact, as_of: date, out: Path, progress: Progress) -> pa.Schema:
    """Write the features of every SKU listed by a day, with the rates that `model` learned, to a Parquet file.

    Raises UserError where no SKU is listed by that day.
    """
    made = {"as_of": as_of.isoformat(), "model": model.version, "lake": tables.fingerprint}
    with TemporaryDirectory(dir=out.resolve().parent, prefix=".frame") as folder, replace_atomically(out) as attempt:
        snapshot = Path(folder) / "snapshot"
        write_snapshot(tables, as_of, model.reference, snapshot, progress)
        batches = _catalogue_rows(snapshot, as_of)
        first = next(batches)
        schema = _explained(first.schema, made, model.reference)
        with pq.ParquetWriter(attempt, schema, compression="zstd") as writer:
            writer.write_table(first.cast(schema))
            for rows in batches:
                writer.write_table(rows.cast(schema))
    return schema


def _label_columns(labels: pd.DataFrame, split: Split, recipe: Recipe, matrix: Floats) -> dict[str, pa.Array]:
    """The columns of MEANINGS; weights are those of training, for training rows alone."""
    train, count = split.train, len(labels)
    weights, folds = np.full(count, np.nan), np.full(count, -1)
    trained = build_training_rows(labels.iloc[train], matrix, recipe)
    weights[train] = 1.0 if trained.weights is None else trained.weights
    folds[train] = group_parts(labels["group"].iloc[train].tolist(), recipe.split.folds)
    period = np.full(count, None, dtype=object)
    for name, rows in (("train", train), ("calibration", split.calibration), ("test", split.test)):
        period[rows] = name
    made: Mapping[str, pa.Array] = {
        "weight": pa.array(weights, from_pandas=True), "period": pa.array(period, pa.string()),
        "fold": pa.array(folds, pa.int32(), mask=folds < 0),
    }  # fmt: skip
    columns = {}
    for name in LABEL_COLUMNS:
        held = made[name] if name in made else pa.array(labels[name], from_pandas=True)
        columns[name] = held.cast(pa.date32()) if pa.types.is_timestamp(held.type) else held
    return columns


def _catalogue_rows(folder: Path, as_of: date) -> Iterator[pa.Table]:
    snapshot = open_snapshot(folder)
    for start in range(0, len(snapshot), ROWS_AT_ONCE):
        keys, matrix = snapshot.keys(start, start + ROWS_AT_ONCE), snapshot.matrix(start, start + ROWS_AT_ONCE)
        named = {name: keys[name] for name in keys.column_names}
        features = {name: pa.array(matrix[:, n], from_pandas=True) for n, name in enumerate(snapshot.feature_names)}
        yield pa.table({**named, "as_of": pa.array([as_of] * len(keys), pa.date32()), **features})


def _explained(schema: pa.Schema, made: Mapping[str, str], reference: FittedTables) -> pa.Schema:
    """The schema with the meaning of every column, and from what the frame was made (JSON under `touchstone`)."""
    features = {
        feature.name: {
            "meaning": feature.meaning, "unit": feature.unit, "group": feature.group, "entity": feature.entity,
            "direction": f"{feature.direction:+d}" if feature.direction else "0",
        }
        for feature in features_of(reference).features
    }  # fmt: skip
    fields = [
        pa.field(field.name, field.type, metadata=features.get(field.name, {"meaning": MEANINGS.get(field.name, "")}))
        for field in schema
    ]
    return pa.schema(fields, {"touchstone": json.dumps({**made, "feature_version": feature_version(reference)})})
