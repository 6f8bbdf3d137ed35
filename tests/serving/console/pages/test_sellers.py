"""Officers see what sellers sent, answer it, and what they accept becomes a row of corrective actions."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from data.contract import CERTIFICATES, REMEDIATIONS
from data.database.audit_log import verify_chain
from data.database.connection import open_database
from data.handed_in_rows import rows_received
from serving.console.case import dossier_of
from serving.console.context import AppContext
from serving.seller.corrective_actions import EFFECTIVE, actions_of
from serving.seller.files import files_of
from serving.seller.handed_in import hand_in_missing
from serving.seller.links import SellerCase, find_link, links_of, new_token
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW, context_of, csrf_of, mounted, signed_into, soup_of
from tests.serving.seller.conftest import link_to
from tests.serving.seller.sent_files import PDF_FILE, png_file
from tests.serving.seller.world import write_lake
from tests.serving.trust.cases import hand_in, result

SKU = "K-19"
PLAN = {"cause": "The insulation of the plug was too thin.", "correction": "A new plug from batch 7 of 1 July on.",
        "stock": "40 units are in our warehouse; we destroy them.", "due_on": "2026-07-01"}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """The application, an officer, the seller's browser, the case and the seller's address."""

    context: AppContext
    officer: TestClient
    seller: TestClient
    case: SellerCase
    place: str

    @property
    def page(self) -> str:
        """The page of the case."""
        case = self.case
        return f"/ui/sellers/case?supplier_id={case.supplier_id}&sku_id={case.sku_id}&market={case.market}"

    def do(self, path: str, **fields: str) -> int:
        """Send a form as the officer."""
        answer = self.officer.post(f"/ui/sellers/{path}", data={"csrf": csrf_of(self.officer, self.page), **fields})
        return int(answer.status_code)

    def text(self) -> str:
        """What the page says."""
        return " ".join(soup_of(self.officer, self.page).get_text(" ").split())


@pytest.fixture
def desk(shop_home: Path, tmp_path: Path) -> Iterator[Desk]:
    """A seller with a link, and an officer, over a workspace of their own."""
    shutil.copytree(shop_home, tmp_path / "workspace")
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    context = replace(context_of(tmp_path / "workspace", engine), now=lambda: SHOP_NOW)
    supplier, token = dossier_of(context, SKU, "EU").listing.supplier_id, new_token()
    write_lake(context.settings.workspace, supplier, SKU)
    case = SellerCase(supplier, SKU, "EU")
    link_to(engine, case, token)
    with TestClient(mounted(context), follow_redirects=False) as seller:
        yield Desk(context, signed_into(context, "officer"), seller, case, f"/s/{token}")
    engine.dispose()


def test_a_corrective_action_from_plan_to_the_test_that_verifies_it(desk: Desk) -> None:
    """Each side's page says whose turn it is; accepted it is a row that is open, closed the same row with the test."""
    engine, words = desk.context.engine, soup_of(desk.officer, "/ui/sellers")
    assert "To answer: 0" in words.get_text()
    desk.seller.post(f"{desk.place}/plan", data=PLAN)
    [action] = actions_of(engine, desk.case)
    page = soup_of(desk.officer, "/ui/sellers")
    assert "To answer: 1" in page.get_text()
    assert "Inbox 1 to answer" in " ".join(page.select("nav[aria-label=Pages]")[0].get_text(" ").split())
    assert desk.do(f"actions/{action.action_id}", do="refuse") == 400
    assert desk.do(f"actions/{action.action_id}", do="accept", note="Send photos.") == 303
    [row] = rows_received(engine, REMEDIATIONS, sa.true())
    assert (row["remediation_id"], row["verified_on"], row["effective"]) == (action.action_id, None, None)
    desk.seller.post(f"{desk.place}/documents", data={"kind": "other"}, files={"file": ("plug.png", png_file())})
    desk.seller.post(f"{desk.place}/evidence")
    assert "No independent test of goods drawn since" in desk.text()
    assert desk.do(f"actions/{action.action_id}", do="verify", test_id="N-K-19") == 400
    hand_in(desk.context, result(SKU, happened_on=DAY, known_on=DAY))
    assert "N-K-19: passed" in desk.text()
    assert desk.do(f"actions/{action.action_id}", do="verify", test_id="N-K-19") == 303
    assert desk.do(f"actions/{action.action_id}", do="ineffective") == 400
    for _ in range(2):
        assert desk.do(f"actions/{action.action_id}", do="effective") == 303
    [row] = rows_received(engine, REMEDIATIONS, sa.true())
    assert (row["remediation_id"], row["verified_on"], row["effective"]) == (action.action_id, DAY, True)
    assert actions_of(engine, desk.case)[0].state == EFFECTIVE
    assert "shows that the correction worked" in desk.seller.get(f"{desk.place}/plan").text
    verify_chain(engine)


