"""An artifact as a folder for `mlflow.pyfunc`, with probabilities and reasons, and for `mlflow.lightgbm`."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Final

CODE: Final = Path(__file__).resolve().parent / "mlflow_model.py"
REQUIRED = ("lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "scipy")


def save_model(artifact: Path, folder: Path) -> None:
    """Write the artifact in the folder `artifact` as an MLflow model of both flavors into the new folder `folder`.

    The artifact stays as it is, below `artifacts/`. `mlflow.lightgbm` reads its trees alone, without calibration.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of MLflow about type hints of its own
        from mlflow.pyfunc import save_model as save_pyfunc
    from mlflow.models import Model

    model, booster = Model(), f"artifacts/{artifact.name}/booster.txt"
    model.add_flavor(
        "lightgbm", lgb_version=version("lightgbm"), data=booster, model_class="lightgbm.basic.Booster"
    )  # fmt: skip
    save_pyfunc(
        str(folder), python_model=str(CODE), artifacts={"artefact": str(artifact)}, mlflow_model=model,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
        # A signature would refuse yes and no for 1 and 0, and drop keys; `score_frame` says what is missing.
        signature=False,
    )  # fmt: skip
