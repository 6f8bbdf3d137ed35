"""Whose key each is, where somebody has several in different names."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; keys from before are each of the person they are named after."""
    op.add_column("api_keys", sa.Column("person", sa.Text))
    op.execute("UPDATE api_keys SET person = name")
    with op.batch_alter_table("api_keys") as keys:
        keys.alter_column("person", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    """Remove the column; who made which key for whom stays in the ledger."""
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("person")
