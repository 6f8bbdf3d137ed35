"""Contributions: the engine against LightGBM, shap and other public engines, on the same model, rows and threads.

Run with `python -m benchmarks.explain`.
"""

import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.process import run_anew
from benchmarks.report import interleaved_medians, machine, table, versions, write_report
from models.treeshap import Engine, compile_model

Contestants = dict[str, tuple[int, Callable[[], object]]]
LATENCY_ROWS = (1, 10, 100)
FEATURES, CATEGORICAL = 100, range(90, 100)
START = """
import sys, time
started = time.perf_counter()
from pathlib import Path
import numpy
from models.treeshap import compile_model
engine = compile_model(Path(sys.argv[1]).read_text())
rows = numpy.zeros((40, engine.n_features))
engine.top(rows[:1], 5), engine.top(rows, 5), engine.contributions(rows[:1])
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Size:
    """A model's size (depth -1: unlimited), and the rows on which the slow and the fast engines are timed."""

    name: str
    trees: int
    leaves: int
    oracle_rows: int
    rows: int
    rounds: int
    categorical: bool = True
    depth: int = -1


SIZES = (
    Size("As the default recipe", 136, 7, 2_000, 32_768, 7),
    Size("A", 300, 31, 300, 8_192, 7),
    Size("B", 600, 127, 40, 1_024, 5),
    Size("A without categories", 300, 31, 300, 32_768, 3, categorical=False),
)


def rows_of(count: int, seed: int, categorical: bool = True) -> NDArray[np.float64]:
    """Rows of 90 normal features and 10 with 20 categories, or of 100 normal ones; 5 % of the values are missing."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, FEATURES))
    if categorical:
        matrix[:, CATEGORICAL] = rng.integers(0, 20, (count, len(CATEGORICAL)))
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    return matrix


def grow(size: Size) -> lightgbm.Booster:
    """A model on an outcome with interactions, waves and categories."""
    matrix = rows_of(30_000, 0, size.categorical)
    known = np.nan_to_num(matrix)
    rng = np.random.default_rng(1)
    score = known[:, 0] * known[:, 1] + np.sin(3 * known[:, 2]) + 2 * (known[:, 90] == 3)
    score += known[:, 3:40] @ rng.normal(size=37) * 0.3 + rng.normal(size=len(known))
    settings = {"objective": "binary", "num_leaves": size.leaves, "max_depth": size.depth,
                "learning_rate": 0.05, "verbose": -1}  # fmt: skip
    categorical = list(CATEGORICAL) if size.categorical else []
    dataset = lightgbm.Dataset(matrix, (score > 0).astype(float), categorical_feature=categorical)
    return lightgbm.train(settings, dataset, size.trees)


def measure(size: Size, booster: lightgbm.Booster) -> dict[str, Any]:
    """Microseconds per row of every engine by threads, differences from LightGBM, latencies, and the start."""
    rows = rows_of(size.rows, 2, size.categorical)
    few = rows[: size.oracle_rows]
    text = booster.model_to_string()
    engines = {"float64": compile_model(text), "float32": compile_model(text, "float32")}
    expected = np.asarray(booster.predict(few, pred_contrib=True))
    raw = np.asarray(booster.predict(few, raw_score=True))
    difference: dict[str, Any] = {
        **{p: _difference(engine.contributions(few).values, expected) for p, engine in engines.items()},
        "base value": float(np.abs(expected[:, -1] - engines["float64"].base_value).max()),
        "margin": float(np.abs(engines["float64"].margin(few) - raw).max()),
    }
    result: dict[str, Any] = {"difference": difference}
    for threads in (1, 2):
        contestants = engine_contestants(booster, engines, rows, few, threads)
        if threads == 1:
            _add_shap(contestants, booster, few, expected, difference)
            if not size.categorical:
                _add_woodelf(contestants, booster, rows, expected, difference)
        seconds = interleaved_medians({name: run for name, (_, run) in contestants.items()}, size.rounds)
        result[f"us_per_row_{threads}"] = {n: 1e6 * s / contestants[n][0] for n, s in seconds.items()}
    for count in LATENCY_ROWS:
        result[f"ms_{count}"] = latency_ms(booster, engines["float64"], rows[:count])
    result["start_seconds"] = start_seconds(booster)
    return result


def engine_contestants(
    booster: lightgbm.Booster,
    engines: dict[str, Engine],
    rows: NDArray[np.float64],
    few: NDArray[np.float64],
    threads: int,
) -> Contestants:
    """LightGBM on a few rows and the engine on all, with so many threads."""
    contestants: Contestants = {
        "LightGBM pred_contrib": (len(few), partial(booster.predict, few, pred_contrib=True, num_threads=threads))
    }
    for precision, engine in engines.items():
        contestants[f"treeshap {precision}"] = (len(rows), partial(engine.contributions, rows, threads))
        contestants[f"treeshap {precision}, top 5 only"] = (len(rows), partial(engine.top, rows, 5, threads))
    return contestants


def latency_ms(booster: lightgbm.Booster, engine: Engine, rows: NDArray[np.float64]) -> dict[str, float]:
    """Median milliseconds of one request, one thread."""
    seconds = interleaved_medians(
        {
            "LightGBM pred_contrib": partial(booster.predict, rows, pred_contrib=True, num_threads=1),
            "treeshap float64": partial(engine.top, rows, 5),
        },
        rounds=21 if len(rows) < 100 else 3,
    )
    return {name: 1e3 * taken for name, taken in seconds.items()}


def _difference(values: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    return float(np.abs(values - expected[:, :FEATURES]).max())


def _add_shap(
    contestants: Contestants,
    booster: lightgbm.Booster,
    few: NDArray[np.float64],
    expected: NDArray[np.float64],
    differences: dict[str, Any],
) -> None:
    """Shap hands LightGBM models to LightGBM."""
    import shap

    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    differences["shap.TreeExplainer"] = _difference(np.asarray(one_shap(explainer, few)), expected)
    contestants["shap.TreeExplainer"] = (len(few), partial(one_shap, explainer, few))


def _add_woodelf(
    contestants: Contestants,
    booster: lightgbm.Booster,
    rows: NDArray[np.float64],
    expected: NDArray[np.float64],
    differences: dict[str, Any],
) -> None:
    """Woodelf where it is installed (`pip install woodelf-explainer`); it prepares much, so it gets all the rows."""
    if find_spec("woodelf") is None:
        differences["woodelf"] = "not installed"
        return
    woodelf: Any = import_module("woodelf")  # an optional contestant, not a dependency
    frame = pd.DataFrame(rows, columns=booster.feature_name())
    explainer = woodelf.WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")

    def explain() -> Any:
        with threadpool_limits(1):
            return explainer.shap_values(frame, verbose=False)

    differences["woodelf"] = _difference(np.asarray(explain())[: len(expected)], expected)
    contestants["woodelf"] = (len(rows), explain)


def one_shap(explainer: Any, few: NDArray[np.float64]) -> object:
    """The answer of shap on one thread: it has no option for threads, and warns each time of its output's form."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", UserWarning)
        return explainer.shap_values(few, check_additivity=False)


