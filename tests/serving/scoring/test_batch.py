"""Every SKU of the catalogue is scored exactly once, the same whatever the size of a part."""

import shutil
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.errors import UserError
from data.progress import SilentProgress
from data.workspace import Workspace
from features.snapshot.reader import open_snapshot
from models.registry import load_champion
from models.risk_bands import bands_in_force
from models.scorer import Scorer
from serving.online.store import open_online_store
from serving.publication import day_in_service, published_name, read_publication
from serving.schemas import Item, ScoreAnswer
from serving.score_rows import SCORE_SCHEMA, RowScorer, compute_ranks, score_batch, with_ranks
from serving.scoring.batch import score_catalogue
from tests.features.catalogues import DAY, small_catalogue
from tests.models.worlds import tiny_champion
from tests.serving.conftest import Scored, scored_workspace


def parts_of(folder: Path) -> pa.Table:
    """All parts of a scored catalogue, in order."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))])


def test_every_sku_is_scored_exactly_once(scored: Scored) -> None:
    """Every SKU is scored exactly once."""
    skus = scored.tables["skus"].select("sku_id", "market").to_pyarrow().to_pylist()
    rows = parts_of(scored.scores).select(["sku_id", "market"]).to_pylist()
    assert sorted(map(tuple, (row.values() for row in rows))) == sorted(map(tuple, (sku.values() for sku in skus)))


def test_the_columns_are_the_score_row_and_nothing_else(scored: Scored) -> None:
    """Each part holds exactly the columns and types of the score row, none of them missing but for unknown hazards."""
    assert len(list(scored.scores.iterdir())) == 4
    for path in scored.scores.iterdir():
        part = pq.read_table(path)
        assert part.schema.names == SCORE_SCHEMA.names
        assert part.schema.types == SCORE_SCHEMA.types
        unknown = part["hazard"].is_null()
        for name in SCORE_SCHEMA.names:
            nullable = name in ("hazard", "hazard_share", "risk_level")
            assert part[name].is_null() == unknown if nullable else not part[name].null_count


@pytest.mark.parametrize("rows_per_part", [1, 7, 199, 200, 1000])
def test_the_size_of_a_part_changes_nothing(scored: Scored, tmp_path: Path, rows_per_part: int) -> None:
    """The size of a part changes no value."""
    home = Workspace(tmp_path / "workspace")
    shutil.copytree(scored.workspace.home, home.home)
    folder = score_catalogue(home, scored.tables, load_champion(home), DAY, SilentProgress(), rows_per_part)
    assert parts_of(folder).to_pylist() == parts_of(scored.scores).to_pylist()
    assert len(list(folder.iterdir())) == -(-200 // rows_per_part)


def test_ranks_run_from_1_and_follow_the_probability(scored: Scored) -> None:
    """Ranks are 1 to n, and more probable failures never rank later."""
    rows = sorted(parts_of(scored.scores).to_pylist(), key=lambda row: row["rank"])
    assert [row["rank"] for row in rows] == list(range(1, 201))
    assert all(riskier["p_fail"] >= row["p_fail"] for riskier, row in pairwise(rows))


@given(margins=arrays.arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])))
def test_equals_rank_in_catalogue_order(margins: np.ndarray) -> None:
    """Ranks are a permutation; p_fail decides, then the margin, then the place in the catalogue."""
    p_fail = np.clip(margins, -1.0, 1.0) / 4 + 0.5
    ranks = compute_ranks(margins, p_fail)
    expected = sorted(range(len(margins)), key=lambda row: (-p_fail[row], -margins[row], row))
    assert np.argsort(ranks).tolist() == expected
    assert sorted(ranks) == list(range(1, len(margins) + 1))


def test_a_row_equals_the_same_sku_scored_alone(scored: Scored) -> None:
    """A row equals the same SKU scored alone."""
    publication, ranks, _ = read_publication(scored.workspace, str(published_name(scored.workspace)))
    snapshot = open_snapshot(scored.workspace.home / publication.snapshot)
    scorer = RowScorer(load_champion(scored.workspace), DAY, bands_in_force(DAY))
    rows = parts_of(scored.scores)
    for position in (0, 63, 64, 150, 199):
        matrix = snapshot.matrix_at(np.array([position]))
        (keys,) = snapshot.keys(position, position + 1).to_batches()
        alone = with_ranks(score_batch(scorer, keys, matrix), ranks[[position]])
        assert alone.to_pylist() == rows.slice(position, 1).to_pylist()


def test_contributions_sum_to_the_margin(scored: Scored) -> None:
    """The contributions and the base value sum to the margin, and the stored reasons are the largest of them."""
    publication, _, _ = read_publication(scored.workspace, str(published_name(scored.workspace)))
    snapshot = open_snapshot(scored.workspace.home / publication.snapshot)
    scores = Scorer(load_champion(scored.workspace)).score(snapshot.matrix(0, len(snapshot)))
    np.testing.assert_allclose(scores.contributions.sum(axis=1) + scores.base_value, scores.margin, rtol=0, atol=1e-9)
    for row, contributions in zip(parts_of(scored.scores).to_pylist(), scores.contributions, strict=True):
        largest = sorted(np.abs(contributions[contributions != 0]), reverse=True)[:5]
        assert [abs(reason["contribution"]) for reason in row["reasons"]] == pytest.approx(largest, abs=1e-12)


def test_each_answer_carries_the_versions_in_force(scored: Scored) -> None:
    """Every row names the model, the features, the policy and the day."""
    model, rows = load_champion(scored.workspace), parts_of(scored.scores)
    expected = {
        "model_version": model.version, "feature_version": model.feature_version,
        "policy_version": bands_in_force(DAY).version, "as_of": DAY,
    }  # fmt: skip
    for name, value in expected.items():
        assert set(rows[name].to_pylist()) == {value}


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    """A catalogue without listings is refused with a sentence, and leaves no scores."""
    workspace = Workspace(tmp_path)
    tiny_champion(workspace)
    tables = small_catalogue()
    empty = replace(tables, given={**tables.given, "skus": tables["skus"].filter(False)}, fingerprint="empty")
    with pytest.raises(UserError, match=f"No SKU is listed by {DAY}"):
        score_catalogue(workspace, empty, load_champion(workspace), DAY, SilentProgress())
    assert not workspace.scores(DAY).exists()
    assert published_name(workspace) is None


def test_scoring_an_earlier_day_leaves_the_later_one_in_service(tmp_path: Path) -> None:
    """Scoring a past day writes its file; the service stays with the newest day of the same lake."""
    scored = scored_workspace(tmp_path / "workspace")
    published = published_name(scored.workspace)
    earlier = date(2026, 1, 5)
    folder = score_catalogue(
        scored.workspace, scored.tables, load_champion(scored.workspace), earlier, SilentProgress()
    )
    assert set(parts_of(folder)["as_of"].to_pylist()) == {earlier}
    assert published_name(scored.workspace) == published


def test_a_later_day_whose_snapshot_is_broken_gives_way(tmp_path: Path) -> None:
    """What nobody can open does not keep an earlier day of the same lake out of service."""
    scored = scored_workspace(tmp_path / "workspace")
    assert day_in_service(scored.workspace) == DAY
    shutil.rmtree(open_online_store(scored.workspace).snapshot.folder)
    earlier = date(2026, 1, 5)
    score_catalogue(scored.workspace, scored.tables, load_champion(scored.workspace), earlier, SilentProgress())
    assert day_in_service(scored.workspace) == earlier


def test_the_service_answers_what_the_file_says_to_the_bit(scored: Scored) -> None:
    """Every row asked over HTTP, alone or with others, is the row of the file to the bit, but for its reasons.

    These are merged where they rest on the same rows; each names a feature of the snapshot with its value.
    """
    published, rows = open_online_store(scored.workspace), parts_of(scored.scores).to_pylist()
    items = [Item(sku_id=row["sku_id"], market=row["market"]) for row in rows]
    together = published.answer(items, explain=True).scores
    for row, score in zip(rows, together, strict=True):
        answer = score.model_dump()
        reasons, written = answer.pop("reasons"), row.pop("reasons")
        assert {name: answer[name] for name in row} == row
        values = {each["feature"]: each["value"] for each in written}
        assert 0 < len(reasons) <= len(written)
        assert all(each["value"] == values.get(each["feature"], each["value"]) for each in reasons)
    for number in (0, 77, 199):
        assert published.score_row(items[number]) == together[number]


@settings(max_examples=50, deadline=None)
@given(data=st.data(), explain=st.booleans())
def test_the_answer_written_at_once_is_the_declared_one(scored: Scored, data: st.DataObject, explain: bool) -> None:
    """Whatever is asked for, known or not, the JSON is byte for byte that of a ScoreAnswer that pydantic validated."""
    known = [Item(**key) for key in parts_of(scored.scores).select(["sku_id", "market"]).to_pylist()]
    unknown = st.builds(Item, sku_id=st.text(min_size=1, max_size=9), market=st.sampled_from(["DE", "ZZ"]))
    items = data.draw(st.lists(st.sampled_from(known) | unknown, min_size=1, max_size=12))
    published = open_online_store(scored.workspace)
    text = published.answer_json(items, explain)
    assert text == published.answer(items, explain).model_dump_json().encode()
    assert ScoreAnswer.model_validate_json(text, strict=True).model_dump_json().encode() == text
