"""The tables of sellers' pages, as the newest migration leaves them."""

import sqlalchemy as sa

from data.database.schema import METADATA

# Links to sellers' pages: the digest of each secret; SKU and market are None in what is about a supplier as a whole.
SELLER_LINKS = sa.Table(
    "seller_links",
    METADATA,
    sa.Column("link_id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("expires_on", sa.Text, nullable=False),
    sa.Column("letter_id", sa.Text),
    sa.Column("revoked_at", sa.Text),
    sa.Column("revoked_by", sa.Text),
    sa.Index("ix_seller_links_case", "supplier_id", "sku_id", "market"),
)

SELLER_FILES = sa.Table(
    "seller_files",
    METADATA,
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("link_id", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("standard", sa.Text),
    sa.Column("expires_on", sa.Text),
    sa.Column("scan", sa.Text, nullable=False),
    sa.Column("uploaded_at", sa.Text, nullable=False),
    sa.Index("ix_seller_files_case", "supplier_id", "sku_id", "market"),
)

CORRECTIVE_ACTIONS = sa.Table(
    "corrective_actions",
    METADATA,
    sa.Column("action_id", sa.Text, primary_key=True),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("link_id", sa.Text, nullable=False),
    sa.Column("form_token", sa.Text, nullable=False, unique=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("correction", sa.Text, nullable=False),
    sa.Column("stock", sa.Text, nullable=False),
    sa.Column("due_on", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("opened_at", sa.Text, nullable=False),
    sa.Column("answered_at", sa.Text),
    sa.Column("answered_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("evidence_at", sa.Text),
    sa.Column("test_id", sa.Text),
    sa.Column("test_result", sa.Text),
    sa.Column("verified_on", sa.Text),
    sa.Column("closed_at", sa.Text),
    sa.Column("closed_by", sa.Text),
    sa.Index("ix_corrective_actions_case", "supplier_id", "sku_id", "market"),
)

COUNTER_SAMPLES = sa.Table(
    "counter_samples",
    METADATA,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("link_id", sa.Text, nullable=False),
    sa.Column("test_id", sa.Text, nullable=False, unique=True),
    sa.Column("laboratory", sa.Text, nullable=False),
    sa.Column("wishes", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("answered_at", sa.Text),
    sa.Column("answered_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Index("ix_counter_samples_case", "supplier_id", "sku_id", "market"),
)
