"""`POST /results`: laboratory results, each validated, completed from its plan, stored and filed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from data.lab_results.record_validation import LONGEST_TEXT, validate_record
from data.lab_results.store import Sender, file_results, store_results
from data.workspace import Workspace
from sampling.rounds import planned_tests, round_status
from serving.online.store import OnlineStore
from serving.schemas import Question

MAX_RESULTS = 1_000
Short = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class LabResult(BaseModel):
    """A laboratory result in the words of the input contract; the plan of a planned test fills in what is absent."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "test_id": "T-2026-000815", "sku_id": "K-000017", "market": "DE", "happened_on": "2026-07-03",
                "known_on": "2026-07-14", "result": "fail", "origin": "mystery_shopper", "severity": "critical",
                "hazard": "electric_shock", "round_id": None,
            }
        },
    )  # fmt: skip

    test_id: Short
    sku_id: Short
    market: Short
    happened_on: date
    known_on: date
    result: Literal["pass", "fail", "inconclusive"]
    origin: Literal["mystery_shopper", "warehouse", "customs", "complaint", "supplier_provided"]
    strategy: Literal["random", "model", "rule", "mandatory", "follow_up"] | None = None
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    package: Short | None = None
    lab_id: Short | None = None
    severity: Literal["minor", "major", "critical"] | None = None
    hazard: Short | None = None
    cost_eur: Annotated[float, Field(ge=0)] | None = None
    round_id: Short | None = None


def _any_object(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    """The record as it is, unread."""
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "Input should be an object")
    return value


# Each result is validated by itself, so that a broken one does not cost the others theirs: any object is let through
# as a dict, and is described as what it should be.
Results = Annotated[
    list[Annotated[LabResult, WrapValidator(_any_object)]],
    Field(min_length=1, max_length=MAX_RESULTS, description="the results to take in"),
]


class ResultsQuestion(Question):
    """What laboratories found."""

    results: Results


class RefusedResult(BaseModel):
    """A refused result: its position in the question from 0 (`place`), and every rule it breaks."""

    place: int
    test_id: str | None
    why: list[str]


class RoundProgress(BaseModel):
    """How far a round is; `provisional` until 95 % of its results are in."""

    round_id: str
    planned: int
    received: int
    provisional: bool


class ResultsAnswer(BaseModel):
    """Test ids `accepted` for the first time, `known` with the same content, `changed` and left as they were.

    `accepted` results are stored for good. `filed` is false while they wait to be written where training reads them,
    which happens by itself. The same question twice changes nothing. Versions are those of the scores in service.
    """

    accepted: list[str]
    known: list[str]
    changed: list[str]
    refused: list[RefusedResult]
    filed: bool
    rounds: list[RoundProgress]
    model_version: str
    feature_version: str
    policy_version: str
    as_of: date


Record = Mapping[str, Any]
PlannedTests = Mapping[tuple[str, str, str], Record]


@dataclass(frozen=True)
class LabResultIntake:
    """The database, the workspace and the scores in service that results are checked against and stored in."""

    engine: sa.Engine
    workspace: Workspace
    published: OnlineStore


def accept_results(intake: LabResultIntake, records: Sequence[Record], sender: Sender) -> ResultsAnswer:
    """Store the valid results among `records`, and report on each.

    Raises UserError where the database cannot be written; then none is accepted.
    """
    valid, refused = validate_results(intake, records, sender)
    stored = store_results(intake.engine, intake.workspace, list(valid.values()), sender)
    try:
        file_results(intake.engine, intake.workspace, sender.now)
        filed = True
    except OSError as error:
        logging.getLogger("bentoml").warning("Results are accepted but wait for their file: %s.", error.strerror)
        filed = False
    rounds = {str(result["round_id"]) for result in valid.values() if result["round_id"]}
    scored = intake.published.publication
    return ResultsAnswer(
        accepted=list(stored.new), known=list(stored.known), changed=list(stored.changed), refused=refused, filed=filed,
        rounds=[_progress(intake.workspace, name) for name in sorted(rounds)],
        model_version=scored.model_version, feature_version=scored.feature_version,
        policy_version=scored.policy_version, as_of=scored.as_of,
    )  # fmt: skip


def validate_results(
    intake: LabResultIntake, records: Sequence[Record], sender: Sender
) -> tuple[dict[str, Record], list[RefusedResult]]:
    """The valid results by test_id, completed from their plans, and the refused ones."""
    planned = _planned_tests(intake.workspace)
    valid: dict[str, Record] = {}
    refused: list[RefusedResult] = []
    for position, record in enumerate(records):
        checked = validate_record(record, sender.now.date())
        why = [*checked.broken, *_unknown_references(intake.published, planned, checked.values)]
        test_id = checked.values["test_id"]
        result = _complete_from_plan(checked.values, planned)
        if not why and valid.get(test_id, result) != result:
            why = ["duplicate test_id with another content"]
        if why:
            refused.append(RefusedResult(place=position, test_id=test_id, why=why))
        else:
            valid[test_id] = result
    return valid, refused


def _unknown_references(published: OnlineStore, planned: PlannedTests, values: Record) -> list[str]:
    """The references of a result that the catalogue or its rounds do not have."""
    sku_id, market, round_id = values["sku_id"], values["market"], values["round_id"]
    if sku_id is None or market is None:
        return []
    if published.snapshot.find([sku_id], [market])[0] < 0:
        return ["unknown sku_id, market"]
    if round_id is not None and (round_id, sku_id, market) not in planned:
        return ["unknown round_id, sku_id, market"]
    return []


def _planned_tests(workspace: Workspace) -> PlannedTests:
    return {(row["round_id"], row["sku_id"], row["market"]): row for row in planned_tests(workspace).to_pylist()}


def _complete_from_plan(values: Record, planned: PlannedTests) -> Record:
    """The result with its absent values filled in from its plan, where it names a round."""
    plan = planned.get((values["round_id"], values["sku_id"], values["market"])) if values["round_id"] else None
    if plan is None:
        return values
    filled = {"propensity": plan["inclusion_probability"], "package": plan["package"], "lab_id": plan["lab_id"],
              "strategy": "model"}  # fmt: skip
    return {**values, **{name: value for name, value in filled.items() if values[name] is None}}


def _progress(workspace: Workspace, round_id: str) -> RoundProgress:
    status = round_status(workspace, round_id)
    return RoundProgress(
        round_id=round_id, planned=status.planned, received=status.received, provisional=status.provisional
    )
