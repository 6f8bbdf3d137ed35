"""The input contract, version 1: every table and column a marketplace may hand over, declared once.

Validation, empty tables, the table list of `data/README.md` and the sample marketplace all derive from it.
"""

from dataclasses import replace

from data.contract_schema import Column, ForeignKey, Table

VERSION = 1


def _id(name: str, meaning: str) -> Column:
    return Column(name, "text", meaning, required=True)


def _free(name: str, meaning: str, longest: int = 2_000) -> Column:
    return Column(name, "text", meaning, longest=longest, free=True)


def _choice(name: str, meaning: str, *choices: str, required: bool = False) -> Column:
    return Column(name, "text", meaning, required, choices)


TEST_ID = _id("test_id", "the test")
SUPPLIER_ID = _id("supplier_id", "the supplier")
SKU_ID = _id("sku_id", "the product")
MARKET = _id("market", "where it is sold; with sku_id the key of a score")
HAPPENED_ON = Column("happened_on", "day", "the day it happened", required=True)
KNOWN_ON = Column("known_on", "day", "the first day the marketplace could know it; where absent, happened_on")
OF_SUPPLIER = ForeignKey(("supplier_id",), "suppliers")
OF_SKU = ForeignKey(("sku_id", "market"), "skus")

DOCUMENT_KINDS = (
    "declaration_of_conformity", "eu_type_examination", "test_report", "registration", "safety_report",
    "voluntary_mark",
)  # fmt: skip


SUPPLIERS = Table(
    "suppliers", "Who sells. Country and size are kept for the fairness report and are no features.",
    (
        SUPPLIER_ID,
        Column("onboarded_on", "day", "the day the supplier joined", required=True),
        Column("country", "text", "ISO 3166 code of its seat"),
        _choice("kind", "what the supplier is", "manufacturer", "trader", "brand"),
    ),
    key=("supplier_id",), required=True,
)  # fmt: skip

SKUS = Table(
    "skus", "What is sold: one row per SKU and market.",
    (
        SKU_ID, replace(MARKET, grouping=True), SUPPLIER_ID,
        replace(_id("category", "the product category, in the marketplace's own words"), grouping=True),
        Column("listed_on", "day", "the day the listing went live", required=True),
        Column("factory_id", "text", "the factory that makes it"),
        _free("title", "the listing's title"),
        _free("brand", "the brand"),
        Column("price_eur", "number", "the price in euros", minimum=0),
        Column("age_grade_months", "integer", "the youngest age it is for, in months", minimum=0, maximum=1200),
        _choice("battery", "which battery it holds", "none", "button", "li_ion", "other"),
        Column("mains_powered", "truth", "whether it plugs into the mains"),
        Column("radio", "truth", "whether it sends radio waves"),
        Column("skin_contact", "truth", "whether it touches skin in use"),
        Column("food_contact", "truth", "whether it touches food in use"),
        Column("responsible_person", "truth", "whether a responsible person for the market is named"),
        Column("gtin", "text", "its GTIN, EAN or UPC"),
        Column("model", "text", "its model number"),
    ),
    key=("sku_id", "market"), required=True, references=(OF_SUPPLIER,),
)  # fmt: skip

CANCELLED, ENTERED_IN_ERROR = "cancelled", "entered_in_error"
NO_RESULT = (CANCELLED, ENTERED_IN_ERROR)
"""Statuses of a report that is no result: none could be had, or the report was withdrawn."""

LAB_TESTS = Table(
    "lab_tests", "Laboratory tests, one row per version of a report; the newest counts. Independent samples become "
    "labels; supplier-provided ones are golden samples.",
    (
        TEST_ID, SKU_ID, MARKET,
        Column("happened_on", "day", "the day the sample was drawn", required=True),
        Column("known_on", "day", "the day the report was issued", required=True),
        _choice("result", "what the laboratory found", "pass", "fail", "inconclusive", required=True),
        _choice("origin", "where the sample came from", "mystery_shopper", "warehouse", "customs", "complaint",
                "supplier_provided", required=True),
        _choice("strategy", "why it was tested", "random", "model", "rule", "mandatory", "follow_up"),
        Column("propensity", "number", "the probability with which it was chosen for testing", maximum=1, above=0),
        Column("package", "text", "which test package"),
        Column("lab_id", "text", "the laboratory"),
        _choice("severity", "of a failure", "minor", "major", "critical"),
        Column("hazard", "text", "what a failure endangers"),
        Column("cost_eur", "number", "what the test cost in euros", minimum=0),
        Column("version", "integer", "the version of the report, known from its `known_on` on; where absent, 1",
               minimum=1, maximum=10_000, default=1),
        # The statuses of an observation in HL7 FHIR R5 (hl7.org/fhir/valueset-observation-status.html).
        _choice("status", "of this version: cancelled where no result could be had (give the result inconclusive), "
                "entered_in_error where the report is withdrawn; where absent, final or, of a later version, amended",
                "final", "amended", "corrected", *NO_RESULT),
        Column("report_number", "text", "the number on the report"),
        Column("report_digest", "text", "SHA-256 of the report's file, in hex"),
        Column("accreditation", "text", "the laboratory's accreditation (ISO/IEC 17025), as its body numbers it"),
        Column("standard", "text", "the standard that it was tested by"),
        Column("clause", "text", "the clause of the standard that was tested, of a failure the one not met"),
    ),
    key=("test_id", "version"), required=True, references=(OF_SKU,),
)  # fmt: skip

