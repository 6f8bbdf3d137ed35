"""Sample marketplaces to look at: a small one, and one large enough for shares to settle."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.synthetic.generator import draw_world, write_sample
from data.synthetic.ground_truth import World

SMALL, LARGE, DAYS = 2_000, 15_000, 730


def write_small(out: Path, skus: int = SMALL, days: int = DAYS, seed: int = 7) -> None:
    """Write the small marketplace, or another like it."""
    write_sample(out, skus, days, seed)


def frames_in(folder: Path) -> dict[str, pd.DataFrame]:
    """Every table of the folder as a frame."""
    return {path.stem: pq.read_table(path).to_pandas() for path in sorted(folder.glob("*.parquet"))}


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 2,000 SKUs."""
    folder = tmp_path_factory.mktemp("marketplace") / "small"
    write_small(folder)
    return folder


@pytest.fixture(scope="session")
def small(small_folder: Path) -> Mapping[str, pd.DataFrame]:
    """The tables of 2,000 SKUs."""
    return frames_in(small_folder)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, pd.DataFrame]:
    """The tables of 15,000 SKUs."""
    folder = tmp_path_factory.mktemp("marketplace") / "large"
    write_sample(folder, LARGE, DAYS, 3)
    return frames_in(folder)


@pytest.fixture(scope="session")
def large_world() -> World:
    """What is latent in the 15,000 SKUs."""
    return draw_world(LARGE, DAYS, 3)


@pytest.fixture(scope="session")
def judged(large: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The conclusive tests of the large marketplace with their truth and whether they failed."""
    tests = large["lab_tests"].merge(large["truth_tests"], on="test_id")
    tests = tests[tests.result != "inconclusive"]
    return tests.assign(failed=tests.result == "fail")
