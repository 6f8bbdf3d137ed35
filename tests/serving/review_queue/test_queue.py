"""The queue on disk finds what a plain look through the catalogue finds."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.errors import UserError
from models.risk_bands import bands_in_force
from models.risk_levels import LEVELS, UNKNOWN, RiskLevel
from serving.decisions.deadlines import add_working_days, ground_deadline
from serving.decisions.legal_grounds import FAILED_TEST, grounds_in_force
from serving.decisions.policy import SEVERITIES, decision_policy_in_force
from serving.online.store import OnlineStore, open_online_store
from serving.review_queue.format import DAYS, SORTS, QueueDetails, QueueEvidence, QueueQuery, queue_folder
from serving.review_queue.reader import Queue, QueueEntry
from serving.review_queue.writer import ClockStarts, RankedCatalogue, clock_starts, write_queue
from serving.score_rows import RankedScores
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored

Floats = NDArray[np.float64]


def rank_of(level: RiskLevel | None) -> int:
    """The rank of a risk level, unknown ones below all."""
    return UNKNOWN if level is None else LEVELS.index(level)


KEYS: dict[str, Callable[[QueueEntry], float]] = {
    "level": lambda e: e.rank - 1e6 * rank_of(e.risk_level), "risk": lambda e: e.rank,
    "harm": lambda e: -e.p_fail * e.units_90, "units": lambda e: -e.units_90,
    "tested": lambda e: -np.inf if e.days_since_test is None else -e.days_since_test, "sku": lambda e: e.position,
}  # fmt: skip


@pytest.fixture(scope="module")
def published(scored: Scored) -> OnlineStore:
    """The small catalogue in service."""
    return open_online_store(scored.workspace)


@pytest.fixture(scope="module")
def every(published: OnlineStore) -> list[QueueEntry]:
    """All that the queue says, by rank."""
    return published.queue.entries(np.arange(len(published.queue)))


def test_the_queue_holds_every_sku_with_the_score_that_is_published(
    published: OnlineStore, every: list[QueueEntry]
) -> None:
    rows = published.rows_at(np.array([entry.position for entry in every]))
    entries = [(e.sku_id, e.market, e.p_fail, e.band, e.rank) for e in every]
    assert entries == [(row.sku_id, row.market, row.p_fail, row.band, row.rank) for row in rows]
    assert [(e.p_low, e.p_high) for e in every] == [(row.p_low, row.p_high) for row in rows]
    assert [(e.hazard, e.risk_level) for e in every] == [(row.hazard, row.risk_level) for row in rows]
    np.testing.assert_allclose([e.hazard_share or 0 for e in every], [row.hazard_share or 0 for row in rows], rtol=1e-6)
    assert {"high", None} <= {e.risk_level for e in every}
    assert len(every) == len(published.snapshot)
    assert sum(published.queue.band_sizes) == len(every)


def test_the_failed_test_of_each_sku_is_the_one_to_decide_on_first(published: OnlineStore) -> None:
    """As its dossier says, one SKU at a time."""
    terms = decision_policy_in_force(DAY).deadlines
    starts, found = clock_starts(published.dossiers), 0
    for position in range(len(published.snapshot)):
        grounds = grounds_in_force(published.dossiers.of(position), DAY)
        failed = [each for each in grounds if each.kind == FAILED_TEST]
        due = [deadline.on for each in failed if (deadline := ground_deadline(each, terms))]
        since = starts.failed_on[position]
        assert np.isnat(since) == (not failed)
        if failed:
            days = terms.failed_test.after(SEVERITIES[starts.failed_severity[position]])
            assert add_working_days(since.item(), days, terms.holidays) == min(due)
            found += 1
    assert found > 5


QUERIES = st.builds(
    QueueQuery,
    bands=st.sets(st.sampled_from(bands_in_force(DAY).names), max_size=2).map(tuple),
    markets=st.sampled_from([(), ("DE",), ("FR",), ("XX",)]),
    categories=st.sampled_from([(), ("jewellery",), ("toys_3_plus", "mains_chargers")]),
    supplier=st.sampled_from(["", "S-3", "S-nobody"]),
    words=st.lists(st.sampled_from(["red", "TOY 1", "k-1", "s-1", "zz", "%", "\\", "'"]), max_size=2).map(tuple),
    evidence=st.sampled_from([QueueEvidence(0), QueueEvidence.FAILED, QueueEvidence.PASSED, QueueEvidence.NEW]),
    never_tested=st.booleans(),
    among=st.none() | st.lists(st.integers(-1, 260), max_size=30).map(lambda rows: np.array(rows, dtype=np.int64)),
    sort=st.sampled_from(SORTS),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_the_queue_finds_what_a_plain_look_through_finds(
    published: OnlineStore, every: list[QueueEntry], query: QueueQuery
) -> None:
    entries = published.queue.entries(published.queue.find(query))
    expected = [entry for entry in every if fits(entry, query)]
    assert sorted(e.rank for e in entries) == [e.rank for e in expected]
    keys = [KEYS[query.sort](entry) for entry in entries]
    assert keys == sorted(keys)


def fits(entry: QueueEntry, query: QueueQuery) -> bool:
    """Whether a SKU matches, by plain Python."""
    text = f"{entry.sku_id}\n{entry.supplier_id}\n{entry.title or ''}".lower()
    return (
        (not query.bands or entry.band in query.bands)
        and (not query.markets or entry.market in query.markets)
        and (not query.categories or entry.category in query.categories)
        and query.supplier in ("", entry.supplier_id)
        and all(word.lower() in text for word in query.words)
        and (entry.evidence & query.evidence) == query.evidence
        and not (query.never_tested and entry.days_since_test is not None)
        and (query.among is None or entry.position in query.among)
    )


def rescored(published: OnlineStore, p_fail: Floats, folder: Path, before: Floats | None = None) -> Queue:
    """The queue of the same catalogue with other scores."""
    ranks = np.empty(len(p_fail), dtype=np.int64)
    ranks[np.argsort(-p_fail, kind="stable")] = np.arange(1, len(p_fail) + 1)
    level = np.minimum(4 * p_fail, 3).astype(np.int8)
    details = QueueDetails(p_fail, p_fail, ("fire",), np.zeros(len(p_fail), np.int16), p_fail, level)
    never = np.full(len(p_fail), "NaT", DAYS)
    write_queue(
        RankedCatalogue(
            published.snapshot, published.dossiers.titles, RankedScores(ranks, p_fail), bands_in_force(DAY), details,
            ClockStarts(never, never, never, np.zeros(len(p_fail), np.int8)), before,
        ), folder,
    )  # fmt: skip
    return Queue(folder)


@pytest.fixture(scope="module")
def twins(published: OnlineStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[Queue, Queue, set[int]]:
    """Two queues that differ in the scores of 40 SKUs alone, and the positions of these."""
    first, draw = np.array(published.p_fail), np.random.default_rng(4)
    hidden = draw.choice(len(first), 40, replace=False)
    second = first.copy()
    second[hidden] = draw.permutation(draw.choice(first, 40) * draw.uniform(0.1, 2.5, 40))
    home = tmp_path_factory.mktemp("twins")
    one, other = (rescored(published, each, home / f"{each.sum()}" / "queue") for each in (first, second.clip(0, 1)))
    return one, other, set(hidden.tolist())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_what_is_blinded_stands_where_it_stands_whatever_its_score(
    twins: tuple[Queue, Queue, set[int]], query: QueueQuery
) -> None:
    """No filter and no order tells the scores of SKUs that are blinded; without blinding they would."""
    lists = []
    for queue in twins[:2]:
        blinded = np.isin(queue.column("position"), list(twins[2]))
        lists.append(queue.positions(queue.find(replace(query, blinded=blinded))).tolist())
    assert lists[0] == lists[1]
    everything = [queue.positions(queue.find(QueueQuery())).tolist() for queue in twins[:2]]
    assert everything[0] != everything[1]


def test_a_sku_is_new_where_its_band_did_not_ask_for_a_test_the_day_before(
    published: OnlineStore, tmp_path: Path
) -> None:
    bands, p_fail = bands_in_force(DAY), np.array(published.p_fail)
    before = np.where(np.arange(len(p_fail)) % 2, p_fail, np.nan)
    queue = rescored(published, p_fail, tmp_path / "q" / "queue", before)
    for entry in queue.entries(np.arange(len(queue))):
        asks = bands.action([entry.p_fail])[0] in ("test", "priority_test")
        assert (QueueEvidence.NEW in entry.evidence) == (asks and entry.position % 2 == 0)
    assert not any(QueueEvidence.NEW in e.evidence for e in published.queue.entries(np.arange(len(p_fail))))


def test_a_queue_cut_short_or_missing_is_refused_in_a_sentence(
    published: OnlineStore, scored: Scored, tmp_path: Path
) -> None:
    folder = queue_folder(scored.workspace, published.publication)
    shutil.copytree(folder, tmp_path / "cut")
    texts = tmp_path / "cut" / "texts.arrow"
    texts.write_bytes(texts.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"is not whole .* Run `touchstone score`"):
        Queue(tmp_path / "cut")
    with pytest.raises(UserError, match=r"There is no complete queue"):
        Queue(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"cannot be sorted by 'mood'"):
        published.queue.find(replace(QueueQuery(), sort="mood"))
