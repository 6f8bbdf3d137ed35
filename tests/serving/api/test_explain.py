"""An explanation adds up to the score it explains, and advises only what somebody could do."""

import numpy as np
import pytest

from data.errors import UserError
from features.registry import BY_NAME
from models.interactions import InteractionPolicy
from serving.api.counterfactuals import ALL_STEPS, find_counterfactuals, steps_in_force
from serving.api.explain import explain_sku
from serving.explanation_text import explanation
from serving.online import store
from serving.online.store import OnlineStore, open_online_store
from serving.schemas import Item
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored

NOT_ACTIONABLE = ("country", "market", "category", "title", "fail", "fails", "price")


@pytest.fixture(scope="module")
def published(scored: Scored) -> OnlineStore:
    """The scored catalogue, opened."""
    return open_online_store(scored.workspace)


def items_of(published: OnlineStore) -> list[Item]:
    """Every seventh SKU of the catalogue."""
    keys = published.snapshot.keys(0, len(published.snapshot)).to_pylist()
    return [Item(sku_id=key["sku_id"], market=key["market"]) for key in keys[::7]]


def test_all_contributions_and_the_base_value_make_the_margin(published: OnlineStore) -> None:
    """To 1e-9, over groups and over features; and every feature is told exactly once."""
    for item in items_of(published):
        answer = explain_sku(published, item)
        assert abs(sum(group.contribution for group in answer.groups) + answer.base_value - answer.margin) < 1e-9
        features = [one.feature for group in answer.groups for one in group.features]
        assert sorted(features) == sorted(published.snapshot.feature_names)
        for group in answer.groups:
            assert abs(sum(one.contribution for one in group.features) - group.contribution) < 1e-12
            assert {BY_NAME[one.feature].group for one in group.features} == {group.group}


def test_the_explained_score_is_the_score(published: OnlineStore) -> None:
    """Row and reasons equal those of `/score`; each reason is the sum of contributions about the same rows."""
    for item in items_of(published):
        answer = explain_sku(published, item)
        assert answer.score == published.score_row(item)
        contributions = {one.feature: one.contribution for group in answer.groups for one in group.features}
        for reason in answer.score.reasons or []:
            about = BY_NAME[reason.feature].about
            related = [size for name, size in contributions.items() if about and BY_NAME[name].about == about]
            others = sum(abs(size) for size in related) - abs(contributions[reason.feature]) if related else 0.0
            assert abs(reason.contribution - contributions[reason.feature]) <= others + 1e-9


@pytest.mark.parametrize("least_points", [0.001, 0.2, 50.0])
def test_interactions_are_of_the_size_that_policy_asks_for_and_add_up_with_the_contributions(
    published: OnlineStore, monkeypatch: pytest.MonkeyPatch, least_points: float
) -> None:
    """Of two features each, told as the text of a terminal tells them; a policy that asks for more gets fewer."""
    policy, names = (
        InteractionPolicy.model_construct(least_points=least_points, most=2),
        published.snapshot.feature_names,
    )
    monkeypatch.setattr(store, "interaction_policy_in_force", lambda _: policy)
    told = 0
    for item in items_of(published)[:20]:
        answer = explain_sku(published, item)
        position = int(published.snapshot.find([item.sku_id], [item.market])[0])
        (interactions,) = published.scorer.interactions(published.snapshot.matrix_at(np.array([position])))
        contributions = {one.feature: one.contribution for group in answer.groups for one in group.features}
        assert interactions.sum(axis=1) == pytest.approx([contributions[name] for name in names], abs=1e-9)
        assert len(answer.interactions) <= policy.most
        for pair in answer.interactions:
            assert abs(pair.points) >= least_points
            assert len(set(pair.features)) == 2
            assert pair.supplier_may_see == all(BY_NAME[name].supplier_may_see for name in pair.features)
            text = " ".join(explanation(published, item.sku_id, item.market).split())
            assert f"- {pair.sentence}" in text
        told += len(answer.interactions)
    assert (told > 0) == (least_points < 1)


def test_every_step_lowers_the_score_and_touches_only_its_features(published: OnlineStore) -> None:
    """What is advised helps by the model, changes what it says, and together at least as much as nothing."""
    steps = {step.name: step for step in steps_in_force(DAY)}
    for item in items_of(published):
        answer = explain_sku(published, item)
        for step in answer.would_change:
            assert step.p_fail <= answer.score.p_fail
            allowed = (
                steps[step.step].features if step.step in steps else set().union(*(s.features for s in steps.values()))
            )
            assert {moved.feature for moved in step.features} <= allowed
            assert step.features
            assert step.step in (*steps, ALL_STEPS)


def test_steps_name_only_what_somebody_can_change() -> None:
    """No step hopes for another past, category, title or price."""
    for step in steps_in_force(DAY):
        for name in step.features:
            assert name in BY_NAME
            assert not any(word in name.split("_") for word in NOT_ACTIONABLE)


def test_a_step_that_changes_nothing_is_not_told(published: OnlineStore) -> None:
    """Where every step is taken already, there is no advice."""
    names, steps = published.snapshot.feature_names, steps_in_force(DAY)
    values = published.snapshot.matrix_at(np.array([0]))[0]
    for step in steps:
        values = step.apply(values, names)
    assert find_counterfactuals(published.scorer, names, values, steps) == ()


def test_evidence_is_the_dossier(published: OnlineStore) -> None:
    """Rows come from the dossier, none known on the day or later."""
    for item in items_of(published):
        evidence = explain_sku(published, item).evidence
        assert evidence is not None
        for rows in (evidence.tests, evidence.certificates, evidence.holds, evidence.quotes):
            assert all(row.known_on < DAY for row in rows)


def test_an_unknown_sku_is_refused(published: OnlineStore) -> None:
    """It is named."""
    with pytest.raises(UserError, match="no SKU 'nope'"):
        explain_sku(published, Item(sku_id="nope", market="DE"))