def start_seconds(booster: lightgbm.Booster) -> float:
    """Seconds in a new process from before the imports (numba and numpy among them) to the engine's first answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "booster.txt"
        booster.save_model(path)
        taken = [float(run_anew("-c", START, str(path))[0]) for _ in range(5)]
    return sorted(taken)[2]


def section(size: Size, result: dict[str, Any]) -> str:
    """The Markdown section of one model."""
    lightgbm_us = {threads: result[f"us_per_row_{threads}"]["LightGBM pred_contrib"] for threads in (1, 2)}
    lines = []
    for name, one in result["us_per_row_1"].items():
        two = result["us_per_row_2"].get(name)
        more = (f"{two:,.1f}", f"{lightgbm_us[2] / two:.0f}x") if two else ("", "")
        lines.append((name, f"{one:,.1f}", f"{lightgbm_us[1] / one:.0f}x", *more))
    latency = [
        (n, *(f"{result[f'ms_{n}'][engine]:.2f}" for engine in ("LightGBM pred_contrib", "treeshap float64")))
        for n in LATENCY_ROWS
    ]
    differences = "; ".join(
        f"{name} {value if isinstance(value, str) else format(value, '.1e')}"
        for name, value in result["difference"].items()
    )
    return "\n\n".join(
        [
            f"## {size.name}: {size.trees} trees x {size.leaves} leaves, depth unlimited",
            table(("engine", "µs/row, 1 thread", "ratio", "µs/row, 2 threads", "ratio"), lines),
            table(("rows", "LightGBM, ms", "treeshap float64 with top 5, ms"), latency),
            f"Largest absolute differences from LightGBM: {differences}.",
            "In a new process with compiled code on disk, from before the imports of numba and numpy to the engine's "
            f"first answers: {result['start_seconds']:.2f} s.",
        ]
    )


def main() -> None:
    """Measure both models and write the report."""
    peers = ("woodelf-explainer",) if find_spec("woodelf") else ()
    measured: dict[str, Any] = {
        "machine": machine(),
        "versions": versions("lightgbm", "shap", "numba", "numpy", *peers),
        "models": {},
    }
    sections = [
        "Exact path-dependent contributions of the same rows; 100 features, of which 10 categorical, 5 % missing. "
        "Medians of interleaved rounds in one run; ratios are to LightGBM with as many threads. LightGBM and its peers "
        "explain fewer rows in a round, since their time per row does not depend on the number. shap "
        "hands LightGBM models to LightGBM. woodelf takes no categorical splits, so it is met on a model without; it "
        "gets all rows, since its preparation counts. fasttreeshap 0.1.6 asks for a shap below 0.46 and does not "
        "install beside it."
    ]
    for size in SIZES:
        measured["models"][size.name] = measure(size, grow(size))
        sections.append(section(size, measured["models"][size.name]))
    page = write_report("explain", "Explaining", measured, sections)
    sys.stdout.write(page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
