"""Exposure in the evidence pack: how much more often failing SKUs are shown than listed, and the views it rests on."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sampling.estimation.round_views import SurfaceRatio, WeighedRounds
from serving.evidence.tables import SKU, EvidenceTable, Rows

_STRATA = {"exposure": "views", "exposure_p_fail": "views_p_fail", "exposure_foreseen": "views_foreseen",
           "exposure_covariance": "views_covariance"}  # fmt: skip


def exposure_tables(weighed: Sequence[WeighedRounds], ratios: Sequence[SurfaceRatio]) -> tuple[EvidenceTable, ...]:
    """The tables on views: ratios by surface, and the views that they follow from."""
    return _ratios(ratios), _strata(weighed), _tests(weighed), _outside(weighed)


def _ratios(ratios: Sequence[SurfaceRatio]) -> EvidenceTable:
    rows: Rows = []
    for each in ratios:
        ratio, told = each.ratio, not each.ratio.withheld
        rows.append({
            "surface": each.surface, "share_by_views": ratio.by_views.share.value if told else None,
            "share_by_skus": ratio.by_skus.share.value if told else None, "ratio": ratio.value if told else None,
            "low": ratio.low if told else None, "high": ratio.high if told else None, "withheld": ratio.withheld,
        })  # fmt: skip
    columns = {
        "surface": "where SKUs were shown", "share_by_views": "share of views that are of SKUs that would fail",
        "share_by_skus": "share of SKUs that would fail", "ratio": "share by views / share by SKUs",
        "low": "lower end of the ratio's interval", "high": "upper end", "withheld": "why it is not told",
    }  # fmt: skip
    return EvidenceTable("exposure", "the whole catalogue on one surface", columns, rows)


def _strata(weighed: Sequence[WeighedRounds]) -> EvidenceTable:
    keys = ("category", "market", "stratum")
    rows: Rows = [
        {"surface": each.surface, "round_id": data.round_id, **{key: row[key] for key in keys},
         **{told: row[name] for name, told in _STRATA.items()}}
        for each in weighed for data in each.rounds for row in data.strata.to_pylist()
    ]  # fmt: skip
    columns = {
        "surface": "where SKUs were shown", "round_id": "the round", "category": "category", "market": "market",
        "stratum": "number within the round", "views": "views before the round was drawn",
        "views_p_fail": "sum of views x predicted probability",
        "views_foreseen": "variance foreseen of the views of failing SKUs",
        "views_covariance": "covariance foreseen of these views with the number of failing SKUs",
    }  # fmt: skip
    return EvidenceTable("views_strata", "a stratum of a round's frame on one surface", columns, rows)


def _tests(weighed: Sequence[WeighedRounds]) -> EvidenceTable:
    rows: Rows = [
        {"surface": each.surface, "round_id": data.round_id, "sku_id": row["sku_id"], "market": row["market"],
         "views": row["exposure"]}
        for each in weighed for data in each.rounds
        for row in data.units.select([*SKU, "exposure"]).sort_by([(name, "ascending") for name in SKU]).to_pylist()
    ]  # fmt: skip
    columns = {
        "surface": "where it was shown", "round_id": "the round", "sku_id": "the SKU", "market": "its market",
        "views": "views before the round was drawn",
    }  # fmt: skip
    return EvidenceTable("views_tests", "a tested SKU on one surface", columns, rows)


def _outside(weighed: Sequence[WeighedRounds]) -> EvidenceTable:
    rows: Rows = []
    for each in weighed:
        for data in each.rounds:
            views = data.outside["exposure"]
            failing = pc.multiply(views, pc.cast(data.outside["failed"], pa.float64()))
            rows.append({
                "surface": each.surface, "round_id": data.round_id, "views": pc.sum(views).as_py() or 0.0,
                "failing_views": pc.sum(failing).as_py() or 0.0,
            })  # fmt: skip
    columns = {
        "surface": "where SKUs were shown", "round_id": "the round",
        "views": "views of SKUs outside the frame whose result is known", "failing_views": "those of SKUs that failed",
    }  # fmt: skip
    return EvidenceTable("views_outside", "a round on one surface", columns, rows)
