"""Rows of contract tables that the service takes in."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "handed_in_rows",
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("row_key", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hand_in", sa.Text, nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("received_from", sa.Text, nullable=False),
        sa.Column("filed_at", sa.Text, index=True),
        sa.Column("supplier_id", sa.Text),
        sa.Column("sku_id", sa.Text),
        sa.Index("ix_handed_in_rows_sku", "table_name", "sku_id"),
        sa.Index("ix_handed_in_rows_supplier", "table_name", "supplier_id"),
        sa.Index("ix_handed_in_rows_received", "table_name", "received_at"),
    )


def downgrade() -> None:
    """Refuse where rows are known from here alone."""
    if op.get_bind().execute(sa.text("SELECT COUNT(*) FROM handed_in_rows")).scalar():
        raise NotImplementedError("Rows that were handed in would be lost. Restore the database from a backup instead.")
    op.drop_table("handed_in_rows")
