"""The categories of the sample marketplace and the hazards in them, as `categories.toml` states them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MARKETS = ("EU", "US", "UK", "CA", "AU")
MARKET_SHARES = (0.55, 0.25, 0.12, 0.04, 0.04)
BATTERIES = ("none", "button", "li_ion", "other")
TRUTHS = ("mains_powered", "radio", "skin_contact", "food_contact")


@dataclass(frozen=True)
class Hazard:
    """What can be wrong: `topic` names what buyers write about, `visibility` (0-1) how often they can notice."""

    name: str
    topic: str
    visibility: float


@dataclass(frozen=True)
class Category:
    """One product category: prices in euros, prevalences and rates as shares per SKU or per unit sold.

    `hazards` is the mix among technical failures and sums to one; `packages` maps a test package to its fee in
    euros; `detectability` says how much of a visible hazard reaches reviews and returns.
    """

    name: str
    share: float
    price_eur: Mapping[str, float]
    prevalence: Mapping[str, float]
    hazards: Mapping[str, float]
    return_rate: float
    reviews_per_unit: float
    detectability: float
    seasonal: bool
    mandatory: bool
    certificate_share: float
    schemes: tuple[str, ...]
    battery: Mapping[str, float]
    shares: Mapping[str, float]
    age_grades_months: tuple[int, ...]
    packages: Mapping[str, float]
    nouns: tuple[str, ...]
    plain_materials: tuple[str, ...]
    risky_materials: tuple[str, ...]
    extras: tuple[str, ...]


@lru_cache(maxsize=1)
def _declared() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "categories.toml").read_text(encoding="utf-8"))


def _category(declared: dict[str, Any]) -> Category:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in declared.items()
    }
    return Category(**values)


@lru_cache(maxsize=1)
def categories() -> tuple[Category, ...]:
    """All categories, in the order of the file; a category's code is its position."""
    return tuple(_category(declared) for declared in _declared()["category"])


@lru_cache(maxsize=1)
def hazards() -> tuple[Hazard, ...]:
    """All hazards, in the order of the file; a hazard's code is its position."""
    return tuple(Hazard(name, **declared) for name, declared in _declared()["hazards"].items())


def per_category(values: list[float]) -> npt.NDArray[np.float64]:
    """One number per category code, from a list in category order."""
    return np.array(values, dtype=np.float64)


def hazard_mix() -> npt.NDArray[np.float64]:
    """The hazard mix of technical failures: category codes by hazard codes, rows sum to one."""
    mix = np.array([[category.hazards.get(hazard.name, 0.0) for hazard in hazards()] for category in categories()])
    return np.asarray(mix / mix.sum(axis=1, keepdims=True))
