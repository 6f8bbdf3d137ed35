"""The work list of the verification desk: documents to ask about, those whose answer would change the most first.

`work_list_writer.py` writes it with the review queue, in bounded memory; it is one small file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data.errors import UserError
from data.workspace import Workspace
from serving.dossiers.records import Certificate
from serving.publication import Publication
from serving.review_queue.format import queue_folder

VALUE, EXPIRING, REUSED = "value", "expiring", "reused"
REASONS = (VALUE, EXPIRING, REUSED)
"""Why a document is in the list, in the order of the list: its answer changes a prediction, it lapses soon, others
name it too."""


@dataclass(frozen=True)
class WorkItem:
    """A document of the list: of the SKU at a position, in a market, why it is there, and what an answer would change.

    `required`: the product may not be sold in this market without it. `p_confirmed` and `p_refuted` are p_fail after
    either answer, `units` those sold in 90 days, `others` the other products that name the document.
    """

    position: int
    market: str
    category: str
    reason: str
    required: bool
    p_fail: float
    p_confirmed: float
    p_refuted: float
    units: float
    others: int
    document: Certificate

    @property
    def value(self) -> float:
        """Expected failures among the units that an answer decides on; 0 where the document is not required."""
        return abs(self.p_refuted - self.p_confirmed) * self.units if self.required else 0.0


CERTIFICATE_FIELDS = tuple(each.name for each in fields(Certificate))


def read_work_list(workspace: Workspace, publication: Publication) -> tuple[WorkItem, ...]:
    """The work list of a publication in its order; UserError where it was scored without one."""
    path = work_list_file(workspace, publication)
    if not path.is_file():
        raise UserError("The scores in service have no work list of documents yet. Run `touchstone score`.")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, _: int) -> tuple[WorkItem, ...]:
    own = [each.name for each in fields(WorkItem) if each.name != "document"]
    return tuple(_item(row, own) for row in pq.read_table(path).to_pylist())


def _item(row: Mapping[str, Any], own: Sequence[str]) -> WorkItem:
    document = Certificate(**{name: row[name] for name in CERTIFICATE_FIELDS})
    return WorkItem(**{name: row[name] for name in own}, document=document)


def work_list_file(workspace: Workspace, publication: Publication) -> Path:
    """The file of a publication's work list, beside the columns of its queue."""
    return queue_folder(workspace, publication) / "documents.parquet"
