"""The sample marketplace as a folder of contract tables, with its truth beside them."""

from contextlib import ExitStack
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import BY_NAME, TABLES
from data.contract_schema import Table as ContractTable
from data.errors import UserError
from data.progress import Progress, SilentProgress
from data.synthetic.alerts import alerts_table
from data.synthetic.attributes import attributes_table
from data.synthetic.compliance_events import audits_table, holds_table, remediations_table
from data.synthetic.customer_events import draw_sales, incidents_table, orders_table, returns_table
from data.synthetic.documents import certificates_table
from data.synthetic.exposures import exposures_table
from data.synthetic.ground_truth import World, calibrate_intercepts, truth_table
from data.synthetic.lab_testing_history import concatenate_tests, simulate_testing
from data.synthetic.lab_tests import lab_tests_tables, select_reported
from data.synthetic.listings import draw_listings, draw_market_counts, draw_products
from data.synthetic.randomness import Integers, random_stream, simulated_period
from data.synthetic.reviews import reviews_tables
from data.synthetic.skus import sku_ids, skus_table
from data.synthetic.suppliers import draw_suppliers, supplier_ids, suppliers_table
from data.workspace import replace_atomically

CHUNK = 100_000
FEWEST_SKUS, FEWEST_DAYS, MOST_DAYS = 100, 180, 3_650
LAST_DAY = date(2026, 6, 30)
TRUTHS = ("truth", "truth_tests", "truth_reviews")
ARROW_TYPE = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "day": pa.date32(),
              "truth": pa.bool_()}  # fmt: skip


def write_sample(
    out: Path, skus: int, days: int, seed: int, until: date = LAST_DAY, progress: Progress | None = None
) -> None:
    """Write a marketplace of `skus` listings over `days` days, `until` the last, into the folder `out`.

    The tables of the contract, and `truth.parquet` (each listing, the week after the last day), `truth_tests.parquet`
    (each laboratory test, at its draw) and `truth_reviews.parquet` (what each review is), which only tests and
    evaluation may read; `data.synthetic.ground_truth` and `data.synthetic.reviews` document their columns. The same
    arguments write the same tables. `out` is replaced as a whole or not at all. Raises UserError for too small a
    marketplace and for a folder that holds anything else.
    """
    _check(out, skus, days, seed)
    with (
        (progress or SilentProgress()).step("Sample marketplace", skus, "SKUs") as advance,
        replace_atomically(out) as attempt,
    ):
        attempt.mkdir()
        world = draw_world(skus, days, seed, until)
        mended_on = _write_marketplace_tables(world, attempt)
        with ExitStack() as files:
            writers: dict[str, pq.ParquetWriter] = {}
            for chunk, rows in enumerate(_chunks(world)):
                for name, table in _chunk_tables(world, rows, mended_on, chunk).items():
                    if name not in writers:
                        writers[name] = files.enter_context(pq.ParquetWriter(attempt / f"{name}.parquet", table.schema))
                    writers[name].write_table(table)
                advance(len(rows))


def draw_world(skus: int, days: int, seed: int, until: date = LAST_DAY) -> World:
    """Everything latent in a marketplace of `skus` listings."""
    span = simulated_period(until, days)
    suppliers = draw_suppliers(skus, span, seed)
    markets = draw_market_counts(skus, seed)
    products = draw_products(len(markets), suppliers, span, seed)
    listings = draw_listings(markets, products, suppliers, span, seed)
    return calibrate_intercepts(World(seed, span, suppliers, products, listings, np.zeros(0)))


def _write_marketplace_tables(world: World, folder: Path) -> Integers:
    """Write the tables that need the whole marketplace at once; returns the day each product was mended."""
    history = simulate_testing(world)
    tests = select_reported(concatenate_tests(history.tests), world)
    lab_tests, truth_tests = lab_tests_tables(tests, world, sku_ids(world, tests.row))
    tables = {
        "suppliers": suppliers_table(world.suppliers, world.seed),
        "lab_tests": lab_tests,
        "audits": audits_table(world),
        "holds": holds_table(world, tests),
        "remediations": remediations_table(world, history.remediations),
        "alerts": alerts_table(world),
        "attributes": attributes_table(world),
    }
    for name, table in tables.items():
        pq.write_table(_conform_to_contract(table, BY_NAME[name]), folder / f"{name}.parquet")
    pq.write_table(truth_tests, folder / "truth_tests.parquet")
    return history.mended_on


def _chunks(world: World) -> list[Integers]:
    """The listings in chunks that keep the listings of a product together."""
    product = world.listings.product
    edges = [0]
    while edges[-1] < len(product):
        edge = min(edges[-1] + CHUNK, len(product))
        edges.append(int(np.searchsorted(product, product[edge - 1], side="right")))
    return [np.arange(start, stop) for start, stop in pairwise(edges)]


def _chunk_tables(world: World, rows: Integers, mended_on: Integers, chunk: int) -> dict[str, pa.Table]:
    """The tables that are drawn per listing."""
    sales = draw_sales(world, rows, mended_on, chunk)
    products = np.unique(world.listings.product[rows])
    first = rows[np.searchsorted(world.listings.product[rows], products)]
    names = sku_ids(world, rows)
    supplier = world.products.supplier[world.listings.product[rows]]
    reviews, truth_reviews = reviews_tables(world, sales, chunk)
    tables = {
        "skus": skus_table(world, rows, random_stream(world.seed, "products", 1 + chunk)),
        "certificates": certificates_table(world, products, sku_ids(world, first), chunk),
        "returns": returns_table(world, sales, chunk),
        "reviews": reviews,
        "orders": orders_table(world, sales),
        "incidents": incidents_table(world, sales, chunk),
        "exposures": exposures_table(world, rows, names, chunk),
    }
    declared = {name: _conform_to_contract(table, BY_NAME[name]) for name, table in tables.items()}
    truth = truth_table(world, rows, mended_on, names, supplier_ids(supplier, world.seed))
    return declared | {"truth": truth, "truth_reviews": truth_reviews}


def _conform_to_contract(table: pa.Table, contract: ContractTable) -> pa.Table:
    """The table with the contract's columns in order and its types."""
    schema = pa.schema([(name, ARROW_TYPE[kind]) for name, kind in _columns(contract)])
    return table.select(schema.names).cast(schema)


def _columns(contract: ContractTable) -> list[tuple[str, str]]:
    return [(column.name, column.kind) for column in contract.columns]


def _check(out: Path, skus: int, days: int, seed: int) -> None:
    if skus < FEWEST_SKUS:
        raise UserError(f"A sample marketplace needs at least {FEWEST_SKUS} SKUs, got {skus}. Ask for more.")
    if days < FEWEST_DAYS:
        raise UserError(f"A sample marketplace needs at least {FEWEST_DAYS} days, got {days}. Ask for more.")
    if days > MOST_DAYS:
        raise UserError(f"A sample marketplace has at most {MOST_DAYS} days, got {days}. Ask for fewer.")
    if seed < 0:
        raise UserError(f"A seed must not be negative, got {seed}. Give 0 or more.")
    ours = {f"{name}.parquet" for name in (*(table.name for table in TABLES), *TRUTHS)}
    if out.exists() and (not out.is_dir() or any(path.name not in ours for path in out.iterdir())):
        raise UserError(f"{out} exists and holds something else than a sample marketplace. Name another folder.")
