"""What officers had before them when they decided, and which key took an appeal in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (("decisions", "shown"), ("appeals", "filer_key"))


def upgrade() -> None:
    """Add the columns; earlier rows know neither."""
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.Text))


def downgrade() -> None:
    """Remove the columns; what was shown stays in the ledger."""
    for table, column in COLUMNS:
        op.drop_column(table, column)
