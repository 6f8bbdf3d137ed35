"""Documents by type: who can confirm which, how they are named, and what was said of them."""

import tomllib
from dataclasses import replace
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DOCUMENT_KINDS
from data.errors import UserError
from data.policy import POLICY_FOLDER, validate
from data.synthetic.vocabulary import categories
from serving.decisions.document_policy import DocumentPolicy, KindName, KindTables, document_policy_in_force
from serving.dossiers.records import Certificate

POLICY = document_policy_in_force(date(2026, 7, 1))
TABLES = tomllib.loads((POLICY_FOLDER / "documents" / "2026-01-01.toml").read_text("utf-8"))
DOCUMENT = Certificate("C-1", "S-1", date(2026, 5, 3), date(2026, 6, 17), "denied", "K-1", "EN 71 report", None, None)
KINDS = st.sampled_from([None, *DOCUMENT_KINDS, "something else"])
SCHEMES = st.sampled_from([None, "unheard of", *(each.scheme for each in POLICY.documents)])
STATUSES = st.sampled_from(["claimed", "confirmed", "out_of_scope", "denied", "withdrawn", "expired"])


def test_the_kinds_are_those_of_the_contract() -> None:
    assert set(get_args(KindName)) == set(KindTables.model_fields) == set(DOCUMENT_KINDS)


def test_every_document_of_the_sample_marketplace_is_of_the_policys_kind() -> None:
    known = {each.scheme: each.kind for each in POLICY.documents}
    assert all(known[each.scheme] == each.kind for category in categories() for each in category.documents)


@given(KINDS, SCHEMES, STATUSES, st.text())
def test_a_refutation_is_said_only_of_what_others_can_confirm(
    kind: str | None, scheme: str | None, status: str, issuer: str
) -> None:
    """And every such sentence names the document and is one."""
    document = replace(DOCUMENT, kind=kind, scheme=scheme, status=status, issuer=issuer, number="N-{1}")
    sentence = POLICY.refutation(document)
    of_kind = POLICY.kind_of(document)
    assert (sentence is not None) == (
        status in ("denied", "withdrawn") and of_kind is not None and of_kind.confirmed_by not in ("maker", "nobody")
    )
    assert sentence is None or ("N-{1}" in sentence and sentence.endswith(".") and "2026" in sentence)


@pytest.mark.parametrize(("changes", "sentence"), [
    ({}, "The laboratory told us on 17 June 2026 that it did not issue the EN 71 test report C-1."),
    ({"status": "withdrawn", "issuer": "SGS-B", "number": "TR-9"},
     "The laboratory SGS-B withdrew the EN 71 test report TR-9 on 3 May 2026."),
    ({"scheme": "CPNP", "issuer": "CPNP", "number": "REG-1"},
     "The register CPNP answered on 17 June 2026 that it has no entry for the CPNP notification REG-1."),
    ({"scheme": "CE PPE", "issuer": "NB 1", "status": "withdrawn"},
     "The notified body NB 1 withdrew the EU-type examination certificate under the PPE Regulation C-1 on 3 May 2026."),
    ({"scheme": "CPC"}, None),
    ({"scheme": "CE LVD", "kind": "test_report"},
     "The laboratory told us on 17 June 2026 that it did not issue the CE LVD test report C-1."),
])  # fmt: skip
def test_the_sentence_says_who_said_what(changes: dict[str, Any], sentence: str | None) -> None:
    assert POLICY.refutation(replace(DOCUMENT, **changes)) == sentence


def _changed(kind: str, **values: str) -> dict[str, Any]:
    return {**TABLES, "kinds": {**TABLES["kinds"], kind: {**TABLES["kinds"][kind], **values}}}


@pytest.mark.parametrize(("tables", "sentence"), [
    (_changed("test_report", denied=""), "a document confirmed by 'issuer' needs confirmer, denied and withdrawn"),
    (_changed("declaration_of_conformity", denied="No."), "a document confirmed by 'maker' leaves them empty"),
    (_changed("test_report", denied="{lab} denied it."), "may name {confirmer}, {document}, {known}, {happened}"),
    ({**TABLES, "documents": [*TABLES["documents"], TABLES["documents"][0]]}, "documents name CE twice; keep one"),
    ({**TABLES, "required": [{"markets": ["EEA"], "categories": ["toys"], "schemes": ["CE", "GOST"]}]},
     "required names GOST, which documents lack"),
])  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        validate(DocumentPolicy, tables, "policy/documents/test.toml")
    assert sentence in str(refused.value)
