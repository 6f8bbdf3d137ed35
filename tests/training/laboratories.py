"""The small marketplace with laboratories: one of them fails samples that the others would pass."""

import numpy as np
import pandas as pd

from tests.training.worlds import market_frames

LABS = tuple(f"LAB-{number}" for number in range(6))
STRICT = LABS[0]


def frames_with_laboratories(
    tests: int, seed: int, wrongly_failed: float, share_of_toys: float = 0.6
) -> tuple[dict[str, pd.DataFrame], "pd.Series[bool]"]:
    """Frames as `market_frames` whose tests name a laboratory, and the results of every other laboratory.

    The strict one gets `share_of_toys` of the toys and 5 in 100 of the rest, and fails `wrongly_failed` of what the
    others would pass. The second result is by test_id.
    """
    draw = np.random.default_rng(seed)
    frames = market_frames(tests, seed)
    lab_tests = frames["lab_tests"].merge(frames["skus"][["sku_id", "market", "category"]], on=["sku_id", "market"])
    strict = draw.random(tests) < np.where(lab_tests.pop("category") == "toys", share_of_toys, 0.05)
    honest = pd.Series(lab_tests["result"].to_numpy() == "fail", index=pd.Index(lab_tests["test_id"]))
    failed = honest.to_numpy() | (strict & (draw.random(tests) < wrongly_failed))
    frames["lab_tests"] = lab_tests.assign(
        lab_id=np.where(strict, STRICT, draw.choice(LABS[1:], tests)), result=np.where(failed, "fail", "pass")
    )
    return frames, honest
