"""What the image lacks is needed by nothing that answers."""

import subprocess
import sys

from tests.serving.conftest import ROOT, Scored

IMAGE_LACKS = ("pandas", "ibis", "duckdb", "sklearn", "mlflow", "shap", "polars", "matplotlib", "sqlglot")


def run_without_what_the_image_lacks(program: str, *arguments: str) -> None:
    """Run a program in which the libraries that the image lacks cannot be imported."""
    blocked = (
        "import sys\nclass Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {IMAGE_LACKS!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    command = [sys.executable, "-c", blocked + program, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_service_needs_nothing_that_the_image_lacks() -> None:
    """serving.service imports without pandas, Ibis, DuckDB, scikit-learn or MLflow."""
    run_without_what_the_image_lacks("import serving.service")


def test_an_answer_needs_nothing_that_the_image_lacks(scored: Scored) -> None:
    """Scores with reasons and a plan are computed without the libraries that the image lacks."""
    ask = (
        "from pathlib import Path\nfrom data.workspace import Workspace\n"
        "from serving.schemas import Item\nfrom serving.online.store import open_online_store\n"
        "published = open_online_store(Workspace(Path(sys.argv[1])))\n"
        "assert published.answer([Item(sku_id='K-1', market='DE')], True).scores[0].reasons\n"
        "assert published.plan(5000.0, 1).summary.tests\n"
        "assert len(published.dossiers.of(0).months) == 24\n"
    )
    run_without_what_the_image_lacks(ask, str(scored.workspace.home))
