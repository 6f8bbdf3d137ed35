"""Intake of a file of laboratory results: completed from the plans of their rounds, accepted once, filed."""

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from data.errors import UserError
from data.ingest.validation import TableCount
from data.lab_results.file_intake import validate_result_file
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.rounds import planned_tests

_FILLED = {"propensity": "inclusion_probability", "package": "planned_package", "lab_id": "planned_lab"}


@dataclass(frozen=True)
class ResultIntake:
    """Outcome of a file of results: the count of its rows, and the accepted ones that are `new`.

    `known` rows had been accepted before; `changed` ones had been, with another content, and were left as they were.
    """

    count: TableCount
    new: pa.Table
    known: int
    changed: int


def receive_results(path: Path, workspace: Workspace, engine: sa.Engine, sender: Sender) -> ResultIntake:
    """Accept a file of results as the service accepts them: each test once, with a row of the ledger, then filed.

    What a row leaves open (propensity, strategy, package, laboratory) its plan fills in. Raises UserError where the
    file can not be read, nothing was ingested yet, or the database or the disk takes nothing more.
    """
    planned = planned_tests(workspace)
    validated = validate_result_file(
        path, workspace, sender.now.date(), planned, lambda rows: _fill_from_plan(rows, planned)
    )
    details = {"file": path.name, "quarantined": validated.count.quarantined}
    stored = store_results(engine, workspace, validated.sound.to_pylist(), replace(sender, details=details))
    try:
        file_results(engine, workspace, sender.now)
    except OSError as error:
        raise UserError(
            f"The results are accepted, but wait for their file: {error.strerror}. Make room and give {path} again."
        ) from error
    new = validated.sound.filter(pc.is_in(validated.sound["test_id"], pa.array(stored.new, pa.string())))
    return ResultIntake(validated.count, new, len(stored.known), len(stored.changed))


def _fill_from_plan(rows: pa.Table, planned: pa.Table) -> pa.Table:
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
