"""The engine stands alone: it imports NumPy, numba and LightGBM only, and installs as a wheel of its own."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

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


def test_all_examples_of_the_readme_run() -> None:
    """Under the name that the package has in this project, so that its compiled kernels are used."""
    examples = "".join(_examples()).replace("from lightgbm_treeshap", "from models.treeshap")
    exec(examples, {})  # noqa: S102 - our own code


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
