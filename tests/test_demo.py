"""The main job as a new user runs it: one command, from nothing to a plan."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from serving.night.record import StepName
from serving.score_rows import SCORE_SCHEMA

ROOT = Path(__file__).resolve().parent.parent


def touchstone(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A call of the command line, with MLflow in the workspace."""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return subprocess.run(
        [sys.executable, "-m", "touchstone", "--home", str(home), *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_demo_goes_from_nothing_to_a_plan(tmp_path: Path) -> None:
    """`touchstone demo --no-serve` scores every SKU of the sample, plans within the budget and says so.

    A night after it, with the champion that it trained, does every step.
    """
    ran = touchstone(tmp_path, "demo", "--skus", "3000", "--no-serve")
    assert ran.returncode == 0, ran.stderr
    assert "3,000 SKUs scored as of 2026-07-01" in ran.stdout
    assert "EUR 20,000 buys" in ran.stdout
    home = tmp_path / "demo"
    scores = duckdb.read_parquet(str(home / "scores" / "as_of=2026-07-01" / "*.parquet"), hive_partitioning=False)
    assert scores.columns == SCORE_SCHEMA.names
    skus = duckdb.read_parquet(str(home / "sample" / "skus.parquet"))
    assert duckdb.sql("SELECT count(*) FROM skus ANTI JOIN scores USING (sku_id, market)").fetchone() == (0,)
    assert duckdb.sql("SELECT count(*), count(DISTINCT rank), min(rank), max(rank) FROM scores").fetchone() == (
        3000, 3000, 1, 3000,
    )  # fmt: skip
    assert len(skus) == 3000
    plan = duckdb.read_parquet(str(home / "plans" / "2026-07-01-*" / "plan.parquet"))
    spent = plan.aggregate("sum(cost_eur), min(inclusion_probability) > 0").fetchone()
    assert spent is not None
    assert 0 < spent[0] <= 20_000
    assert spent[1]
    (home / "touchstone.toml").write_text(f'[night]\nsource = "{home / "sample"}"\n', encoding="utf-8")
    night = touchstone(home, "nightly")
    *steps, end = map(json.loads, night.stdout.splitlines())
    assert night.returncode == end["exit_code"] in (0, 4), night.stderr
    assert [step["step"] for step in steps] == list(StepName)
    assert {step["step"] for step in steps if step["outcome"] == "skipped"} == {"estimate", "allocate"}
    assert end["in_service"] == "In service are the scores of 2026-07-01."
