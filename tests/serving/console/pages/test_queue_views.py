"""Each saved view holds what its name says, and nothing else."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.database.connection import open_database
from data.workspace import Workspace
from sampling.plan_files import PLAN_FILE, round_ids
from serving.console.case import case_view, decisions_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.rules import Officer, Proposal
from serving.online.store import open_online_store
from serving.review_queue.format import QueueEvidence
from tests.serving.console.conftest import SHOP_NOW, context_of, csrf_of, signed_into, soup_of

SEEN_BY = Person("Olga", "officer", "k-officer")


def listed(context: AppContext, view: str, role: str = "officer") -> set[str]:
    """The SKUs of a view."""
    links = soup_of(signed_into(context, role), f"/ui/?view={view}").select("table.queue th.product > a")
    return {str(link["href"]).rpartition("/")[2] for link in links}


def test_mine_holds_the_cases_i_took(shop: AppContext) -> None:
    officer = signed_into(shop, "officer")
    assert listed(shop, "mine") == set()
    for sku_id in ("K-4", "K-9"):
        sent = {"csrf": csrf_of(officer, "/ui/"), "market": "EU", "sku_id": sku_id, "mine": "1"}
        assert officer.post("/ui/assign", data=sent).status_code == 303
    assert listed(shop, "mine") == {"K-4", "K-9"}
    assert listed(shop, "mine", "admin") == set()


def test_due_today_holds_orders_and_notices_whose_days_are_over(shop: AppContext) -> None:
    """Notices of 15 days ago, orders of 8; orders of 3 days ago, on the range of S-2, run out at night."""
    assert {"K-0", "K-1", "K-7"} <= listed(shop, "due")


def test_new_since_yesterday_holds_what_was_not_flagged_on_the_day_before(shop: AppContext) -> None:
    """K-0, flagged now, was not listed on the day scored before."""
    store = open_online_store(shop.settings.workspace).queue
    new = {e.sku_id for e in store.entries(np.arange(len(store))) if QueueEvidence.NEW in e.evidence}
    assert "K-0" in new
    assert listed(shop, "new", "analyst") == new


def test_model_and_officer_disagree_holds_decisions_against_the_score(shop: AppContext) -> None:
    def decide(sku_id: str, disposition: str, code: str) -> None:
        file = case_view(shop, SEEN_BY, sku_id, "EU").file
        proposal = Proposal(disposition, code, "Seen at the fair, it was well made.", form_token=sku_id)
        decisions_of(shop).propose(proposal, Officer("Olga", "officer", "k-officer"), file, SHOP_NOW)

    for sku_id, disposition in (("K-4", "no_action"), ("K-12", "order_test")):
        decide(sku_id, disposition, case_view(shop, SEEN_BY, sku_id, "EU").policy.disposition(disposition).codes[0])
    assert listed(shop, "disagree") == {"K-4"}


def test_the_random_stratum_holds_what_the_newest_round_drew_to_explore(shop_home: Path, tmp_path: Path) -> None:
    """A round stays, so in a workspace of its own; so small a catalogue has no such test: two are made of others."""
    workspace = Workspace(Path(shutil.copytree(shop_home, tmp_path / "workspace")))
    engine = open_database(f"sqlite:///{workspace.database}")
    context = replace(context_of(workspace.home, engine), now=lambda: SHOP_NOW)
    scheduler = signed_into(context, "scheduler")
    form = soup_of(scheduler, "/ui/plan?budget_eur=9000").select("form[method=post][action$='/plan']")[0]
    sent = {str(field["name"]): str(field["value"]) for field in form.select("input[name]")}
    assert scheduler.post("/ui/plan", data=sent).status_code == 303
    (round_id,) = round_ids(workspace)
    assert listed(context, "random", "scheduler") == set()
    path = workspace.plans / round_id / PLAN_FILE
    plan = pq.read_table(path).to_pylist()
    reasons = ["floor" if n < 2 else row["reason"] for n, row in enumerate(plan)]
    table = pa.Table.from_pylist(plan)
    pq.write_table(table.set_column(table.column_names.index("reason"), "reason", pa.array(reasons)), path)
    assert listed(context, "random", "scheduler") == {row["sku_id"] for row in plan[:2]}
    engine.dispose()
