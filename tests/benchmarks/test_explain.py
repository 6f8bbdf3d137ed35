"""The benchmark of explanations, at a size that measures nothing: an engine that is absent is named with its reason."""

import json
from functools import partial
from pathlib import Path

import pytest

from benchmarks import explain, report
from benchmarks.explain_limit import work_of
from benchmarks.explain_models import ExplainedModel, ModelShape, grow
from benchmarks.explain_rivals import ENGINES, LIGHTGBM, OURS, WOODELF

SMALL = ModelShape("small", 4, 7, 64, 16)


@pytest.fixture(scope="module")
def small_model() -> ExplainedModel:
    return grow(SMALL, 400)


def test_every_engine_has_figures_or_a_reason(
    small_model: ExplainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {
        kind: {name: each[name] for name in (OURS, LIGHTGBM, WOODELF) if name in each} for kind, each in ENGINES.items()
    }
    monkeypatch.setattr(explain, "ENGINES", some)
    monkeypatch.setattr(explain, "operations_per_second", lambda: 1e9)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    effort = explain.Effort(seconds=0.001, rounds=1, longest_seconds=0.1, compared_rows=4, alone=())
    page = explain.run([partial(lambda: small_model)], tmp_path, effort).read_text(encoding="utf-8")
    measured = json.loads((tmp_path / "explain.json").read_text(encoding="utf-8"))["models"]["small"]
    for kind, engines in some.items():
        assert set(measured[kind]) == set(engines)
        assert all(engine.get("us_per_row", 0) > 0 or engine["absent"] for engine in measured[kind].values())
        assert measured[kind][OURS]["difference"] < 1e-9
    assert measured["values"][LIGHTGBM]["difference"] == 0
    assert f"{WOODELF}: it is not installed" in page


def test_twice_the_trees_are_twice_the_work(small_model: ExplainedModel) -> None:
    header, *trees = small_model.text.partition("\nend of trees")[0].split("\nTree=")
    doubled = "\nTree=".join([header, *trees, *trees]) + "\nend of trees\n"
    once, twice = work_of(small_model.text), work_of(doubled)
    assert twice.operations == 2 * once.operations > 0
    assert twice.search_steps == once.search_steps
