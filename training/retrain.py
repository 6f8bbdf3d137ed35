"""A new model when the one in force no longer fits: watched, trained where asked for, promoted where it may be."""

from dataclasses import dataclass, replace
from datetime import datetime

from data.lake.tables import Tables
from data.progress import Progress
from data.settings import Settings
from models.registry import champion
from training.monitor import MonitorReport, monitor
from training.promotion import promote
from training.recipe import Recipe, recipe_from_text
from training.succession import Decision
from training.train import TrainingReport, train

ACTOR = "touchstone retrain"


@dataclass(frozen=True)
class Retraining:
    """What the watch said, the model trained if any, and whether it reigns now."""

    watch: MonitorReport
    trained: TrainingReport | None
    promoted: bool

    def text(self) -> str:
        """The retraining in a few lines for a terminal."""
        if self.trained is None:
            return self.watch.text()
        return f"{self.watch.text()}\n{replace(self.trained, promoted=self.promoted).text()}"


def retrain(tables: Tables, settings: Settings, recipe: Recipe | None, progress: Progress, now: datetime) -> Retraining:
    """Watch the champion; where policy asks for it, train with `recipe` (None: the champion's own).

    The new model is promoted when every rule of promotion holds, else it waits as challenger. Raises Refusal as
    `monitor` and `train` do.
    """
    watch = monitor(tables, settings, None, progress)
    if not watch.broken:
        return Retraining(watch, None, False)
    recipe = recipe or recipe_from_text(champion(settings.workspace).recipe_text)
    trained = train(tables, settings, recipe, None, progress, now)
    if trained.promoted or not all(verdict.holds for verdict in trained.verdicts):
        return Retraining(watch, trained, trained.promoted)
    why = "; ".join(f"{each.rule}: {each.told}" for each in watch.broken)
    promote(settings, trained.version, Decision(ACTOR, now, why))
    return Retraining(watch, trained, True)
