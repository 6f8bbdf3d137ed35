"""Who becomes champion: the gate asked, the decision put into the ledger, the model crowned; and the way back."""

from dataclasses import replace
from datetime import date

from data.errors import UserError
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
from training.lifecycle.promotion_rules import Measured, RuleResult, evaluate_promotion_rules
from training.promotion_policy import promotion_policy_in_force


def promote(settings: Settings, version: str, decision: ChampionDecision) -> tuple[RuleResult, ...]:
    """Make `version` the champion and return how it stands by each rule.

    The decision is in the ledger before the model is crowned. Raises UserError, and changes nothing, where the model is
    absent, damaged or not registered, where a rule does not hold and the decision is not forced, or where a forced
    decision gives no reason.
    """
    candidate = load_model(settings.workspace, version)
    require_registered(settings, version)
    policy = promotion_policy_in_force(decision.at.date())
    found = standing(settings, candidate, decision.at.date())
    broken = tuple(verdict.rule for verdict in found if not verdict.holds)
    if decision.force and not decision.why.strip():
        raise UserError("A forced promotion needs a reason that can be read later. Give one with --why TEXT.")
    if broken and not decision.force:
        raise UserError(
            f"Model {version} was not promoted. "
            + " ".join(f"Rule {each.rule!r} does not hold: {each.told}." for each in found if not each.holds)
            + " Train a better one, or promote all the same with --force --why TEXT, which the ledger keeps."
        )
    before = champion_version(settings.workspace)
    judged = replace(decision, broken=broken, policy=policy.version)
    _crowned(settings, record_change(settings, "promote", version, before, judged))
    return found


def standing(settings: Settings, candidate: Artifact, on: date) -> tuple[RuleResult, ...]:
    """How a model stands by every rule in force on a day, beside the champion of now.

    What training measured beside the champion is used where that champion still reigns; else both are judged anew on
    the lake. Raises UserError where that needs tables and there are none.
    """
    return evaluate_promotion_rules(
        candidate.metrics, _comparison(settings, candidate, on), promotion_policy_in_force(on)
    )


def set_first_champion(settings: Settings, version: str, decision: ChampionDecision) -> bool:
    """Crown `version` where no model reigns yet: without rules, since there is nothing else to score with.

    The rules that do not hold are logged all the same. Returns whether the model is the champion now.
    """
    champion = champion_version(settings.workspace)
    if champion is None:
        policy = promotion_policy_in_force(decision.at.date())
        found = evaluate_promotion_rules(load_model(settings.workspace, version).metrics, None, policy)
        broken = tuple(verdict.rule for verdict in found if not verdict.holds)
        judged = replace(decision, broken=broken, policy=policy.version)
        _crowned(settings, record_change(settings, "promote", version, None, judged))
    return champion in (None, version)


def rollback(settings: Settings, decision: ChampionDecision) -> str:
    """Crown the champion before the present one again, and return its version.

    Raises UserError where the ledger knows none, or where that model is damaged.
    """
    champion, standing_ones = champion_version(settings.workspace), champion_stack(champion_changes(settings))
    before = [version for version in standing_ones if version != champion]
    if not before or champion is None:
        raise UserError(
            "There is no earlier champion to go back to. `touchstone models list` shows what can be promoted."
        )
    load_model(settings.workspace, before[-1])
    require_registered(settings, before[-1])
    _crowned(settings, record_change(settings, "rollback", before[-1], champion, decision))
    return before[-1]


def _comparison(settings: Settings, candidate: Artifact, on: date) -> Measured | None:
    reigning = champion_version(settings.workspace)
    if reigning in (None, candidate.version):
        return None
    assert reigning is not None
    measured: Measured | None = candidate.metrics.get("champion")
    if measured is not None and measured["version"] == reigning:
        return measured
    return compare_with_champion(read_lake(settings.workspace), candidate, load_model(settings.workspace, reigning), on)


def approvals(settings: Settings, version: str) -> tuple[str, ...]:
    """Every time the model became champion, in a sentence each, the oldest first."""
    return tuple(approval(line) for line in champion_changes(settings) if line.version == version)


def approval(line: ChampionChange) -> str:
    """A succession in a sentence."""
    verb = "Promoted" if line.act == "promote" else "Brought back"
    against = f", against the rules {', '.join(line.broken)}" if line.broken else ""
    return f"{verb} on {line.on} by {line.by}{against}.{f' Why: {line.why}' if line.why else ''}"


def _crowned(settings: Settings, line: ChampionChange) -> None:
    """Crown what a succession names; it is in the ledger by then, since no champion may stand without a row."""
    set_champion(settings.workspace, line.version)
    folder = settings.workspace.model_report(line.version)
    folder.mkdir(parents=True, exist_ok=True)
    write_card(load_model(settings.workspace, line.version).card, line.version, approval(line), folder)
    set_champion_alias(settings, line, folder / "card.html")
