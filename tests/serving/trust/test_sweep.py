"""The sweep of a publication ends the codes that looking at them one by one would end, for the same reasons."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.database.connection import write_transaction
from data.database.schema import TRUST_CODES
from serving.console.context import AppContext
from serving.decisions.records import SkuKey
from serving.dossiers.reader import Dossiers
from serving.dossiers.records import Dossier
from serving.online.store import OnlineStore
from serving.trust import eligibility
from serving.trust.eligibility import obstacles
from serving.trust.policy import trust_policy_in_force
from serving.trust.store import TrustCode, TrustCodes
from serving.trust.withdrawals import AMENDED, CHANGED, GONE, ineligible
from tests.serving.console.conftest import SHOP_NOW
from tests.serving.trust.cases import KEY, SKUS, hand_in, propose, published, result

TODAY = SHOP_NOW.date()


def shop_of_fallen(context: AppContext) -> list[TrustCode]:
    """A code of each SKU, of which one stands, and three more whose rows name something else now."""
    rows = [published(context, sku_id) for sku_id in SKUS]
    hand_in(context, result(SKUS[0], test_id="N-fail", result="fail", severity="critical", hazard="cord"))
    hand_in(context, result(SKUS[1], version=2, status="entered_in_error", result="inconclusive"))
    propose(context, "pause", SkuKey(SKUS[0], "EU"))
    with write_transaction(context.engine) as connection:
        for code, changed in ((rows[2], {"sku_id": "K-none"}), (rows[3], {"product_digest": "of another product"})):
            connection.execute(TRUST_CODES.update().where(TRUST_CODES.c.code == code.code).values(**changed))
    return TrustCodes(context.engine).standing(TODAY)


def reasons(context: AppContext, rows: Iterable[TrustCode]) -> list[tuple[str, str]]:
    """The codes that fall, with the reasons."""
    return [(row.code, why) for row, why in ineligible(context.engine, context.store, list(rows), TODAY)]


def whole_dossiers(dossiers: Dossiers, positions: list[int]) -> list[Dossier]:
    """Read one by one, with everything in them."""
    return [dossiers.of(each) for each in positions]


def test_many_codes_fall_as_each_would(trusted: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order, some thousand at a time or two."""
    rows = shop_of_fallen(trusted)
    with monkeypatch.context() as patched:
        patched.setattr(Dossiers, "facts_of", whole_dossiers)
        one_by_one = {row.code: found for row in rows if (found := reasons(trusted, [row]))}
    said = [why for found in one_by_one.values() for _, why in found]
    assert {AMENDED, CHANGED, GONE} < set(said)
    assert any("failed an independent laboratory test" in why and "restriction is proposed" in why for why in said)
    assert len(said) == len(rows) - 1
    monkeypatch.setattr(eligibility, "CASES_AT_ONCE", 2)

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.sampled_from(rows), max_size=7))
    def law(some: list[TrustCode]) -> None:
        assert reasons(trusted, some) == [each for row in some for each in one_by_one.get(row.code, ())]

    law()


def test_a_failure_in_another_market_is_known(trusted: AppContext) -> None:
    """Also where it came in after the scoring; the SKU is given a second market with the dossier of a neighbour."""
    hand_in(trusted, result(), result(test_id="N-fail", market="US", result="fail", severity="minor", hazard="cord"))
    at = trusted.store.snapshot.find([KEY.sku_id, SKUS[1]], ["EU", "EU"])
    store = SimpleNamespace(
        publication=trusted.store.publication, dossiers=trusted.store.dossiers,
        queue=SimpleNamespace(markets=("EU", "US")), snapshot=SimpleNamespace(find=lambda *_: at),
    )  # fmt: skip
    (case,) = eligibility.trust_cases(trusted.engine, cast(OnlineStore, store), [KEY], TODAY)
    assert case is not None
    assert [each.row_id for each in case.failures_elsewhere] == ["N-fail"]
    assert obstacles(case, trust_policy_in_force(TODAY)) == (case.failures_elsewhere[0].sentence,)
