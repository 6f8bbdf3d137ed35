"""Pictures: drawn for many tests and for few, and byte for byte the same twice."""

from pathlib import Path

import numpy as np

from training.plots import draw_plots


def drawn(count: int, folder: Path) -> dict[str, bytes]:
    """The pictures of an evaluation of `count` tests."""
    draw = np.random.default_rng(1)
    margin = draw.normal(-1, 1, count)
    p_fail = 1 / (1 + np.exp(-margin))
    folder.mkdir()
    draw_plots(
        {"model": margin, "random": np.zeros(count), "supplier_rate": draw.normal(size=count)},
        {"before calibration": p_fail, "after calibration": p_fail**1.1}, draw.random(count) < p_fail,
        {f"feature_{number}": 1.0 / (number + 1) for number in range(40)}, folder,
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_evaluation_gives_the_same_pictures(tmp_path: Path) -> None:
    first, second = drawn(400, tmp_path / "first"), drawn(400, tmp_path / "second")
    assert set(first) == {"reliability.png", "gain.png", "contributions.png"}
    assert first == second


def test_a_handful_of_tests_can_be_drawn(tmp_path: Path) -> None:
    assert all(picture.startswith(b"\x89PNG") for picture in drawn(4, tmp_path / "few").values())
