"""The replays of the sampling benchmark: one file per world and strategy, so that a stopped run goes on."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from data.synthetic.simulator import SCENARIOS
from data.workspace import replace_atomically
from training.simulation.comparison import STRATEGIES, SimulationRun
from training.simulation.loop import SimulatedRound, SimulationSize, simulate

CHOOSING_SEEDS = tuple(range(20))
"""Worlds on which scenarios, rivals and knobs were chosen; no figure of the report comes from them."""
FRESH_SEEDS = tuple(range(501, 513))
"""Written down, with every setting, before the first of their worlds was replayed; each was replayed once."""
COMPARED = (
    "plan",
    "plan with screening",
    "epsilon-greedy 20 %",
    "epsilon-greedy 20 % with screening",
    "greedy",
    "greedy with screening",
    "random",
    "oracle",
)
ROUNDS, TESTS = 20, 1_000
REDRAWS = 50  # of every round, besides the draw that is tested
KEYS = {"findings": "found", "plan_values": "told"}
"""Keys of the files where they differ from the fields of a round."""

Task = tuple[str, int, str]


def tasks(seeds: Sequence[int], strategies: Sequence[str]) -> list[Task]:
    """Every scenario, seed and strategy; all strategies of a world before the next world."""
    return [(scenario, seed, strategy) for seed in seeds for scenario in SCENARIOS for strategy in strategies]


def run_all(wanted: Sequence[Task], folder: Path, processes: int) -> None:
    """Replay what is not in `folder` yet; several of these may run at once on one folder."""
    open_ = [task for task in wanted if not _file(folder, task).is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(_run, folder, task) for task in open_]):
            done.result()


def runs_in(folder: Path, wanted: Sequence[Task]) -> list[SimulationRun]:
    """The finished replays among `wanted`."""
    return [_read(_file(folder, task), task) for task in wanted if _file(folder, task).is_file()]


def _run(folder: Path, task: Task) -> None:
    target = _file(folder, task)
    if target.is_file():
        return
    scenario, seed, name = task
    named = STRATEGIES[name]
    rounds = simulate(SCENARIOS[scenario], seed, named.strategy, SimulationSize(ROUNDS, TESTS), named.scored, REDRAWS)
    text = "".join(json.dumps({KEYS.get(key, key): value for key, value in asdict(each).items()}) + "\n"
                   for each in rounds)  # fmt: skip
    with replace_atomically(target) as attempt:
        attempt.write_text(text, encoding="utf-8")


def _read(path: Path, task: Task) -> SimulationRun:
    lines = path.read_text(encoding="utf-8").splitlines()
    names = {key: name for name, key in KEYS.items()}
    records = ({names.get(key, key): value for key, value in json.loads(line).items()} for line in lines)
    return SimulationRun(*task, tuple(SimulatedRound(**record) for record in records))


def _file(folder: Path, task: Task) -> Path:
    return folder / ("-".join(str(part).replace(" ", "_") for part in task) + ".jsonl")
