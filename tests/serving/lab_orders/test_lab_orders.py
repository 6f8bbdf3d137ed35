"""A laboratory's order file says what to test and nothing of what we expect; filled in, it comes back as results."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import SCHEMA, accepted_results
from data.settings import Settings
from data.workspace import Workspace
from sampling.plan_files import planned_tests
from sampling.rounds import round_status
from serving.console.context import AppContext
from serving.lab_orders.files import ORDER_COLUMNS, RESULT_COLUMNS, order_file
from serving.lab_orders.orders import LabOrder, OrderSources, lab_order_policy_in_force, lab_orders, open_orders
from serving.letters.store import count_letters
from serving.online.hot_reload import HotReloader
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW, context_of, csrf_of, shop_home, signed_into
from touchstone import main

__all__ = ["shop_home"]
POLICY = lab_order_policy_in_force(DAY)
SECRET = ("p_fail", "band", "reason", "score", "strategy", "propensity", "probability", "round")
ORDERED = ("K-2", "EU")
"""A SKU whose test an officer orders."""


@pytest.fixture
def planned(shop_home: Path, tmp_path: Path) -> Iterator[AppContext]:
    """A marketplace of its own with one round drawn and one test ordered by an officer."""
    home = tmp_path / "planned"
    shutil.copytree(shop_home, home)
    engine = open_database(f"sqlite:///{Workspace(home).database}")
    context = replace(context_of(home, engine), now=lambda: SHOP_NOW, settings=Settings(Workspace(home), None),
                      reloader=HotReloader(Workspace(home)))  # fmt: skip
    scheduler = signed_into(context, "scheduler")
    sent = {"csrf": csrf_of(scheduler, "/ui/"), "sku": "/".join(reversed(ORDERED)), "code": "never_tested",
            "explanation": "Sold a lot and never tested.", "form_token": "t-lab"}  # fmt: skip
    assert "1 of 1 tests ordered" in scheduler.post("/ui/queue/ordered", data=sent).text
    form = {"csrf": csrf_of(scheduler, "/ui/plan"), "budget_eur": "5000"}
    assert scheduler.post("/ui/plan", data=form).status_code == 303
    yield context
    engine.dispose()


class FixedTime(datetime):
    """The clock of the command line in these tests."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "FixedTime":
        """The day of the marketplace."""
        return cls.combine(SHOP_NOW.date(), SHOP_NOW.time(), tz)


