"""Codes of public test summaries."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "trust_codes",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("sku_id", sa.Text, nullable=False),
        sa.Column("market", sa.Text, nullable=False),
        sa.Column("supplier_id", sa.Text),
        sa.Column("test_id", sa.Text, nullable=False),
        sa.Column("status_index", sa.BigInteger, nullable=False, unique=True),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("product_digest", sa.Text, nullable=False),
        sa.Column("issued_at", sa.Text, nullable=False),
        sa.Column("expires_on", sa.Text, nullable=False),
        sa.Column("withdrawn_at", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("ledger_row", sa.BigInteger, nullable=False, index=True),
    )
    op.create_index("ix_trust_codes_sku", "trust_codes", ["sku_id", "market"])
    op.create_index("ix_trust_codes_supplier", "trust_codes", ["supplier_id"])


def downgrade() -> None:
    """Refuse where a code was issued: it is printed on packages, and would be unknown."""
    if op.get_bind().execute(sa.text("SELECT COUNT(*) FROM trust_codes")).scalar():
        raise NotImplementedError("Codes that were issued would be unknown to those who scan them. Keep the table.")
    op.drop_table("trust_codes")
