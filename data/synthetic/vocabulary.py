"""The categories of the sample marketplace and the hazards in them, as `categories.toml` states them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.synthetic.randomness import Integers

MARKETS = ("EU", "US", "UK", "CA", "AU")
MARKET_SHARES = (0.55, 0.25, 0.12, 0.04, 0.04)
BATTERIES = ("none", "button", "li_ion", "other")
TRUTHS = ("mains_powered", "radio", "skin_contact", "food_contact")


@dataclass(frozen=True)
class SyntheticHazard:
    """What can be wrong: `topic` names what buyers write about, `visibility` (0-1) how often they can notice."""

    name: str
    topic: str
    visibility: float


@dataclass(frozen=True)
class SyntheticDocument:
    """A document that products of a category may have, of `markets`: its scheme, kind and standard.

    `register` is the authority that keeps it, empty where it is none's.
    """

    scheme: str
    kind: str
    standard: str
    register: str = ""
    markets: tuple[str, ...] = MARKETS


@dataclass(frozen=True)
class SyntheticPackage:
    """A test package of a category in `markets`: its fee in euros and the hazards that it finds."""

    name: str
    fee_eur: float
    finds: tuple[str, ...]
    markets: tuple[str, ...] = MARKETS


@dataclass(frozen=True)
class Category:
    """One product category: prices in euros, prevalences and rates as shares per SKU or per unit sold.

    `hazards` is the mix among technical failures and sums to one; `detectability` is the share of a visible hazard
    that reaches reviews and returns.
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
    documents: tuple[SyntheticDocument, ...]
    battery: Mapping[str, float]
    shares: Mapping[str, float]
    age_grades_months: tuple[int, ...]
    packages: tuple[SyntheticPackage, ...]
    nouns: tuple[str, ...]
    plain_materials: tuple[str, ...]
    risky_materials: tuple[str, ...]
    extras: tuple[str, ...]


@lru_cache(maxsize=1)
def _read_categories() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "categories.toml").read_text(encoding="utf-8"))


def _tuples(declared: dict[str, Any]) -> dict[str, Any]:
    """The table with tuples for lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in declared.items()}


def _category(declared: dict[str, Any]) -> Category:
    documents = tuple(SyntheticDocument(**_tuples(each)) for each in declared["documents"])
    packages = tuple(SyntheticPackage(**_tuples(each)) for each in declared["packages"])
    return Category(**_tuples({**declared, "documents": documents, "packages": packages}))


@lru_cache(maxsize=1)
def categories() -> tuple[Category, ...]:
    """All categories, in the order of the file; a category's code is its position."""
    return tuple(_category(declared) for declared in _read_categories()["category"])


@dataclass(frozen=True)
class SalesDistribution:
    """How unequally listings sell: `[sales]` of `categories.toml` explains each number."""

    daily_units: float
    body_log_sd: float
    rank_slope: float
    most_times: float


@lru_cache(maxsize=1)
def sales() -> SalesDistribution:
    """The distribution of sales over listings."""
    return SalesDistribution(**_read_categories()["sales"])


@lru_cache(maxsize=1)
def hazards() -> tuple[SyntheticHazard, ...]:
    """All hazards, in the order of the file; a hazard's code is its position."""
    return tuple(SyntheticHazard(name, **declared) for name, declared in _read_categories()["hazards"].items())


def per_category(values: list[float]) -> npt.NDArray[np.float64]:
    """One number per category code, from a list in category order."""
    return np.array(values, dtype=np.float64)


def hazard_mix() -> npt.NDArray[np.float64]:
    """The hazard mix of technical failures: category codes by hazard codes, rows sum to one."""
    mix = np.array([[category.hazards.get(hazard.name, 0.0) for hazard in hazards()] for category in categories()])
    return np.asarray(mix / mix.sum(axis=1, keepdims=True))


LANGUAGES = ("en", "de", "fr", "es", "ja", "zh")
TONES = (
    "praise", "neutral", "complaint", "negation", "figurative", "hypothetical", "elsewhere", "preset", "fake",
    "veiled", "opening", "closing", "aftermath",
)  # fmt: skip
TONE = {tone: code for code, tone in enumerate(TONES)}


@dataclass(frozen=True)
class Phrases:
    """All sentences in one list; `start` and `count` (languages by tones, then hazard topics) say where each lies."""

    sentences: pa.StringArray
    start: Integers
    count: Integers

    def pick(self, language: Integers, kind: Integers, number: Integers) -> pa.StringArray:
        """A sentence of this language and kind (a tone, or a hazard topic) for each entry, chosen by `number`."""
        return self.sentences.take(pa.array(self.start[language, kind] + number % self.count[language, kind]))


@lru_cache(maxsize=1)
def topics() -> tuple[str, ...]:
    """The topics of harm, in the order in which hazards first name them."""
    return tuple(dict.fromkeys(hazard.topic for hazard in hazards()))


def topic_kind() -> Integers:
    """For each hazard code the kind of sentence about it: the tones come first, then the topics."""
    return np.array([len(TONES) + topics().index(hazard.topic) for hazard in hazards()])


@lru_cache(maxsize=1)
def phrases() -> Phrases:
    """Every sentence of `phrases.toml`."""
    declared = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))
    lists = [
        [declared[language][tone] for tone in TONES] + [declared[language]["hazard"][topic] for topic in topics()]
        for language in LANGUAGES
    ]
    count = np.array([[len(sentences) for sentences in kinds] for kinds in lists])
    start = (np.cumsum(count.ravel()) - count.ravel()).reshape(count.shape)
    return Phrases(pa.array([text for kinds in lists for sentences in kinds for text in sentences]), start, count)