def orders_of(context: AppContext) -> list[LabOrder]:
    """All orders of the workspace."""
    return lab_orders(OrderSources(context.settings.workspace, context.engine, context.store))


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def filled(rows: list[dict[str, str]], **values: str) -> bytes:
    """The file with the same result in every row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, (*ORDER_COLUMNS, *RESULT_COLUMNS))
    writer.writeheader()
    writer.writerows({**row, "happened_on": "2026-06-11", "known_on": "2026-06-11", **values} for row in rows)
    return out.getvalue().encode("utf-8-sig")


def handed_in(client: TestClient, content: bytes) -> BeautifulSoup:
    """The preview of a returned file."""
    sent = client.post("/ui/results", data={"csrf": csrf_of(client, "/ui/results")}, files={"file": ("r.csv", content)})
    return BeautifulSoup(sent.text, "html.parser")


def accepted(client: TestClient, preview: BeautifulSoup) -> str:
    """Accept what the preview shows."""
    fields = {str(each["name"]): str(each["value"]) for each in preview.select("main form input[type=hidden]")}
    return str(client.post("/ui/results/accept", data=fields).text)


def keys_to_test(planned: AppContext) -> list[tuple[str, str]]:
    """The SKU and market of every planned test, twice where a full test confirms its screen."""
    rows = planned_tests(planned.settings.workspace).to_pylist()
    confirmed = [row for row in rows if row["confirmed"] and row["confirming_package"]]
    assert confirmed
    return [(row["sku_id"], row["market"]) for row in [*rows, *confirmed]]


def test_every_open_test_is_in_the_file_of_one_laboratory(planned: AppContext) -> None:
    by_lab = open_orders(orders_of(planned), DAY)
    expected = keys_to_test(planned)
    listed = [tuple(each.key) for tests in by_lab.values() for each in tests]
    assert sorted(listed) == sorted([*expected, ORDERED])


def test_a_file_says_nothing_that_would_unblind_the_laboratory(planned: AppContext) -> None:
    """No column of the score or of the cause, ids that are digests, rows in their order."""
    client = signed_into(planned, "scheduler")
    for lab in open_orders(orders_of(planned), DAY):
        text = client.get("/ui/lab-order.csv", params={"lab": lab}).text
        rows = rows_of(text)
        assert tuple(rows[0]) == (*ORDER_COLUMNS, *RESULT_COLUMNS)
        assert not [name for name in rows[0] if any(word in name for word in SECRET)]
        assert [row["order_id"] for row in rows] == sorted(row["order_id"] for row in rows)
        for number in (f"{each['p_fail']:.2f}" for each in planned.store.candidates().to_pylist()):
            assert number not in text


def test_the_same_file_with_results_is_previewed_then_accepted_once(planned: AppContext) -> None:
    """Planned tests keep their round, an ordered one has none; a second hand-in finds nothing open."""
    client, workspace = signed_into(planned, "scheduler"), planned.settings.workspace
    rows = [row for lab in open_orders(orders_of(planned), DAY)
            for row in rows_of(client.get("/ui/lab-order.csv", params={"lab": lab}).text)]  # fmt: skip
    preview = handed_in(client, filled(rows, result="Pass"))
    assert f"{len(rows)} of {len(rows)} results will be accepted" in preview.text
    assert len(accepted_results(workspace)) == 0
    assert f"{len(rows)} results accepted" in accepted(client, preview)
    assert count_letters(planned.engine) == {"draft": len(rows)}
    stored = accepted_results(workspace).to_pylist()
    assert len(stored) == len(rows)
    [ordered] = [row for row in stored if row["round_id"] is None]
    assert (ordered["sku_id"], ordered["market"], ordered["strategy"]) == (*ORDERED, "follow_up")
    [round_id] = {row["round_id"] for row in stored if row is not ordered}
    status = round_status(workspace, round_id)
    assert status.received == status.planned == len(planned_tests(workspace))
    assert len(rows) - 1 == len(keys_to_test(planned))
    assert open_orders(orders_of(planned), DAY) == {}
    again = handed_in(client, filled(rows, result="fail", severity="critical"))
    assert f"0 of {len(rows)} results will be accepted" in again.text
    assert "has its result already" in again.text


@pytest.mark.parametrize("origin", ["warehouse", "supplier_provided"])
def test_a_suppliers_own_sample_answers_no_order(planned: AppContext, origin: str) -> None:
    """Neither a planned test nor one that an officer ordered."""
    orders = orders_of(planned)
    results = [
        dict.fromkeys(SCHEMA.names) | {
            "test_id": f"N-{number}", "sku_id": each.key.sku_id, "market": each.key.market, "happened_on": DAY,
            "known_on": DAY, "result": "pass", "origin": origin, "package": each.package_name,
            "round_id": each.round_id,
        }
        for number, each in enumerate(orders)
    ]  # fmt: skip
    workspace = planned.settings.workspace
    store_results(planned.engine, workspace, results, Sender("Lab", "k-lab", SHOP_NOW))
    file_results(planned.engine, workspace, SHOP_NOW)
    assert {each.answered for each in orders_of(planned)} == {origin == "warehouse"}


def test_a_screen_that_failed_needs_no_confirming_test(planned: AppContext) -> None:
    """Its price holds the full test of what it finds; one that passed waits for the full test."""
    rows = planned_tests(planned.settings.workspace).to_pylist()
    row = next(row for row in rows if row["confirmed"] and row["confirming_package"])
    result = dict.fromkeys(SCHEMA.names) | {
        "test_id": "N-1", "sku_id": row["sku_id"], "market": row["market"], "happened_on": DAY, "known_on": DAY,
        "origin": "warehouse", "round_id": row["round_id"], "version": 1,
    }  # fmt: skip

    def answered() -> dict[str, bool]:
        own = [each for each in orders_of(planned) if tuple(each.key) == (row["sku_id"], row["market"])]
        return {each.package_name: each.answered for each in own if each.round_id}

    screen, full = row["package"], row["confirming_package"]
    assert answered() == {screen: False, full: False}
    for version, (result_of_screen, confirmed) in enumerate([("pass", False), ("fail", True)], start=1):
        amended = result | {"package": screen, "result": result_of_screen, "version": version}
        store_results(planned.engine, planned.settings.workspace, [amended], Sender("Lab", "k-lab", SHOP_NOW))
        file_results(planned.engine, planned.settings.workspace, SHOP_NOW)
        assert answered() == {screen: True, full: confirmed}


def test_an_officers_test_answers_no_planned_one(planned: AppContext) -> None:
    """A result for an officer's order leaves every test of the round open, even one of the same SKU."""
    client = signed_into(planned, "scheduler")
    ordered = next(each for each in orders_of(planned) if each.round_id is None)
    rows = rows_of(order_file([ordered], POLICY))
    accepted(client, handed_in(client, filled(rows, result="pass")))
    waiting = [each for each in orders_of(planned) if not each.answered]
    assert len(waiting) == len(keys_to_test(planned))
    assert all(each.round_id for each in waiting)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"order_id": "o-nothing"}, "there is no open order 'o-nothing'"),
        ({"sku_id": "K-other"}, "sku_id differ from those of order"),
        ({"result": "burnt"}, "result is not one of pass, fail, inconclusive"),
        ({"known_on": "11.06.2026"}, "known_on is not a day"),
        ({"known_on": "2026-07-30"}, "known_on is in the future"),
        ({"severity": "terrible"}, "severity is not one of"),
    ],
)
def test_a_row_that_is_wrong_is_refused_in_words_and_costs_the_others_nothing(
    planned: AppContext, changed: dict[str, str], why: str
) -> None:
    client = signed_into(planned, "scheduler")
    rows = rows_of(order_file([each for each in orders_of(planned) if each.round_id], POLICY))
    rows = [{**row, "result": "pass", "happened_on": "2026-06-11", "known_on": "2026-06-11"} for row in rows]
    rows[0] |= changed
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    preview = handed_in(client, out.getvalue().encode())
    assert f"{len(rows) - 1} of {len(rows)} results will be accepted" in preview.text
    assert why in " ".join(preview.text.split())
    assert f"{len(rows) - 1} results accepted" in accepted(client, preview)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "No file was sent, or it is empty."),
        (b"sku_id,result\nK-1,pass\n", "The file has no column `order_id`."),
        (b"order_id,result\no-1,pass\n", "The file lacks the columns"),
        ("order_id,result\no-1,p\xe4ss\n".encode("latin-1"), "The file is not UTF-8 text."),
        (b'order_id,result\n"o-1,pass\n', "The file is not CSV"),
        ((",".join((*ORDER_COLUMNS, *RESULT_COLUMNS)) + "\n").encode(), "No row of the file has a result."),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(planned: AppContext, content: bytes, why: str) -> None:
    assert why in handed_in(signed_into(planned, "scheduler"), content).text


