"""One engine in a process of its own: `python -m benchmarks.explain_alone MODEL.txt ROWS.npy KIND ENGINE` prints JSON.

Seconds from before all imports to the answer for one row, and the most MiB while it explains all rows, or as many as
take about three seconds.
"""

import time

STARTED = time.perf_counter()

import json  # noqa: E402 - what is imported below counts
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.explain_models import ExplainedModel, ModelShape  # noqa: E402
from benchmarks.explain_rivals import ENGINES, Kind, quietly  # noqa: E402

PROBE, SECONDS = 8, 3.0


def main(arguments: list[str]) -> None:
    """Start the engine, explain one row, then all."""
    text, rows = Path(arguments[0]).read_text(encoding="utf-8"), np.load(arguments[1])
    shape = ModelShape("alone", 0, 0, len(rows), len(rows), features=rows.shape[1])
    model = ExplainedModel(shape, text, rows, rows[:0], np.zeros(0))
    kind: Kind = "values" if arguments[2] == "values" else "interactions"
    explain = ENGINES[kind][arguments[3]](model)
    quietly(explain, rows[:1])
    start_seconds = time.perf_counter() - STARTED
    probed = time.perf_counter()
    quietly(explain, rows[:PROBE])
    count = int(np.clip(PROBE * SECONDS / (time.perf_counter() - probed), PROBE, len(rows)))
    quietly(explain, rows[:count])
    # Not ru_maxrss: a process inherits it from the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    peak_mib = int(status["VmHWM"].split()[0]) / 1024
    json.dump({"start_seconds": start_seconds, "peak_mib": peak_mib, "alone_rows": count}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
