"""Ten million SKUs: strata, programme and draw in a process of their own, one thread."""

import json
import subprocess
import sys

SKUS, TESTS, CELLS = 10_000_000, 20_000, 288
SCRIPT = f"""
import json, resource, time
import numpy as np
from sampling.chance import mixed
from sampling.draw import taken
from sampling.inclusion import solved
from sampling.limits import Knobs, Limits, Package, Units
from sampling.worth import foreseen_variance

rng = np.random.default_rng(1)
cell = rng.integers(0, {CELLS}, {SKUS}, dtype=np.int32)
p_fail = 1 / (1 + np.exp(4.1 - rng.normal(0, 0.6, {CELLS})[cell] - rng.normal(0, 0.9, {SKUS})))
words = mixed(np.arange({SKUS}, dtype=np.uint64), 0)
units = Units(p_fail, foreseen_variance(p_fail), cell, np.full({SKUS}, -1, dtype=np.int32), words)
limits = Limits((Package("test", 25_000, 1, "laboratory"),), ((0,),) * {CELLS}, {TESTS} * 25_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
start = time.perf_counter()
solution = solved(units, limits, Knobs())
planned = time.perf_counter()
drawn = taken(units, solution, limits, 1)
done = time.perf_counter()
print(json.dumps({{
    "strata and programme, s": planned - start,
    "draw, s": done - planned,
    "strata, programme and draw, s": done - start,
    "peak, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    "before, GB": before,
    "tests drawn": int(drawn.sum()),
}}))
"""


def scale_seconds() -> dict[str, float]:
    """Seconds and memory of one plan of ten million SKUs and 20,000 tests."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)  # noqa: S603 - ours
    told: dict[str, float] = json.loads(done.stdout)
    return told
