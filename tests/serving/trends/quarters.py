"""A workspace with a round of 2026Q2 whose results are in, and people with keys."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from fastapi import FastAPI

from data.database.connection import open_database
from data.lake.lab_results import SCHEMA
from data.settings import Settings
from data.workspace import Workspace, write_pointer
from sampling.plan import Plan, allocate
from sampling.rounds import write_plan
from serving.api.application import build_application
from serving.auth.api_keys import create_key
from serving.console.context import AppContext
from serving.trends.edition import Quarter
from serving.trends.publish import Publisher, publisher_of
from tests.sampling.frames import AS_OF, candidates, policy_with

QUARTER = Quarter.parse("2026Q2")
NOW = datetime(2026, 10, 1, 9, tzinfo=UTC)
HAZARDS = ("lead", "nickel", "fire")
SUPPLIERS, FACTORIES = 400, 90
CATEGORIES = ("jewellery", "jewellery", "jewellery", "textile")
MARKETS = ("DE", "DE", "FR", "US")
POLICY = policy_with(labs=[{"name": "one", "slots": {"chemistry": 5_000, "desk": 5_000}}])


def big_round() -> Plan:
    """A round of some hundred tests: jewellery is cheap to test and tested often, textiles are dear."""
    rng = np.random.default_rng(5)
    rows = 4_000
    table = candidates(rng.beta(0.6, 3, rows), rng.choice(CATEGORIES, rows), rng.choice(MARKETS, rows))
    table = table.append_column("exposure", pa.array(rng.lognormal(2, 1, rows)))
    return allocate(table, POLICY, 40_000, seed=1)


def write_results(
    workspace: Workspace, plan: Plan, share: float = 1.0, name: str = "r-1", version: int = 1, flip: int = 0
) -> None:
    """Results of a share of a round's tests, which fail as their scores say; the first `flip` passes are failures."""
    rows = int(share * len(plan.units))
    chance = np.asarray(plan.units["p_fail"])[:rows]
    failed = np.random.default_rng(7).random(rows) < chance
    failed[np.flatnonzero(~failed)[:flip]] = True
    reported = AS_OF + timedelta(days=20 + version)
    known = {
        "test_id": [f"T{row}" for row in range(rows)], "sku_id": plan.units["sku_id"][:rows],
        "market": plan.units["market"][:rows], "happened_on": [AS_OF] * rows, "known_on": [reported] * rows,
        "origin": ["mystery_shopper"] * rows, "version": [version] * rows,
        "result": ["fail" if each else "pass" for each in failed],
        "hazard": [HAZARDS[row % len(HAZARDS)] if failed[row] and row % 7 else None for row in range(rows)],
        "round_id": [plan.summary.round_id] * rows,
    }  # fmt: skip
    columns = {name: known.get(name, pa.nulls(rows, SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).cast(SCHEMA), workspace.results / f"{name}.parquet")


def write_lake(workspace: Workspace, plan: Plan) -> None:
    """A lake with the sellers of every SKU, documents and corrective actions."""
    lake = workspace.lake / "l-0"
    lake.mkdir(parents=True)
    keys = plan.frame.table.select(["sku_id", "market"])
    numbers = range(len(keys))
    skus = keys.append_column("supplier_id", pa.array([f"P{row % SUPPLIERS}" for row in numbers]))
    pq.write_table(
        skus.append_column("factory_id", pa.array([f"F{row % FACTORIES}" for row in numbers])), lake / "skus.parquet"
    )
    day = date(2026, 5, 1)
    status = ["claimed", "claimed", "confirmed", "denied"] * 10
    pq.write_table(pa.table({
        "certificate_id": [f"C{row}" for row in range(40)], "happened_on": [day] * 40, "known_on": [day] * 40,
        "status": status,
    }), lake / "certificates.parquet")  # fmt: skip
    pq.write_table(pa.table({
        "remediation_id": [f"R{row}" for row in range(20)], "due_on": [day] * 20,
        "verified_on": pa.array([day - timedelta(days=1) if row % 4 else None for row in range(20)], pa.date32()),
    }), lake / "remediations.parquet")  # fmt: skip
    write_pointer(workspace.lake / "CURRENT", "l-0")


@dataclass(frozen=True)
class Office:
    """A workspace, its database, and two people who may publish."""

    workspace: Workspace
    engine: sa.Engine
    plan: Plan
    anna: Publisher
    ben: Publisher


def office(home: Path, plan: Plan, share: float = 1.0) -> Office:
    """An office whose round of 2026Q2 has results for a share of its tests."""
    workspace = Workspace(home)
    write_plan(plan, workspace.plans)
    write_results(workspace, plan, share)
    write_lake(workspace, plan)
    engine = open_database(f"sqlite:///{workspace.database}")
    people = [
        publisher_of(engine, create_key(engine, name, "officer", NOW, person=name)[1], NOW) for name in ("Anna", "Ben")
    ]
    return Office(workspace, engine, plan, *people)


@dataclass(frozen=True)
class PublicContext:
    """As much of the application's context as public pages of editions and rules use: no database, no scores."""

    settings: Settings

    def now(self) -> datetime:
        """The time of these tests."""
        return NOW


def application(workspace: Workspace) -> FastAPI:
    """The service's pages over a workspace."""
    return build_application(lambda: cast("AppContext", PublicContext(Settings(workspace, None))))
