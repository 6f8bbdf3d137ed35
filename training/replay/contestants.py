"""Who is compared: the ways of choosing tests by name, with what each is in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass

from sampling.problem import Knobs
from training.replay import bandits, strategies
from training.replay.planned import Planned
from training.replay.strategies import Screening, Strategy


@dataclass(frozen=True)
class Contestant:
    """A strategy, what it does in plain words, and whether it asks for scores."""

    strategy: Strategy
    meaning: str
    scored: bool = True


PLAN, PLAN_WITH_SCREENING = Planned(), Planned(Knobs(0.02, 0.04, 0.075), screens=True)
CONTESTANTS: Mapping[str, Contestant] = {
    "plan": Contestant(PLAN, "the plan: 8 % of the value given up for precision, every chance known"),
    "plan with bonus": Contestant(Planned(bonus=1.0), "the plan, with a bonus for groups rarely tested"),
    "plan, 5 % given up": Contestant(Planned(Knobs(value_given_up=0.05)), "the plan, giving up 5 % of the value"),
    "plan with screening": Contestant(PLAN_WITH_SCREENING, "the plan, with a screen beside every full test"),
    "epsilon-greedy 20 % with screening": Contestant(
        Screening(strategies.epsilon_greedy), "the riskiest for 80 % of the money, chance for 20 %, all of it screens"
    ),
    "greedy with screening": Contestant(Screening(strategies.greedy), "as many of the riskiest as can be screened"),
    "epsilon-greedy 20 %": Contestant(strategies.epsilon_greedy, "the riskiest for 80 % of the tests, chance for 20 %"),
    "greedy": Contestant(strategies.greedy, "the riskiest by score, nothing left to chance"),
    "Thompson": Contestant(strategies.thompson, "each of five resampled models chooses its riskiest"),
    "adaptive bins": Contestant(strategies.adaptive_bins, "chances that rise with the score, by bins"),
    "EVA": Contestant(bandits.eva, "the Greek border's bandit over groups, without scores"),
    "EVA with scores": Contestant(bandits.eva_with_scores, "the same bandit over groups and bins of the score"),
    "random": Contestant(strategies.at_random, "everyone with the same chance"),
    "oracle": Contestant(strategies.oracle, "whoever knew every true probability", scored=False),
}
