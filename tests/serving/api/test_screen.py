"""Only a fact can hold a listing; the score at most orders a test or a document; what is read equals the pipeline."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from data.database.connection import open_database
from data.errors import UserError
from features.groups.new_listing import ListingReader, NewListing
from models.risk_bands import bands_in_force
from serving.api.screen import Listing, ListingScreener, screener_of
from serving.api.screening_policy import FACTS, HOLDING_FACTS, STAGES, Situation, screening_policy_in_force
from serving.decisions.legal_grounds import FAILED_ELSEWHERE, FAILED_TEST, Ground
from serving.online.store import OnlineStore, open_online_store
from serving.schemas import Item
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored

POLICY = screening_policy_in_force(DAY)
BANDS = bands_in_force(DAY).names
SITUATIONS = st.builds(
    Situation, stage=st.sampled_from(STAGES), market=st.sampled_from(["EU", "DE", "US"]), restricted=st.booleans(),
    facts=st.sets(st.sampled_from(sorted(FACTS))), band=st.sampled_from(BANDS),
    missing=st.sets(st.sampled_from(list(Listing.model_fields))),
)  # fmt: skip
STRENGTH = {"allow": 0, "test_first": 1, "hold": 2}


@pytest.fixture(scope="module")
def published(scored: Scored) -> OnlineStore:
    """The scored catalogue, opened."""
    return open_online_store(scored.workspace)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of the state."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


def listings_of(scored: Scored) -> list[dict[str, Any]]:
    """The rows of the table of SKUs that are listed."""
    rows: list[dict[str, Any]] = scored.tables["skus"].to_pyarrow().to_pylist()
    return [row for row in rows if row["listed_on"] < DAY]


def listing_of(row: dict[str, Any], **other: Any) -> Listing:
    """A row of the table as a question."""
    return Listing(**{name: row[name] for name in Listing.model_fields if name in row} | other)


@given(SITUATIONS)
def test_nothing_is_held_without_a_restriction_or_a_fact(situation: Situation) -> None:
    """Whatever the band, the stage and the listing: hold needs one of this market, and such a one holds."""
    grounds = situation.restricted or bool(HOLDING_FACTS & set(situation.facts))
    assert (POLICY.decide(situation).decision == "hold") == grounds
    if situation.facts:
        assert POLICY.decide(situation).decision != "allow"


@given(SITUATIONS, st.sampled_from(BANDS))
def test_more_risk_never_means_a_gentler_decision(situation: Situation, band: str) -> None:
    """A worse band decides at least as strictly, all else equal."""
    other = replace(situation, band=band)
    gentler, worse = sorted((situation, other), key=lambda each: BANDS.index(each.band))
    assert STRENGTH[POLICY.decide(gentler).decision] <= STRENGTH[POLICY.decide(worse).decision]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            'stages = ["listing"]\nbands = ["high"]\ndecision = "hold"\nask = "none"',
            "only a restriction or a fact of this market may hold",
        ),
        (
            'stages = ["listing"]\nfacts = ["failed_in_another_market"]\ndecision = "hold"\nask = "none"',
            "only a restriction or a fact of th",
        ),
        ('stages = ["listing"]\ndecision = "test_first"\nask = "none"', "asks for a test or for documents"),
        (
            'stages = ["listing"]\ndecision = "remove"\nask = "none"',
            r"rule\[0\]\.decision is 'remove'; it must be one of 'allow', 'test_first', 'hold'",
        ),
        ('stages = ["listing"]\ndecision = "allow"\nask = "none"', "the last rule must fit every listing"),
        ('stages = ["listing"]\ndecision = "allow"', r"rule\[0\]\.ask is missing; it must be one of"),
    ],
)
def test_a_policy_that_oversteps_is_refused(tmp_path: Path, rule: str, sentence: str) -> None:
    """The rules of the house hold whatever a policy file says."""
    (tmp_path / "screening").mkdir()
    (tmp_path / "screening" / "2026-01-01.toml").write_text(f'[[rule]]\nname = "r"\n{rule}\n', encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        screening_policy_in_force(DAY, tmp_path)


def test_a_listing_reads_as_the_pipeline_reads_it(published: OnlineStore, scored: Scored) -> None:
    """The listing's own features from raw attributes equal those of the snapshot, for every SKU."""
    reader, snapshot = ListingReader(published.artifact.reference), published.snapshot
    rows = listings_of(scored)
    positions = snapshot.find([row["sku_id"] for row in rows], [row["market"] for row in rows])
    matrix, names = snapshot.matrix_at(positions), snapshot.feature_names
    for row, values in zip(rows, matrix, strict=True):
        listing = NewListing(**{each.name: row[each.name] for each in fields(NewListing) if each.name in row})
        for name, value in reader.features(listing, DAY).items():
            if name in names:
                np.testing.assert_allclose(value, values[names.index(name)], rtol=1e-12, err_msg=f"{name} of {row}")


