"""The page of the benchmark of explanations."""

from collections.abc import Mapping
from typing import Any

from benchmarks.report import table

ABOUT = (
    "Exact path-dependent SHAP values and interactions of LightGBM models: the same rows for everybody, one thread, "
    "float64 unless said otherwise, all in one run. Times are medians of interleaved rounds, each with as many rows as "
    "an engine explains in about the same time; woodelf, which prepares anew for every question, and treeshap get all "
    "rows. Of the values of the grown models 5 % are missing. shap hands contributions to LightGBM. xgboost explains a "
    "model of its own, of as many trees and leaves, in float32.",
    "`from LightGBM` is the largest difference from LightGBM's contributions; of interactions, that of the sums over a "
    "feature's cells. `start` is the time of a new process from before its imports to the answer for one row, compiled "
    "code lying on disk; `memory` is the most that this process holds while it explains 1,000 rows, or as many as take "
    "about three seconds.",
    "fasttreeshap 0.1.6, its newest version, wants NumPy 1 and shap below 0.46 and is not timed here. Tried apart "
    "(Python 3.10, NumPy 1.26, 50 trees x 31 leaves on 20 features): its algorithm v2 agrees with LightGBM to 4e-15 "
    "where no value is missing, and is off by up to 3.5 log-odds, without a word, where 5 % are; v1 agrees in both.",
)


def sections(measured: Mapping[str, Any]) -> list[str]:
    """What the page says: how it was measured, one section a model, and the limit."""
    models = measured["models"].values()
    return [*ABOUT, *(_section(result) for result in models), _limits(measured)]


def _section(result: Mapping[str, Any]) -> str:
    parts = [f"## {result['heading']}"]
    for kind, title in (("values", "Contributions"), ("interactions", "Interactions of all pairs")):
        engines = result[kind]
        ours = engines["treeshap"]["us_per_row"]
        rows = [_row(name, engine, ours) for name, engine in engines.items() if "absent" not in engine]
        columns = ("engine", "rows at once", "µs/row", "time of treeshap's", "1 row, ms", "10 rows", "1,000 rows",
                   "from LightGBM", "start, s", "memory, MiB")  # fmt: skip
        parts += [f"### {title}", table(columns, rows)]
        absent = [f"{name}: {engine['absent']}." for name, engine in engines.items() if "absent" in engine]
        parts += [f"Not here: {' '.join(absent)}"] if absent else []
    return "\n\n".join(parts)


def _row(name: str, engine: Mapping[str, Any], ours: float) -> tuple[str, ...]:
    taken, difference = engine["us_per_row"], engine["difference"]
    ratio = taken / ours
    return (
        name, f"{engine['rows']:,}", f"{taken:,.1f}", f"{ratio:,.2f}x" if ratio < 10 else f"{ratio:,.0f}x",
        *("too long" if ms is None else f"{ms:,.2f}" for ms in engine["ms"].values()),
        "" if difference is None else f"{difference:.1e}",
        f"{engine['start_seconds']:.2f}" if "start_seconds" in engine else "",
        f"{engine['peak_mib']:,.0f}" if "peak_mib" in engine else "",
    )  # fmt: skip


def _limits(measured: Mapping[str, Any]) -> str:
    rate = measured["operations_per_second"]
    rows = [
        (
            name, f"{result['limit']['operations']:,}", f"{result['limit']['search_steps']:,}",
            f"{result['limit']['stack_bytes']:,}", f"{result['limit']['memory_bytes']:,}",
            f"{result['limit']['least_us']:.1f}", f"{result['values']['treeshap']['us_per_row']:.1f}",
            f"{result['limit']['share']:.0%}",
        )
        for name, result in measured["models"].items()
    ]  # fmt: skip
    columns = ("model", "operations", "search steps", "bytes of the stack", "bytes of memory", "at least, µs",
               "measured, µs", "share")  # fmt: skip
    about = (
        "What a row's contributions take on paper: the float64 operations of the recurrence (one choice, product or "
        "sum; a fused multiply-add is one), counted over the steps and quadrature points of the model's program. This "
        f"core does at most {rate / 1e9:.1f} billion a second (measured on multiply-adds in registers). The stack "
        "stays in the first cache, and memory is read and written once; the searches of values among thresholds come "
        "on top."
    )
    return "\n\n".join(["## The limit", about, table(columns, rows)])
