"""Simulated marketplace that changes while it is tested: known truth, round by round, for simulation and benchmarks.

Every SKU has a probability of being non-compliant, fixed with one coin when its batch arrives. Suppliers' quality
walks, listings and batches are replaced, new hazards enter whole cells (category and market), and sellers caught may
come back under another name. All chance is drawn for every row of the catalogue in every round, so that two
strategies replayed on one seed meet the same weather (common random numbers).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.synthetic.randomness import logistic, random_stream

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]

ATTRIBUTES = 6
OBSERVED = ("category", "market", "price", "documents", *(f"attribute_{n}" for n in range(ATTRIBUTES)), "complaints",
            "supplier_age")  # fmt: skip
_ATTRIBUTE_WEIGHTS = np.array([0.55, -0.45, 0.35, 0.25, 0.0, 0.0])


@dataclass(frozen=True)
class Scenario:
    """How one kind of world behaves; rates are per round, effects are log-odds.

    `murmur` is the noise of complaints about risk. `hazards_at` are the rounds in which a hazard of size `hazard`
    enters `hazard_cells` cells that were safe so far;
    `hopping` is the share of suppliers with two or more failures in the last rounds that return under a new name.
    `complaint_led` is the share of categories whose tests before the first round followed complaints.
    """

    name: str
    skus: int = 100_000
    suppliers: int = 4_000
    categories: int = 24
    markets: int = 12
    base: float = -4.15
    churn: float = 0.02
    new_batch: float = 0.05
    quality_step: float = 0.12
    sku_noise: float = 0.5
    murmur: float = 2.0
    hazards_at: tuple[int, ...] = ()
    hazard: float = 0.0
    hazard_cells: int = 3
    hopping: float = 0.0
    complaint_led: float = 0.0

    @property
    def cells(self) -> int:
        """How many cells (category and market) there are."""
        return self.categories * self.markets


STATIONARY = Scenario("stationary", hazards_at=(8, 14), hazard=2.8)
DRIFTING = Scenario(
    "drifting", quality_step=0.2, hazards_at=(2, 5, 8, 11, 14, 17), hazard=3.5, hopping=0.5, complaint_led=1 / 3
)
SCENARIOS = {scenario.name: scenario for scenario in (STATIONARY, DRIFTING)}


class MarketplaceSimulator:
    """One world of a scenario; `advance` brings the next round, `delist` empties rows for new listings.

    Along the rows of the catalogue: `sku` (an identity that changes with the listing or its batch), `supplier`
    (a name that hopping changes), `cell`, `p_fail` (true), `non_compliant`. `observed` is what the marketplace sees,
    columns `OBSERVED`, and never holds the truth.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario, self.seed, self.round = scenario, seed, -1
        rng = random_stream(seed, "living")
        self._category_risk = rng.normal(0, 0.7, scenario.categories)
        self._market_risk = rng.normal(0, 0.25, scenario.markets)
        self._cell_risk = rng.normal(0, 0.3, scenario.cells)
        self._hazard = np.zeros(scenario.cells)
        self._popularity = np.cumsum(rng.dirichlet(np.full(scenario.categories, 4.0)))
        self._share = np.cumsum(rng.dirichlet(np.full(scenario.suppliers, 0.7)))
        self.quality = rng.normal(0, 0.9, scenario.suppliers)
        self._named_since = -rng.integers(0, 60, scenario.suppliers)
        self._name = np.arange(scenario.suppliers)
        self._next_sku = 0
        rows = scenario.skus
        self.sku = np.zeros(rows, dtype=np.int64)
        self._firm = np.zeros(rows, dtype=np.int64)
        self.category = np.zeros(rows, dtype=np.int64)
        self.market = np.zeros(rows, dtype=np.int64)
        self.units_sold = np.zeros(rows)
        self.p_fail = np.zeros(rows)
        self.non_compliant = np.zeros(rows, dtype=np.bool_)
        self._look = np.zeros((rows, 2 + ATTRIBUTES))
        self.complaints = np.zeros(rows)
        self._draw_listings(np.ones(rows, dtype=np.bool_), rng)

    @property
    def cell(self) -> Integers:
        """The cell of each row: category x number of markets + market."""
        return self.category * self.scenario.markets + self.market

    @property
    def supplier(self) -> Integers:
        """The name each row's supplier goes by at present."""
        return self._name[self._firm]

    @property
    def prevalence(self) -> float:
        """The true share of non-compliant listings."""
        return float(self.non_compliant.mean())

    def observed(self) -> Matrix:
        """Observed features, (rows, len(OBSERVED))."""
        age = self.round - self._named_since[self._firm]
        columns = (self.category, self.market, *self._look.T, self.complaints, age)
        return np.stack([column.astype(np.float32) for column in columns], axis=1)

    def advance(self) -> Truths:
        """Go to the next round; returns which rows hold other goods, so that their old tests no longer count."""
        self.round += 1
        rng = random_stream(self.seed, "living", 1 + self.round)
        self.quality = 0.99 * self.quality + rng.normal(0, self.scenario.quality_step, len(self.quality))
        chance = rng.random(self.scenario.skus)
        listed = chance < self.scenario.churn
        renewed = chance > 1 - self.scenario.new_batch
        if self.round in self.scenario.hazards_at:
            renewed |= np.isin(self.cell, self._draw_hazard_cells(rng)) & ~listed
        self._draw_listings(listed, rng)
        self._draw_batches(renewed, rng)
        return listed | renewed

    def delist(self, rows: Integers) -> None:
        """Take the listings at `rows` down; a new listing takes each row."""
        gone = np.zeros(self.scenario.skus, dtype=np.bool_)
        gone[rows] = True
        self._draw_listings(gone, random_stream(self.seed, "delisted", 1 + self.round))

    def hop(self, caught: Integers) -> Truths:
        """Let some of the suppliers named in `caught` return under a new name; returns which rows are theirs."""
        rng = random_stream(self.seed, "hopping", 1 + self.round)
        willing = rng.random(self.scenario.suppliers) < self.scenario.hopping
        hopping = np.flatnonzero(np.isin(self._name, caught) & willing)
        self._name[hopping] = self._name.max() + 1 + np.arange(len(hopping))
        self._named_since[hopping] = self.round
        rows = np.isin(self._firm, hopping)
        self.sku[rows] = self._new_skus(int(rows.sum()))
        return rows

    def _draw_hazard_cells(self, rng: np.random.Generator) -> Integers:
        """The cells that the new hazard enters: drawn among the safer half."""
        risk = self._category_risk[np.arange(self.scenario.cells) // self.scenario.markets] + self._cell_risk
        safe = np.argsort(risk + 99 * self._hazard)[: self.scenario.cells // 2]
        chosen = rng.choice(safe, self.scenario.hazard_cells, replace=False)
        self._hazard[chosen] = self.scenario.hazard
        return np.asarray(chosen, dtype=np.int64)

    def _draw_listings(self, rows: Truths, rng: np.random.Generator) -> None:
        """New listings at `rows`; chance is drawn for every row."""
        size = self.scenario.skus
        self._firm[rows] = np.searchsorted(self._share, rng.random(size))[rows]
        self.category[rows] = np.searchsorted(self._popularity, rng.random(size))[rows]
        self.market[rows] = rng.integers(0, self.scenario.markets, size)[rows]
        self.units_sold[rows] = np.ceil(rng.lognormal(2.5, 1.3, size))[rows]
        look = rng.normal(size=(size, 2 + ATTRIBUTES))
        look[:, 1] = look[:, 1] < 0.3
        self._look[rows] = look[rows]
        self._draw_batches(rows, rng)

    def _draw_batches(self, rows: Truths, rng: np.random.Generator) -> None:
        """New batches at `rows`: probability, coin and complaints; chance is drawn for every row."""
        size = self.scenario.skus
        noise, coin, murmur = rng.normal(size=size), rng.random(size), rng.normal(size=size)
        self.sku[rows] = self._new_skus(int(rows.sum()))
        visible = self._margin()[rows] + self.scenario.sku_noise * noise[rows]
        self.p_fail[rows] = logistic(visible + self._hazard[self.cell[rows]])
        self.non_compliant[rows] = coin[rows] < self.p_fail[rows]
        self.complaints[rows] = visible - self.scenario.base + self.scenario.murmur * murmur[rows]

    def _margin(self) -> Floats:
        """The log-odds of every row before its own noise and new hazards, which no customer notices."""
        price, documents, attributes = self._look[:, 0], self._look[:, 1], self._look[:, 2:]
        return np.asarray(
            self.scenario.base
            + self._category_risk[self.category]
            + self._market_risk[self.market]
            + self._cell_risk[self.cell]
            + self.quality[self._firm]
            - 0.35 * price
            - 0.6 * documents
            + attributes @ _ATTRIBUTE_WEIGHTS
            + 0.3 * attributes[:, 0] * price
        )

    def _new_skus(self, number: int) -> Integers:
        self._next_sku += number
        return np.arange(self._next_sku - number, self._next_sku)
