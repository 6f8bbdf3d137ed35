"""The sampling policy of a day: exploration, test packages, laboratories, legal minimums."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Annotated, Protocol, Self

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from data.policy import (
    POLICY_FOLDER,
    Count,
    Days,
    MarketGroups,
    Policy,
    Several,
    Share,
    TomlTable,
    is_in_markets,
    policy_in_force,
)
from sampling.problem import Cell, ExplorationSettings, Floats, Package

Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Part = Annotated[float, Field(gt=0, lt=1)]


class LabCapacity(TomlTable):
    """One laboratory, and its slots per week by method."""

    name: str
    slots: dict[str, Whole]


class PackageOffer(TomlTable):
    """A package, its fee in euros, the categories it is for, the standards it tests by and the hazards it finds.

    `markets` (markets or groups of them) is empty where it is for every market, `hazards` where it finds no laboratory
    failure; `laboratory` says what the law asks of its laboratory, empty where nothing.
    """

    name: str
    cost_eur: Positive
    units: Whole
    method: str
    turnaround_days: Days
    sensitivity: Annotated[float, Field(gt=0, le=1)] = 1.0
    categories: Several[str]
    markets: Several[str]
    standards: Several[str]
    hazards: Several[str]
    laboratory: str = ""

    @cached_property
    def package(self) -> Package:
        """The package as plans count it, its fee in whole cents, rounded up."""
        cents = ceil(round(self.cost_eur * 100, 6))
        return Package(
            self.name, cents, self.units, self.method, self.turnaround_days, self.sensitivity, bool(self.hazards)
        )


class Minimum(TomlTable):
    """Tests that the law asks of a category in each of these markets in every round."""

    category: str
    markets: Several[str]
    tests: Whole


class Confirmation(TomlTable):
    """The table `confirmation`: shares of a screen's tests that are confirmed by the full test even if they pass.

    `first` while nothing but the stated sensitivity is known, `least` when it is known exactly.
    """

    first: Annotated[float, Field(ge=0, lt=1)]
    least: Share

    @model_validator(mode="after")
    def _shrinks(self) -> Self:
        """Refuse a share that grows as the sensitivity becomes known."""
        if self.least > self.first:
            raise ValueError(f"confirmation least is {self.least}, above first {self.first}; lower least")
        return self


class KnownSensitivity(Protocol):
    """What is known of a screen's sensitivity: its value, the standard deviation of that, and the one stated."""

    @property
    def value(self) -> float:
        """The share of failures that the screen finds."""

    @property
    def spread(self) -> float:
        """Standard deviation of what is known."""

    @property
    def stated_spread(self) -> float:
        """Standard deviation before the first result."""


class Exploration(TomlTable):
    """The table `exploration`: shares of the money, and weights of bonus and new suppliers."""

    even: Part
    by_uncertainty: Share
    value_given_up: Part
    bonus: float
    new_supplier: Annotated[float, Field(ge=0)]


