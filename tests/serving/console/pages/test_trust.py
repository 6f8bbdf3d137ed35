"""The public test summary on a SKU's page: published by one officer, withdrawn by anybody at once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from data.database.audit_log import audit_rows
from data.database.connection import open_database
from serving.console.context import AppContext
from serving.trust.register import TrustRegister
from serving.trust.store import TrustCodes
from serving.trust.summary import TrustState
from tests.serving.console.conftest import SHOP_NOW, context_of, csrf_of, mounted, signed_into, soup_of
from tests.serving.trust.cases import KEY, PUBLIC, hand_in, result

PAGE = f"/ui/sku/{KEY.market}/{KEY.sku_id}"
FIELDS = {"sku_id": KEY.sku_id, "market": KEY.market}


@pytest.fixture
def context(shop_home: Path, tmp_path: Path) -> Iterator[AppContext]:
    """The shop, where a toy passed."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    shop = context_of(shop_home, engine)
    shop = replace(shop, now=lambda: SHOP_NOW, settings=replace(shop.settings, public_url=PUBLIC))
    hand_in(shop, result())
    yield shop
    engine.dispose()


def panel_of(client: TestClient) -> str:
    """The words of the panel."""
    panel = soup_of(client, PAGE).find(id="trust")
    assert panel is not None
    return " ".join(panel.get_text(" ").split())


def test_one_officer_publishes_and_anybody_withdraws(context: AppContext) -> None:
    """At once: every worker that reads the database says so; the reason stays in the ledger."""
    officer, analyst = (signed_into(context, role) for role in ("officer", "analyst"))
    assert "An officer can publish a summary" in panel_of(analyst)
    refused = analyst.post("/ui/trust/publish", data={"csrf": csrf_of(analyst, PAGE), **FIELDS})
    assert (refused.status_code, TrustCodes(context.engine).of_sku(KEY)) == (400, [])
    assert "Publish the summary" in panel_of(officer)
    answer = officer.post("/ui/trust/publish", data={"csrf": csrf_of(officer, PAGE), **FIELDS})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#trust")
    (code,) = TrustCodes(context.engine).of_sku(KEY)
    assert code.code in panel_of(analyst)
    with TestClient(mounted(context)) as shopper:
        assert "Passed an independent safety test" in shopper.get(f"/p/{code.code}").text
    fields = {"csrf": csrf_of(analyst, PAGE), "code": code.code, "why": "A buyer wrote that it burned."}
    assert analyst.post("/ui/trust/withdraw", data=fields).status_code == 303
    worker = TrustRegister(context.engine, context.settings.workspace)
    answered = worker.find(code.code, SHOP_NOW)
    assert answered is not None
    assert answered.state is TrustState.WITHDRAWN
    assert "A buyer wrote that it burned." in panel_of(officer)
    assert [row.actor for row in audit_rows(context.engine) if row.action == "withdraw_trust"] == ["Ana"]


def test_what_keeps_it_from_a_summary_is_said(context: AppContext) -> None:
    """And a form that is sent all the same is refused with it."""
    officer = signed_into(context, "officer")
    hand_in(context, result(test_id="N-2", result="fail", severity="critical", hazard="cord"))
    said = panel_of(officer)
    assert "None can be published" in said
    assert "failed an independent laboratory test" in said
    refused = officer.post("/ui/trust/publish", data={"csrf": csrf_of(officer, PAGE), **FIELDS})
    assert refused.status_code == 400
    assert "cannot have a public test summary" in refused.text
