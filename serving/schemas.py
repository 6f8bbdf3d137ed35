"""What goes over HTTP: the records of requests and answers, and their JSON."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sampling.plan import Plan

MAX_ITEMS = 1_000
"""SKUs in a call; more belong into the files that `touchstone score` writes."""

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Question(BaseModel):
    """A request body: unknown fields are refused, and values are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NoQuestion(Question):
    """An empty request body."""


class Item(Question):
    """A SKU in a market."""

    model_config = ConfigDict(json_schema_extra={"example": {"sku_id": "K-000017", "market": "DE"}})

    sku_id: Text
    market: Text


Items = Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS, description="the SKUs to score")]


class ScoreQuestion(Question):
    """Which SKUs to score; `explain` asks for reasons."""

    items: Items
    explain: bool = False


class NullableArray:
    """Annotation of a list or None: one schema with two types, as BentoML's client takes only the first of several."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the list, which may be null as well."""
        schema = handler(core)
        return {**schema["anyOf"][0], "type": ["array", "null"]}


class Reason(BaseModel):
    """What one feature contributed: `value` null where unknown, `contribution` in log-odds, both as a sentence."""

    feature: str
    value: float | None
    contribution: float
    sentence: str


class ScoreRow(BaseModel):
    """A score row; `margin` is raw log-odds, `reasons` is null unless they were asked for.

    `hazard` is what most likely fails if the SKU does, `hazard_share` how much of its failures that is, `risk_level`
    (low, medium, high or serious) its severity x probability of harm; null where no failure of its category is known. A
    level orders work and is no ground for a decision.
    """

    sku_id: str
    market: str
    as_of: date
    margin: float
    p_fail: float
    p_low: float
    p_high: float
    band: str
    hazard: str | None
    hazard_share: float | None
    risk_level: str | None
    rank: int
    reasons: Annotated[list[Reason] | None, NullableArray()]
    model_version: str
    feature_version: str
    policy_version: str


class RefusedItem(BaseModel):
    """A SKU that got no score, and why."""

    sku_id: str
    market: str
    why: str


class ScoreAnswer(BaseModel):
    """Scores in the order asked for, without the refused ones, which follow."""

    scores: list[ScoreRow]
    refused: list[RefusedItem]
    model_version: str
    feature_version: str
    policy_version: str
    as_of: date


Budget = Annotated[float, Field(description="what the tests may cost in euros, goods not counted")]
Seed = Annotated[
    int | None,
    Field(
        ge=0, lt=2**63,
        description="leave it out: then the seed sealed before is opened, or one that nobody chose is drawn and told",
    ),
]  # fmt: skip


class PlanQuestion(Question):
    """What a round may cost."""

    budget_eur: Budget
    seed: Seed = None


class PlannedTest(BaseModel):
    """One SKU to test, where and by when, the probability with which it was drawn, and why.

    `reason` is certainty, quota (a minimum asks for it), priced (worth its money) or floor (exploration). A screen that
    is `confirmed` gets its `confirming_package` even if it passes; `cost_eur` and `units` hold both.
    """

    sku_id: str
    market: str
    category: str | None
    supplier_id: str | None
    stratum: int
    package: str
    method: str
    lab_id: str | None
    cost_eur: float
    units: int
    sensitivity: float
    due_on: date
    p_fail: float
    expected_value: float
    inclusion_probability: float
    floor_probability: float
    confirming_package: str | None = None
    confirmed: bool = False
    confirmation_probability: float = 0.0
    reason: str


class PlannedPackage(BaseModel):
    """One test package of the plan: SKUs it is for, tests drawn and expected, price of one test."""

    package: str
    frame_size: int
    tests: int
    expected_tests: float
    cost_eur: float


class PlannedMinimum(BaseModel):
    """A statutory minimum: tests asked for, those that can not be met, what the last of them costs in value."""

    category: str | None
    market: str
    tests: int
    unmet: int
    cost: float


class PlanAnswer(BaseModel):
    """A sampling plan; `expected_failures` against what the same money finds at random.

    `seal` is the SHA-256 of `seed:nonce`. `policy_version` is the sampling policy's; `probability_sum` adds up over the
    whole catalogue, `waiting` counts the SKUs that no limit left room for. The worth of 1,000 euros or a slot more is
    in units of `value`. `without_package` names the categories that no test package of the policy is for; `note` says
    what becomes of them, and is empty where there are none.
    """

    round_id: str
    as_of: date
    seed: int
    nonce: str
    seal: str
    budget_eur: float
    cost_eur: float
    confirmations: int = 0
    confirmations_eur: float = 0.0
    tests: list[PlannedTest]
    expected_failures: float
    expected_failures_at_random: float
    random_share: float
    probability_sum: float
    frame_size: int
    frame_digest: str
    in_test: int
    waiting: int
    value: float
    best_value: float
    anticipated_error: float
    worth_of_1000_eur: float
    worth_of_slot: dict[str, float]
    minimums: list[PlannedMinimum]
    packages: list[PlannedPackage]
    without_package: list[str]
    note: str
    model_version: str
    feature_version: str
    policy_version: str


def plan_answer(plan: Plan, model_version: str, feature_version: str) -> PlanAnswer:
    """A plan as it goes over HTTP."""
    summary = {**asdict(plan.summary), "tests": plan.units.to_pylist()}
    return PlanAnswer.model_validate({**summary, "model_version": model_version, "feature_version": feature_version})
