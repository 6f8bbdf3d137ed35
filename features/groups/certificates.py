"""Features of certificates of a SKU and of its supplier's range, in the state known on the day."""

from typing import TYPE_CHECKING, Final

from features.definition import EventSource, Feature, count, days_since_last, distinct, share, smoothed, within
from features.fitted_tables import FittedTables
from features.wording import CountWords

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "certificates"
# Where a certificate changes status twice on one day, the graver status counts as the later one.
GRAVITY = {"claimed": 0, "confirmed": 1, "expired": 2, "out_of_scope": 3, "withdrawn": 4, "denied": 5}
REFUTED = ["denied", "out_of_scope", "withdrawn"]
SELF_DECLARED = "declaration_of_conformity"


def statuses(tables: "Tables") -> "ir.Table":
    """Every status of every certificate, with `superseded_on`: the first day a later status of it was known.

    A declaration that its maker signs counts as claimed where it is said to be confirmed: no issuer can confirm it.
    A status is current on a day when known_on < day <= superseded_on (or there is none). Rows known on or after
    the day cannot change that, since they end a status no earlier than their own known_on.
    """
    import ibis

    rows = tables["certificates"]
    own_word = (rows.kind == SELF_DECLARED) & (rows.status == "confirmed")
    given = rows.mutate(status=own_word.ifelse("claimed", rows.status))
    graded = given.mutate(gravity=given.status.cases(*GRAVITY.items(), else_=0))
    later = ibis.window(
        group_by=["supplier_id", "certificate_id"], order_by=["happened_on", "known_on", "gravity"], rows=(1, None)
    )
    return graded.mutate(superseded_on=graded.known_on.min().over(later)).select(
        "supplier_id", "sku_id", "happened_on", "known_on", "status", "expires_on", "superseded_on"
    )


def reused_certificates(tables: "Tables") -> "ir.Table":
    """Pairs of a SKU and another SKU (`other_sku_id`) that names the same certificate, known once both are."""
    import ibis

    listed_certificates = tables["certificates"].filter(lambda row: row.sku_id.notnull())
    first = listed_certificates.group_by("certificate_id", "sku_id").aggregate(
        happened_on=listed_certificates.happened_on.min(), known_on=listed_certificates.known_on.min()
    )
    other = first.select("certificate_id", other_sku_id="sku_id", other_happened_on="happened_on", other_on="known_on")
    pairs = first.inner_join(other, "certificate_id").filter(lambda pair: pair.sku_id != pair.other_sku_id)
    return pairs.select(
        "sku_id", "other_sku_id",
        happened_on=ibis.greatest(pairs.happened_on, pairs.other_happened_on),
        known_on=ibis.greatest(pairs.known_on, pairs.other_on),
    )  # fmt: skip


OF_SKU = EventSource(
    "certificates of the SKU", ("certificates",), ("sku_id",),
    lambda tables: statuses(tables).filter(lambda row: row.sku_id.notnull()).drop("supplier_id"),
)  # fmt: skip
OF_SUPPLIER = EventSource("certificates of the supplier", ("certificates",), ("supplier_id",), statuses)
REUSES = EventSource("SKUs under the same certificate", ("certificates",), ("sku_id",), reused_certificates)


def is_current(seen: "ir.Table") -> "ir.BooleanValue":
    """Whether the status is the newest one known of its certificate."""
    return seen.status.notnull() & (seen.superseded_on.isnull() | (seen.superseded_on >= seen.as_of))


def is_past_expiry(seen: "ir.Table") -> "ir.BooleanValue":
    """Whether the certificate is reported expired or its last day is over."""
    return (seen.status == "expired") | (seen.expires_on < seen.as_of).fill_null(False)


def _has_status(seen: "ir.Table", status: str) -> "ir.BooleanValue":
    return is_current(seen) & (seen.status == status) & ~is_past_expiry(seen)


def _is_refuted(seen: "ir.Table") -> "ir.BooleanValue":
    return is_current(seen) & seen.status.isin(REFUTED)


def _is_expired(seen: "ir.Table") -> "ir.BooleanValue":
    return is_current(seen) & is_past_expiry(seen) & ~seen.status.isin(REFUTED)


