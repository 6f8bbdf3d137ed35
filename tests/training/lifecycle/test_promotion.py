"""Promotion asks the gate, logs before it crowns, and can be taken back; the registry is left out here."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from data.settings import Settings
from data.workspace import Workspace
from models.registry import champion_version, model_folder, set_champion
from tests.training.promotion_worlds import passing_metrics, store_small_model, winning_comparison
from training.lifecycle import promotion
from training.lifecycle.champion_history import ChampionDecision, champion_changes
from training.lifecycle.promotion import approvals, promote, rollback, set_first_champion

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ANN = ChampionDecision("ann", NOW)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A workspace whose models count as registered."""
    monkeypatch.setattr(promotion, "require_registered", lambda *_: None)
    monkeypatch.setattr(promotion, "set_champion_alias", lambda *_: None)
    return Settings(Workspace(tmp_path), None)


@pytest.fixture
def champion(settings: Settings) -> str:
    """A champion, the first model."""
    version = store_small_model(settings.workspace, 0, passing_metrics())
    assert set_first_champion(settings, version, ANN)
    return version


def challenger(settings: Settings, champion: str, gain: float = 0.05) -> str:
    """A challenger that training compared with the champion."""
    compared = winning_comparison(champion, gain=gain, gain_interval=[gain - 0.1, gain + 0.1])
    return store_small_model(settings.workspace, 1, {**passing_metrics(), "champion": compared})


def test_a_first_model_that_breaks_a_rule_is_champion_only_where_somebody_says_so(settings: Settings) -> None:
    """The ledger and the card then name the rule, and call it provisional."""
    version = store_small_model(settings.workspace, 0, passing_metrics(slope=2.0))
    assert not set_first_champion(settings, version, ANN)
    assert champion_version(settings.workspace) is None
    assert champion_changes(settings) == ()
    with pytest.raises(UserError, match="Rule 'calibration' does not hold"):
        promote(settings, version, ANN)
    assert set_first_champion(settings, version, replace(ANN, why="the first model", force=True))
    assert champion_version(settings.workspace) == version
    assert [(line.version, line.broken) for line in champion_changes(settings)] == [(version, ("calibration",))]
    said = (
        "Provisional, as no other model could score. Promoted on 2026-07-01 by ann, against the rules calibration. "
        "Why: the first model"
    )
    assert approvals(settings, version) == (said,)
    assert said in (settings.workspace.model_report(version) / "card.html").read_text(encoding="utf-8")
    assert not set_first_champion(settings, store_small_model(settings.workspace, 1, passing_metrics()), ANN)


def test_the_champion_registered_again_keeps_its_card_and_gets_its_alias(
    settings: Settings, champion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another store, or after the same training; the ledger has no new line."""
    named: list[str] = []
    monkeypatch.setattr(promotion, "set_champion_alias", lambda _, change, __: named.append(change.version))
    before, page = champion_changes(settings), settings.workspace.model_report(champion) / "card.html"
    page.unlink()
    assert set_first_champion(settings, champion, ANN)
    assert named == [champion]
    assert "Promoted on 2026-07-01 by ann." in page.read_text(encoding="utf-8")
    assert champion_changes(settings) == before


def test_a_better_challenger_becomes_champion_and_the_previous_one_stays(settings: Settings, champion: str) -> None:
    version = challenger(settings, champion)
    assert all(each.holds for each in promote(settings, version, ANN))
    assert champion_version(settings.workspace) == version
    assert model_folder(settings.workspace, champion).is_dir()
    assert champion_changes(settings)[-1].previous == champion
    assert approvals(settings, version) == ("Promoted on 2026-07-01 by ann.",)
    page = settings.workspace.model_report(version) / "card.html"
    assert "Promoted on 2026-07-01 by ann." in page.read_text(encoding="utf-8")


def test_a_refused_promotion_names_the_rule_and_changes_nothing(settings: Settings, champion: str) -> None:
    version = challenger(settings, champion, gain=-0.2)
    before = champion_changes(settings)
    with pytest.raises(
        UserError, match=rf"Model {version} was not promoted\. Rule 'findings' does not hold: of the 100"
    ):
        promote(settings, version, ANN)
    assert champion_version(settings.workspace) == champion
    assert champion_changes(settings) == before


def test_a_forced_promotion_needs_a_reason_and_is_logged_with_the_rules_it_broke(
    settings: Settings, champion: str
) -> None:
    version = challenger(settings, champion, gain=-0.2)
    with pytest.raises(UserError, match="Give one with --why TEXT"):
        promote(settings, version, ChampionDecision("ann", NOW, "  ", force=True))
    promote(settings, version, ChampionDecision("ann", NOW, "new rule of law", force=True))
    assert champion_version(settings.workspace) == version
    line = champion_changes(settings)[-1]
    assert (line.by, line.why, line.broken) == ("ann", "new rule of law", ("findings",))
    assert approvals(settings, version)[-1] == (
        "Promoted on 2026-07-01 by ann, against the rules findings. Why: new rule of law"
    )


def test_a_rollback_brings_the_champion_before_back_and_is_logged(settings: Settings, champion: str) -> None:
    version = challenger(settings, champion)
    promote(settings, version, ANN)
    assert rollback(settings, ChampionDecision("bob", NOW, "complaints")) == champion
    assert champion_version(settings.workspace) == champion
    line = champion_changes(settings)[-1]
    assert (line.act, line.previous, line.by) == ("rollback", version, "bob")
    with pytest.raises(UserError, match="There is no earlier champion to go back to"):
        rollback(settings, ANN)


def test_a_damaged_model_is_neither_promoted_nor_rolled_back_to(settings: Settings, champion: str) -> None:
    version = challenger(settings, champion)
    promote(settings, version, ANN)
    (model_folder(settings.workspace, champion) / "booster.txt").write_text("tree", encoding="utf-8")
    lines = champion_changes(settings)
    for attempt in (lambda: rollback(settings, ANN), lambda: promote(settings, champion, ANN)):
        with pytest.raises(UserError, match=r"booster\.txt has changed"):
            attempt()
    assert champion_version(settings.workspace) == version
    assert champion_changes(settings) == lines


def test_a_model_is_compared_anew_exactly_when_the_champion_is_not_that_of_its_training(
    settings: Settings, champion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def anew(_tables: object, _candidate: object, present: Any, _on: date) -> dict[str, Any]:
        compared.append(present.version)
        return winning_comparison(present.version, gain=-0.5, gain_interval=[-0.6, -0.4])

    monkeypatch.setattr(promotion, "read_lake", lambda _: None)
    monkeypatch.setattr(promotion, "compare_with_champion", anew)
    version = challenger(settings, champion)
    other = store_small_model(settings.workspace, 2, passing_metrics())
    set_champion(settings.workspace, other)
    with pytest.raises(UserError, match="Rule 'findings' does not hold"):
        promote(settings, version, ANN)
    assert compared == [other]
    set_champion(settings.workspace, champion)
    promote(settings, version, ANN)
    assert compared == [other]
