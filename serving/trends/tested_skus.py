"""Who was tested in rounds, and who sells in their frames: what disclosure control needs to know of sellers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import UserError
from data.lake.location import current_table
from data.workspace import Workspace
from sampling.estimation.disclosure import CellContent, Row
from sampling.estimation.known_rounds import KnownResults
from sampling.estimation.outcomes import DECIDED
from sampling.plan_files import PLAN_FILE
from sampling.problem import Truths
from sampling.rounds import FRAME_FILE, round_folder

SKU = ["sku_id", "market"]
Cell = tuple[str, str]
"""A category in a market."""


@dataclass(frozen=True)
class TestedSku:
    """One test of a round with a result; `weight` is 1 / inclusion probability, the SKUs that it stands for."""

    __test__ = False

    cell: Cell
    supplier: str
    factory: str | None
    failed: bool
    hazard: str | None
    weight: float


def tested_skus(workspace: Workspace, rounds: Sequence[str], known: KnownResults) -> list[TestedSku]:
    """The tests of rounds that passed or failed; the last result of each counts."""
    tested = []
    for round_id in rounds:
        answers = known.of_round(round_id).select([*SKU, "result", "hazard"]).to_pylist()
        last = {(each["sku_id"], each["market"]): each for each in answers}
        plan = pq.read_table(round_folder(workspace, round_id) / PLAN_FILE)
        for row in _with_sellers(workspace, plan.select([*SKU, "category", "inclusion_probability"])).to_pylist():
            answer = last.get((row["sku_id"], row["market"]))
            if answer is not None and answer["result"] in DECIDED and row["category"] is not None:
                failed = answer["result"] == "fail"
                tested.append(TestedSku(
                    (row["category"], row["market"]), row["supplier_id"] or "", row["factory_id"], failed,
                    answer["hazard"] if failed else None, 1 / row["inclusion_probability"],
                ))  # fmt: skip
    return tested


def _with_sellers(workspace: Workspace, skus: pa.Table) -> pa.Table:
    """SKUs with supplier_id and factory_id as the current lake has them; null of a SKU that is gone."""
    path = current_table(workspace, "skus")
    if path is None:
        raise UserError("There are no SKUs. Run `touchstone ingest DIR` first.")
    columns = [*SKU, "supplier_id", "factory_id"]
    sellers = pq.read_table(path, columns=columns, filters=pc.field("sku_id").isin(pc.unique(skus["sku_id"])))
    text = pa.schema([(name, pa.string()) for name in columns])
    plain = skus.set_column(0, "sku_id", skus["sku_id"].cast(pa.string()))
    return plain.set_column(1, "market", skus["market"].cast(pa.string())).join(sellers.cast(text), SKU)


def sales_by_supplier(workspace: Workspace, round_id: str) -> dict[Cell, Counter[str]]:
    """Units sold in 90 days by supplier in every cell of a round's frame. Raises UserError where the frame is gone."""
    path = round_folder(workspace, round_id) / FRAME_FILE
    if not path.is_file():
        raise UserError(
            f"The frame of round {round_id} was deleted, so nobody can tell how sales are spread over its suppliers. "
            "Restore it from a backup, or keep frames longer (`frames_days` of touchstone.toml)."
        )
    frame = pq.read_table(path, columns=[*SKU, "category", "exposure"])
    joined = _with_sellers(workspace, frame)
    summed = joined.group_by(["category", "market", "supplier_id"]).aggregate([("exposure", "sum")])
    sales = defaultdict[Cell, Counter[str]](Counter[str])
    for row in summed.to_pylist():
        if row["category"] is not None:
            sales[row["category"], row["market"]][row["supplier_id"] or ""] += round(row["exposure_sum"] or 0)
    return sales


@dataclass(frozen=True)
class Sellers:
    """The tests and the sales of every cell, in the order of the cells."""

    tests: list[list[TestedSku]]
    sales: list[Counter[str]] = field(default_factory=list)

    @classmethod
    def of(cls, cells: Sequence[Cell], tested: Iterable[TestedSku], sales: dict[Cell, Counter[str]]) -> "Sellers":
        """Those of these cells."""
        by_cell = defaultdict[Cell, list[TestedSku]](list)
        for each in tested:
            by_cell[each.cell].append(each)
        return cls([by_cell[cell] for cell in cells], [sales.get(cell, Counter()) for cell in cells])

    def of_row(self, row: Row) -> list[TestedSku]:
        """The tests of a row."""
        return [each for cell in sorted(row) for each in self.tests[cell]]

    def content(self, row: Row, effective_tests: float, withheld: str) -> CellContent:
        """What a row rests on; a SKU whose supplier nobody knows counts to one supplier with all such."""
        tested = self.of_row(row)
        by_supplier = Counter(each.supplier for each in tested)
        sales = sum((self.sales[cell] for cell in row), Counter[str]())
        return CellContent(
            len(tested), sum(each.failed for each in tested), effective_tests, len(by_supplier),
            len({each.factory for each in tested if each.factory}), _largest_share(by_supplier),
            _largest_share(sales), withheld,
        )  # fmt: skip

    def single_seller(self) -> Truths:
        """Which cells have tests of one supplier alone."""
        return np.array([len({each.supplier for each in cell}) == 1 for cell in self.tests], dtype=np.bool_)

    def hazards(self, row: Row, least_failures: int, least_suppliers: int, most: int) -> tuple[str, ...]:
        """The hazards that tests of all SKUs of a row would find most often, of those that enough failures show."""
        weight, failures, suppliers = defaultdict[str, float](float), Counter[str](), defaultdict[str, set[str]](set)
        for each in self.of_row(row):
            if each.hazard is not None:
                weight[each.hazard] += each.weight
                failures[each.hazard] += 1
                suppliers[each.hazard].add(each.supplier)
        named = [
            (-weight[hazard], hazard)
            for hazard in weight
            if failures[hazard] >= least_failures and len(suppliers[hazard]) >= least_suppliers
        ]
        return tuple(hazard for _, hazard in sorted(named)[:most])


def _largest_share(amounts: Counter[str]) -> float:
    """The share of the largest; 1 of nothing, of which nobody can say that nobody rules it."""
    total = sum(amounts.values())
    return max(amounts.values()) / total if total > 0 else 1.0
