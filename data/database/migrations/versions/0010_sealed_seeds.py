"""The sealed seed of the next round, so that all machines draw with the same one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; at most one seed waits."""
    op.create_table(
        "sealed_seeds",
        sa.Column("seal", sa.Text, primary_key=True),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Remove the table; a seal that was published stays in the ledger."""
    op.drop_table("sealed_seeds")
