"""The engine stands alone: it imports NumPy, numba and LightGBM only, and installs as a wheel of its own."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from numpy.testing import assert_allclose

PACKAGE = Path(__file__).parents[3] / "models/treeshap"
ALLOWED = {"llvmlite", "numba", "numpy", "shap"}  # llvmlite comes with numba; shap only inside a call, for its plots


def test_it_imports_nothing_of_this_project() -> None:
    imported = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{path.name} imports from above its folder"
                imported |= {str(node.module).partition(".")[0]} if node.level == 0 else set()
    assert imported - set(sys.stdlib_module_names) <= ALLOWED


@pytest.mark.slow
def test_the_first_example_of_the_readme_runs_from_a_wheel_alone(tmp_path: Path) -> None:
    """Built by the package's own pyproject.toml, imported where nothing of this project can be."""
    source, wheels, home = (tmp_path / name for name in ("source", "wheels", "home"))
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    wheels.mkdir()
    build = f"from setuptools.build_meta import build_wheel; print(build_wheel({str(wheels)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("lightgbm_treeshap-*.whl")
    zipfile.ZipFile(wheel).extractall(home)
    names = {path.name for path in (home / "lightgbm_treeshap").iterdir()}
    assert {path.name for path in PACKAGE.glob("*.py")} <= names
    script = tmp_path / "example.py"
    script.write_text("import sys\nfrom pathlib import Path\n" + _examples()[0] + CHECK, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(home), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def _in_this_project(*words: str) -> str:
    """The first examples and those with one of the words, under the name that the package has here."""
    examples = _examples()
    chosen = [*examples[:3], *(example for example in examples[3:] if any(word in example for word in words))]
    return "".join(chosen).replace("from lightgbm_treeshap", "from models.treeshap")


def test_the_examples_of_the_readme_run() -> None:
    exec(_in_this_project(), {})  # noqa: S102 - our own code


@pytest.mark.slow
def test_the_examples_of_the_readme_for_shap_and_mlflow_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values that were logged are the explainer's."""
    import mlflow

    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap 0.51 and MLflow call what their dependencies deprecate
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
        place = mlflow.create_experiment("explained", artifact_location=str(tmp_path / "runs"))
        mlflow.set_experiment(experiment_id=place)
        exec(_in_this_project("import shap", "import mlflow"), names)  # noqa: S102 - our own code
    (logged,) = (tmp_path / "runs").rglob("shap_values.csv")
    assert_allclose(pd.read_csv(logged)[names["explainer"].feature_names], names["values"], rtol=0, atol=1e-9)


DASHBOARDS = PACKAGE.parents[1] / ".venv-explain/bin/python"


@pytest.mark.skipif(not DASHBOARDS.exists(), reason="make setup-explain installs explainerdashboard")
@pytest.mark.slow
def test_the_example_of_the_readme_for_explainerdashboard_runs() -> None:
    example = _in_this_project("import RegressionExplainer")
    subprocess.run([DASHBOARDS, "-c", example], cwd=PACKAGE.parents[1], check=True)


CHECK = """
import lightgbm_treeshap
assert Path(lightgbm_treeshap.__file__).is_relative_to(Path.cwd()), lightgbm_treeshap.__file__
assert not {"models", "data", "serving"} & set(sys.modules)
"""


def test_it_works_with_the_pythons_of_this_project() -> None:
    own, house = (
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in (PACKAGE, PACKAGE.parents[1])
    )
    assert own["requires-python"] == house["requires-python"]