QUESTIONS = ("asked", "unanswered")
"""Statuses of a certificate that say what became of a question to its issuer, and nothing of the document."""

CERTIFICATES = Table(
    "certificates",
    "Documents of conformity and marks, one row per change of status; claimed is not verified. asked and unanswered "
    "are of a question to the issuer and change no status.",
    (
        _id("certificate_id", "the document"), SUPPLIER_ID, HAPPENED_ON, KNOWN_ON,
        _choice("status", "its status from this day on", "claimed", "confirmed", "out_of_scope", "denied",
                "withdrawn", "expired", *QUESTIONS, required=True),
        Column("sku_id", "text", "the product it covers; where absent, the supplier's whole range"),
        Column("scheme", "text", "the scheme, such as CPC or RED"),
        _free("issuer", "who issued it; absent where its maker signed it"),
        Column("expires_on", "day", "its last day", open_ended=True),
        _choice("kind", "the kind of document; where absent, the one that policy/documents names for its scheme",
                *DOCUMENT_KINDS),
        Column("number", "text", "the number on the document"),
        _free("holder", "whom the document names as its holder, in its own words"),
        _free("standard", "the standard or law that it states conformity with"),
    ),
    key=("certificate_id", "happened_on", "status"), references=(OF_SUPPLIER, ForeignKey(("sku_id",), "skus")),
)  # fmt: skip

AUDITS = Table(
    "audits", "Factory audits with their counts of findings.",
    (
        _id("audit_id", "the audit"), SUPPLIER_ID, HAPPENED_ON, KNOWN_ON,
        Column("factory_id", "text", "the factory audited"),
        Column("announced", "truth", "whether the visit was announced"),
        Column("critical", "integer", "critical findings", minimum=0),
        Column("major", "integer", "major findings", minimum=0),
        Column("minor", "integer", "minor findings", minimum=0),
    ),
    key=("audit_id",), references=(OF_SUPPLIER,),
)  # fmt: skip

RETURNS = Table(
    "returns", "Goods sent back or refunded.",
    (
        _id("return_id", "the return"), SKU_ID, MARKET, HAPPENED_ON, KNOWN_ON,
        Column("units", "integer", "units returned; where absent, one", minimum=1),
        _choice("reason", "the buyer's reason", "size_fit", "not_as_described", "defective", "damaged_in_transit",
                "safety_concern", "allergic_reaction", "counterfeit_suspected", "changed_mind", "other"),
    ),
    key=("return_id",), references=(OF_SKU,),
)  # fmt: skip

REVIEWS = Table(
    "reviews", "What buyers wrote.",
    (
        _id("review_id", "the review"), SKU_ID, MARKET, HAPPENED_ON, KNOWN_ON,
        Column("rating", "integer", "stars", minimum=1, maximum=5),
        _free("text", "the words", longest=100_000),
        Column("language", "text", "ISO 639 code of the words"),
        Column("verified", "truth", "whether the purchase is verified"),
    ),
    key=("review_id",), references=(OF_SKU,),
)  # fmt: skip

ORDERS = Table(
    "orders", "Units sold per SKU, market and day.",
    (
        SKU_ID, MARKET, Column("happened_on", "day", "the day of sale", required=True),
        Column("units", "integer", "units sold", required=True, minimum=0),
    ),
    key=("sku_id", "market", "happened_on"), references=(OF_SKU,),
)  # fmt: skip

HOLDS = Table(
    "holds", "Goods or suppliers held by an authority.",
    (
        _id("hold_id", "the hold"), HAPPENED_ON, KNOWN_ON,
        Column("sku_id", "text", "the product held"),
        Column("supplier_id", "text", "the supplier held"),
        Column("market", "text", "where"),
        Column("authority", "text", "by whom"),
        Column("kind", "text", "which kind of hold"),
    ),
    key=("hold_id",), references=(OF_SUPPLIER, ForeignKey(("sku_id",), "skus")), one_of=("sku_id", "supplier_id"),
)  # fmt: skip

