"""Views of SKUs before a round was drawn, by surface, from the lake's exposures; rounds weighted by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contract import ANYWHERE
from data.lake.location import current_table
from data.workspace import Workspace
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.round_data import Domain, RoundData
from sampling.estimation.views import SKU, VIEWS, ExposureRatio, exposure_ratio, weigh_by_views
from sampling.rounds import FRAME_FILE, round_folder, round_record

EVERYWHERE, PROMOTED = "everywhere", "promoted places"


@dataclass(frozen=True)
class WeighedRounds:
    """Rounds weighted by the views on one surface, on all (`EVERYWHERE`), or in promoted places (`PROMOTED`)."""

    surface: str
    rounds: tuple[RoundData, ...]


def weighed_rounds(workspace: Workspace, rounds: Sequence[RoundData], policy: EstimationPolicy) -> list[WeighedRounds]:
    """The rounds by the views on every surface of the days before each was drawn, all surfaces first.

    Empty where the lake has no views of those days, or where the frame of a round was deleted.
    """
    if not rounds or any(not (round_folder(workspace, each.round_id) / FRAME_FILE).is_file() for each in rounds):
        return []
    days = [date.fromisoformat(round_record(workspace, each.round_id)["as_of"]) for each in rounds]
    tables = [_exposures(workspace, day, policy.views_days) for day in days]
    if not all(len(table) for table in tables):
        return []
    columns = ["sku_id", "market", "category", "stratum", "p_fail"]
    frames = [pq.read_table(round_folder(workspace, each.round_id) / FRAME_FILE, columns=columns) for each in rounds]
    surfaces = sorted({name for table in tables for name in pc.unique(table["surface"]).to_pylist()} - {ANYWHERE})
    return [
        WeighedRounds(surface, tuple(
            weigh_by_views(each, frame, _views(table, surface))
            for each, frame, table in zip(rounds, frames, tables, strict=True)
        ))
        for surface in (EVERYWHERE, *surfaces, PROMOTED)
    ]  # fmt: skip


def _exposures(workspace: Workspace, day: date, days: int) -> pa.Table:
    """The exposures of the last days before `day` that were known by then: sku_id, market, surface, views, promoted."""
    path = current_table(workspace, "exposures")
    names = [*SKU, "surface", VIEWS, "promoted"]
    if path is None:
        return pa.schema([(name, pa.string()) for name in names]).empty_table()
    first, last = (pa.scalar(each, pa.date32()) for each in (day - timedelta(days=days), day))
    known = (pc.field("happened_on") >= first) & (pc.field("happened_on") < last) & (pc.field("known_on") < last)
    table = pq.read_table(path, columns=names, filters=known)
    text = pa.schema([(name, pa.int64() if name in (VIEWS, "promoted") else pa.string()) for name in names])
    return table.cast(text)


def _views(exposures: pa.Table, surface: str) -> pa.Table:
    """The views of each SKU: sku_id, market, views."""
    if surface not in (EVERYWHERE, PROMOTED):
        exposures = exposures.filter(pc.equal(exposures["surface"], surface))
    counted = "promoted" if surface == PROMOTED else VIEWS
    return exposures.group_by(SKU).aggregate([(counted, "sum")]).rename_columns([*SKU, VIEWS])


@dataclass(frozen=True)
class SurfaceRatio:
    """How many times as often failing SKUs are shown on a surface as they are listed."""

    surface: str
    ratio: ExposureRatio


def surface_ratios(weighed: Sequence[WeighedRounds], policy: EstimationPolicy) -> list[SurfaceRatio]:
    """The ratio of the whole catalogue on every surface on which something was shown."""
    ratios = ((each.surface, exposure_ratio(each.rounds, Domain(), policy)) for each in weighed)
    return [SurfaceRatio(surface, ratio) for surface, ratio in ratios if ratio is not None]


def ratio_words(each: SurfaceRatio) -> str:
    """Say the ratio with its interval, or why it cannot be told."""
    where = each.surface[:1].upper() + each.surface[1:] if each.surface == EVERYWHERE else f"In {each.surface}"
    ratio = each.ratio
    if ratio.withheld:
        return f"{where}, how much more often failing SKUs are shown than listed cannot be told ({ratio.withheld})."
    return (
        f"{where}, failing SKUs are shown {ratio.value:.1f} times as often as they are listed "
        f"({ratio.low:.1f} to {ratio.high:.1f})."
    )
