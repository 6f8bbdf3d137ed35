"""Batch scoring on a Spark cluster, by the same expressions and the same scorer; no other file imports Spark."""

import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from data.alerts.matching import MATCHES
from data.alerts.stored_matches import matches_file
from data.contract import ALERTS, BY_NAME
from data.errors import UserError
from data.lake.location import table_path
from data.lake.store import current_lake, latest_known_on
from data.lake.tables import Tables, add_absent_columns
from data.progress import Progress
from data.workspace import Workspace
from features.definition import KEYS, left_join_missing
from features.fitted_tables import FittedTables
from features.groups.reviews import READ, REVIEWS
from features.point_in_time import entity_table, join_entities
from features.review_text.incremental import MONTHS, read_lake
from features.snapshot.reader import KEY_COLUMNS
from features.snapshot.writer import catalogue_on
from features.version import feature_version
from models.artifact import Artifact, require_feature_version
from models.registry import model_folder
from models.risk_bands import bands_in_force
from models.risk_levels import risk_levels_in_force
from serving.score_rows import RowScorer
from serving.scoring.checkpoint import ScoringCheckpoint, open_checkpoint

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    Batches = Iterable[pa.RecordBatch]

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "features", "models", "serving", "policy")
# Sources, policy, and the kernels that numba has compiled: a worker of the same kind need not compile them anew.
SHIPPED_SUFFIXES = (".py", ".toml", ".nbi", ".nbc")
CODE, MODEL = "touchstone-code", "touchstone-model"
ROWS_PER_PART = 500_000
WARM_UP_ROWS = 64
FINISHED = "_SUCCESS"  # what Spark writes into a folder last of all
# Size and place of a cluster belong into its spark-defaults.conf; these decide what is computed.
SESSION: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.ui.showConsoleProgress": "false",
}
UNRANKED = (
    "sku_id string, market string, as_of date, margin double, p_fail double, p_low double, p_high double, band string, "
    "hazard string, hazard_share double, risk_level string, rank bigint, "
    "reasons array<struct<feature: string, value: double, contribution: double>>, model_version string, "
    "feature_version string, policy_version string"
)


