"""Laboratory tests as each entity sees them: independent ones decide, supplier-provided ones are only compared."""

from typing import TYPE_CHECKING

from data.lake.surrogate_keys import named, same_sku
from features.feature import KEYS, Entity
from features.prepared import shared
from features.source import Events
from features.titles import title_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


@shared
def listed(tables: "Tables") -> "ir.Table":
    """The SKUs with the keys of every entity they belong to."""
    skus = tables["skus"]
    return skus.select("sku_id", "market", "supplier_id", "factory_id", "category", title_key=title_key(skus.title))


def clear_tests(tables: "Tables") -> "ir.Table":
    """Tests with a clear result: `independent` and `given` (supplier-provided) tests, `failed`, `severity`.

    Why, by whom and with which package a test was ordered stays behind: that would tell the officer's suspicion.
    """
    tests = tables["lab_tests"].filter(lambda test: test.result.isin(["pass", "fail"]))
    given = tests.origin == "supplier_provided"
    return tests.select(
        *named(tests), "happened_on", "known_on", "severity",
        given=given, independent=~given, failed=tests.result == "fail",
    )  # fmt: skip


@shared
def decided_tests(tables: "Tables") -> "ir.Table":
    """The same with the keys of every entity that the SKU belongs to."""
    facts, listing = clear_tests(tables), listed(tables)
    on = same_sku(facts, listing)
    told = [column for column in listing.columns if column in on or column not in facts.columns]
    return facts.inner_join(listing if len(told) == len(listing.columns) else listing.select(*told), list(on))


def _tests_of(entity: Entity) -> Events:
    return Events(f"tests of the {entity}", ("lab_tests",), KEYS[entity], decided_tests)


TESTS_OF: dict[Entity, Events] = {entity: _tests_of(entity) for entity in KEYS}
