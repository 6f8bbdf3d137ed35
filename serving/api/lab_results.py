"""`POST /results`: laboratory results, each validated, completed from its plan, stored and filed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from data.database.connection import read_transaction
from data.lab_results.record_validation import LONGEST_TEXT, validate_record
from data.lab_results.store import Sender, StoredResults, file_results, round_results, store_results
from data.lab_results.versions import VersionKey, broken_report_rules, key_of
from data.lake.lab_results import with_amendments
from data.workspace import Workspace
from sampling.round_answers import broken_round_rules, complete_from_plan, plans_of
from sampling.rounds import round_status
from serving.lab_orders.orders import LabOrder, OrderSources, complete_from_order, lab_orders
from serving.online.store import OnlineStore
from serving.schemas import Question

MAX_RESULTS = 1_000
Short = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class LabResult(BaseModel):
    """A laboratory result in the words of the input contract; its plan or order fills in what is absent.

    A report that changed comes again as its next `version`, which amends the one before; `status` is cancelled where no
    result can be had, and entered_in_error where the report is withdrawn. `order_id` is the order of the test in
    `GET /lab-orders`.
    """

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
    version: Annotated[int, Field(ge=1, le=10_000)] | None = None
    status: Literal["final", "amended", "corrected", "cancelled", "entered_in_error"] | None = None
    report_number: Short | None = None
    report_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    accreditation: Short | None = None
    standard: Short | None = None
    clause: Short | None = None
    round_id: Short | None = None
    order_id: Short | None = None


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
    """How far a round is; `provisional` until 95 % of its tests are answered.

    Tests that are `not_obtainable` are answered without a result. `other_laboratory` of the results received are of
    another laboratory than planned; `other_package` more are of another package and answer no planned test.
    """

    round_id: str
    planned: int
    received: int
    not_obtainable: int
    other_laboratory: int
    other_package: int
    provisional: bool


class AmendedResult(BaseModel):
    """An accepted version of a test, and the version that it amends."""

    test_id: str
    version: int
    amends: int


class ResultsAnswer(BaseModel):
    """Test ids `accepted` for the first time, `known` with the same content, `changed` and left as they were.

    Those of `accepted` that are versions of a known test are `amended` as well.
    `accepted` results are stored for good. `filed` is false while they wait to be written where training reads them,
    which happens by itself. The same question twice changes nothing. Versions are those of the scores in service.
    """

    accepted: list[str]
    known: list[str]
    changed: list[str]
    amended: list[AmendedResult]
    refused: list[RefusedResult]
    filed: bool
    rounds: list[RoundProgress]
    model_version: str
    feature_version: str
    policy_version: str
    as_of: date


Record = Mapping[str, Any]


@dataclass(frozen=True)
class LabResultIntake:
    """The database, the workspace and the scores in service that results are checked against and stored in."""

    engine: sa.Engine
    workspace: Workspace
    published: OnlineStore


@dataclass(frozen=True)
class CheckedResults:
    """The `valid` results, completed from orders and plans, their `places` in the question, and the refused ones."""

    valid: Mapping[VersionKey, Record]
    places: Mapping[VersionKey, int]
    refused: Sequence[RefusedResult]

    def refused_with(self, stored: StoredResults) -> list[RefusedResult]:
        """The refused results with those whose version does not follow what is known, by place."""
        later = [
            RefusedResult(place=self.places[key], test_id=key.test_id, why=[why]) for key, why in stored.refused.items()
        ]
        return sorted([*self.refused, *later], key=lambda each: each.place)


def accept_results(intake: LabResultIntake, records: Sequence[Record], sender: Sender) -> ResultsAnswer:
    """Store the valid results among `records`, and report on each.

    Raises UserError where the database cannot be written; then none is accepted.
    """
    checked = validate_results(intake, records, sender)
    stored = store_results(intake.engine, intake.workspace, list(checked.valid.values()), sender)
    try:
        file_results(intake.engine, intake.workspace, sender.now)
        filed = True
    except OSError as error:
        logging.getLogger("bentoml").warning("Results are accepted but wait for their file: %s.", error.strerror)
        filed = False
    rounds = {str(result["round_id"]) for result in checked.valid.values() if result["round_id"]}
    if sender.lab_id is not None:
        rounds = set()  # a laboratory is not told which tests are of a round, and how others did
    scored = intake.published.publication
    return ResultsAnswer(
        accepted=list(stored.new), known=list(stored.known), changed=list(stored.changed),
        amended=[AmendedResult(**key._asdict(), amends=amends) for key, amends in stored.amendments.items()],
        refused=checked.refused_with(stored), filed=filed, rounds=[_progress(intake, name) for name in sorted(rounds)],
        model_version=scored.model_version, feature_version=scored.feature_version,
        policy_version=scored.policy_version, as_of=scored.as_of,
    )  # fmt: skip


def validate_results(intake: LabResultIntake, records: Sequence[Record], sender: Sender) -> CheckedResults:
    """The results that may be stored, each judged by itself; nothing is stored."""
    orders = _orders(intake, records)
    planned = plans_of(intake.workspace, _rounds_of(records, orders))
    valid: dict[VersionKey, Record] = {}
    places: dict[VersionKey, int] = {}
    refused: list[RefusedResult] = []
    for place, record in enumerate(records):
        given, why = complete_from_order(record, orders, sender.lab_id)
        checked = validate_record(given, sender.now.date())
        values = checked.values
        why += [*checked.broken, *broken_report_rules(values), *_unknown_sku(intake.published, values)]
        why += broken_round_rules(values, planned)
        result = complete_from_plan(values, planned)
        key = key_of(result)
        if not why and valid.get(key, result) != result:
            why = ["duplicate test_id, version with another content"]
        if why:
            refused.append(RefusedResult(place=place, test_id=values["test_id"], why=why))
        else:
            valid[key], places[key] = result, place
    return CheckedResults(valid, places, refused)


def _orders(intake: LabResultIntake, records: Sequence[Record]) -> Mapping[str, LabOrder]:
    """The orders by id, where any of the records names one."""
    if not any(record.get("order_id") for record in records):
        return {}
    return {each.order_id: each for each in lab_orders(OrderSources(intake.workspace, intake.engine, intake.published))}


def _rounds_of(records: Sequence[Record], orders: Mapping[str, LabOrder]) -> set[str]:
    """The rounds that the records or their orders name."""
    named = {name for record in records if isinstance(name := record.get("round_id"), str)}
    ordered = {orders[name].round_id for record in records if (name := str(record.get("order_id"))) in orders}
    return named | {name for name in ordered if name is not None}


def _unknown_sku(published: OnlineStore, values: Record) -> list[str]:
    """The rule that a result breaks whose SKU the catalogue does not have."""
    sku_id, market = values["sku_id"], values["market"]
    if sku_id is None or market is None or published.snapshot.find([sku_id], [market])[0] >= 0:
        return []
    return ["unknown sku_id, market"]


def _progress(intake: LabResultIntake, round_id: str) -> RoundProgress:
    """How far a round is by the database, which need not read what other rounds brought."""
    with read_transaction(intake.engine) as connection:
        accepted = round_results(connection, round_id)
    status = round_status(intake.workspace, round_id, with_amendments(intake.workspace, accepted))
    return RoundProgress(
        round_id=round_id, planned=status.planned, received=status.received, not_obtainable=status.not_obtainable,
        other_laboratory=status.other_laboratory, other_package=status.other_package, provisional=status.provisional,
    )  # fmt: skip
