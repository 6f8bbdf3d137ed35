"""Ten million SKUs: `allocate` from a table of scores to the drawn round, in a process of its own."""

import json
import subprocess
import sys

SKUS, BUDGET_EUR = 10_000_000, 250_000
SCRIPT = f"""
import json, resource, time
from datetime import date
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sampling.plan import allocate
from sampling.policy import sampling_policy_in_force

def names(letter, numbers):
    return pc.binary_join_element_wise(letter, pa.array(numbers).cast(pa.string()), "")

rng, as_of = np.random.default_rng(1), date(2026, 6, 30)
policy = sampling_policy_in_force(as_of)
categories = sorted({{name for offer in policy.offers for name in offer.categories}})
category = rng.integers(0, len(categories), {SKUS}, dtype=np.int8)
risk = rng.normal(0, 0.6, len(categories))
columns = {{
    "sku_id": names("S", np.arange({SKUS}, dtype=np.int32)),
    "market": pa.array(["DE", "FR", "IT", "ES", "PL", "NL", "US", "UK"]).take(
        pa.array(rng.integers(0, 8, {SKUS}, dtype=np.int8))),
    "category": pa.array(categories).take(pa.array(category)),
    "p_fail": pa.array(1 / (1 + np.exp(4.1 - risk[category] - rng.normal(0, 0.9, {SKUS})))),
    "supplier_id": names("F", rng.integers(0, {SKUS} // 25, {SKUS}, dtype=np.int32)),
    "as_of": pa.repeat(pa.scalar(as_of), {SKUS}),
}}
table = pa.table(columns)
del columns, category
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
start, worked = time.perf_counter(), time.process_time()
summary = allocate(table, policy, {BUDGET_EUR}, 1).summary
print(json.dumps({{
    "allocate, s": time.perf_counter() - start,
    "of the processor, s": time.process_time() - worked,
    "peak, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    "before, GB": before,
    "tests drawn": summary.tests,
    "spent of the budget": summary.cost_eur / summary.budget_eur,
}}))
"""


def scale_seconds() -> dict[str, float]:
    """Seconds and memory of one plan of ten million SKUs, the table of scores included."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)  # noqa: S603 - ours
    told: dict[str, float] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    print(json.dumps(scale_seconds()))
