"""Documents of the sample marketplace: by type, of a market of their product, with statuses that make sense."""

from collections.abc import Mapping

import pandas as pd

from data.contract import DOCUMENT_KINDS
from data.synthetic.vocabulary import categories


def _with_listings(large: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    markets = large["skus"].groupby("sku_id").agg(markets=("market", set), category=("category", "first"))
    return large["certificates"].merge(markets, left_on="sku_id", right_index=True)


def test_a_document_is_one_of_its_products_category_and_markets(large: Mapping[str, pd.DataFrame]) -> None:
    declared = {(c.name, d.scheme): d for c in categories() for d in c.documents}
    for _, row in _with_listings(large).iterrows():
        document = declared[row.category, row.scheme]
        assert (row.kind, row.standard) == (document.kind, document.standard)
        assert row.markets & set(document.markets)


def test_every_kind_occurs_and_has_number_and_holder(large: Mapping[str, pd.DataFrame]) -> None:
    certificates = large["certificates"]
    assert set(certificates.kind) == set(DOCUMENT_KINDS)
    assert certificates[["number", "holder", "standard", "scheme"]].notna().all(axis=None)
    assert certificates.groupby("certificate_id").number.nunique().eq(1).all()
    assert certificates.drop_duplicates("certificate_id").number.is_unique


def test_nobody_but_its_maker_stands_for_a_declaration(large: Mapping[str, pd.DataFrame]) -> None:
    """It has no issuer; it is claimed and expires, and is neither confirmed nor denied."""
    certificates = large["certificates"]
    declared = certificates.kind == "declaration_of_conformity"
    assert (certificates.issuer.isna() == declared).all()
    assert set(certificates[declared].status) == {"claimed", "expired"}
    assert set(certificates[~declared].status) == {
        "claimed", "confirmed", "out_of_scope", "denied", "withdrawn", "expired",
    }  # fmt: skip


def test_a_register_keeps_registrations_and_a_laboratory_reports(large: Mapping[str, pd.DataFrame]) -> None:
    certificates = large["certificates"]
    issuers = {str(kind): set(rows.issuer.dropna()) for kind, rows in certificates.groupby("kind")}
    assert issuers["registration"] == {"CPNP", "SCPN", "FDA", "Health Canada", "AICIS", "FCC", "ISED"}
    assert not issuers["registration"] & issuers["test_report"]


def test_some_forged_documents_name_another_holder(large: Mapping[str, pd.DataFrame]) -> None:
    """Of a denied one it is so more often than of a confirmed one."""
    rows = large["certificates"]
    usual = rows.groupby("supplier_id").holder.agg(lambda names: names.mode()[0])
    other = rows.holder != rows.supplier_id.map(usual)
    assert other[rows.status == "denied"].mean() > 2 * other[rows.status == "confirmed"].mean()
