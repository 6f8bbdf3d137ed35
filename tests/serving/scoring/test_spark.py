"""A cluster of two Spark workers says of every SKU what one machine says of it."""

import gc
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.ingest.pipeline import ingest
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from data.workspace import Workspace
from features.definition import KEYS
from features.point_in_time import feature_table
from features.registry import FEATURE_NAMES
from features.review_text.incremental import read_lake
from features.snapshot.writer import catalogue_on
from models.registry import load_champion, set_champion, store_model
from serving.online.store import open_online_store
from serving.schemas import ScoreRow
from serving.score_rows import SCORE_SCHEMA, compute_ranks
from serving.scoring.batch import publish_scores, score_catalogue
from tests.features.small_world import REFERENCE
from tests.models.worlds import tiny_parts

UNTIL = date(2026, 6, 30)
DAY = date(2026, 7, 1)
SKUS = 400
TOLERANCE = 1e-9
TWO_WORKERS = "local-cluster[2,1,1024]"
# A small run on a small machine: loopback, few partitions, little heap, and no time spent on compiling plans.
SMALL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.executor.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
}

pytestmark = [
    # Ibis 12 reads rows from Spark through pandas and asks pandas 3 for an option that pandas has deprecated.
    pytest.mark.filterwarnings("ignore:The 'future.infer_string' option is deprecated:DeprecationWarning"),
    # Pyspark 4.0 and pandas 3: astype(copy=...).
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning"),
    # Py4J leaves its connections to the JVM, all on loopback, to the garbage collector.
    pytest.mark.filterwarnings(r"ignore:unclosed <socket.socket .*raddr=\('127.0.0.1':ResourceWarning"),
]
needs_spark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17")


@dataclass(frozen=True)
class BothWays:
    """One marketplace, its features and its scores from DuckDB and from Spark, all in catalogue order.

    `riskiest` are the first 20 of the service and of the files. `written` names what Spark wrote in a run that was
    killed before the ranks, and in the run that took it up.
    """

    features: pa.Table
    features_on_spark: pa.Table
    scores: pa.Table
    scores_on_spark: pa.Table
    parts: tuple[Path, ...]
    riskiest: tuple[list[ScoreRow], pa.Table]
    written: tuple[tuple[str, ...], tuple[str, ...]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> BothWays:
    """Everything this file compares, computed once."""
    pytest.importorskip("pyspark", reason="Spark is an optional group: make setup-spark")
    from serving.scoring import spark

    workspace = _marketplace(tmp_path_factory.mktemp("cluster").resolve())
    tables, artifact = read_lake(workspace), load_champion(workspace)
    features = tables.backend.to_pyarrow(feature_table(tables, catalogue_on(tables, DAY), artifact.reference))
    scores = _rows(score_catalogue(workspace, tables, artifact, DAY, SilentProgress()))
    on_spark: list[pa.Table] = []
    written: list[str] = []

    def overheard(compute: Callable[..., Any], *given: Any) -> Any:
        wide = compute(*given).cache()  # computed once, for the scores and for this test
        on_spark.append(given[0].backend.to_pyarrow(wide))
        return wide

    def noted(once: Callable[..., Path], folder: Path, write: Callable[[str], object]) -> Path:
        def write_noted(address: str) -> None:
            written.append(folder.name)
            write(address)

        return once(folder, write_noted)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, spark.spark_session(TWO_WORKERS, options=SMALL) as session:
        patch.setattr(spark, "_write_once", partial(noted, spark._write_once))
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(spark, "features_on_spark", partial(overheard, spark.features_on_spark))
            broken.setattr(spark, "_sorted_by_rank", killed)
            with pytest.raises(KeyboardInterrupt):
                spark.score_on_spark(session, workspace, artifact, None, SilentProgress())
        before = tuple(written)
        written.clear()
        folder = spark.score_on_spark(session, workspace, artifact, None, SilentProgress())
    gc.collect()  # here, where Py4J's connections may be closed unasked
    assert folder == workspace.scores(DAY)
    assert not [path for path in folder.parent.iterdir() if path.is_dir() and path != folder]
    parts = tuple(sorted(folder.iterdir()))
    publish_scores(workspace, tables, artifact, DAY, SilentProgress())
    riskiest = (open_online_store(workspace).riskiest(20), pq.ParquetFile(parts[0]).read().slice(0, 20))
    return BothWays(
        _ordered(features), _ordered(on_spark[0]), scores, _rows(folder), parts, riskiest, (before, tuple(written))
    )  # fmt: skip


def _marketplace(home: Path) -> Workspace:
    workspace = Workspace(home / "a workspace of 100%")  # a name that an address would have to quote
    write_sample(home / "sample", skus=SKUS, days=730, seed=5, until=UNTIL, progress=SilentProgress())
    ingest(home / "sample", workspace, today=DAY, strict=True, progress=SilentProgress())
    set_champion(workspace, store_model(workspace, replace(tiny_parts(), reference=REFERENCE)))
    return workspace


def _rows(folder: Path) -> pa.Table:
    return _ordered(pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(folder.glob("part-*.parquet"))]))


