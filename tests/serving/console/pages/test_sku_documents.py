"""What the page of a SKU shows of its documents: a claim, a lapse and a maker's word are never drawn as confirmed."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DOCUMENT_KINDS
from serving.console.pages.sku_documents import displayed_documents
from serving.console.pages.sku_history import _events
from serving.decisions.document_policy import document_policy_in_force
from serving.dossiers.records import Certificate
from tests.serving.decisions.test_legal_grounds import DAY, DENIED, dossier

STATUSES = ("claimed", "confirmed", "out_of_scope", "denied", "withdrawn", "expired")


@given(
    st.sampled_from(STATUSES), st.sampled_from([None, *DOCUMENT_KINDS]), st.sampled_from(["CE", "EN 71 report", None]),
    st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1)),
)  # fmt: skip
def test_only_what_another_than_the_maker_confirmed_and_is_in_force_is_drawn_as_good(
    status: str, kind: str | None, scheme: str | None, expires_on: date | None
) -> None:
    document = replace(DENIED, status=status, kind=kind, scheme=scheme, expires_on=expires_on)
    (shown,) = displayed_documents(dossier(certificates=(document,)))
    of_kind = document_policy_in_force(DAY).kind_of(document)
    lapsed = expires_on is not None and expires_on < DAY
    good = status == "confirmed" and not lapsed and (of_kind is None or of_kind.others_confirm)
    assert (shown.tone == "good") == good


@pytest.mark.parametrize(
    ("document", "name", "status", "tone"),
    [
        (replace(DENIED, status="claimed"), "EN 71 test report", "claimed, not verified", "none"),
        (DENIED, "EN 71 test report", "refuted: denied", "bad"),
        (replace(DENIED, status="confirmed"), "EN 71 test report", "confirmed", "good"),
        (replace(DENIED, status="confirmed", expires_on=DAY - timedelta(1)), "EN 71 test report", "expired", "warn"),
        (
            replace(DENIED, scheme="CE LVD", kind=None, status="denied"),
            "CE declaration under the Low Voltage Directive", "signed by its maker, not verified", "none",
        ),
        (replace(DENIED, scheme=None, kind=None, status="claimed"), "Document", "claimed, not verified", "none"),
        (replace(DENIED, scheme="CPSR", kind=None, status="out_of_scope"), "Cosmetic product safety report",
         "refuted: out of scope", "bad"),
    ],
)  # fmt: skip
def test_a_document_is_shown_by_its_name_and_status_in_words(
    document: Certificate, name: str, status: str, tone: str
) -> None:
    (shown,) = displayed_documents(dossier(certificates=(document,)))
    assert (shown.name, shown.status, shown.tone) == (name, status, tone)


def test_the_timeline_draws_a_document_as_the_list_does() -> None:
    """A maker's own declaration that is called confirmed is no good news there either."""
    own = replace(DENIED, scheme="CE LVD", kind=None, status="confirmed")
    other = replace(DENIED, certificate_id="C-2", status="confirmed")
    file = replace(dossier(certificates=(own, other)), months=())
    events = [*_events(file)]
    assert {(kind, tone) for _, kind, tone, _ in events} == {("document", "none"), ("document", "good")}
    assert any("signed by its maker, not verified" in words for *_, words in events)
