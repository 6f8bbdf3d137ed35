"""Registration: a trained or kept model is logged in MLflow, registered, and champion where there is none."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.errors import UserError
from data.settings import Settings
from models.artifact import Artifact
from models.registry import VERSION, adopt_model, champion_version, load_model, model_folder, model_versions
from training.card.render import write_card
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.logged_metrics import FACTS
from training.lifecycle.mlflow_client import require_mlflow, tracking_place
from training.lifecycle.mlflow_tracking import LoggedRun, RegisteredModel, log_training, registered_models
from training.lifecycle.promotion import check_promotion, set_first_champion
from training.lifecycle.promotion_rules import RuleResult
from training.recipe import recipe_from_text

NOT_PROMOTED = "Nobody has promoted it yet."


@dataclass(frozen=True)
class Registration:
    """Whether the model `version` is the champion now, and the result of every promotion rule."""

    version: str
    promoted: bool
    rules: tuple[RuleResult, ...]


def register_model(settings: Settings, artifact: Artifact, now: datetime, *, first: bool = False) -> Registration:
    """Log and register a stored model: as champion where there is none, if every rule holds or it is `first` anyway.

    Raises UnavailableError where MLflow cannot be used.
    """
    version = artifact.version
    pages = settings.workspace.model_report(version)
    if not (pages / "card.html").is_file():
        pages.mkdir(parents=True, exist_ok=True)
        write_card(artifact.card, version, NOT_PROMOTED, pages)
    folder, fingerprint = model_folder(settings.workspace, version), artifact.metrics["data"]["fingerprint"]
    recipe = recipe_from_text(artifact.recipe_text)
    log_training(settings, recipe, LoggedRun(version, folder, pages, artifact.metrics, fingerprint, now))
    rules = check_promotion(settings, artifact, now.date())
    decision = ChampionDecision("touchstone train", now, "the first model", force=first)
    promoted = set_first_champion(settings, version, decision)
    return Registration(version, promoted, rules)


def register_kept_model(settings: Settings, given: str, now: datetime, *, first: bool = False) -> Registration:
    """Register a model that is not yet: a version in the workspace, or the folder of one copied from elsewhere.

    Such a folder is verified and stored in the workspace first. Raises UserError where there is no such model, where it
    was changed, or where it is registered already; UnavailableError where MLflow cannot be used.
    """
    workspace = settings.workspace
    if VERSION.fullmatch(given) and not Path(given).is_dir():
        artifact = load_model(workspace, given)
    else:
        artifact = adopt_model(workspace, Path(given))
    require_mlflow(settings)
    if artifact.version in {each.version for each in registered_models(settings)}:
        place = tracking_place(settings)
        raise UserError(f"Model {artifact.version} is registered in {place} already. See `touchstone models list`.")
    return register_model(settings, artifact, now, first=first)


def list_models(settings: Settings) -> tuple[str, ...]:
    """Lines of a table of the registered models, the newest first: where they are, which scores, what each can."""
    registered, workspace = registered_models(settings), settings.workspace
    champion, place = champion_version(workspace), tracking_place(settings)
    known = {each.version for each in registered}
    kept = [version for version in model_versions(workspace) if version not in known]
    lines = [f"No model is registered in {place}. Next: touchstone train"] if not registered else [
        f"Models registered in {place}; the model that scores in {workspace.home}: {champion or 'none'}.",
        *_table(("version", "role", *FACTS), [_cells(each) for each in registered]),
    ]  # fmt: skip
    lines += [f"{version} is kept in {workspace.models}, not registered: touchstone models register {version}"
              for version in kept]  # fmt: skip
    return tuple(lines)


def _cells(model: RegisteredModel) -> tuple[str, ...]:
    return model.version, ", ".join(reversed(model.aliases)) or "-", *(model.facts.get(name, "-") for name in FACTS)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (header, *rows)]  # fmt: skip