def test_semicolons_of_a_spreadsheet_are_read_too(planned: AppContext) -> None:
    client = signed_into(planned, "scheduler")
    rows = rows_of(order_file(orders_of(planned)[:1], POLICY))
    content = filled(rows, result="pass").decode("utf-8-sig").replace(",", ";").encode()
    assert "1 of 1 result will be accepted" in handed_in(client, content).text


def test_only_planners_hand_results_in(planned: AppContext) -> None:
    officer = signed_into(planned, "officer")
    sent = officer.post("/ui/results", data={"csrf": csrf_of(officer, "/ui/results")}, files={"file": ("r", b"x")})
    assert sent.status_code == 403
    assert not BeautifulSoup(officer.get("/ui/results").text, "html.parser").select("input[type=file]")


def test_a_changed_preview_is_not_believed(planned: AppContext) -> None:
    client = signed_into(planned, "scheduler")
    sent = client.post("/ui/results/accept", data={"csrf": csrf_of(client, "/ui/results"), "content": "made.up"})
    assert sent.status_code == 400
    assert "not ours" in sent.text


def test_the_command_writes_the_files_and_takes_them_back(
    planned: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("touchstone.datetime", FixedTime)
    home, output = str(planned.settings.workspace.home), tmp_path / "out"
    run = CliRunner()
    written = run.invoke(main, ["--home", home, "lab-orders", "--output", str(output)])
    assert written.exit_code == 0, written.output
    files = sorted(output.glob("lab-order-*.csv"))
    assert len(files) == written.output.count(" tests in ")
    returned = tmp_path / "returned.csv"
    returned.write_bytes(filled(rows_of(files[0].read_text(encoding="utf-8")), result="pass"))
    shown = run.invoke(main, ["--home", home, "results", str(returned), "--preview"])
    assert "would be accepted" in shown.output
    assert len(accepted_results(planned.settings.workspace)) == 0
    taken = run.invoke(main, ["--home", home, "results", str(returned)])
    assert taken.exit_code == 0, taken.output
    assert "are accepted" in taken.output
    assert len(accepted_results(planned.settings.workspace)) > 0
    none = run.invoke(main, ["--home", home, "lab-orders", "--lab", "Nobody", "--output", str(output)])
    assert "has no open test" in none.output
