"""How the money of a round is shared, and what one test of a SKU costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from data.policy import POLICY_FOLDER, PolicyText, policy_in_force
from data.refusal import Refusal

MAX_SHARPNESS = 16


@dataclass(frozen=True)
class Package:
    """One test package: its fee in euro cents and the units of goods it uses up."""

    name: str
    cost_cents: int
    units: int


@dataclass(frozen=True)
class SamplingPolicy:
    """The packages by category, the share of money drawn at random, and how sharply the rest follows `p_fail`."""

    version: str
    random_share: float
    sharpness: int
    default: Package
    by_category: Mapping[str, Package]

    def package_of(self, category: str | None) -> Package:
        """The package a SKU of this category is tested with; the default one where none names the category."""
        return self.by_category.get(category, self.default) if category is not None else self.default


def sampling_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> SamplingPolicy:
    """The sampling policy of a day.

    Raises Refusal where there is none, or where the file does not hold what a plan needs.
    """
    return sampling_policy(policy_in_force("sampling", as_of, folder))


def sampling_policy(text: PolicyText) -> SamplingPolicy:
    """The sampling policy that a policy file states. Raises Refusal where it states something impossible."""
    tables = text.tables
    try:
        packages = {row["name"]: _package(row) for row in tables["packages"]}
        by_category = _by_category(tables["packages"], packages)
        default = packages[tables["default_package"]]
        share, sharpness = float(tables["random_share"]), tables["sharpness"]
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"Sampling policy {text.version} lacks or garbles {error}. Mend the file.") from error
    if not 0 < share <= 1:
        raise Refusal(f"Sampling policy {text.version} has random_share {share}. Set it above 0 and up to 1.")
    if type(sharpness) is not int or not 1 <= sharpness <= MAX_SHARPNESS:
        raise Refusal(
            f"Sampling policy {text.version} has sharpness {sharpness}. Set a whole number from 1 to {MAX_SHARPNESS}."
        )
    return SamplingPolicy(text.version, share, sharpness, default, by_category)


def _package(row: Mapping[str, Any]) -> Package:
    cost_eur = float(row["cost_eur"])
    if not (isfinite(cost_eur) and cost_eur > 0):
        raise Refusal(
            f"Test package {row['name']!r} costs {cost_eur} euros. Set a positive fee in the sampling policy."
        )
    return Package(str(row["name"]), ceil(round(cost_eur * 100, 6)), int(row["units"]))


def _by_category(rows: list[Mapping[str, Any]], packages: Mapping[str, Package]) -> dict[str, Package]:
    by_category: dict[str, Package] = {}
    for row in rows:
        for category in row["categories"]:
            if category in by_category:
                raise Refusal(
                    f"The sampling policy names category {category!r} under two packages, "
                    f"{by_category[category].name!r} and {row['name']!r}. Keep one."
                )
            by_category[category] = packages[row["name"]]
    return by_category
