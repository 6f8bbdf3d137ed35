"""Promotion and rollback: evaluate the rules, record the decision in the audit log, set the champion."""

from dataclasses import replace
from datetime import date

from data.errors import UnavailableError, UserError
from data.settings import Settings
from features.review_text.incremental import read_lake
from models.artifact import Artifact
from models.registry import champion_version, load_model, set_champion
from training.card.render import write_card
from training.lifecycle.champion_challenger import compare_with_champion
from training.lifecycle.champion_history import (
    ChampionChange,
    ChampionDecision,
    champion_changes,
    champion_stack,
    record_change,
)
from training.lifecycle.mlflow_tracking import require_registered, set_champion_alias
from training.lifecycle.promotion_rules import Metrics, RuleResult, evaluate_promotion_rules
from training.promotion_policy import promotion_policy_in_force


def promote(settings: Settings, version: str, decision: ChampionDecision) -> tuple[RuleResult, ...]:
    """Make `version` the champion and return the result of each rule.

    The decision is in the audit log before the champion changes. Raises UserError, and changes nothing, where the model
    is absent, damaged or not registered, where a rule does not hold and the decision is not forced, or where a forced
    decision gives no reason.
    """
    candidate = load_model(settings.workspace, version)
    require_registered(settings, version)
    policy = promotion_policy_in_force(decision.at.date())
    rules = check_promotion(settings, candidate, decision.at.date())
    broken = tuple(each.rule for each in rules if not each.holds)
    if decision.force and not decision.why.strip():
        raise UserError("A forced promotion needs a reason that can be read later. Give one with --why TEXT.")
    if broken and not decision.force:
        raise UserError(
            f"Model {version} was not promoted. "
            + " ".join(f"Rule {each.rule!r} does not hold: {each.explanation}." for each in rules if not each.holds)
            + " Train a better one, or promote all the same with --force --why TEXT, which the ledger keeps."
        )
    previous = champion_version(settings.workspace)
    recorded = replace(decision, broken=broken, policy=policy.version)
    _apply_change(settings, record_change(settings, "promote", version, previous, recorded))
    return rules


def check_promotion(settings: Settings, candidate: Artifact, on: date) -> tuple[RuleResult, ...]:
    """Results of every promotion rule in force on a day, relative to the present champion.

    The comparison made in training is used where that champion is still the champion; else both are evaluated on the
    lake. Raises UserError where that needs tables and there are none.
    """
    return evaluate_promotion_rules(
        candidate.metrics, _compare_with_present_champion(settings, candidate, on), promotion_policy_in_force(on)
    )


def set_first_champion(settings: Settings, version: str, decision: ChampionDecision) -> bool:
    """Make `version` the champion where there is none and every rule about the model itself holds.

    Where one does not, it takes a forced decision; the rules are recorded, and the card says that the model is
    provisional. Returns whether the model is the champion now.
    """
    champion = champion_version(settings.workspace)
    if champion is not None:
        if champion == version:  # trained or registered again: card and alias, here or in another store, tell of it
            for change in champion_changes(settings)[-1:]:
                _apply_change(settings, change)
        return champion == version
    policy = promotion_policy_in_force(decision.at.date())
    rules = evaluate_promotion_rules(load_model(settings.workspace, version).metrics, None, policy)
    broken = tuple(each.rule for each in rules if not each.holds)
    if broken and not decision.force:
        return False
    recorded = replace(decision, broken=broken, policy=policy.version)
    _apply_change(settings, record_change(settings, "promote", version, None, recorded))
    return True


def rollback(settings: Settings, decision: ChampionDecision) -> str:
    """Make the champion before the present one the champion, and return its version.

    Raises UserError where the audit log has none, or where that model is damaged.
    """
    champion, stack = champion_version(settings.workspace), champion_stack(champion_changes(settings))
    earlier = [version for version in stack if version != champion]
    if not earlier or champion is None:
        raise UserError(
            "There is no earlier champion to go back to. `touchstone models list` shows what can be promoted."
        )
    load_model(settings.workspace, earlier[-1])
    require_registered(settings, earlier[-1])
    _apply_change(settings, record_change(settings, "rollback", earlier[-1], champion, decision))
    return earlier[-1]


def _compare_with_present_champion(settings: Settings, candidate: Artifact, on: date) -> Metrics | None:
    champion = champion_version(settings.workspace)
    if champion in (None, candidate.version):
        return None
    assert champion is not None
    measured: Metrics | None = candidate.metrics.get("champion")
    if measured is not None and measured["version"] == champion:
        return measured
    return compare_with_champion(read_lake(settings.workspace), candidate, load_model(settings.workspace, champion), on)


def approvals(settings: Settings, version: str) -> tuple[str, ...]:
    """Sentence of every change that made the model champion, the oldest first."""
    return tuple(approval(change) for change in champion_changes(settings) if change.version == version)


def approval(change: ChampionChange) -> str:
    """A change of champion in a sentence."""
    verb = "Promoted" if change.act == "promote" else "Brought back"
    against = f", against the rules {', '.join(change.broken)}" if change.broken else ""
    provisional = "Provisional, as no other model could score. " if change.broken and not change.previous else ""
    return f"{provisional}{verb} on {change.on} by {change.by}{against}.{f' Why: {change.why}' if change.why else ''}"


def _apply_change(settings: Settings, change: ChampionChange) -> None:
    """Set the champion of a change that is already in the audit log, renew its card and its MLflow alias."""
    set_champion(settings.workspace, change.version)
    folder = settings.workspace.model_report(change.version)
    folder.mkdir(parents=True, exist_ok=True)
    write_card(load_model(settings.workspace, change.version).card, change.version, approval(change), folder)
    try:
        set_champion_alias(settings, change, folder / "card.html")
    except UnavailableError as error:
        raise UserError(
            f"Champion is now {change.version}, but its alias in MLflow is not moved: {error} Then promote it again: "
            f"touchstone models promote {change.version}"
        ) from error
