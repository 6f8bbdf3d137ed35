"""What `/results` is asked and answers, as it goes over HTTP."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from data.lab_results.record_validation import LONGEST_TEXT

MOST_RESULTS = 1_000
Short = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class LabResult(BaseModel):
    """A laboratory result in the words of the input contract; what a planned test leaves open, its plan fills in."""

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
    propensity: Annotated[float, Field(ge=0, le=1)] | None = None
    package: Short | None = None
    lab_id: Short | None = None
    severity: Literal["minor", "major", "critical"] | None = None
    hazard: Short | None = None
    cost_eur: Annotated[float, Field(ge=0)] | None = None
    round_id: Short | None = None


# Each result is judged by itself, so that a broken one does not cost the others theirs: any object gets that far.
Results = Annotated[
    list[Annotated[dict[str, Any], WithJsonSchema(LabResult.model_json_schema())]],
    Field(min_length=1, max_length=MOST_RESULTS, description="the results to take in"),
]


class RefusedResult(BaseModel):
    """A result that was not taken: its place in the question from 0, and every rule it breaks."""

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
    """What became of the results: `accepted` for the first time, `known` before alike, `changed` and left as they were.

    `accepted` results are kept for good. `filed` is false while they wait to be written where training reads them,
    which happens by itself. The same question again changes nothing. Versions are those of the scores in service.
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
