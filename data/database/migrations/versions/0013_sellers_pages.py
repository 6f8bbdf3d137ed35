"""Sellers' pages: links, files, corrective actions, counter-samples."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CASE = ("supplier_id", "sku_id", "market")


def _case_columns() -> list[sa.Column[str]]:
    """Supplier, SKU and market; the last two are absent in what is about a supplier as a whole."""
    return [sa.Column("supplier_id", sa.Text, nullable=False), sa.Column("sku_id", sa.Text),
            sa.Column("market", sa.Text)]  # fmt: skip


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table(
        "seller_links",
        sa.Column("link_id", sa.Text, primary_key=True),
        sa.Column("token_hash", sa.Text, nullable=False, unique=True),
        *_case_columns(),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("expires_on", sa.Text, nullable=False),
        sa.Column("letter_id", sa.Text),
        sa.Column("revoked_at", sa.Text),
        sa.Column("revoked_by", sa.Text),
    )
    op.create_index("ix_seller_links_case", "seller_links", _CASE)
    _create_seller_files()
    _create_corrective_actions()
    op.create_table(
        "counter_samples",
        sa.Column("request_id", sa.Text, primary_key=True),
        *_case_columns(),
        sa.Column("link_id", sa.Text, nullable=False),
        sa.Column("test_id", sa.Text, nullable=False, unique=True),
        sa.Column("laboratory", sa.Text, nullable=False),
        sa.Column("wishes", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("answered_at", sa.Text),
        sa.Column("answered_by", sa.Text),
        sa.Column("note", sa.Text),
    )
    op.create_index("ix_counter_samples_case", "counter_samples", _CASE)


def _create_seller_files() -> None:
    op.create_table(
        "seller_files",
        sa.Column("file_id", sa.Text, primary_key=True),
        *_case_columns(),
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
    )
    op.create_index("ix_seller_files_case", "seller_files", _CASE)


def _create_corrective_actions() -> None:
    op.create_table(
        "corrective_actions",
        sa.Column("action_id", sa.Text, primary_key=True),
        *_case_columns(),
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
    )
    op.create_index("ix_corrective_actions_case", "corrective_actions", _CASE)


def downgrade() -> None:
    """Remove the tables; what sellers sent in stays in the ledger by its digest, and the files in the workspace."""
    for name in ("counter_samples", "corrective_actions", "seller_files", "seller_links"):
        op.drop_table(name)
