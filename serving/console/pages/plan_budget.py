"""The budget of a plan as people type it: its bounds, reading it, and whether a plan comes too late."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import pyarrow as pa

from data.errors import UserError
from sampling.confirmations import planned_packages
from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell, Package
from serving.html.filters import euros, long_day
from serving.online.store import OnlineStore

MOST_EUR = 200_000
SUGGESTED_EUR = (5_000, 10_000, 20_000, 50_000, 100_000)
FIRST_EUR = 20_000


@dataclass(frozen=True)
class BudgetBounds:
    """The smallest budget is the price of the cheapest test that a SKU may need, a screen's with its confirmations."""

    cheapest: Package
    most_eur: float = MOST_EUR

    @property
    def least_eur(self) -> float:
        """The price of the cheapest test."""
        return self.cheapest.cost_cents / 100

    @property
    def request(self) -> str:
        """What to enter."""
        return f"Enter a budget between {euros(self.least_eur)} and {euros(self.most_eur)}."

    @property
    def explanation(self) -> str:
        """Why not less."""
        share = " with its share of confirming tests" if self.cheapest.sensitivity < 1 else ""
        price = f"the price of the cheapest test{share} ({self.cheapest.name})"
        return f"The smallest budget is {euros(self.least_eur)}: {price}."

    @property
    def suggestions(self) -> tuple[int, ...]:
        """Amounts within the bounds to choose from."""
        return tuple(each for each in SUGGESTED_EUR if self.least_eur <= each <= self.most_eur)

    def read(self, typed: str) -> float:
        """The amount in euros, to the cent: "20,000", "EUR 20 000" or "20000.50".

        Raises UserError where it is no amount or out of bounds.
        """
        plain = re.sub(r"(?i)eur|\N{EURO SIGN}|[\s,']", "", typed)
        amount = float(plain) if re.fullmatch(r"\d{1,12}(\.\d{1,2})?", plain, re.ASCII) else math.nan
        if self.least_eur <= amount <= self.most_eur:
            return amount
        is_small = amount < self.least_eur
        raise UserError(f"{self.request} {self.explanation}" if is_small else self.request)


def budget_bounds(store: OnlineStore) -> BudgetBounds:
    """The bounds of a budget for the catalogue in service."""
    keys = store.snapshot.keys(0, len(store.snapshot)).select(["category", "market"])
    cells = keys.group_by(["category", "market"]).aggregate([]).to_pylist()
    return _bounds(store.publication.as_of, tuple(sorted((cell["category"], cell["market"]) for cell in cells)))


@lru_cache(maxsize=8)
def _bounds(as_of: date, cells: tuple[tuple[str, str], ...]) -> BudgetBounds:
    policy = sampling_policy_in_force(as_of)
    every = [Cell(*cell) for cell in cells]
    planned = {package.name: package for package in planned_packages(policy, every)}
    packages: Iterable[Package] = (planned[package.name] for cell in every for package in policy.options(cell))
    return BudgetBounds(min(packages, key=lambda package: package.cost_cents))


def late_plan(units: pa.Table, as_of: date, today: date) -> str:
    """Why a plan with these tests is too late to be approved; empty where no result is due before today."""
    late = sum(due < today for due in units["due_on"].to_pylist())
    if not late:
        return ""
    return (
        f"The scores are of {long_day(as_of)}: {late:,} of {len(units):,} results would have been due before today, "
        f"{long_day(today)}. Score the catalogue again with newer data, then plan anew."
    )