class SamplingPolicy(Policy, subject="sampling"):
    """Policy of a round (`policy/sampling/<day>.toml`).

    `default_package` is the one where no full package fits; `severity` holds weights by category, 1 where none is
    named, for SKUs whose own harm is not known; `market_groups` names markets that packages name as one.
    """

    round_weeks: Count
    grace_days: Days
    label_valid_days: Days
    supplier_cap: Count | None = None
    market_groups: MarketGroups
    largest_exposure: Annotated[float, Field(ge=1)]
    default_package: str
    exploration: Exploration
    confirmation: Confirmation | None = None
    severity: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(default_factory=dict)]
    legal_minimums: Annotated[Several[Minimum], Field(alias="minimums")] = ()
    labs: Several[LabCapacity] = ()
    offers: Annotated[Several[PackageOffer], Field(alias="packages", min_length=1)]
    _screens: Mapping[str, KnownSensitivity] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        """Refuse more exploration than money, an unknown default package, and a cell with two full packages."""
        if self.exploration.even + self.exploration.by_uncertainty > 1:
            raise ValueError("exploration explores with more than all money; lower even or by_uncertainty")
        names = [offer.name for offer in self.offers]
        if self.default_package not in names:
            raise ValueError(f"default_package is {self.default_package!r}; it must be one of {', '.join(names)}")
        if next(offer for offer in self.offers if offer.name == self.default_package).markets:
            raise ValueError(f"default_package {self.default_package!r} is for some markets; it must be for every one")
        groups = self.market_groups
        for cell in sorted({Cell(category, market) for offer in self.offers for category in offer.categories
                            for name in offer.markets or ("",) for market in groups.get(name, (name,))}):  # fmt: skip
            full = [offer.name for offer in self._fitting(cell) if offer.sensitivity == 1]
            if len(full) > 1:
                raise ValueError(
                    f"packages name category {cell.category!r} in market {cell.market!r} under "
                    f"{' and '.join(map(repr, full))}; keep one"
                )
        return self

    @property
    def default(self) -> Package:
        """The package where no full one fits."""
        return next(offer.package for offer in reversed(self.offers) if offer.name == self.default_package)

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package by name."""
        every = {offer.name: offer.package for offer in self.offers}
        return tuple(every[name] for name in sorted(every))

    def with_screens(self, learned: Mapping[str, KnownSensitivity]) -> Self:
        """The same policy with what results taught about the sensitivity of screens, by name of the package."""
        policy = self.model_copy()
        policy._screens = dict(learned)
        return policy

    def known_sensitivity(self, package: Package) -> float:
        """The sensitivity of a package: learned where it is, else stated."""
        return self._screens[package.name].value if package.name in self._screens else package.sensitivity

    def confirmed_share(self, package: Package) -> float:
        """The share of a screen's tests to confirm: the less, the better its sensitivity is known; 0 of full tests."""
        if self.confirmation is None or package.sensitivity == 1:
            return 0.0
        known = self._screens.get(package.name)
        unknown = min(1.0, known.spread / known.stated_spread) ** 2 if known and known.stated_spread else 1.0
        return self.confirmation.least + (self.confirmation.first - self.confirmation.least) * unknown

    @property
    def exploration_settings(self) -> ExplorationSettings:
        """The exploration of a round, as the solver takes it."""
        shares = self.exploration
        return ExplorationSettings(shares.even, shares.by_uncertainty, shares.value_given_up)

    @cached_property
    def minimums(self) -> Mapping[Cell, int]:
        """The tests that the law asks of each category and market."""
        return {Cell(each.category, market): each.tests for each in self.legal_minimums for market in each.markets}

    def severity_weights(self, cells: Sequence[Cell]) -> Floats:
        """The severity weight of each cell's category, 1 where the policy has none."""
        return np.array([self.severity.get(cell.category or "", 1.0) for cell in cells])

    def _fitting(self, cell: Cell) -> list[PackageOffer]:
        """The packages that SKUs of this category and market can be tested with."""
        return [
            offer
            for offer in self.offers
            if cell.category in offer.categories and is_in_markets(cell.market, offer.markets, self.market_groups)
        ]

    def covers(self, cell: Cell) -> bool:
        """Whether a full package is for this category and market, so that the default is not needed."""
        return any(offer.sensitivity == 1 for offer in self._fitting(cell))

    def options(self, cell: Cell) -> tuple[Package, ...]:
        """The packages for a category and market: the full one, then its screens."""
        fitting = [offer.package for offer in self._fitting(cell)]
        full = next((package for package in fitting if package.sensitivity == 1), self.default)
        screens = sorted((p for p in fitting if p.sensitivity < 1), key=lambda package: package.name)
        return (full, *screens)

    def slots(self) -> dict[str, int]:
        """The slots of a round by method, over all laboratories; methods of no laboratory are not limited."""
        total: Counter[str] = Counter()
        for lab in self.labs:
            total.update({method: slots * self.round_weeks for method, slots in lab.slots.items()})
        return dict(total)

    def labs_for(self, method: str) -> tuple[tuple[str, int], ...]:
        """The laboratories that know a method, and their slots in a round."""
        return tuple((lab.name, lab.slots[method] * self.round_weeks) for lab in self.labs if method in lab.slots)


MOST_NAMED = 12


def categories_without_package(policy: SamplingPolicy, cells: Iterable[Cell]) -> tuple[str, ...]:
    """The categories of these cells that no package of the policy is for, sorted.

    One that has a package in another of these markets is named with the markets that have none: "toys in BR, JP".
    """
    markets: dict[str, set[str]] = {}
    covered = set[str]()
    for cell in cells:
        name = cell.category or "no category"
        if policy.covers(cell):
            covered.add(name)
        else:
            markets.setdefault(name, set()).add(cell.market)
    return tuple(
        f"{name} in {', '.join(sorted(lacking))}" if name in covered else name
        for name, lacking in sorted(markets.items())
    )


def missing_packages_note(policy: SamplingPolicy, categories: Sequence[str]) -> str:
    """The sentence that `categories_without_package` are worth; empty where every category has a package."""
    if not categories:
        return ""
    count, package = len(categories), policy.default
    named = "; ".join(categories[:MOST_NAMED]) + ("; ..." if count > MOST_NAMED else "")
    have, get, whose = ("categories have", "They get", "their packages")
    if count == 1:
        have, get, whose = ("category has", "It gets", "its package")
    finds = "" if package.finds_laboratory_failures else ", which finds no laboratory failure"
    return (
        f"{count} {have} no test package in policy/sampling: {named}. {get} '{package.name}' for EUR "
        f"{package.cost_cents / 100:,.0f}{finds}. Add {whose} to the policy."
    )


def sampling_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> SamplingPolicy:
    """The sampling policy of a day. Raises UserError where there is none, or where no plan can be made by it."""
    return policy_in_force(SamplingPolicy, as_of, folder)
