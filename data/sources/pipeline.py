"""Ingest of what `sources.toml` maps: whole tables, and of incremental ones what changed since the last time."""

from data.ingest.deliveries import Extent, TableDelivery
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_deliveries
from data.ingest.record import read_record
from data.ingest.report import IngestReport
from data.lake.store import stored_lake
from data.progress import Progress
from data.sources.configuration import SourcesFile
from data.sources.extraction import mapped_sources
from data.workspace import Workspace


def ingest_sources(
    file: SourcesFile, workspace: Workspace, options: IngestOptions, progress: Progress | None = None
) -> IngestReport:
    """Bring the lake up to date with the sources of a `sources.toml`; of incremental tables, with what changed.

    A changed entry is read whole again. Raises UserError as `ingest_deliveries`, and where a source cannot be read.
    """
    stored = stored_lake(workspace)
    judged = read_record(stored.folder if stored and stored.contents else None).judged
    deliveries = []
    for source in mapped_sources(file, workspace.staging / "sources"):
        before = judged.get(source.table.name)
        if before is not None and before.digest == source.digest:
            source.since = before.watermark
        deliveries.append(TableDelivery(source, Extent.KEYS if source.is_update else Extent.TABLE))
    return ingest_deliveries(deliveries, workspace, options, progress)