@contextmanager
def spark_session(
    master: str, python: str | None = None, options: Mapping[str, str] | None = None
) -> "Iterator[SparkSession]":
    """A Spark session at `master` (`local[2]`, `spark://host:7077`, `yarn`...), stopped at the end.

    `python` is the interpreter on the workers, the driver's own where absent; `options` come on top of SESSION.
    Raises UserError where Spark is not installed or does not start.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UserError("Spark is not installed. Run `make setup-spark`, or leave out `--engine spark`.") from error
    builder = SparkSession.builder.master(master).appName("touchstone")
    for name, value in {**SESSION, **(options or {})}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise UserError(f"Spark did not start at {master}: {error}. Install Java 17 and check --master.") from error
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.pythonExec = python or sys.executable
    try:
        yield session
    finally:
        session.stop()


def spark_tables(session: "SparkSession", workspace: Workspace, progress: Progress) -> Tables:
    """The current accepted rows of the lake as tables on Spark, what their reviews say of hazards, matches of alerts.

    The driver reads the reviews that are new or changed, and matches the alerts. Raises UserError where nothing has
    been ingested.
    """
    import ibis

    fingerprint = read_lake(workspace, progress).fingerprint
    folder = current_lake(workspace)
    backend = ibis.pyspark.connect(session)
    paths = {name: table_path(folder, name) for name in BY_NAME}
    given = {
        name: backend.read_parquet(_address(path), recursiveFileLookup=True)
        for name, path in paths.items()
        if path.exists()
    }
    given = {name: add_absent_columns(rows, BY_NAME[name]) for name, rows in given.items()}
    if REVIEWS in given:
        given[READ] = backend.read_parquet(_address(workspace.review_signals / MONTHS))
    if ALERTS.name in given:
        given[MATCHES] = backend.read_parquet(_address(matches_file(fingerprint, workspace.alert_matches)))
    return Tables(backend, given, folder.name)


def score_on_spark(
    session: "SparkSession", workspace: Workspace, artifact: Artifact, as_of: date | None, progress: Progress
) -> Path:
    """Score every SKU listed by `as_of` and return the folder of `part-*.parquet` in SCORE_SCHEMA.

    `as_of` None is the day after the newest row. Rows are those of `batch.score_catalogue`, but ordered by rank. The
    workspace must be the same folder on driver and workers. The folder appears whole or not at all; the service
    keeps answering from what was published before. A run that is killed is taken up by the next one of the same model,
    lake, policy and code after its last finished step. Raises UserError where the catalogue
    is empty, the model reads other features, no policy is in force or another run is scoring the same day.
    """
    computed = feature_version(artifact.reference)
    require_feature_version(artifact, computed)
    tables = spark_tables(session, workspace, progress)
    as_of = as_of or latest_known_on(tables) + timedelta(days=1)
    bands, target = bands_in_force(as_of), workspace.scores(as_of)
    # A model that cannot score is refused here, and its kernels are compiled before they are shipped.
    RowScorer(artifact, as_of, bands).explain(np.full((WARM_UP_ROWS, len(artifact.feature_names)), np.nan))
    rows = int(tables.backend.to_pyarrow(catalogue_on(tables, as_of).count()).as_py())
    if not rows:
        raise UserError(f"No SKU is listed by {as_of}, so there is nothing to score. Take a later day.")
    policies = (bands.version, risk_levels_in_force(as_of).version)
    inputs = ("spark", artifact.version, tables.fingerprint, computed, *policies, str(ROWS_PER_PART))
    with open_checkpoint(target, inputs) as checkpoint:
        work = checkpoint.folder / "spark"
        work.mkdir(exist_ok=True)
        _distribute(session, work, model_folder(workspace, artifact.version))
        with progress.step("Features on Spark", rows, "SKUs") as advance:
            wide = features_on_spark(tables, as_of, artifact.reference, work)
            advance(rows)
        with progress.step("Scores with reasons on Spark", rows, "SKUs") as advance:
            scored = session.sql(tables.backend.compile(wide)).mapInArrow(_scoring(as_of), UNRANKED)
            unranked = _write_once(work / "unranked", scored.write.parquet)
            advance(rows)
        with progress.step("Ranks on Spark", rows, "SKUs") as advance:
            ordered = _sorted_by_rank(
                session.read.schema(UNRANKED).parquet(_address(unranked)), -(-rows // ROWS_PER_PART)
            )
            _write_parts(session, _write_once(work / "sorted", ordered.write.parquet), checkpoint, rows)
            advance(rows)
        checkpoint.publish(target)
    return target


def features_on_spark(tables: Tables, as_of: date, reference: FittedTables, work: Path) -> "ir.Table":
    """Every SKU listed by `as_of` with KEY_COLUMNS and all features, as an expression over files in `work`.

    Each entity is written once: as one plan, the features outgrow Spark's optimizer.
    """
    spine = catalogue_on(tables, as_of)
    by_entity = {
        entity: _materialize(tables, entity_table(entity, tables, spine, reference), work / f"{entity}_features")
        for entity in KEYS
    }
    keys = tables["skus"].select(*KEY_COLUMNS)
    return left_join_missing(join_entities(spine, by_entity, reference), keys, ("sku_id", "market"))


def _materialize(tables: Tables, rows: "ir.Table", folder: Path) -> "ir.Table":
    """The rows, computed once into Parquet files in `folder`."""
    finished = _write_once(folder, partial(tables.backend.to_parquet_dir, rows))
    return tables.backend.read_parquet(_address(finished))


def _write_once(folder: Path, write: "Callable[[str], object]") -> Path:
    """The folder, written by Spark at the address that `write` is given, unless a killed run has finished it."""
    if not (folder / FINISHED).exists():
        shutil.rmtree(folder, ignore_errors=True)
        write(_address(folder))
    return folder


def _address(path: Path) -> str:
    # Hadoop takes a path as it is: as_uri() would have it look for a folder named as_of%3D...
    return f"file://{path}"


def _distribute(session: "SparkSession", work: Path, model: Path) -> None:
    """Send the rooms and the model to every worker, which unpacks them once into its own folder."""
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in SHIPPED_SUFFIXES]
    for name, home, files in ((CODE, ROOT, code), (MODEL, model, list(model.rglob("*")))):
        with zipfile.ZipFile(work / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(home))
        session.sparkContext.addArchive(f"{(work / f'{name}.zip').as_uri()}#{name}")


def _scoring(as_of: date) -> "Callable[[Batches], Iterator[pa.RecordBatch]]":
    """The function for `mapInArrow`; a nested function is shipped whole, before the worker can import a room."""
    code, model = CODE, MODEL

    def score(batches: "Batches") -> "Iterator[pa.RecordBatch]":
        import sys
        from pathlib import Path

        from pyspark import SparkFiles

        unpacked = Path(SparkFiles.getRootDirectory()).resolve()
        if str(unpacked / code) not in sys.path:
            sys.path.insert(0, str(unpacked / code))
        from serving.scoring.spark_worker import score_batches

        yield from score_batches(batches, unpacked / model, as_of)

    return score


def _sorted_by_rank(unranked: "DataFrame", parts: int) -> "DataFrame":
    """The rows in the order of their rank over all partitions, as `score_rows.compute_ranks` orders them.

    A range partition, since a window over the whole catalogue would put every row on one worker.
    """
    from pyspark.sql.functions import col

    order = (col("p_fail").desc(), col("margin").desc(), col("sku_id"), col("market"))
    return unranked.repartitionByRange(parts, *order).sortWithinPartitions(*order)


def _write_parts(session: "SparkSession", ordered: Path, checkpoint: ScoringCheckpoint, rows: int) -> None:
    """Turn the sorted files of `ordered` into ranked parts, each on a worker of its own choice."""
    files = sorted(ordered.glob("part-*.parquet"))
    counts = [int(pq.read_metadata(path).num_rows) for path in files]
    if sum(counts) != rows:
        raise AssertionError(f"{sum(counts)} score rows for {rows} SKUs: an entity has two rows a day.")
    jobs = [
        {"source": str(path), "target": str(checkpoint.part(number)), "ranked_before": sum(counts[:number])}
        for number, path in enumerate(files)
    ]
    session.sparkContext.parallelize(jobs, len(jobs)).foreach(_ranking())
    written = sum(int(pq.read_metadata(path).num_rows) for path in checkpoint.parts.glob("part-*.parquet"))
    if written != rows:
        raise UserError(
            f"The workers wrote {written} of {rows} rows to {checkpoint.parts}. Put the workspace where all can see it."
        )


def _ranking() -> "Callable[[Mapping[str, Any]], None]":
    """The function that writes one part, shipped as `_scoring`; a job has the parameters of `write_ranked`."""
    code = CODE

    def rank(job: "Mapping[str, Any]") -> None:
        import sys
        from pathlib import Path

        from pyspark import SparkFiles

        unpacked = Path(SparkFiles.getRootDirectory()).resolve()
        if str(unpacked / code) not in sys.path:
            sys.path.insert(0, str(unpacked / code))
        from serving.scoring.spark_worker import write_ranked

        write_ranked(Path(job["source"]), Path(job["target"]), job["ranked_before"])

    return rank