INCIDENTS = Table(
    "incidents", "Harm or near misses reported by consumers, hospitals or authorities.",
    (
        _id("incident_id", "the incident"), SKU_ID, MARKET, HAPPENED_ON, KNOWN_ON,
        Column("hazard", "text", "what endangered"),
        Column("injury_severity", "integer", "0 none, 1 minor, 2 medical, 3 hospital, 4 fatal", minimum=0, maximum=4),
    ),
    key=("incident_id",), references=(OF_SKU,),
)  # fmt: skip

REMEDIATIONS = Table(
    "remediations", "Corrective actions a supplier owes.",
    (
        _id("remediation_id", "the corrective action"), SUPPLIER_ID,
        Column("happened_on", "day", "the day it was opened", required=True), KNOWN_ON,
        Column("due_on", "day", "the day it is due", open_ended=True),
        Column("verified_on", "day", "the day it was verified; not known before that day"),
        Column("effective", "truth", "whether it worked; not known before verified_on"),
    ),
    key=("remediation_id",), references=(OF_SUPPLIER,),
)  # fmt: skip

ALERTS = Table(
    "alerts",
    "Recalls and registers of failures, such as EU Safety Gate, RASFF or CPSC. Evidence about SKUs that they match by "
    "number, brand or title; never labels. They may be about goods that are not sold here.",
    (
        _id("alert_id", "the alert"),
        Column("happened_on", "day", "the day it was published", required=True), KNOWN_ON,
        _id("register", "the register that published it, such as EU Safety Gate"),
        Column("title", "text", "the product's name, in the register's words"),
        Column("brand", "text", "its brand, or the firm that recalls it"),
        Column("gtin", "text", "its GTINs, EANs or UPCs, separated by commas"),
        Column("model", "text", "its model numbers, separated by commas"),
        Column("category", "text", "the product category, in the register's words"),
        Column("hazard", "text", "what it endangers"),
        Column("risk_level", "text", "how serious the register calls it"),
        Column("measure", "text", "what was done about it, such as a recall"),
        Column("country_of_origin", "text", "where it was made, in the register's words"),
        Column("url", "text", "the address of the published alert"),
        Column("market", "text", "the market where it holds; where absent, anywhere"),
        Column("sku_id", "text", "the product, where the marketplace itself found it; it may be unknown"),
    ),
    key=("alert_id",), one_of=("title", "gtin", "model", "sku_id"),
)  # fmt: skip

ANYWHERE = "*"
"""The market of an attribute that holds in every one."""

ATTRIBUTES = Table(
    "attributes",
    "Numbers and classes over time that the marketplace knows of SKUs, suppliers, factories, categories or markets: "
    "weather, line speed, complaints, risk class. They are read as the workspace declares.",
    (
        Column("entity", "text", "what it is about", required=True,
               choices=("sku", "supplier", "factory", "category", "market")),
        _id("id", "which one: its sku_id, supplier_id, factory_id, category or market"),
        Column("market", "text", "the market where it holds; where absent, *, which is every market", default=ANYWHERE),
        _id("name", "what is told, such as line_speed"),
        Column("value", "text", "the number, yes or no, or class; absent where it is not known any more"),
        Column("happened_on", "day", "the day it is of", required=True), KNOWN_ON,
    ),
    key=("entity", "id", "market", "name", "happened_on"),
)  # fmt: skip

EXPOSURES = Table(
    "exposures",
    "How often SKUs were shown to shoppers, for evidence on what recommendation does; no feature reads it.",
    (
        SKU_ID, MARKET,
        Column("happened_on", "day", "the day, or the last of the days that are summed here", required=True), KNOWN_ON,
        Column("surface", "text", "where it was shown, such as search or recommendation; where absent, *, which is "
               "everywhere together", default=ANYWHERE),
        Column("views", "integer", "how often it was shown", required=True, minimum=0),
        Column("promoted", "integer", "how many of these views were promoted; where absent, not known", minimum=0),
    ),
    key=("sku_id", "market", "happened_on", "surface"), references=(OF_SKU,),
)  # fmt: skip

TABLES: tuple[Table, ...] = (
    SUPPLIERS, SKUS, LAB_TESTS, CERTIFICATES, AUDITS, RETURNS, REVIEWS, ORDERS, HOLDS, INCIDENTS, REMEDIATIONS, ALERTS,
    ATTRIBUTES, EXPOSURES,
)  # fmt: skip
BY_NAME = {table.name: table for table in TABLES}