def _days_to_expiry(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    days_left = seen.expires_on.delta(seen.as_of, unit="day")
    return days_left.max(where=is_current(seen) & (seen.status == "confirmed"))


def _refuted_rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
    return smoothed(count(_is_refuted(seen)), count(is_current(seen)), reference.prior("refuted_certificate"))


UNKNOWN = "No compliance document is kept for this product."
UNKNOWN_OF_SUPPLIER = "This supplier has submitted no compliance document yet."

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_certificates_confirmed",
        meaning="certificates of this product that their issuer confirmed and that are in force",
        unit="count", group=GROUP, entity="sku", direction=-1,
        sentence="{value} compliance document[s] of this product [is|are] confirmed and in force.",
        missing=UNKNOWN,
        source=OF_SKU, value=lambda seen, _: count(_has_status(seen, "confirmed")),
    ),
    Feature(
        name="sku_certificates_claimed_only",
        meaning="certificates of this product that are claimed and not yet confirmed",
        unit="count", group=GROUP, entity="sku", direction=0,
        sentence="{value} compliance document[s] of this product [is|are] claimed but not confirmed.",
        missing=UNKNOWN,
        source=OF_SKU, value=lambda seen, _: count(_has_status(seen, "claimed")),
    ),
    Feature(
        name="sku_certificates_refuted",
        meaning="certificates of this product that were denied, withdrawn or found to cover something else",
        unit="count", group=GROUP, entity="sku", direction=1,
        sentence="{value} compliance document[s] of this product [was|were] denied, withdrawn or found out of scope.",
        missing=UNKNOWN,
        source=OF_SKU, value=lambda seen, _: count(_is_refuted(seen)),
    ),
    Feature(
        name="sku_certificates_expired",
        meaning="certificates of this product that have expired",
        unit="count", group=GROUP, entity="sku", direction=0, sense=1,
        sentence="{value} compliance document[s] of this product [has|have] expired.", missing=UNKNOWN,
        source=OF_SKU, value=lambda seen, _: count(_is_expired(seen)),
    ),
    Feature(
        name="sku_certificate_days_to_expiry",
        meaning="days until the last confirmed certificate of this product expires, negative once it has",
        unit="days", group=GROUP, entity="sku", direction=0,
        sentence="The longest-lasting confirmed compliance document of this product has {value} left.",
        missing="No confirmed compliance document of this product states its last day.",
        source=OF_SKU, value=_days_to_expiry,
    ),
    Feature(
        name="sku_days_since_certificate_change",
        meaning="days since a certificate of this product last changed its status",
        unit="days", group=GROUP, entity="sku", direction=0,
        sentence="The compliance documents of this product last changed {value} ago.",
        missing="No compliance document of this product is known.",
        source=OF_SKU, value=lambda seen, _: days_since_last(seen, seen.status.notnull()),
    ),
    Feature(
        name="sku_certificate_reuse",
        meaning="other products that name the same certificate",
        unit="count", group=GROUP, entity="sku", direction=0, sense=1, is_internal=True,
        sentence="{value} other product[s] [names|name] the same compliance document.", missing=UNKNOWN,
        source=REUSES, value=lambda seen, _: distinct(seen.other_sku_id, seen.other_sku_id.notnull()),
    ),
    Feature(
        name="supplier_refuted_rate",
        meaning="share of this supplier's certificates denied, withdrawn or covering something else, shrunk",
        unit="share", group=GROUP, entity="supplier", direction=1, about="refuted documents",
        sentence="We estimate that {value} of this supplier's compliance documents do not hold.",
        missing="This supplier's compliance documents cannot be looked up.",
        source=OF_SUPPLIER, value=_refuted_rate,
        counts=CountWords(
            "compliance document[s] of this supplier", "[was|were] denied, withdrawn or found out of scope",
            "This supplier has submitted no compliance document yet.", "refuted_certificate",
        ),
    ),
    Feature(
        name="supplier_confirmed_share",
        meaning="share of this supplier's certificates that are confirmed and in force",
        unit="share", group=GROUP, entity="supplier", direction=0, sense=-1,
        sentence="{value} of this supplier's compliance documents are confirmed and in force.",
        missing=UNKNOWN_OF_SUPPLIER,
        source=OF_SUPPLIER, value=lambda seen, _: share(count(_has_status(seen, "confirmed")), count(is_current(seen))),
    ),
    Feature(
        name="supplier_claimed_share",
        meaning="share of this supplier's certificates that are claimed and not yet confirmed",
        unit="share", group=GROUP, entity="supplier", direction=0,
        sentence="{value} of this supplier's compliance documents are claimed but not confirmed.",
        missing=UNKNOWN_OF_SUPPLIER,
        source=OF_SUPPLIER, value=lambda seen, _: share(count(_has_status(seen, "claimed")), count(is_current(seen))),
    ),
    Feature(
        name="supplier_expired_share",
        meaning="share of this supplier's certificates that have expired",
        unit="share", group=GROUP, entity="supplier", direction=0, sense=1,
        sentence="{value} of this supplier's compliance documents have expired.", missing=UNKNOWN_OF_SUPPLIER,
        source=OF_SUPPLIER, value=lambda seen, _: share(count(_is_expired(seen)), count(is_current(seen))),
    ),
    Feature(
        name="supplier_certificates_refuted_365",
        meaning="certificates of this supplier denied, withdrawn or found to cover something else in the last year",
        unit="count", group=GROUP, entity="supplier", direction=1, about="refuted documents",
        sentence="{value} compliance document[s] of this supplier [was|were] denied, withdrawn or found out of scope "
        "in the last year.",
        missing="This supplier's compliance documents cannot be looked up.",
        source=OF_SUPPLIER, value=lambda seen, _: count(_is_refuted(seen) & within(seen, 365)),
    ),
)  # fmt: skip
