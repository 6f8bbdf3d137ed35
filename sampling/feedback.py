"""Laboratory results on their way back: matched with the round that planned them, then accepted."""

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from data.errors import Refusal
from data.ingest.validation import TableCount
from data.lab_results.file_intake import sift_results
from data.lab_results.store import Sender, file_results, keep_results
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.rounds import planned_tests

_FILLED = {"propensity": "inclusion_probability", "package": "planned_package", "lab_id": "planned_lab"}


@dataclass(frozen=True)
class Intake:
    """What became of a file: the count of its rows, and the accepted ones that are `new`.

    `known` rows had been accepted before; `changed` ones had been, with another content, and were left as they were.
    """

    count: TableCount
    new: pa.Table
    known: int
    changed: int


def receive_results(path: Path, workspace: Workspace, engine: sa.Engine, sender: Sender) -> Intake:
    """Accept a file of results as the service accepts them: each test once, with a row of the ledger, then filed.

    What a row leaves open (propensity, strategy, package, laboratory) its plan fills in. Raises Refusal where the file
    can not be read, nothing was ingested yet, or the database or the disk takes nothing more.
    """
    planned = planned_tests(workspace)
    sifted = sift_results(path, workspace, sender.now.date(), planned, lambda rows: _completed(rows, planned))
    told = {"file": path.name, "quarantined": sifted.count.quarantined}
    kept = keep_results(engine, workspace, sifted.sound.to_pylist(), replace(sender, told=told))
    try:
        file_results(engine, workspace, sender.now)
    except OSError as error:
        raise Refusal(
            f"The results are accepted, but wait for their file: {error.strerror}. Make room and give {path} again."
        ) from error
    new = sifted.sound.filter(pc.is_in(sifted.sound["test_id"], pa.array(kept.new, pa.string())))
    return Intake(sifted.count, new, len(kept.known), len(kept.changed))


def _completed(rows: pa.Table, planned: pa.Table) -> pa.Table:
    known = planned.select(["round_id", "sku_id", "market", "inclusion_probability", "package", "lab_id"])
    known = known.rename_columns([*known.column_names[:4], "planned_package", "planned_lab"])
    joined = rows.join(known, keys=["round_id", "sku_id", "market"])
    for name, source in _FILLED.items():
        filled = pc.coalesce(joined[name], joined[source])
        joined = joined.set_column(joined.column_names.index(name), name, filled)
    by_plan = pc.if_else(pc.is_valid(joined["inclusion_probability"]), "model", pa.scalar(None, pa.string()))
    strategy = pc.coalesce(joined["strategy"], by_plan)
    joined = joined.set_column(joined.column_names.index("strategy"), "strategy", strategy)
    return joined.select(SCHEMA.names).cast(SCHEMA)
