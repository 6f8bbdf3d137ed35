"""How the money of a round is shared, what one test of a SKU costs, where it is done, and what the law asks for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.policy import POLICY_FOLDER, PolicyText, policy_in_force
from sampling.problem import ExplorationSettings, Package

Cell = tuple[str | None, str]


@dataclass(frozen=True)
class LabCapacity:
    """One laboratory, and its slots per week by method."""

    name: str
    slots: Mapping[str, int]


@dataclass(frozen=True)
class PackageOffer:
    """A package for some categories; `markets` is empty where it is for every market."""

    package: Package
    categories: tuple[str, ...]
    markets: tuple[str, ...] = ()

    def fits(self, cell: Cell) -> bool:
        """Whether SKUs of this category and market can be tested with it."""
        return cell[0] in self.categories and (not self.markets or cell[1] in self.markets)


@dataclass(frozen=True)
class SamplingPolicy:
    """The rules of a round; `policy/sampling/<day>.toml` says what each of them means.

    `default` is the package where no full one fits. `minimums` are tests per category and market, `severity` weights
    by category, 1 where none is named.
    """

    version: str
    default: Package
    offers: tuple[PackageOffer, ...]
    labs: tuple[LabCapacity, ...] = ()
    minimums: Mapping[Cell, int] = field(default_factory=dict)
    severity: Mapping[str, float] = field(default_factory=dict)
    knobs: ExplorationSettings = field(default_factory=ExplorationSettings)
    bonus: float = 1.0
    new_supplier: float = 1.0
    largest_exposure: float = 1e4
    supplier_cap: int | None = None
    round_weeks: int = 1
    grace_days: int = 28
    label_valid_days: int = 0

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package by name."""
        every = {offer.package.name: offer.package for offer in self.offers} | {self.default.name: self.default}
        return tuple(every[name] for name in sorted(every))

    def options(self, cell: Cell) -> tuple[Package, ...]:
        """The packages for a category and market: the full one, then its screens."""
        fitting = [offer.package for offer in self.offers if offer.fits(cell)]
        full = [package for package in fitting if package.sensitivity == 1]
        if len(full) > 1:
            raise UserError(
                f"The sampling policy names category {cell[0]!r} in market {cell[1]!r} under two packages, "
                f"{full[0].name!r} and {full[1].name!r}. Keep one."
            )
        screens = sorted((p for p in fitting if p.sensitivity < 1), key=lambda package: package.name)
        return (full[0] if full else self.default, *screens)

    def slots(self) -> dict[str, int]:
        """The slots of a round by method, over all laboratories; methods of no laboratory are not limited."""
        total: Counter[str] = Counter()
        for lab in self.labs:
            total.update({method: slots * self.round_weeks for method, slots in lab.slots.items()})
        return dict(total)

    def labs_for(self, method: str) -> tuple[tuple[str, int], ...]:
        """The laboratories that know a method, and their slots in a round."""
        return tuple((lab.name, lab.slots[method] * self.round_weeks) for lab in self.labs if method in lab.slots)


def sampling_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> SamplingPolicy:
    """The sampling policy of a day.

    Raises UserError where there is none, or where the file does not hold what a plan needs.
    """
    return sampling_policy(policy_in_force("sampling", as_of, folder))


def sampling_policy(text: PolicyText) -> SamplingPolicy:
    """The sampling policy that a policy file states. Raises UserError where it states something impossible."""
    tables = text.tables
    try:
        policy = _stated(text.version, tables)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"Sampling policy {text.version} lacks or garbles {error}. Mend the file.") from error
    knobs = policy.knobs
    for name, share in (("even", knobs.floor_uniform), ("value_given_up", knobs.value_given_up)):
        if not 0 < share < 1:
            raise UserError(f"Sampling policy {text.version} has {name} {share}. Set it between 0 and 1.")
    if knobs.floor_neyman < 0 or knobs.floor_uniform + knobs.floor_neyman > 1:
        raise UserError(f"Sampling policy {text.version} explores with more than all money. Lower `exploration`.")
    if policy.supplier_cap is not None and policy.supplier_cap < 1:
        raise UserError(f"Sampling policy {text.version} has supplier_cap {policy.supplier_cap}. Set at least 1.")
    for cell in {(category, market) for offer in policy.offers for category in offer.categories
                 for market in offer.markets or ("",)}:  # fmt: skip
        policy.options(cell)
    return policy


def _stated(version: str, tables: Mapping[str, Any]) -> SamplingPolicy:
    offers = tuple(_offer(row) for row in tables["packages"])
    by_name = {offer.package.name: offer.package for offer in offers}
    explore = tables["exploration"]
    return SamplingPolicy(
        version=version,
        default=by_name[tables["default_package"]],
        offers=offers,
        labs=tuple(
            LabCapacity(str(row["name"]), {m: int(n) for m, n in row["slots"].items()})
            for row in tables.get("labs", ())
        ),
        minimums=_minimums(tables.get("minimums", ())),
        severity={name: float(weight) for name, weight in tables.get("severity", {}).items()},
        knobs=ExplorationSettings(
            float(explore["even"]), float(explore["by_uncertainty"]), float(explore["value_given_up"])
        ),
        bonus=float(explore["bonus"]),
        new_supplier=float(explore["new_supplier"]),
        largest_exposure=float(tables["largest_exposure"]),
        supplier_cap=int(tables["supplier_cap"]) if "supplier_cap" in tables else None,
        round_weeks=int(tables["round_weeks"]),
        grace_days=int(tables["grace_days"]),
        label_valid_days=int(tables["label_valid_days"]),
    )


def _offer(row: Mapping[str, Any]) -> PackageOffer:
    cost_eur, sensitivity = float(row["cost_eur"]), float(row.get("sensitivity", 1))
    if not (isfinite(cost_eur) and cost_eur > 0):
        raise UserError(
            f"Test package {row['name']!r} costs {cost_eur} euros. Set a positive fee in the sampling policy."
        )
    if not 0 < sensitivity <= 1:
        raise UserError(f"Test package {row['name']!r} has sensitivity {sensitivity}. Set it above 0 and up to 1.")
    package = Package(str(row["name"]), ceil(round(cost_eur * 100, 6)), int(row["units"]), str(row["method"]),
                      int(row["turnaround_days"]), sensitivity)  # fmt: skip
    return PackageOffer(package, tuple(row["categories"]), tuple(row.get("markets", ())))


def _minimums(rows: Sequence[Mapping[str, Any]]) -> dict[Cell, int]:
    return {(str(row["category"]), str(market)): int(row["tests"]) for row in rows for market in row["markets"]}
