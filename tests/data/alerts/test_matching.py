"""Laws and examples of the matching of alerts with SKUs."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from data.alerts.matching import HOW, MATCH_SCHEMA, MATCHES, alert_matches, match_alerts, matching_version
from data.alerts.policy import alert_policies
from data.alerts.stored_matches import keep_alert_matches, matches_file, store_alert_matches
from data.contract import ALERTS, SKUS
from data.contract_schema import Table
from data.errors import UserError
from data.lake.tables import Tables, schema_of, tables_from_frames

Row = dict[str, Any]
DAY = date(2026, 1, 10)
WORDS = ("plush", "snow", "rabbit", "lamp", "lava", "retro", "XL", "20W")
BRANDS = ("Hopsy", "HOPSY GmbH", "The Lumo Company", "Duran Duran", "unbranded", None)
GTINS = ("4006381333931", "036000291452", "0036000291452", "0000000000000", None)
MODELS = ("HR-2040", "hr2040, B-77", "A1", None)

TITLES = st.lists(st.sampled_from([*WORDS, "Hopsy", "Duran"]), max_size=6).map(" ".join)
SKU_ROWS = st.lists(
    st.fixed_dictionaries({
        "title": TITLES, "brand": st.sampled_from(BRANDS), "gtin": st.sampled_from(GTINS),
        "model": st.sampled_from(MODELS), "market": st.sampled_from(["EU", "US"]),
    }),
    max_size=8,
)  # fmt: skip
ALERT_ROWS = st.lists(
    st.fixed_dictionaries({
        "title": TITLES, "brand": st.sampled_from(BRANDS), "gtin": st.sampled_from(GTINS),
        "model": st.sampled_from(MODELS), "market": st.sampled_from(["EU", None]),
        "sku_id": st.sampled_from(["k0", "gone", None]), "days": st.integers(0, 3),
    }),
    max_size=6,
)  # fmt: skip


def skus(*rows: Row) -> list[Row]:
    """SKUs k0, k1 and so on in the EU."""
    own = {"market": "EU", "supplier_id": "s0", "category": "toy", "listed_on": DAY}
    return [{"sku_id": f"k{number}", **own, **row} for number, row in enumerate(rows)]


def alerts(*rows: Row) -> list[Row]:
    """Alerts a0, a1 and so on, known `days` after DAY."""
    return [
        {"alert_id": f"a{number}", "happened_on": DAY, "register": "EU Safety Gate", **row,
         "known_on": DAY + timedelta(row.get("days", 0))}
        for number, row in enumerate(rows)
    ]  # fmt: skip


class World:
    """Tables of SKUs and alerts that are refilled; the matching is compiled once."""

    def __init__(self) -> None:
        self.backend = ibis.duckdb.connect(threads=1)
        given_tables = {
            table.name: self.backend.create_table(table.name, schema=schema_of(table)) for table in (SKUS, ALERTS)
        }
        self.tables = Tables(self.backend, given_tables, "small")
        expression = match_alerts(self.tables)
        self.backend.to_pyarrow(expression)
        self.sql = str(self.backend.compile(expression))
        self.memory = expression  # the rows in memory last as long as their expression

    def matches(self, sku_rows: list[Row], alert_rows: list[Row]) -> dict[tuple[str, str, str], Row]:
        """The matches by alert, SKU and market."""
        for table, rows in ((SKUS, sku_rows), (ALERTS, alert_rows)):
            self.backend.insert(table.name, arrow(table, rows), overwrite=True)
        found = self.backend.raw_sql(self.sql).to_arrow_table().to_pylist()
        keyed = {(row["alert_id"], row["sku_id"], row["market"]): row for row in found}
        assert len(keyed) == len(found)
        return keyed

    def ways(self, sku_rows: list[Row], alert_rows: list[Row]) -> dict[tuple[str, str], str]:
        """How each SKU is matched by each alert."""
        return {(alert, sku): row["how"] for (alert, sku, _), row in self.matches(sku_rows, alert_rows).items()}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(SKU_ROWS, SKU_ROWS, ALERT_ROWS, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_other_skus_change_a_match(
    world: World, sold: list[Row], others: list[Row], told: list[Row], random: Any
) -> None:
    sku_rows, alert_rows = skus(*sold), alerts(*told)
    alone = world.matches(sku_rows, alert_rows)
    added = [{**row, "sku_id": f"other{row['sku_id']}"} for row in skus(*others)]
    together = [*sku_rows, *added]
    random.shuffle(together)
    random.shuffle(alert_rows)
    found = world.matches(together, alert_rows)
    assert {key: row for key, row in found.items() if not key[1].startswith("other")} == alone


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(SKU_ROWS, ALERT_ROWS)
def test_alerts_known_later_change_no_match_of_those_before(world: World, sold: list[Row], told: list[Row]) -> None:
    sku_rows, alert_rows = skus(*sold), alerts(*told)
    until = [row for row in alert_rows if row["known_on"] <= DAY + timedelta(1)]
    early = {row["alert_id"] for row in until}
    everything = world.matches(sku_rows, alert_rows)
    assert world.matches(sku_rows, until) == {key: row for key, row in everything.items() if key[0] in early}


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(SKU_ROWS, ALERT_ROWS)
def test_a_copied_gtin_matches_in_the_alerts_market_and_every_match_says_what_is_shared(
    world: World, sold: list[Row], told: list[Row]
) -> None:
    copy = {**skus({"gtin": "4006381333931", "title": "x"})[0], "sku_id": "copy"}
    copied = [{**row, "gtin": "4006381333931"} for row in told]
    found = world.matches([*skus(*sold), copy], alerts(*copied))
    assert {alert for alert, sku, _ in found if sku == "copy"} == {
        f"a{number}" for number, row in enumerate(copied) if row["market"] in ("EU", None)
    }
    for (alert, _, market), row in found.items():
        assert told[int(alert[1:])]["market"] in (market, None)
        assert row["how"] in HOW
        assert 0 <= row["shared_words"] <= row["alert_words"]
        assert 0 < row["similarity"] <= 1


def test_a_number_names_the_product_whatever_its_spelling(world: World) -> None:
    sold = skus(
        {"gtin": "0 36000-29145 2"}, {"brand": "HOPSY", "model": "hr2040"}, {"title": "Hopsy rabbit HR/2040 white"},
        {"brand": "Lumo", "model": "HR-2040"}, {"brand": "Hopsy", "model": "A1"}, {"gtin": "0000000000000"},
    )  # fmt: skip
    told = alerts(
        {"gtin": "4006381333931, 0036000291452", "brand": "Hopsy Ltd."},
        {"model": "HR 2040; A1", "brand": "The Hopsy GmbH"}, {"gtin": "0000000000000"}, {"sku_id": "k3"},
    )  # fmt: skip
    assert world.ways(sold, told) == {
        ("a0", "k0"): "gtin", ("a1", "k1"): "model", ("a1", "k2"): "model", ("a3", "k3"): "sku_id",
    }  # fmt: skip


def test_a_title_of_the_same_brand_needs_most_of_the_words(world: World) -> None:
    told = alerts({"title": "Hopsy plush snow rabbit XL", "brand": "Hopsy"})
    sold = skus(
        {"title": "\uff33\uff4e\u00f6w RABBIT, xl: plush toy", "brand": "HOPSY GmbH"},
        {"title": "Hopsy snow rabbit XL"}, {"title": "Hopsy rabbit", "brand": "Hopsy"},
        {"title": "Plush snow rabbit XL", "brand": "Lumo"},
        {"title": "plush snow rabbit XL"},
    )  # fmt: skip
    found = world.matches(sold, told)
    assert {sku: (row["how"], row["shared_words"], row["alert_words"]) for (_, sku, _), row in found.items()} == {
        "k0": ("brand_and_title", 4, 4), "k1": ("brand_and_title", 3, 4),
    }  # fmt: skip


def test_a_title_without_a_brand_needs_nearly_all_of_the_words(world: World) -> None:
    told = alerts({"title": "Lava lamp retro 20W", "brand": "Unknown"}, {"title": "Lava lamp"})
    sold = skus({"title": "Retro lava lamp, 20W, blue", "brand": "Lumo"}, {"title": "Retro lava lamp 40W"})
    assert world.ways(sold, told) == {("a0", "k0"): "title"}


def test_a_brand_in_the_title_of_the_alert_is_its_brand(world: World) -> None:
    """The firm that recalls is not always the brand."""
    told = alerts({"title": "Duran Duran lava lamp retro", "brand": "Harbour Imports Inc."})
    assert world.ways(skus({"title": "Lava lamp retro", "brand": "Duran Duran"}), told) == {
        ("a0", "k0"): "brand_and_title"
    }


def test_words_that_many_alerts_have_weigh_less(world: World) -> None:
    common = [{"title": f"plush rabbit w{number}", "brand": "Hopsy"} for number in range(30)]
    told = alerts(*common, {"title": "plush rabbit Zanzibar", "brand": "Hopsy"})
    sold = skus({"title": "plush rabbit", "brand": "Hopsy"}, {"title": "rabbit Zanzibar", "brand": "Hopsy"})
    assert [sku for alert, sku in world.ways(sold, told) if alert == "a30"] == ["k1"]


def arrow(table: Table, rows: list[Row]) -> pa.Table:
    """The rows as a contract table."""
    known = [{name: row.get(name) for name in schema_of(table)} for row in rows]
    return pa.Table.from_pylist(known, schema=schema_of(table).to_pyarrow())


def test_matches_are_stored_once_for_a_lake_and_read_again(tmp_path: Path) -> None:
    same = {"gtin": "4006381333931"}
    frames = {"skus": arrow(SKUS, skus(same)), "alerts": arrow(ALERTS, alerts(same))}
    tables = tables_from_frames(frames)
    stored = store_alert_matches(tables, tmp_path)
    path = matches_file("in-memory", tmp_path)
    written = path.stat().st_mtime_ns
    assert store_alert_matches(tables, tmp_path)[MATCHES].count().to_pyarrow().as_py() == 1
    assert path.stat().st_mtime_ns == written
    for one in (stored, keep_alert_matches(tables), tables):
        rows = alert_matches(one).to_pyarrow()
        assert set(rows.column_names) == set(MATCH_SCHEMA)
        assert rows["how"].to_pylist() == ["gtin"]
    without = tables_from_frames({"skus": frames["skus"]})
    assert store_alert_matches(without, tmp_path) is without
    assert keep_alert_matches(without) is without


def test_the_version_of_the_matching_stays_and_policies_hold_from_their_day(tmp_path: Path) -> None:
    assert matching_version() == matching_version()
    assert matching_version().startswith("m-")
    [(first, _), *_] = alert_policies()
    assert first == date(1900, 1, 1)
    with pytest.raises(UserError, match="There is no alerts policy"):
        next(alert_policies(tmp_path))
