"""Laboratory results on their way back: matched with the round that planned them, then accepted."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from data.results import SCHEMA
from data.results_intake import Intake, take_results
from data.workspace import Workspace
from sampling.rounds import planned_tests

_FILLED = {"propensity": "inclusion_probability", "package": "planned_package", "lab_id": "planned_lab"}


def receive_results(path: Path, workspace: Workspace, today: date) -> Intake:
    """Accept a file of results; what a row leaves open (propensity, strategy, package, laboratory) its plan fills in.

    Raises Refusal where the file can not be read or nothing was ingested yet.
    """
    planned = planned_tests(workspace)

    def completed(rows: pa.Table) -> pa.Table:
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

    return take_results(path, workspace, today, planned, completed)
