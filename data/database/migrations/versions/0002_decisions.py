"""Decisions of officers, appeals against them, owners of cases, own estimates, verdicts on quotes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _decisions()
    _appeals()
    _assignments()
    _estimates()
    _quote_verdicts()


def downgrade() -> None:
    """Remove the tables; what was decided stays in the ledger."""
    for table in ("quote_verdicts", "estimates", "assignments", "appeals", "decisions"):
        op.drop_table(table)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text, primary_key=True),
        sa.Column("sku_id", sa.Text, nullable=False),
        sa.Column("market", sa.Text, nullable=False),
        sa.Column("supplier_id", sa.Text),
        sa.Column("disposition", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("fact_kind", sa.Text),
        sa.Column("fact_row", sa.Text),
        sa.Column("fact_sentence", sa.Text),
        sa.Column("package", sa.Text),
        sa.Column("cost_eur", sa.Float),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("proposer_key", sa.Text, nullable=False),
        sa.Column("proposed_at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("settled_by", sa.Text),
        sa.Column("settler_key", sa.Text),
        sa.Column("settled_at", sa.Text),
        sa.Column("settled_note", sa.Text),
        sa.Column("ends_on", sa.Text),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column("p_fail", sa.Float, nullable=False),
        sa.Column("band", sa.Text, nullable=False),
        sa.Column("agreement", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("feature_version", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("form_token", sa.Text, unique=True),
    )
    op.create_index("ix_decisions_sku", "decisions", ["sku_id", "market"])
    op.create_index("ix_decisions_state", "decisions", ["state"])


def _appeals() -> None:
    op.create_table(
        "appeals",
        sa.Column("appeal_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, sa.ForeignKey("decisions.decision_id"), nullable=False),
        sa.Column("filed_at", sa.Text, nullable=False),
        sa.Column("filed_by", sa.Text, nullable=False),
        sa.Column("grounds", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("reviewed_by", sa.Text),
        sa.Column("reviewed_at", sa.Text),
        sa.Column("note", sa.Text),
    )
    op.create_index("ix_appeals_decision_id", "appeals", ["decision_id"])


def _assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("sku_id", sa.Text, primary_key=True),
        sa.Column("market", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("assigned_by", sa.Text, nullable=False),
        sa.Column("assigned_at", sa.Text, nullable=False),
    )
    op.create_index("ix_assignments_owner", "assignments", ["owner"])


def _estimates() -> None:
    op.create_table(
        "estimates",
        sa.Column("sku_id", sa.Text, primary_key=True),
        sa.Column("market", sa.Text, primary_key=True),
        sa.Column("as_of", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("estimate", sa.Float, nullable=False),
        sa.Column("draw_probability", sa.Float, nullable=False),
        sa.Column("given_at", sa.Text, nullable=False),
    )


def _quote_verdicts() -> None:
    op.create_table(
        "quote_verdicts",
        sa.Column("verdict_id", sa.Text, primary_key=True),
        sa.Column("review_id", sa.Text, nullable=False),
        sa.Column("sku_id", sa.Text, nullable=False),
        sa.Column("market", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("hazard", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
    )
    op.create_index("ix_quote_verdicts_review_id", "quote_verdicts", ["review_id"])
