"""The tables of the state, as the newest migration leaves them."""

import sqlalchemy as sa

METADATA = sa.MetaData()

LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("recorded_at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False, index=True),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("model_version", sa.Text),
    sa.Column("feature_version", sa.Text),
    sa.Column("policy_version", sa.Text),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
)

# Moments are ISO 8601 in UTC, days are ISO 8601; both sort as text.
DECISIONS = sa.Table(
    "decisions",
    METADATA,
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
    sa.Column("state", sa.Text, nullable=False, index=True),
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
    sa.Column("shown", sa.Text),
    sa.Column("ledger_row", sa.BigInteger, nullable=False, index=True),
    sa.Column("ended_at", sa.Text),
    sa.Column("replaces", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("binds", sa.Text, nullable=False),
    sa.Index("ix_decisions_sku", "sku_id", "market"),
    sa.Index("ix_decisions_supplier", "supplier_id", "state"),
)

# The rows that an officer had before them: grounds and notices, which the decision answers.
DECISION_FACTS = sa.Table(
    "decision_facts",
    METADATA,
    sa.Column("decision_id", sa.Text, sa.ForeignKey("decisions.decision_id"), primary_key=True),
    sa.Column("row_id", sa.Text, primary_key=True, index=True),
)

APPEALS = sa.Table(
    "appeals",
    METADATA,
    sa.Column("appeal_id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, sa.ForeignKey("decisions.decision_id"), nullable=False, index=True),
    sa.Column("filed_at", sa.Text, nullable=False),
    sa.Column("filed_by", sa.Text, nullable=False),
    sa.Column("grounds", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("reviewed_at", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("filer_key", sa.Text),
)

ASSIGNMENTS = sa.Table(
    "assignments",
    METADATA,
    sa.Column("sku_id", sa.Text, primary_key=True),
    sa.Column("market", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    sa.Column("assigned_by", sa.Text, nullable=False),
    sa.Column("assigned_at", sa.Text, nullable=False),
)

ESTIMATES = sa.Table(
    "estimates",
    METADATA,
    sa.Column("sku_id", sa.Text, primary_key=True),
    sa.Column("market", sa.Text, primary_key=True),
    sa.Column("as_of", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("officer", sa.Text, nullable=False),
    sa.Column("estimate", sa.Float, nullable=False),
    sa.Column("draw_probability", sa.Float, nullable=False),
    sa.Column("given_at", sa.Text, nullable=False),
)

QUOTE_VERDICTS = sa.Table(
    "quote_verdicts",
    METADATA,
    sa.Column("verdict_id", sa.Text, primary_key=True),
    sa.Column("review_id", sa.Text, nullable=False, index=True),
    sa.Column("sku_id", sa.Text, nullable=False),
    sa.Column("market", sa.Text, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("language", sa.Text),
    sa.Column("hazard", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Text, nullable=False),
)

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.Text),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("lab_id", sa.Text),
    sa.Column("expires_on", sa.Text),
    sa.Column("last_used_at", sa.Text),
)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False, index=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("began_at", sa.Text, nullable=False, index=True),
    sa.Column("ended_at", sa.Text),
)

SIGN_INS = sa.Table(
    "sign_ins",
    METADATA,
    sa.Column("sign_in_id", sa.Text, primary_key=True),
    sa.Column("tried_at", sa.Text, nullable=False, index=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
)

RESULTS = sa.Table(
    "results",
    METADATA,
    sa.Column("test_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hand_in", sa.Text, nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("received_at", sa.Text, nullable=False),
    sa.Column("received_from", sa.Text, nullable=False),
    sa.Column("filed_at", sa.Text, index=True),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("round_id", sa.Text, index=True),
    sa.Index("ix_results_sku", "sku_id", "market"),
    sa.Index("ix_results_received_at", "received_at"),
)

# Rows of contract tables that the service took in; the highest revision of a key counts.
HANDED_IN_ROWS = sa.Table(
    "handed_in_rows",
    METADATA,
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

WEBHOOK_DELIVERIES = sa.Table(
    "webhook_deliveries",
    METADATA,
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("ledger_row", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Index("ix_webhook_deliveries_due", "state", "due_at"),
    sa.UniqueConstraint("endpoint", "ledger_row", name="uq_webhook_deliveries_row"),
)

RESCORINGS = sa.Table(
    "rescorings",
    METADATA,
    sa.Column("rescoring_id", sa.Text, primary_key=True),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("heard_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
    sa.Column("message", sa.Text),
)

LETTERS = sa.Table(
    "letters",
    METADATA,
    sa.Column("letter_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("drafted_at", sa.Text, nullable=False),
    sa.Column("checked_at", sa.Text),
    sa.Column("checked_by", sa.Text),
    sa.Column("checked_digest", sa.Text),
    sa.Column("sent_at", sa.Text),
    sa.Column("sent_by", sa.Text),
    sa.Column("sent_row", sa.BigInteger),
    sa.Column("delivered_at", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("html", sa.Text),
    sa.Column("text", sa.Text),
    sa.UniqueConstraint("kind", "about", name="uq_letters_kind_about"),
    sa.Index("ix_letters_state", "state", "sent_row"),
    sa.Index("ix_letters_about", "about"),
)

IDEMPOTENT_REQUESTS = sa.Table(
    "idempotent_requests",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False, index=True),
    sa.Column("effect", sa.Text),
    sa.Column("status", sa.Integer),
    sa.Column("media_type", sa.Text),
    sa.Column("body", sa.LargeBinary),
)

# The seed that the next round opens; at most one waits.
SEALED_SEEDS = sa.Table(
    "sealed_seeds",
    METADATA,
    sa.Column("seal", sa.Text, primary_key=True),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
)

# Codes of public test summaries; `ledger_row` is the row of the last change, `why` is for officers alone.
TRUST_CODES = sa.Table(
    "trust_codes",
    METADATA,
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
    sa.Index("ix_trust_codes_sku", "sku_id", "market"),
    sa.Index("ix_trust_codes_supplier", "supplier_id"),
)
