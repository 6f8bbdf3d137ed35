"""A listing that no table holds has the features that it would have in the table, whatever it says of itself."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from features.groups.new_listing import LISTED, ListingReader, NewListing
from features.registry import CATALOGUE
from tests.features.small_world import AS_OF, REFERENCE, SmallWorld

# Letters that this Python's Unicode does not know yet (Cn) are letters to DuckDB; all others are alike.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs", "Cn")), max_size=12)
DAYS = st.integers(-300, 400).map(lambda days: AS_OF - timedelta(days))
KINDS = {"text": TEXT, "integer": st.integers(0, 240), "number": st.floats(-1, 1e6), "truth": st.booleans()}
PLAIN = {column.name: st.sampled_from(column.choices) if column.choices else KINDS[column.kind]
         for column in BY_NAME["skus"].columns if column.kind in KINDS}  # fmt: skip
STATED = {
    **PLAIN, "market": st.sampled_from(["EU", "US"]), "supplier_id": st.just("s0"), "listed_on": DAYS,
    "category": st.sampled_from(["toys", "lamps"]),
    "title": TEXT | st.lists(st.sampled_from(["Red", "car", "CAR,", "-", "lamp"])).map(" ".join),
}  # fmt: skip
REQUIRED = ("market", "supplier_id", "category", "listed_on")
LISTINGS = st.fixed_dictionaries({
    field.name: STATED[field.name] if field.name in REQUIRED else st.none() | STATED[field.name]
    for field in fields(NewListing) if field.name in STATED
})  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(listings=st.lists(LISTINGS, min_size=1, max_size=20))
def test_the_value_for_a_new_listing_is_that_of_the_table(world: SmallWorld, listings: list[dict[str, Any]]) -> None:
    """Every feature that a listing determines, missing where it is missing in the table."""
    rows = [{"sku_id": f"k{number}", **listing} for number, listing in enumerate(listings)]
    table = world.features({"skus": rows}, [(row["sku_id"], row["market"], AS_OF) for row in rows])
    reader = ListingReader(REFERENCE)
    for number, listing in enumerate(listings):
        for name, value in reader.features(NewListing(**listing), AS_OF).items():
            np.testing.assert_allclose(value, table[name].iloc[number], rtol=1e-15, err_msg=f"{name} of {listing}")


def test_every_feature_of_the_listing_group_is_read_from_new_listings() -> None:
    """None of them is left to a table that does not hold the listing."""
    assert {feature.name for feature in LISTED} == {feature.name for feature in CATALOGUE if feature.group == "listing"}
