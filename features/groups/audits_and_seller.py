"""Features of factory audits and of the supplier itself: findings weighted by gravity, age, kind."""

from typing import TYPE_CHECKING, Final

from features.definition import (
    Entity,
    EntitySource,
    EventSource,
    Feature,
    count,
    days_since_last,
    left_join_missing,
    share,
    total,
    within,
)
from features.fitted_tables import FittedTables
from features.wording import yes_or_no

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

SELLER_GROUP: Final = "supplier history"


def _supplier_facts(days: "ir.Table", tables: "Tables", _: FittedTables) -> "ir.Table":
    # Country and size stay behind: they are no features.
    return left_join_missing(days, tables["suppliers"].select("supplier_id", "onboarded_on", "kind"), ("supplier_id",))


SUPPLIER = EntitySource("the supplier", ("suppliers",), _supplier_facts)

SELLER_FEATURES: tuple[Feature, ...] = (
    Feature(
        name="supplier_age_days",
        meaning="days since the supplier joined the marketplace",
        unit="days", group=SELLER_GROUP, entity="supplier", direction=0,
        sentence="This supplier joined {value} ago.", missing="The day this supplier joined is not known.",
        source=SUPPLIER, value=lambda seen, _: seen.as_of.delta(seen.onboarded_on, unit="day"),
    ),
    Feature(
        name="supplier_is_trader",
        meaning="whether the supplier trades goods that others make",
        unit="yes/no", group=SELLER_GROUP, entity="supplier", direction=0,
        sentence=yes_or_no("This supplier is no trader.", "This supplier trades goods that others make."),
        comparison="Most suppliers of {category} [do|do not].",
        missing="Whether this supplier makes its goods is not known.",
        source=SUPPLIER, value=lambda seen, _: (seen.kind == "trader").cast("int64"),
    ),
)  # fmt: skip


GROUP: Final = "audits"
# Points per finding, as audit firms grade: 100 - 20 critical - 5 major - 1 minor.
CRITICAL, MAJOR, MINOR = 20, 5, 1
WHERE: dict[Entity, str] = {"supplier": "at this supplier", "factory": "in this factory"}


def graded_audits(tables: "Tables") -> "ir.Table":
    """Audits with `points` (weighted findings) and `surprise` (the visit was not announced)."""
    audits = tables["audits"]
    points = (
        audits.critical.fill_null(0) * CRITICAL + audits.major.fill_null(0) * MAJOR + audits.minor.fill_null(0) * MINOR
    )
    return audits.select(
        "supplier_id", "factory_id", "happened_on", "known_on", "audit_id",
        points=points, critical=audits.critical.fill_null(0), surprise=~audits.announced,
    )  # fmt: skip


OF_SUPPLIER = EventSource("audits of the supplier", ("audits",), ("supplier_id",), graded_audits)
OF_FACTORY = EventSource("audits of the factory", ("audits",), ("factory_id",), graded_audits)
AUDITS_OF: dict[Entity, EventSource] = {"supplier": OF_SUPPLIER, "factory": OF_FACTORY}


def _is_audit(seen: "ir.Table") -> "ir.BooleanValue":
    return seen.audit_id.notnull()


def _mean_points(entity: Entity, window_days: int) -> Feature:
    def points(seen: "ir.Table", _: FittedTables) -> "ir.Value":
        recent = _is_audit(seen) & within(seen, window_days)
        return share(total(seen.points, recent), count(recent))

    return Feature(
        name=f"{entity}_audit_points_{window_days}",
        meaning=f"findings per audit {WHERE[entity]} in the last {window_days} days "
        "(critical 20 points, major 5, minor 1)",
        unit="points", group=GROUP, entity=entity, direction=1,
        sentence=f"Audits {WHERE[entity]} in the last {window_days} days found {{value}} each, on average "
        "(critical 20, major 5, minor 1).",
        missing=f"No audit {WHERE[entity]} is known from the last {window_days} days.",
        source=AUDITS_OF[entity], value=points,
    )  # fmt: skip


def _critical(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_audit_critical_365",
        meaning=f"critical findings of audits {WHERE[entity]} in the last year",
        unit="count", group=GROUP, entity=entity, direction=1,
        sentence=f"{{value}} critical finding[s] [was|were] made by audits {WHERE[entity]} in the last year.",
        missing=f"Audits {WHERE[entity]} cannot be looked up.",
        source=AUDITS_OF[entity], value=lambda seen, _: total(seen.critical, within(seen, 365)),
    )  # fmt: skip


def _days_since_audit(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_days_since_audit",
        meaning=f"days since the last audit {WHERE[entity]}",
        unit="days", group=GROUP, entity=entity, direction=0,
        sentence=f"The last audit {WHERE[entity]} was {{value}} ago.",
        missing=f"No audit {WHERE[entity]} is known.",
        source=AUDITS_OF[entity], value=lambda seen, _: days_since_last(seen, _is_audit(seen)),
    )  # fmt: skip


def _surprise_share(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    recent = within(seen, 730) & seen.surprise.notnull()
    return share(count(recent & seen.surprise), count(recent))


def _surprise_points(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    return share(total(seen.points, seen.surprise), count(seen.surprise))


FEATURES: tuple[Feature, ...] = (
    _mean_points("supplier", 365),
    _mean_points("supplier", 90),
    _critical("supplier"),
    _days_since_audit("supplier"),
    Feature(
        name="supplier_surprise_audit_share",
        meaning="share of this supplier's audits in the last two years that were not announced",
        unit="share", group=GROUP, entity="supplier", direction=0,
        sentence="{value} of this supplier's audits in the last two years were not announced.",
        missing="No audit of this supplier is known from the last two years.",
        source=OF_SUPPLIER, value=_surprise_share,
    ),
    Feature(
        name="supplier_surprise_audit_points",
        meaning="findings per unannounced audit of this supplier (critical 20 points, major 5, minor 1)",
        unit="points", group=GROUP, entity="supplier", direction=1,
        sentence="Unannounced audits of this supplier found {value} each, on average (critical 20, major 5, minor 1).",
        missing="No unannounced audit of this supplier is known.",
        source=OF_SUPPLIER, value=_surprise_points,
    ),
    _mean_points("factory", 365),
    _critical("factory"),
    _days_since_audit("factory"),
)  # fmt: skip
