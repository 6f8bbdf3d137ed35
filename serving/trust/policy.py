"""The dated policy `trust`: who gets a public test summary, how long it stands, how it is cached and signed."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Count, Policy, Several, policy_in_force
from serving.auth.api_keys import StaffRole

LEAST_POSITIONS = 131_072
"""Positions of a status list, so that a position says nothing of a product (W3C Bitstring Status List v1.0, 3.1)."""

ProductField = Literal["brand", "category", "factory_id", "gtin", "model", "title"]


class TrustPolicy(Policy, subject="trust"):
    """The policy of public test summaries.

    `product_fields` are the fields of a listing that make it the same product, `publishers` the roles that may publish
    a summary. A worker reads withdrawals after `reread_seconds` and trusts what it read for `trusted_seconds`.
    """

    valid_days: Annotated[int, Field(ge=1, le=3650)]
    critical_injury: Annotated[int, Field(ge=0, le=4)]
    other_markets: bool
    product_fields: Annotated[Several[ProductField], Field(min_length=1)]
    publishers: Annotated[Several[StaffRole], Field(min_length=1)]
    name_laboratories: bool
    max_age_seconds: Annotated[int, Field(ge=1, le=300)]
    reread_seconds: Annotated[float, Field(ge=0, le=30)]
    trusted_seconds: Annotated[float, Field(gt=0, le=30)]
    signature_hours: Annotated[int, Field(ge=1, le=168)]
    clock_skew_seconds: Count
    least_positions: Annotated[int, Field(ge=LEAST_POSITIONS)]

    @model_validator(mode="after")
    def _reread_in_time(self) -> Self:
        if self.reread_seconds > self.trusted_seconds:
            raise ValueError(
                f"'reread_seconds' is {self.reread_seconds}, later than 'trusted_seconds' {self.trusted_seconds}"
            )
        if self.least_positions & (self.least_positions - 1):
            raise ValueError(f"'least_positions' is {self.least_positions}; give a power of two")
        return self


def trust_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> TrustPolicy:
    """The policy of a day. Raises UserError where there is none, or where a withdrawal would take too long."""
    return policy_in_force(TrustPolicy, day, folder)
