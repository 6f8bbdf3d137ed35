"""Publication policy: which cells of an edition may be published, how coarsely, and what must not follow from them."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Count, MarketGroups, Policy, Several, Share, TomlTable, policy_in_force

StaffRole = Literal["scheduler", "officer", "analyst", "admin"]


class Least(TomlTable):
    """What a published cell rests on at least; failures may also be none."""

    effective_tests: Count
    suppliers: Count
    factories: Count
    failures: Count
    hazard_failures: Count
    hazard_suppliers: Count
    cases: Count


class Dominance(TomlTable):
    """The largest share of a cell's tests, and of its sales, that one supplier may have."""

    largest_share: Share


class Rounding(TomlTable):
    """Counts and percentages are rounded to multiples of these."""

    counts_to: Count
    percent_to: Count


class Protection(TomlTable):
    """How wide the interval of a hidden cell stays for whoever knows all that is published: tests, and share."""

    tests: Count
    share: Annotated[float, Field(gt=0, le=1)]


class Publishers(TomlTable):
    """The roles of the two people who draft and publish an edition."""

    roles: Annotated[Several[StaffRole], Field(min_length=1)]


class PublicationPolicy(Policy, subject="publication"):
    """What is published of the outcome of tests. A group of categories or markets has a name of its own."""

    least: Least
    dominance: Dominance
    rounding: Rounding
    protection: Protection
    people: Publishers
    category_groups: MarketGroups
    regions: MarketGroups

    @model_validator(mode="after")
    def _name_each_once(self) -> Self:
        for what, groups in (("category", self.category_groups), ("market", self.regions)):
            seen: set[str] = set()
            for members in groups.values():
                if twice := sorted(seen & members):
                    raise ValueError(f"each {what} may be in one group only, got {', '.join(twice)} in two")
                seen |= members
        return self

    def category_group(self, category: str) -> str:
        """The group of a category; its own name where no group has it."""
        return _group_of(category, self.category_groups)

    def region(self, market: str) -> str:
        """The region of a market; its own name where no region has it."""
        return _group_of(market, self.regions)


def _group_of(name: str, groups: dict[str, frozenset[str]]) -> str:
    return next((group for group, members in groups.items() if name in members), name)


def publication_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> PublicationPolicy:
    """The publication policy of a day. Raises UserError where there is none or it is not usable."""
    return policy_in_force(PublicationPolicy, as_of, folder)
