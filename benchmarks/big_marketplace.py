# ruff: noqa: E501, S608 - the SQL is made of this file alone, and reads better in long lines.
"""A large marketplace written straight into a lake: N SKUs and about 10 N events or more, in the lake's own order."""

import shutil
from datetime import date
from pathlib import Path

import duckdb

from data.workspace import Workspace, write_pointer

UNTIL = date(2026, 6, 30)
AS_OF = date(2026, 7, 1)
FINGERPRINT = "l-000000000000"
SKUS_PER_SUPPLIER = 12
ORDINARY = (
    "Arrived on time and looks like the picture.", "My daughter loves it, she plays with it every day.",
    "Good value for the money, would buy again.", "Not bad, a little smaller than I expected.",
    "Alles gut, schnelle Lieferung und sauber verpackt.", "Très bon produit, conforme à la description.",
    "Buen precio, lo recomiendo a todos mis amigos.", "普通です。",
    "质量不错",
    "The colour is nice but the instructions are useless.", "Works as described so far, two weeks in.",
)  # fmt: skip
HAZARDS = (
    "It caught fire on the second day!", "Gave me a rash after an hour.", "Strong chemical smell even after a week.",
    "It fell apart and my son swallowed a piece.", "Sharp edges, he cut himself.", "Stromschlag beim Einstecken!",
    "开始冒烟", "La batterie a fondu.", "se rompió a los dos días",
)  # fmt: skip
WORDS = ("red", "blue", "kids", "toy", "car", "lamp", "charger", "usb", "soft", "wooden", "ring", "necklace", "set",
         "mini", "large", "pro", "garden", "baby", "kitchen", "travel")  # fmt: skip
CATEGORIES = ("toys_3_plus", "toys_under_3", "mains_chargers", "jewellery", "cosmetics", "lamps", "textiles", "tools")

# u(i, s): a number in [0, 1) that depends on i and the salt s alone. days(...) are days before UNTIL.
MACROS = """
CREATE MACRO u(i, s) AS (hash(i, s) % 1000003) / 1000003.0;
CREATE MACRO pick(list, x) AS list[1 + CAST(floor(x * len(list)) AS BIGINT)];
CREATE MACRO sku(i) AS 'K-' || lpad(CAST(i AS VARCHAR), 9, '0');
CREATE MACRO supplier(i) AS 'S-' || lpad(CAST(i AS VARCHAR), 8, '0');
CREATE MACRO market(i) AS pick(['DE', 'FR', 'US'], u(i, 'market'));
CREATE MACRO supplier_of(i, n) AS supplier(CAST(floor(u(i, 'supplier') * greatest(n // 12, 1)) AS BIGINT));
"""


def _repeated(mean: float, salt: str) -> str:
    """Rows (i, k, c): SKU i's k-th of c events; c is geometric with about this mean, most SKUs few, some many."""
    return (
        f"(SELECT i, c, unnest(range(c - 1, -1, -1)) AS k FROM (SELECT range AS i, "
        f"CAST(floor(-{mean + 0.5} * :busy * ln(1 - u(range, '{salt}'))) AS BIGINT) AS c FROM range(:skus)))"
    )


def _day(salt: str, within_days: int) -> str:
    """The day of event k of c: the window cut into c parts, a day in each."""
    return f"DATE '{UNTIL}' - CAST(floor({within_days} * (k + u(i * 1009 + k, '{salt}')) / c) AS INTEGER)"


def _texts(name: str, choices: tuple[str, ...], place: str) -> str:
    listed = ", ".join("'" + choice.replace("'", "''") + "'" for choice in choices)
    return f"pick([{listed}], u({place}, '{name}'))"


