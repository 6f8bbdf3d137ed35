"""Several strategies in the same worlds: what `touchstone replay` runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from data.errors import Refusal
from data.progress import Progress
from data.synthetic.simulator import SCENARIOS, Scenario
from training.replay.contestants import CONTESTANTS
from training.replay.loop import replayed
from training.replay.packages import PRICE_CENTS
from training.replay.summary import Run

SKUS_PER_SUPPLIER = 25
ALWAYS = ("plan", "greedy", "random", "oracle")


@dataclass(frozen=True)
class Comparison:
    """What to compare: a scenario, its size, the seeds of its worlds, rounds, euros per round, strategies."""

    scenario: str
    skus: int
    seeds: tuple[int, ...]
    rounds: int
    budget_eur: float
    strategies: tuple[str, ...]

    @property
    def tests(self) -> int:
        """The tests that the money of a round buys."""
        return int(round(self.budget_eur * 100, 6) // PRICE_CENTS)

    def world(self) -> Scenario:
        """The scenario in its size."""
        return replace(SCENARIOS[self.scenario], skus=self.skus, suppliers=max(self.skus // SKUS_PER_SUPPLIER, 20))


def compared(comparison: Comparison, progress: Progress) -> list[Run]:
    """Replay every strategy in every world; plan, greedy, random and oracle always.

    Raises Refusal where a name is unknown or the sizes allow no replay.
    """
    _check(comparison)
    names = [name for name in CONTESTANTS if name in (*ALWAYS, *comparison.strategies)]
    runs, scenario = [], comparison.world()
    size = (comparison.rounds, comparison.tests)
    total = len(names) * len(comparison.seeds) * comparison.rounds
    with progress.step(f"Replay of {len(names)} strategies", total, "rounds") as advance:
        for seed in comparison.seeds:
            for name in names:
                contestant, rounds = CONTESTANTS[name], []
                for each in replayed(scenario, seed, contestant.strategy, size, contestant.scored):
                    rounds.append(each)
                    advance(1)
                runs.append(Run(scenario.name, seed, name, tuple(rounds)))
    return runs


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The strategies of these names, all for none. Raises Refusal for an unknown name."""
    unknown = [name for name in names if name not in CONTESTANTS]
    if unknown:
        raise Refusal(f"There is no strategy {unknown[0]!r}. Name any of: {', '.join(CONTESTANTS)}.")
    return tuple(names or CONTESTANTS)


def _check(comparison: Comparison) -> None:
    if comparison.tests < 20:
        raise Refusal(
            f"{comparison.budget_eur:,.0f} EUR buy {comparison.tests} tests of {PRICE_CENTS / 100:.0f} EUR a round; "
            f"a replay needs 20. Give at least {20 * PRICE_CENTS / 100:,.0f} EUR."
        )
    if comparison.skus < 20 * comparison.tests:
        raise Refusal(
            f"{comparison.tests} tests a round are too many for {comparison.skus:,} SKUs. "
            f"Give at least {20 * comparison.tests:,} SKUs, or less money."
        )
    if comparison.rounds < 1:
        raise Refusal(f"A replay of {comparison.rounds} rounds tells nothing. Ask for one or more.")
