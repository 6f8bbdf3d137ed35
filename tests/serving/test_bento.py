"""The built bento holds the service and nothing else, and answers like the working tree from anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import ROOT, Scored, serving

QUESTION = {"items": [{"sku_id": "K-1", "market": "DE"}, {"sku_id": "K-9", "market": "FR"}], "explain": True}
NOT_SERVED = ("tests", "workspace", "training", "benchmarks", "touchstone.py", "data/ingest.py", "data/tables.py")


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bento built from this tree into a store of its own."""
    home = tmp_path_factory.mktemp("bentoml")
    environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", "test"]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return home / "bentos" / "touchstone" / "test"


@pytest.mark.slow
def test_the_bento_holds_the_service_and_nothing_else(bento: Path) -> None:
    """Every served room and the policy are in, tests, training and runtime files are not."""
    source = bento / "src"
    for name in ("serving/service.py", "models/scoring.py", "sampling/plan.py", "features/snapshot.py"):
        assert (source / name).is_file()
    assert list((source / "policy").rglob("*.toml"))
    for name in NOT_SERVED:
        assert not (source / name).exists()


@pytest.mark.slow
def test_the_bento_asks_for_the_locked_packages(bento: Path) -> None:
    """Its requirements are pinned, and none of the heavy libraries of training is among them."""
    lines = (bento / "env" / "python" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {line.split("==")[0].strip() for line in lines if "==" in line}
    assert {"bentoml", "lightgbm", "numpy", "pyarrow"} <= names
    assert not {"pandas", "duckdb", "ibis-framework", "mlflow", "shap", "scikit-learn"} & names


@pytest.mark.slow
def test_the_bento_answers_like_the_working_tree(bento: Path, scored: Scored, tmp_path: Path) -> None:
    """Served from another directory, it gives the very answer of the working tree."""
    home = {"BENTOML_HOME": str(bento.parents[2])}
    with serving("serving.service:Touchstone", scored.workspace.home, ROOT, home) as client:
        expected = client.post("/score", json=QUESTION).json()
    with serving("touchstone:test", scored.workspace.home, tmp_path, home) as client:
        answer = client.post("/score", json=QUESTION).json()
    assert len(answer["scores"]) == 2
    assert answer == expected
