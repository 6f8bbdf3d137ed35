"""The built bento holds the service and nothing else, and answers like the working tree from anywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.online.store import open_online_store
from serving.schemas import Item
from tests.serving.conftest import ROOT, Scored, serving

ITEMS = [{"sku_id": "K-1", "market": "DE"}, {"sku_id": "K-9", "market": "FR"}]
LOADED = """
import json, re, sys
from importlib.metadata import packages_distributions
from pathlib import Path
import serving.service

root, packages = Path.cwd(), packages_distributions()
files = [Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
ours = [path.relative_to(root).as_posix() for path in files if root in path.parents and ".venv" not in path.parts]
theirs = {names[0] for top in {name.partition(".")[0] for name in sys.modules} if (names := packages.get(top))}
print(json.dumps([ours, [re.sub("[-_.]+", "-", name).lower() for name in theirs]]))
"""
# Python's own, and what others import where it happens to be installed.
NOT_ASKED_FOR = {"pip", "setuptools", "touchstone", "charset-normalizer"}
NOT_SERVED = (
    "tests",
    "workspace",
    "training",
    "benchmarks",
    "touchstone.py",
    "data/ingest/pipeline.py",
    "data/lake/tables.py",
)


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bento built from this tree into a store of its own."""
    home = tmp_path_factory.mktemp("bentoml")
    environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", "test"]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    folder = home / "bentos" / "touchstone" / "test"
    # Kernels that were compiled in this tree need not be compiled once more for the bento's.
    for kernel in ROOT.glob("models/treeshap/__pycache__/*.nb*"):
        target = folder / "src" / kernel.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(kernel, target)
    return folder


def test_each_pattern_of_the_bento_stands_once_and_finds_files() -> None:
    lines = (ROOT / "bentofile.yaml").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip('- "/') for line in lines if line.startswith('  - "/')]
    assert len(patterns) == len(set(patterns))
    assert [pattern for pattern in patterns if not any(ROOT.glob(pattern))] == []


@pytest.mark.slow
def test_the_bento_holds_the_service_and_nothing_else(bento: Path) -> None:
    """Every served room and the policy are in, tests, training and runtime files are not."""
    source = bento / "src"
    for name in ("serving/service.py", "models/scorer.py", "sampling/plan.py", "features/snapshot/reader.py"):
        assert (source / name).is_file()
    assert list((source / "policy").rglob("*.toml"))
    for name in NOT_SERVED:
        assert not (source / name).exists()


@pytest.mark.slow
def test_the_bento_brings_the_dockerfile_of_this_project(bento: Path) -> None:
    """`bentoml containerize` builds it, and its paths are those of the bento."""
    written = (bento / "env" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert written.strip() == (ROOT / "docs/operations/service.Dockerfile").read_text(encoding="utf-8").strip()
    assert (bento / "env" / "python" / "requirements.txt").is_file()


@pytest.mark.slow
def test_the_bento_asks_for_the_locked_packages(bento: Path) -> None:
    """Its requirements are pinned, and none of the heavy libraries of training is among them."""
    names = required(bento)
    assert {"bentoml", "lightgbm", "numpy", "pyarrow", "sqlalchemy", "jinja2"} <= names
    assert not {"pandas", "polars", "duckdb", "ibis-framework", "mlflow", "shap", "scikit-learn", "pyspark"} & names


def required(bento: Path) -> set[str]:
    """The packages that the bento asks for."""
    lines = (bento / "env" / "python" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0].strip() for line in lines if "==" in line}


@pytest.mark.slow
def test_the_bento_answers_like_the_working_tree(bento: Path, scored: Scored, tmp_path: Path) -> None:
    """Served from another directory, it gives the very answer of the working tree."""
    home = {"BENTOML_HOME": str(bento.parents[2])}
    items = [Item(**item) for item in ITEMS]
    expected = open_online_store(scored.workspace).answer(items, explain=True).model_dump(mode="json")
    style = ROOT / "serving" / "console" / "static" / "console.css"
    with serving("touchstone:test", scored.workspace.home, tmp_path, home) as client:
        answer = client.post("/score", json={"items": ITEMS, "explain": True}).json()
        page = client.get("/ui/", follow_redirects=True)
        styled = client.get("/ui/static/console.css")
    assert len(answer["scores"]) == 2
    assert answer == expected
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "Touchstone" in page.text
    assert styled.content == style.read_bytes()


@pytest.mark.slow
def test_whatever_the_service_imports_is_in_the_bento_or_asked_for_by_it(bento: Path) -> None:
    """Each module of ours that the service loads is packed, each of another's is among the locked packages."""
    result = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    ours, theirs = map(set, json.loads(result.stdout.splitlines()[-1]))
    assert len(ours) > 50
    assert {name for name in ours if not (bento / "src" / name).is_file()} == set()
    assert theirs - required(bento) - NOT_ASKED_FOR == set()


@pytest.mark.slow
def test_what_is_read_at_run_time_is_packed(bento: Path) -> None:
    """Every page, style, migration and policy of the tree is in."""
    read_at_run_time = ("serving/console/templates", "serving/console/static", "data/database/migrations", "policy")
    files = [path for folder in read_at_run_time for path in (ROOT / folder).rglob("*") if path.is_file()]
    read = [path.relative_to(ROOT) for path in files if path.suffix not in (".pyc", ".md")]
    assert len(read) > 40
    assert [str(path) for path in read if not (bento / "src" / path).is_file()] == []
