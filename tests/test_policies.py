"""Every policy and recipe: read as it stands, and refused by file, key path and value where one value is garbage."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from data.alerts.policy import AlertPolicy
from data.errors import UserError
from data.lake.volumes import IngestPolicy
from data.own_features import OwnFeaturePolicy
from data.policy import POLICY_FOLDER, Policy, policy_in_force, validate
from models.interactions import InteractionPolicy
from models.risk_bands import RiskBands
from models.risk_levels import RiskLevelPolicy
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.publication_policy import PublicationPolicy
from sampling.laboratories import LaboratoryPolicy
from sampling.policy import SamplingPolicy
from sampling.selected_lists import SelectionPolicy
from serving.api.counterfactuals import AdvicePolicy
from serving.api.screening_policy import ScreeningPolicy
from serving.auth.rate_limit import AccessPolicy
from serving.certificates.issuer_policy import IssuerPolicy
from serving.console.pages.sku_sentences import ConfidencePolicy
from serving.decisions.document_policy import DocumentPolicy
from serving.decisions.legal_grounds import GroundPolicy
from serving.decisions.policy import DecisionPolicy
from serving.lab_orders.orders import LabOrderPolicy
from serving.letters.policy import LetterPolicy
from serving.notices.policy import NoticePolicy
from serving.seller.policy import SellerPolicy
from serving.trust.policy import TrustPolicy
from serving.webhooks.policy import WebhookPolicy
from training.evaluation.fairness_groups import FairnessPolicy
from training.lifecycle.monitoring_rules import MonitoringPolicy
from training.promotion_policy import PromotionPolicy
from training.recipe import DEFAULT, Recipe

POLICIES: dict[str, type[Policy]] = {
    "webhooks": WebhookPolicy,
    "alerts": AlertPolicy,
    "own_features": OwnFeaturePolicy,
    "access": AccessPolicy, "advice": AdvicePolicy, "bands": RiskBands, "decisions": DecisionPolicy,
    "documents": DocumentPolicy,
    "estimation": EstimationPolicy, "facts": GroundPolicy, "fairness": FairnessPolicy, "knowledge": ConfidencePolicy,
    "ingest": IngestPolicy, "interactions": InteractionPolicy,
    "issuers": IssuerPolicy,
    "letters": LetterPolicy,
    "lab_orders": LabOrderPolicy,
    "laboratories": LaboratoryPolicy,
    "monitoring": MonitoringPolicy, "promotion": PromotionPolicy, "publication": PublicationPolicy,
    "risk_levels": RiskLevelPolicy,
    "sampling": SamplingPolicy,
    "selection": SelectionPolicy,
    "screening": ScreeningPolicy,
    "seller": SellerPolicy,
    "notices": NoticePolicy,
    "trust": TrustPolicy,
}  # fmt: skip
Place = tuple[str | int, ...]


def _places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of TOML tables with its place, the tables and lists themselves included."""
    if place:
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _places(each, (*place, key))


def _replaced(value: Any, place: Place, garbage: Any) -> Any:
    if not place:
        return garbage
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], garbage)
    return copy


def _path(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


FILES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    **{
        f"policy/{path.parent.name}/{path.name}": (POLICIES[path.parent.name], tomllib.loads(path.read_text("utf-8")))
        for path in sorted(POLICY_FOLDER.glob("*/*.toml"))
    },
    "training/recipes/default.toml": (Recipe, tomllib.loads(DEFAULT.read_text("utf-8"))),
}
PLACES = [(source, *each) for source, (_, tables) in FILES.items() for each in _places(tables)]
GARBAGE = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.datetimes(), st.lists(st.none(), min_size=1)
)


def _kind(value: object) -> type:
    """What counts as one kind in TOML: a whole number may stand for a number."""
    return float if type(value) in (int, float) else type(value)


@given(st.sampled_from(PLACES), GARBAGE)
def test_garbage_in_any_place_is_refused_by_file_key_path_and_value(chosen: tuple[str, Place, Any], junk: Any) -> None:
    """Garbage is of another kind than what stood there; in a list of lists or tables, its first entry is told."""
    source, place, honest = chosen
    if _kind(junk) is _kind(honest):
        junk = object()
    model, tables = FILES[source]
    with pytest.raises(UserError) as refused:
        validate(model, _replaced(tables, place, junk), source)
    told, given_value = str(refused.value), repr(junk)
    assert told.startswith(f"{source}: {_path(place)} is {given_value[:97]}")
    assert "; it must be " in told
    assert told.endswith(". Edit the file.")


FREE = {
    "set", "codes", "barred", "barred_columns", "barred_of_suppliers", "hazards", "slots", "severity", "market_groups",
    "grounds", "authorities", "category_groups", "regions",
}  # fmt: skip
TABLES = [(source, place) for source, place, value in PLACES if isinstance(value, dict) and place[-1] not in FREE]


@given(st.sampled_from(TABLES), st.text().map("not a key {}".format))
def test_an_unknown_key_is_named_with_the_known_ones(chosen: tuple[str, Place], key: str) -> None:
    """In every table but those whose keys are free."""
    source, place = chosen
    model, tables = FILES[source]
    honest = next(value for name, where, value in PLACES if (name, where) == chosen)
    with pytest.raises(UserError) as refused:
        validate(model, _replaced(tables, place, {**honest, key: 1}), source)
    assert str(refused.value).startswith(f"{source}: {_path(place)}.{key} is 1; there is no such key, only ")


MAY_BE_LEFT_OUT = {
    "accreditation", "also_unknown", "answers", "bands", "binds", "calibration", "category_groups", "ends", "facts",
    "four_eyes", "holidays", "laboratory", "labs", "learner", "mailbox", "market_groups", "markets", "minimums",
    "missing", "move", "needs_reference", "notified_body", "number", "patience", "regions", "register_url",
    "restricted", "restricts", "sensitivity", "severity", "stops", "supplier_cap", "working_days_to_answer",
}  # fmt: skip
NEEDED = [
    (source, place) for source, place, _ in PLACES
    if isinstance(place[-1], str) and place[-1] not in MAY_BE_LEFT_OUT and not FREE & set(place[:-1])
]  # fmt: skip


@given(st.sampled_from(NEEDED))
def test_a_key_that_is_missing_is_named_with_what_it_must_be(chosen: tuple[str, Place]) -> None:
    source, place = chosen
    model, tables = FILES[source]
    holder = dict(next((value for name, where, value in PLACES if (name, where) == (source, place[:-1])), tables))
    del holder[place[-1]]
    with pytest.raises(UserError) as refused:
        validate(model, _replaced(tables, place[:-1], holder), source)
    assert str(refused.value).startswith(f"{source}: {_path(place)} is missing; it must be ")


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_of_the_house_is_read_and_names_its_file(name: str) -> None:
    days = sorted(path.stem for path in (POLICY_FOLDER / name).glob("*.toml"))
    for day in days:
        assert policy_in_force(POLICIES[name], date.fromisoformat(day)).version.startswith(f"{day}-")


def test_every_folder_of_policies_is_of_a_model() -> None:
    assert {path.name for path in Path(POLICY_FOLDER).iterdir() if path.is_dir()} == set(POLICIES)