def _ordered(rows: pa.Table) -> pa.Table:
    return rows.sort_by([(key, "ascending") for key in KEYS["sku"]])


def _numbers(rows: pa.Table, name: str) -> Any:
    return rows[name].to_numpy().astype(float)


@pytest.mark.slow
@needs_spark
@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_feature_has_the_same_value_on_spark(both: BothWays, name: str) -> None:
    """Every feature of every SKU is equal to 1e-9, and missing on Spark where it is missing on DuckDB."""
    assert both.features_on_spark.select(KEYS["sku"]) == both.features.select(KEYS["sku"])
    np.testing.assert_allclose(
        _numbers(both.features_on_spark, name), _numbers(both.features, name),
        rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True,
    )  # fmt: skip


@pytest.mark.slow
@needs_spark
def test_every_sku_is_scored_exactly_once_on_spark(both: BothWays) -> None:
    """The score rows of both engines have the same keys, each once, and the same columns and types."""
    keys = [tuple(row.values()) for row in both.scores_on_spark.select(KEYS["sku"]).to_pylist()]
    assert len(set(keys)) == len(keys) == len(both.scores)
    assert both.scores_on_spark.select(KEYS["sku"]) == both.scores.select(KEYS["sku"])
    assert all(pq.read_schema(path).equals(SCORE_SCHEMA) for path in both.parts)


@pytest.mark.slow
@needs_spark
@pytest.mark.parametrize("name", ["p_fail", "p_low", "p_high"])
def test_a_probability_is_the_same_on_spark(both: BothWays, name: str) -> None:
    """Probabilities and the ends of their intervals are equal to 1e-9."""
    np.testing.assert_allclose(
        _numbers(both.scores_on_spark, name), _numbers(both.scores, name), rtol=0, atol=TOLERANCE
    )


@pytest.mark.slow
@needs_spark
@pytest.mark.parametrize("name", ["as_of", "band", "rank", "model_version", "feature_version", "policy_version"])
def test_rank_band_and_versions_are_the_same_on_spark(both: BothWays, name: str) -> None:
    """Whatever is not a probability or a reason is equal exactly."""
    assert both.scores_on_spark[name].to_pylist() == both.scores[name].to_pylist()


@pytest.mark.slow
@needs_spark
def test_reasons_are_the_same_on_spark(both: BothWays) -> None:
    """Each SKU has the same features for reasons, in the same order, with equal values and contributions."""
    actual, expected = (rows["reasons"].combine_chunks().flatten() for rows in (both.scores_on_spark, both.scores))
    assert actual.field("feature").to_pylist() == expected.field("feature").to_pylist()
    for name in ("value", "contribution"):
        a, b = (reasons.field(name).to_numpy(zero_copy_only=False) for reasons in (actual, expected))
        np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


@pytest.mark.slow
@needs_spark
def test_parts_on_spark_follow_the_rank(both: BothWays) -> None:
    """Read in the order of their names, the parts hold the ranks 1 to n in order."""
    ranks = [rank for path in both.parts for rank in pq.ParquetFile(path).read()["rank"].to_pylist()]
    assert ranks == list(range(1, SKUS + 1))


@pytest.mark.slow
@needs_spark
def test_scores_of_spark_can_be_put_into_service(both: BothWays) -> None:
    """The service answers from them: the riskiest SKUs are the first rows of the first part."""
    served, written = both.riskiest
    for name in ("sku_id", "market", "rank", "p_fail", "risk_level"):
        assert [getattr(row, name) for row in served] == written[name].to_pylist()


@pytest.mark.slow
@needs_spark
def test_a_killed_run_is_taken_up_after_its_last_finished_step(both: BothWays) -> None:
    """What the first run wrote is not written again, and what it did not reach is."""
    before, after = both.written
    assert before[-1] == "unranked"
    assert after == ("sorted",)


@pytest.mark.parametrize("counts", [(3, 4, 1), (8,), (1, 0, 7)])
def test_ranks_continue_from_part_to_part(tmp_path: Path, counts: tuple[int, ...]) -> None:
    """Sorted files turned into parts one by one hold the ranks that the whole catalogue would get at once."""
    from serving.scoring.spark_worker import write_ranked

    margins = np.linspace(3.0, -3.0, sum(counts))
    before, ranks = 0, []
    for number, count in enumerate(counts):
        columns = [pa.nulls(count, field.type) for field in SCORE_SCHEMA]
        rows = pa.Table.from_arrays(columns, schema=SCORE_SCHEMA)
        rows = rows.set_column(
            SCORE_SCHEMA.get_field_index("margin"), "margin", pa.array(margins[before : before + count])
        )
        pq.write_table(rows, tmp_path / "sorted.parquet")
        before += write_ranked(tmp_path / "sorted.parquet", tmp_path / f"{number}.parquet", before)
        ranks += pq.read_table(tmp_path / f"{number}.parquet")["rank"].to_pylist()
    assert ranks == compute_ranks(margins, 1 / (1 + np.exp(-margins))).tolist()


def test_without_spark_the_refusal_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyspark is missing, one sentence says what to run."""
    import sys

    from serving.scoring.spark import spark_session

    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(UserError, match="make setup-spark"), spark_session("local[1]"):
        pass
