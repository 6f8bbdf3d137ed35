"""Interactions of pairs: the engine against shap and woodelf, on the same models, rows and one thread.

Run with `python -m benchmarks.interactions`; woodelf is met where it is installed (`pip install woodelf-explainer`).
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.explain import Contestants, Size, grow, rows_of
from benchmarks.report import interleaved_medians, machine, table, versions, write_report
from models.treeshap import compile_model

SIZES = (
    Size("As the default recipe, numbers only", 136, 7, 100, 8_192, 3, categorical=False),
    Size("A, numbers only, as woodelf publishes", 300, 31, 20, 8_192, 3, categorical=False, depth=6),
    Size("A, with categories", 300, 31, 20, 8_192, 3),
)
TOP = 5


def measure(size: Size, booster: lightgbm.Booster) -> dict[str, Any]:
    """Microseconds per row of every engine on one thread, milliseconds of one row, and the largest differences."""
    rows = rows_of(size.rows, 2, size.categorical)
    few = rows[: size.oracle_rows]
    engine = compile_model(booster.model_to_string())
    values, _ = engine.interactions(few)
    contributions = np.asarray(booster.predict(few, pred_contrib=True))[:, :-1]
    difference = {"lines from LightGBM's contributions": _largest(values.sum(axis=2) - contributions)}
    contestants: Contestants = {
        "treeshap, all pairs": (len(rows), partial(engine.interactions, rows)),
        f"treeshap, top {TOP} pairs only": (len(rows), partial(engine.top_interactions, rows, TOP)),
        "treeshap, contributions only": (len(rows), partial(engine.contributions, rows)),
    }
    peers: dict[str, tuple[int, Callable[[], Any]]] = {"shap": (len(few), shap_of(booster, few))}
    if find_spec("woodelf") is not None and not size.categorical and size.depth > 0:
        peers["woodelf"] = (len(rows), woodelf_of(booster, rows))
    for name, (count, explain) in peers.items():
        theirs = np.asarray(explain())[: len(few)]
        difference[f"{name}, lines"] = _largest(theirs.sum(axis=2) - contributions)
        difference[f"{name} from treeshap"] = _largest(theirs - values)
        contestants[name] = (count, explain)
    seconds = interleaved_medians({name: run for name, (_, run) in contestants.items()}, size.rounds)
    one = interleaved_medians({"one": partial(engine.interactions, rows[:1])}, 21)["one"]
    return {
        "us_per_row": {name: 1e6 * taken / contestants[name][0] for name, taken in seconds.items()},
        "rows": {name: count for name, (count, _) in contestants.items()},
        "one_row_ms": 1e3 * one, "pairs": engine.n_pairs, "difference": difference,
    }  # fmt: skip


def _largest(values: NDArray[np.floating]) -> float:
    return float(np.abs(values).max())


def shap_of(booster: lightgbm.Booster, few: NDArray[np.float64]) -> Callable[[], Any]:
    """The algorithm of shap, on one thread."""
    with warnings.catch_warnings():
        # shap and its plotting dependencies announce their own removals while they are imported.
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")

    def explain() -> Any:
        with threadpool_limits(1):
            return explainer.shap_interaction_values(few)

    return explain


def woodelf_of(booster: lightgbm.Booster, rows: NDArray[np.float64]) -> Callable[[], Any]:
    """Woodelf, its preparation included, for it prepares for the rows that it is asked about."""
    woodelf: Any = import_module("woodelf")  # an optional contestant, not a dependency
    frame = pd.DataFrame(rows, columns=booster.feature_name())

    def explain() -> Any:
        explainer = woodelf.WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
        with threadpool_limits(1), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return explainer.shap_interaction_values(frame)

    return explain


def section(size: Size, result: dict[str, Any]) -> str:
    """The Markdown section of one model."""
    ours = result["us_per_row"]["treeshap, all pairs"]
    lines = [
        (name, f"{result['rows'][name]:,}", f"{taken:,.1f}", f"{taken / ours:,.2f}x")
        for name, taken in result["us_per_row"].items()
    ]
    depth = "depth unlimited" if size.depth < 0 else f"depth at most {size.depth}"
    differences = "; ".join(f"{name} {value:.1e}" for name, value in result["difference"].items())
    return "\n\n".join([
        f"## {size.name}: {size.trees} trees x {size.leaves} leaves, {depth}, {result['pairs']:,} pairs",
        table(("engine", "rows at once", "µs/row, 1 thread", "time of treeshap's"), lines),
        f"One row: {result['one_row_ms']:.2f} ms. Largest absolute differences: {differences}.",
    ])  # fmt: skip


def main() -> None:
    """Measure all models and write the report."""
    peers = ("woodelf-explainer",) if find_spec("woodelf") else ()
    measured: dict[str, Any] = {
        "machine": machine(),
        "versions": versions("lightgbm", "shap", "numba", "numpy", *peers),
        "models": {size.name: measure(size, grow(size)) for size in SIZES},
    }
    about = (
        "Exact path-dependent SHAP interaction values, all 100 x 100 cells of a row in float64 unless said otherwise; "
        "medians of interleaved rounds in one run. shap explains fewer rows in a round, since its time per row does "
        "not depend on the number; woodelf gets all, takes no categorical splits, and needs trees that are not deep. "
        "`lines` are the sums over a feature's cells, which must be its contributions."
    )
    sections = [about, *(section(size, measured["models"][size.name]) for size in SIZES)]
    sys.stdout.write(write_report("interactions", "Interactions", measured, sections).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
