"""The allow-list: whatever stands in a dossier, the public reads these fields and no words of anybody."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from serving.dossiers.records import DossierListing, LabTest
from serving.letters.policy import letter_policy_in_force
from serving.trust.answer import Fall, Recall, trust_answer
from serving.trust.credential import CLAIMS, Issuer, claims, conformity_credential, credential
from serving.trust.pictures import badge
from serving.trust.policy import trust_policy_in_force
from serving.trust.store import TrustCode
from serving.trust.summary import SUMMARY_FIELDS, PublicSummary, checked_gtin, public_summary, read_summary
from serving.trust.view import trust_view
from serving.trust.words import trust_languages, trust_words
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW
from tests.serving.trust.cases import PACKAGE, PUBLIC, result

POLICY, LETTERS = trust_policy_in_force(DAY), letter_policy_in_force(DAY)
ISSUER = Issuer(PUBLIC, "Example Marketplace")
WORDS = "burned my hand \N{SNOWMAN}"
"""Words that nobody may read in public; they have the form of no number and no standard."""

LISTING = DossierListing(
    "K-19", "EU", "S-3", "F-1", "toys_3_plus", "Wooden train", "Acme", 9.5, date(2025, 1, 1), 36, None, None, None,
    None, None, True, "4006381333931", "T-1",
)  # fmt: skip
TEST = LabTest(**{each.name: result()[each.name] for each in fields(LabTest)})
LISTED_TEXTS = [
    each.name for each in fields(DossierListing) if each.name not in ("title", "market") and "str" in str(each.type)
]
TEST_TEXTS = [
    each.name
    for each in fields(LabTest)
    if "str" in str(each.type) and each.name not in ("package", "origin", "result", "status")
]


def code_of(summary: PublicSummary, **changes: Any) -> TrustCode:
    """A row of a code with this summary."""
    row = TrustCode("7777-7777-7777-7777X", "K-19", "EU", "S-3", "N-1", 5, summary.to_json(), "digest",
                    "2026-06-11T08:00:00.000000+00:00", summary.valid_until.isoformat(), None, None, 1)  # fmt: skip
    return replace(row, **changes)


FALLS = (Fall(), Fall(DAY), Fall(None, Recall(DAY, "choking hazard")))


def everything_public(row: TrustCode) -> str:
    """All that anybody may read of a code, in every state and language, but for the hazard of a recall."""
    said = []
    for fall in FALLS:
        answer = trust_answer(row, fall, SHOP_NOW, POLICY)
        said.append(str(credential(answer, ISSUER, POLICY)))
        if answer.shows_test:
            said.append(str(conformity_credential(answer, ISSUER, POLICY)))
        for language in trust_languages():
            words = trust_words(language)
            said += [str(trust_view(answer, words, "a@b.example")), badge(answer, words)]
    return "\n".join(said)


@given(st.sampled_from([*LISTED_TEXTS, *TEST_TEXTS]))
def test_no_words_of_anybody_pass(name: str) -> None:
    """Neither of the listing nor of the report, wherever they stand."""
    changed: dict[str, Any] = {name: WORDS}
    listing = replace(LISTING, **changed) if name in LISTED_TEXTS else LISTING
    test = replace(TEST, **changed) if name in TEST_TEXTS else TEST
    said = everything_public(code_of(public_summary(listing, test, POLICY, LETTERS)))
    assert "burned" not in said
    assert "SNOWMAN" not in said


def test_the_keys_are_exactly_the_list() -> None:
    """Of the record, of the signed copy and of the page."""
    summary = public_summary(LISTING, TEST, POLICY, LETTERS)
    assert SUMMARY_FIELDS == (
        "product", "market", "gtin", "package", "standard", "sample", "sampled_on", "reported_on", "laboratory",
        "accreditation", "report", "valid_until",
    )  # fmt: skip
    answer = trust_answer(code_of(summary), Fall(), SHOP_NOW, POLICY)
    assert set(claims(answer)) == set(CLAIMS) - {"changed_on"}
    assert set(CLAIMS) == {"code", "state", "checked_at", "changed_on", *SUMMARY_FIELDS}
    withdrawn = claims(trust_answer(code_of(summary), Fall(DAY), SHOP_NOW, POLICY))
    assert set(withdrawn) == {"code", "state", "product", "market", "gtin", "checked_at", "changed_on"}
    labels = [fact.label for fact in trust_view(answer, trust_words("en"), "a@b.example").facts]
    assert labels == ["Product", "Sold in", "Tested", "Sample", "Report", "Laboratory", "Valid"]


@pytest.mark.parametrize("fall", FALLS[1:])
def test_a_test_that_does_not_count_any_more_is_not_shown(fall: Fall) -> None:
    """Neither on the page nor in the copy: no package, laboratory or report."""
    answer = trust_answer(code_of(public_summary(LISTING, TEST, POLICY, LETTERS)), fall, SHOP_NOW, POLICY)
    said = f"{trust_view(answer, trust_words('en'), 'a@b.example')}{claims(answer)}{badge(answer, trust_words('en'))}"
    assert not any(word in said for word in (PACKAGE, "26-4471", "Sample Laboratory", "assed", "ailed"))


def test_the_credential_of_the_un_has_what_its_schema_requires() -> None:
    """Version 0.6; and none says that a product does not conform, whatever ended its summary."""
    row = code_of(public_summary(LISTING, TEST, POLICY, LETTERS))
    made = conformity_credential(trust_answer(row, Fall(), SHOP_NOW, POLICY), ISSUER, POLICY)
    assert set(made) >= {"@context", "id", "issuer", "validFrom", "validUntil", "credentialSubject"}
    assert made["type"] == ["DigitalConformityCredential", "VerifiableCredential"]
    assert set(made["issuer"]) == {"type", "id", "name"}
    subject = made["credentialSubject"]
    assert (subject["assessorLevel"], subject["assessmentLevel"], subject["attestationType"]) == (
        "3rdParty", "Accredited", "testing",
    )  # fmt: skip
    assert set(subject["issuedToParty"]) == {"id", "name"}
    (assessment,) = subject["assessment"]
    assert set(assessment) >= {"id", "conformityTopic", "conformance"}
    assert assessment["assessedProduct"][0]["product"] == {
        "id": "https://id.gs1.org/01/04006381333931", "name": "Wooden train", "registeredId": "04006381333931",
    }  # fmt: skip
    for fall in FALLS[1:]:
        with pytest.raises(UserError, match="There is no conformity credential"):
            conformity_credential(trust_answer(row, fall, SHOP_NOW, POLICY), ISSUER, POLICY)


@given(st.text(), st.text())
def test_a_title_is_one_line_of_text_that_turns_nothing(before: str, after: str) -> None:
    """As the listing gives it, without marks of direction, and escaped where it is shown."""
    title = f"{before}\u202e<b>x</b>\u2066{after}"
    summary = public_summary(replace(LISTING, title=title), TEST, POLICY, LETTERS)
    assert summary.product is not None
    assert not set(summary.product) & set("\u202e\u2066\n\r\x00")
    (product, *_) = trust_view(trust_answer(code_of(summary), Fall(), SHOP_NOW, POLICY), trust_words("en"), "x").facts
    assert "<b>" not in product.value
    assert read_summary(summary.to_json()) == summary


@pytest.mark.parametrize(("given", "expected"), [
    ("4006381333931", "04006381333931"), ("4006381333932", None), ("96385074", "00000096385074"), ("hello", None),
    ("", None), (None, None), ("\u0664\u0660", None),
])  # fmt: skip
def test_a_gtin_counts_where_its_check_digit_does(given: str | None, expected: str | None) -> None:
    assert checked_gtin(given) == expected


def test_every_language_says_the_same_things() -> None:
    """The same keys, the same placeholders."""
    from serving.letters.words import placeholders

    first, *others = (trust_words(each).templates for each in trust_languages())
    for other in others:
        assert {key: placeholders(words) for key, words in other.items()} == {
            key: placeholders(words) for key, words in first.items() if key != "lead.mistyped"
        } | {"lead.mistyped": placeholders(other["lead.mistyped"])}