QUERIES = {
    "suppliers": f"""SELECT supplier(range) AS supplier_id,
        DATE '{UNTIL}' - CAST(900 + u(range, 'on') * 2000 AS INTEGER) AS onboarded_on, 'CN' AS country,
        pick(['manufacturer', 'trader', 'brand'], u(range, 'kind')) AS kind
        FROM range(greatest(:skus // {SKUS_PER_SUPPLIER}, 1))""",
    "skus": f"""SELECT range::INTEGER AS sku_code, range::INTEGER AS sku_rank, sku(range) AS sku_id, market(range) AS market, supplier_of(range, :skus) AS supplier_id,
        {_texts("category", CATEGORIES, "range")} AS category,
        DATE '{UNTIL}' - CAST(1 + u(range, 'listed') * 900 AS INTEGER) AS listed_on,
        CASE WHEN u(range, 'f') < 0.6 THEN 'F-' || CAST(floor(u(range, 'factory') * (:skus // 40 + 1)) AS BIGINT)
        END AS factory_id,
        {_texts("w1", WORDS, "range")} || ' ' || {_texts("w2", WORDS, "range")} || ' ' || {_texts("w3", WORDS, "range")}
        || ' ' || CAST(floor(u(range, 'no') * 200) AS BIGINT) AS title,
        CASE WHEN u(range, 'b') < 0.5 THEN 'Brand ' || range % 977 END AS brand,
        round(exp(1 + 2.5 * u(range, 'price')), 2) AS price_eur,
        CASE WHEN u(range, 'age') < 0.3 THEN 36 END::BIGINT AS age_grade_months,
        pick(['none', 'button', 'li_ion', 'other'], u(range, 'battery')) AS battery,
        u(range, 'mains') < 0.2 AS mains_powered, u(range, 'radio') < 0.2 AS radio, u(range, 'skin') < 0.4 AS skin_contact,
        u(range, 'food') < 0.1 AS food_contact, u(range, 'rp') < 0.8 AS responsible_person FROM range(:skus)""",
    "orders": f"""SELECT i::INTEGER AS sku_code, sku(i) AS sku_id, market(i) AS market, {_day("order", 540)} AS happened_on,
        CAST(1 + floor(-3 * ln(1 - u(i * 1009 + k, 'units'))) AS BIGINT) AS units, happened_on AS known_on
        FROM {_repeated(7.4, "orders")}""",
    "returns": f"""SELECT i::INTEGER AS sku_code, 'R-' || i || '-' || k AS return_id, sku(i) AS sku_id, market(i) AS market,
        {_day("return", 540)} AS happened_on, happened_on + 2 AS known_on,
        CASE WHEN u(i * 1009 + k, 'many') < 0.1 THEN 2 WHEN u(i * 1009 + k, 'many') < 0.9 THEN 1 END::BIGINT AS units,
        pick(['size_fit', 'not_as_described', 'defective', 'damaged_in_transit', 'safety_concern', 'allergic_reaction',
              'counterfeit_suspected', 'changed_mind', 'other'], u(i * 1009 + k, 'reason')) AS reason
        FROM {_repeated(1.0, "returns")}""",
    "reviews": f"""SELECT i::INTEGER AS sku_code, 'V-' || i || '-' || k AS review_id, sku(i) AS sku_id, market(i) AS market,
        {_day("review", 540)} AS happened_on, happened_on AS known_on,
        CAST(1 + floor(5 * sqrt(u(i * 1009 + k, 'stars'))) AS BIGINT) AS rating,
        {_texts("first", ORDINARY, "i * 1009 + k")} || ' ' || CASE WHEN u(i * 1009 + k, 'hazard') < 0.04
        THEN {_texts("which", HAZARDS, "i * 1009 + k")} ELSE {_texts("second", ORDINARY, "i * 1009 + k")} END AS text,
        'en' AS language, u(i * 1009 + k, 'verified') < 0.8 AS verified
        FROM {_repeated(1.2, "reviews")}""",
    "lab_tests": f"""SELECT i::INTEGER AS sku_code, 'T-' || i || '-' || k AS test_id, sku(i) AS sku_id, market(i) AS market,
        {_day("test", 900)} AS happened_on, happened_on + 12 AS known_on,
        pick(['pass', 'pass', 'pass', 'fail', 'inconclusive'], u(i * 1009 + k, 'result')) AS result,
        pick(['warehouse', 'mystery_shopper', 'supplier_provided'], u(i * 1009 + k, 'origin')) AS origin,
        NULL::VARCHAR AS strategy, NULL::DOUBLE AS propensity, NULL::VARCHAR AS package, NULL::VARCHAR AS lab_id,
        pick(['minor', 'major', 'critical'], u(i * 1009 + k, 'severity')) AS severity, NULL::VARCHAR AS hazard,
        120.0 AS cost_eur FROM (SELECT * FROM {_repeated(1.0, "tests")} WHERE u(i, 'tested') < 0.06)
       """,
    "certificates": f"""SELECT 'C-' || CAST(floor(i / 1.02) AS BIGINT) AS certificate_id,
        supplier_of(i, :skus) AS supplier_id, {_day("certificate", 900)} AS happened_on, happened_on + 3 AS known_on,
        pick(['claimed', 'confirmed', 'out_of_scope', 'denied', 'withdrawn', 'expired'], u(i * 1009 + k, 'st')) AS status,
        sku(i) AS sku_id, 'CE' AS scheme, 'issuer' AS issuer, happened_on + 700 AS expires_on
        FROM (SELECT * FROM {_repeated(1.0, "certificates")} WHERE u(i, 'certified') < 0.2) ORDER BY 2, 3, 1, 5""",
    "audits": f"""SELECT 'A-' || i || '-' || k AS audit_id, supplier_of(i, :skus) AS supplier_id,
        {_day("audit", 900)} AS happened_on, happened_on + 5 AS known_on,
        'F-' || CAST(floor(u(i, 'factory') * (:skus // 40 + 1)) AS BIGINT) AS factory_id, u(i, 'ann') < 0.7 AS announced,
        CAST(u(i * 1009 + k, 'c') * 2 AS BIGINT) AS critical, CAST(u(i * 1009 + k, 'm') * 5 AS BIGINT) AS major,
        CAST(u(i * 1009 + k, 'n') * 9 AS BIGINT) AS minor
        FROM (SELECT * FROM {_repeated(1.0, "audits")} WHERE u(i, 'audited') < 0.04) ORDER BY 2, 3, 1""",
    "holds": f"""SELECT 'H-' || i AS hold_id, {_day("hold", 600)} AS happened_on, happened_on + 1 AS known_on,
        sku(i) AS sku_id, NULL::VARCHAR AS supplier_id, market(i) AS market, 'customs' AS authority, 'recall' AS kind
        FROM (SELECT range AS i, 0 AS k, 1 AS c FROM range(:skus)) WHERE u(i, 'held') < 0.002 ORDER BY 4, 2, 1""",
    "incidents": f"""SELECT i::INTEGER AS sku_code, 'I-' || i AS incident_id, sku(i) AS sku_id, market(i) AS market,
        {_day("incident", 600)} AS happened_on, happened_on + 7 AS known_on, 'fire' AS hazard,
        CAST(floor(u(i, 'injury') * 5) AS BIGINT) AS injury_severity
        FROM (SELECT range AS i, 0 AS k, 1 AS c FROM range(:skus)) WHERE u(i, 'incident') < 0.005 ORDER BY 2, 3, 4, 1""",
    "remediations": f"""SELECT 'M-' || i AS remediation_id, supplier_of(i, :skus) AS supplier_id,
        {_day("remediation", 600)} AS happened_on, happened_on AS known_on, happened_on + 60 AS due_on,
        CASE WHEN u(i, 'done') < 0.6 THEN happened_on + 50 END AS verified_on, u(i, 'effective') < 0.7 AS effective
        FROM (SELECT range AS i, 0 AS k, 1 AS c FROM range(:skus)) WHERE u(i, 'remediation') < 0.004 ORDER BY 2, 3, 1""",
}


def write_big_marketplace(home: Path, skus: int, busy: float = 1.0) -> dict[str, int]:
    """Write the lake of a marketplace with so many SKUs below `home`, as an ingest would; rows per table.

    `busy` multiplies the events of a SKU. The same numbers give the same rows. Nothing is judged: the rows satisfy the
    contract by construction.
    """
    workspace = Workspace(home)
    folder = workspace.lake / FINGERPRINT
    folder.mkdir(parents=True)
    counts = {}
    with duckdb.connect() as database:
        database.execute(f"SET temp_directory = '{home / '.generating'}'; SET memory_limit = '6GB'; {MACROS}")
        for name, query in QUERIES.items():
            rows = query.replace(":skus", str(skus)).replace(":busy", str(busy))
            path = folder / f"{name}.parquet"
            database.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
            counts[name] = database.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]
    write_pointer(workspace.lake / "CURRENT", FINGERPRINT)
    shutil.rmtree(home / ".generating", ignore_errors=True)
    return counts