def test_a_known_product_is_screened_by_its_own_score(published: OnlineStore, scored: Scored, state: sa.Engine) -> None:
    """What the catalogue holds already, asked as it is listed, gets the score of the catalogue."""
    screener = screener_of(published)
    for row in listings_of(scored)[::9]:
        listing = listing_of(row)
        answer = screener.decide(listing, "listing", state, DAY)
        at = int(published.snapshot.find([listing.sku_id], [listing.market])[0])
        assert answer.known.sku
        assert answer.p_fail == pytest.approx(published.p_fail[at], abs=1e-12)


def test_a_newcomer_joins_what_is_known_of_its_supplier_and_category(
    published: OnlineStore, scored: Scored, state: sa.Engine
) -> None:
    """A new product of a known supplier is told from one of a stranger, and both get a whole answer."""
    screener, row = screener_of(published), listings_of(scored)[0]
    for supplier, known in ((row["supplier_id"], True), ("nobody", False)):
        answer = screener.decide(listing_of(row, sku_id="K-new", supplier_id=supplier), "shipment", state, DAY)
        assert (answer.known.sku, answer.known.supplier, answer.known.category) == (False, known, True)
        assert 0 <= answer.p_low <= answer.p_fail <= answer.p_high <= 1
        assert answer.rule in {rule.name for rule in POLICY.rules}
        assert answer.reasons
        assert all(reason.sentence.endswith(".") for reason in answer.reasons)


def test_a_screening_says_what_would_fail_as_the_score_row_does(
    published: OnlineStore, scored: Scored, state: sa.Engine
) -> None:
    """Of a known product the same; of a new one by its category, and nothing where none of its category failed."""
    row = next(row for row in listings_of(scored) if row["category"] == "mains_chargers")
    known = screener_of(published).decide(listing_of(row), "listing", state, DAY)
    score = published.score_row(Item(sku_id=row["sku_id"], market=row["market"]))
    assert (known.hazard, known.hazard_share) == (score.hazard, score.hazard_share)
    new = screener_of(published).decide(listing_of(row, sku_id="new"), "listing", state, DAY)
    assert new.hazard == "shock"
    assert new.risk_level is not None
    other = screener_of(published).decide(listing_of(row, sku_id="new", category="lamps"), "listing", state, DAY)
    assert (other.hazard, other.hazard_share, other.risk_level) == (None, None, None)


def test_a_fact_holds_at_every_stage_and_is_shown(
    published: OnlineStore, scored: Scored, state: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fact that decided comes with the answer."""
    fact = Ground("authority_order", date(2026, 6, 1), "EU customs seized this product on 2026-05-30.", "h-1")
    monkeypatch.setattr("serving.decisions.cases.grounds_in_force", lambda *_: (fact,))
    row = listings_of(scored)[0]
    listing = listing_of(row)
    for stage in STAGES:
        answer = ListingScreener(published).decide(listing, stage, state, DAY)
        assert (answer.decision, answer.rule, answer.facts[0]) == ("hold", "standing_fact", fact)


def test_a_failed_test_in_another_market_is_named_and_holds_nothing_here(
    published: OnlineStore, scored: Scored, state: sa.Engine
) -> None:
    """Every SKU that failed in one market alone: held there, tested first in the other, the failure told in both."""
    screener, rows = screener_of(published), listings_of(scored)
    by_key = {(row["sku_id"], row["market"]): listing_of(row) for row in rows}
    failed = {
        key: {fact.row_id for fact in screener.decide(listing, "payment", state, DAY).facts if fact.kind == FAILED_TEST}
        for key, listing in by_key.items()
    }
    alone = [key for key, tests in failed.items() if tests and not failed.get(_in_other_market(key), {"unlisted"})]
    assert alone
    for key in alone:
        here = screener.decide(by_key[key], "payment", state, DAY)
        there = screener.decide(by_key[_in_other_market(key)], "payment", state, DAY)
        assert (here.decision, there.decision, there.ask) == ("hold", "test_first", "test")
        elsewhere = [fact for fact in there.facts if fact.kind == FAILED_ELSEWHERE]
        assert {fact.row_id for fact in elsewhere} == failed[key]
        assert all(fact.sentence.startswith(f"In market {key[1]}: A sample ") for fact in elsewhere)


def _in_other_market(key: tuple[str, str]) -> tuple[str, str]:
    return key[0], {"DE": "FR", "FR": "DE"}[key[1]]


@given(st.text(max_size=40))
def test_any_title_has_a_key_of_letters_digits_and_single_spaces(title: str) -> None:
    """Keys are trimmed, never empty, and their own key."""
    key = NewListing("DE", "s", "toys", title=title).title_key
    if key is not None:
        assert key == " ".join(key.split())
        assert key
        assert NewListing("DE", "s", "toys", title=key).title_key == key