def test_a_row_that_was_lost_on_the_way_is_handed_in_by_the_night(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service ended between the step and its row; doing it again changes nothing."""
    engine, workspace = desk.context.engine, desk.context.settings.workspace
    with monkeypatch.context() as patch:
        patch.setattr("serving.console.pages.sellers.hand_in_action", lambda *_: None)
        patch.setattr("serving.seller.pages.hand_in_document", lambda *_: None)
        desk.seller.post(f"{desk.place}/plan", data=PLAN)
        desk.seller.post(f"{desk.place}/documents", data={"kind": "test_report"}, files={"file": ("a.pdf", PDF_FILE)})
        [action] = actions_of(engine, desk.case)
        desk.do(f"actions/{action.action_id}", do="accept")
    assert rows_received(engine, REMEDIATIONS, sa.true()) == []
    assert [hand_in_missing(engine, workspace, SHOP_NOW) for _ in range(2)] == [2, 0]
    assert [row["remediation_id"] for row in rows_received(engine, REMEDIATIONS, sa.true())] == [action.action_id]
    assert [row["status"] for row in rows_received(engine, CERTIFICATES, sa.true())] == ["claimed"]


def test_files_are_saved_and_never_shown(desk: Desk) -> None:
    """As bytes under a name of ours, whatever the seller called them; for officers alone."""
    hostile = "<img src=x>.html"
    desk.seller.post(f"{desk.place}/documents", data={"kind": "test_report"}, files={"file": (hostile, PDF_FILE)})
    [file] = files_of(desk.context.engine, desk.case)
    page = soup_of(desk.officer, desk.page)
    assert hostile in page.get_text()
    assert "not scanned" in page.get_text()
    answer = desk.officer.get(f"/ui/sellers/files/{file.file_id}/download.bin")
    assert answer.content == PDF_FILE
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{file.file_id}.pdf"'
    for role in ("scheduler", "analyst"):
        refused = signed_into(desk.context, role).get(f"/ui/sellers/files/{file.file_id}/download.bin")
        assert refused.status_code == 403
    assert desk.officer.get("/ui/sellers/files/f-none/download.bin").status_code == 404


def test_an_officer_makes_a_link_anew_and_revokes_it(desk: Desk) -> None:
    fields = {"supplier_id": desk.case.supplier_id, "sku_id": SKU, "market": "EU", "language": "zh-Hans"}
    csrf = csrf_of(desk.officer, desk.page)
    made = desk.officer.post("/ui/sellers/links", data={"csrf": csrf, **fields, "do": "renew"})
    assert made.status_code == 200
    token = made.text.partition("/s/")[2][:32]
    link = find_link(desk.context.engine, token, SHOP_NOW.date())
    assert link is not None
    assert (link.case, link.language) == (desk.case, "zh-Hans")
    assert desk.seller.get(desk.place).status_code == 404
    assert token not in desk.text()
    assert desk.do("links", **fields, do="revoke") == 303
    assert not any(each.opens_on(SHOP_NOW.date()) for each in links_of(desk.context.engine, desk.case))


def test_only_officers_answer(desk: Desk) -> None:
    desk.seller.post(f"{desk.place}/plan", data=PLAN)
    [action] = actions_of(desk.context.engine, desk.case)
    analyst = signed_into(desk.context, "analyst")
    csrf = csrf_of(analyst, "/ui/")
    for path in (f"actions/{action.action_id}", "links", "counter-samples/cs-1"):
        assert analyst.post(f"/ui/sellers/{path}", data={"csrf": csrf, "do": "accept"}).status_code == 403
    assert desk.officer.post(f"/ui/sellers/actions/{action.action_id}", data={"do": "accept"}).status_code == 403
    assert actions_of(desk.context.engine, desk.case)[0].state == "open"
