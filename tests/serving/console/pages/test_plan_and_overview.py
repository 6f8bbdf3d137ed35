"""What a budget buys, drawing a round that nobody picked, and figures that say when they cannot speak."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data.database.audit_log import newest_audit_rows
from data.database.connection import open_database, write_transaction
from data.errors import UserError
from data.visible_text import show_invisible
from data.workspace import Workspace
from sampling.laboratories import Interval, LaboratoryComparison
from sampling.plan_files import round_ids
from sampling.randomness import SeedCommitment
from sampling.sealed_seeds import next_seed, store_seed
from serving.console.pages import overview, plan
from serving.console.pages.overview import RemovalCounts
from serving.console.pages.plan_budget import budget_bounds
from serving.html.csv_text import csv_rows
from serving.kpis.aggregate import compute_totals
from serving.kpis.kpis import RelistingCounts, SelectionOutcome, kpi_file, save_totals
from serving.kpis.outcomes import Forecast, TakeDown
from serving.online.store import open_online_store
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored
from tests.serving.console.conftest import context_of, csrf_of, mounted, signed_into, soup_of


@pytest.fixture(scope="module")
def own(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, sa.Engine]]:
    """A copy of the scored workspace that these tests may plan in, and its state."""
    home = tmp_path_factory.mktemp("planned") / "workspace"
    shutil.copytree(scored.workspace.home, home)
    engine = open_database(f"sqlite:///{home / 'touchstone.db'}")
    yield Workspace(home), engine
    engine.dispose()


@pytest.fixture
def scheduler(own: tuple[Workspace, sa.Engine]) -> Iterator[TestClient]:
    """A browser in which a scheduler is signed in."""
    yield from _signed(own, "scheduler")


def _signed(own: tuple[Workspace, sa.Engine], role: str) -> Iterator[TestClient]:
    with TestClient(mounted(context_of(own[0].home, own[1])), follow_redirects=False) as client:
        csrf = csrf_of(client, "/ui/sign-in")
        assert client.post("/ui/sign-in", data={"csrf": csrf, "key": f"ts_{role}_secret"}).status_code == 303
        yield client


def test_a_larger_budget_buys_at_least_as_much_and_drawing_nothing(
    scheduler: TestClient, own: tuple[Workspace, sa.Engine]
) -> None:
    """Looking at plans leaves no round behind."""
    heads = [soup_of(scheduler, f"/ui/plan?budget_eur={budget}").find(id="bought-heading") for budget in (2000, 20000)]
    tests = [int(str(head.text).split(" buys ")[1].split()[0]) for head in heads if head is not None]
    assert tests[0] < tests[1]
    assert round_ids(own[0]) == []


def test_a_plan_says_what_it_buys_by_every_part(scheduler: TestClient) -> None:
    page = soup_of(scheduler, "/ui/plan?budget_eur=20000")
    captions = [caption.text for caption in page.find_all("caption")]
    assert captions[:4] == ["By test package", "By laboratory", "By category", "By market"]
    for part in (
        "Failures expected", "of the budget is drawn at random", "This round would estimate the failure rate to within",
        "not estimated yet", "Why SKUs were selected",
    ):  # fmt: skip
        assert part in page.text
    tests = page.select("section[aria-labelledby=tests-heading] tbody tr")
    reasons = [row.select("td")[-1].text for row in tests]
    assert reasons
    for why in reasons:
        assert why.startswith(("Selected for certain", "Selected for a legal minimum", "Selected on value for money",
                               "Selected at random"))  # fmt: skip
        assert "% predicted" in why
        assert ("value " in why) == (not why.startswith("Selected at random"))
    typed = page.select_one("input[type=text][name=budget_eur]")
    assert typed is not None
    assert typed["value"] == "20000"


@pytest.mark.parametrize("typed", ["-3", "1", "much", "", "nan", "1e5", "200001", "20.000,50"])
@pytest.mark.parametrize("by_htmx", [False, True])
def test_a_budget_that_is_none_is_asked_for_again_and_stays_as_typed(
    scheduler: TestClient, typed: str, by_htmx: bool
) -> None:
    """The sentence names the bounds; htmx swaps it in, for it would drop an answer with an error's status."""
    headers = {"hx-request": "true"} if by_htmx else {}
    answer = scheduler.get("/ui/plan", params={"budget_eur": typed}, headers=headers)
    assert answer.status_code == (200 if by_htmx else 400)
    page = BeautifulSoup(answer.text, "html.parser")
    assert "Enter a budget between EUR 50.20 and EUR 200,000." in page.select("#bought")[0].text
    assert page.select("#budget_eur")[0]["value"] == typed
    assert not page.select("form[method=post] button.primary")


@pytest.mark.parametrize("typed", ["20000", "20,000", "EUR 20 000", "\N{EURO SIGN}20'000.00"])
def test_an_amount_is_read_as_people_type_it(scheduler: TestClient, typed: str) -> None:
    answer = scheduler.get("/ui/plan", params={"budget_eur": typed})
    assert "EUR 20,000 buys" in answer.text


def test_the_smallest_budget_is_the_price_of_the_cheapest_test(own: tuple[Workspace, sa.Engine]) -> None:
    """As little is enough for a plan, a cent less is not."""
    store = open_online_store(own[0])
    bounds = budget_bounds(store)
    assert store.plan(bounds.least_eur, 0).summary.tests >= 1
    with pytest.raises(UserError, match="The smallest budget is EUR"):
        store.plan(bounds.least_eur - 0.01, 0)
    with pytest.raises(UserError, match=r"Enter a budget between .*The smallest budget is"):
        bounds.read(f"{bounds.least_eur - 0.01:.2f}")
    assert bounds.read(f"{bounds.least_eur:.2f}") == bounds.least_eur


def test_a_plan_whose_results_were_due_in_the_past_is_not_approved(own: tuple[Workspace, sa.Engine]) -> None:
    """The page says so instead of offering it, and a form that was open since is refused; nothing is drawn."""
    late = replace(context_of(own[0].home, own[1]), now=lambda: datetime(2026, 6, 1, 9, tzinfo=UTC))
    client, before = signed_into(late, "scheduler"), round_ids(own[0])
    page = soup_of(client, "/ui/plan?budget_eur=5000")
    assert "The scores are of 10 January 2026" in page.text
    assert not page.select("form[method=post] button.primary")
    answer = client.post("/ui/plan", data={"csrf": csrf_of(client, "/ui/plan"), "budget_eur": "5000"})
    assert answer.status_code == 400
    assert "would have been due before today, 1 June 2026" in answer.text
    assert round_ids(own[0]) == before


def test_a_check_of_papers_adds_no_failures_to_the_totals_of_a_plan() -> None:
    """Nor do rounds that were drawn before this was written down change."""
    units = pa.table({
        "sku_id": ["K-1", "K-2", "K-3"], "package": ["EN 71-1/2/3", "papers", "papers"],
        "cost_eur": [560.0, 60.0, 60.0],
        "p_fail": [0.4, 0.9, None], "finds_laboratory_failures": [True, False, False],
    })  # fmt: skip
    assert {each.name: each.expected_failures for each in plan._totals_by(units, "package")} == {
        "EN 71-1/2/3": 0.4, "papers": 0.0,
    }  # fmt: skip
    before = plan._totals_by(units.drop_columns("finds_laboratory_failures"), "package")
    assert {each.name: each.expected_failures for each in before} == {"EN 71-1/2/3": 0.4, "papers": 0.9}


def test_approving_draws_by_the_sealed_seed_and_is_recorded(
    scheduler: TestClient, own: tuple[Workspace, sa.Engine]
) -> None:
    """Nobody picks a draw: the seed was sealed before, or is fresh; the ledger names who approved."""
    workspace, engine = own
    sealed = SeedCommitment(7, "n")
    with write_transaction(engine) as connection:
        store_seed(connection, sealed)
    answer = scheduler.post("/ui/plan", data={"csrf": csrf_of(scheduler, "/ui/plan"), "budget_eur": "5000"})
    round_id = sealed.round_id(DAY)
    assert answer.headers["location"] == f"/ui/rounds/{round_id}"
    assert next_seed(engine, workspace) != sealed
    [row] = newest_audit_rows(engine, 1)
    assert (row.actor, row.action, row.subject) == ("Sam", "plan", round_id)
    assert json.loads(row.content)["seal"] == sealed.seal
    page = soup_of(scheduler, f"/ui/rounds/{round_id}")
    assert "scores of 10 January 2026" in page.text
    assert all("due " in row.text for row in page.select("section[aria-labelledby=tests-heading] tbody tr"))
    exported = scheduler.get(f"/ui/rounds/{round_id}/plan.csv")
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert f"Tests{len(rows)}" in "".join(page.text.split())
    assert {"sku_id", "inclusion_probability", "model_version", "policy_version", "as_of"} <= set(rows[0])
    assert round_id in soup_of(scheduler, "/ui/plan").text


@pytest.mark.parametrize("role", ["officer", "analyst"])
def test_only_schedulers_draw(own: tuple[Workspace, sa.Engine], role: str) -> None:
    for client in _signed(own, role):
        assert "Schedulers approve plans" in client.get("/ui/plan?budget_eur=5000").text
        answer = client.post("/ui/plan", data={"csrf": csrf_of(client, "/ui/plan"), "budget_eur": "5000"})
        assert answer.status_code == 403


@pytest.mark.parametrize("budget", ["", "much", "nan", "-1", "1e300"])
def test_a_budget_that_is_none_draws_nothing(scheduler: TestClient, budget: str) -> None:
    answer = scheduler.post("/ui/plan", data={"csrf": csrf_of(scheduler, "/ui/plan"), "budget_eur": budget})
    assert answer.status_code == 400


def test_the_overview_starts_with_what_waits_and_links_to_it(scheduler: TestClient) -> None:
    """Every figure leads to its list."""
    first = soup_of(scheduler, "/ui/overview").select("main section")[0]
    assert [name.text for name in first.select("dt")] == [
        "Failed and on sale", "Overdue", "Awaiting approval", "Appeals due", "Letters to send", "Budget left",
    ]  # fmt: skip
    for link in first.select("dd a"):
        assert scheduler.get(str(link["href"])).status_code == 200


def test_a_laboratory_that_differs_is_named_on_the_overview(
    scheduler: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its figures and what to do; without results by laboratory there is no such section."""
    assert not soup_of(scheduler, "/ui/overview").select("#laboratories-heading")
    strict = LaboratoryComparison("TL-2", 200, 9, Interval(0.5, 0.3, 0.8), 12, Interval(0.75, 0.43, 0.95))
    monkeypatch.setattr(overview, "known_laboratories", lambda *_: (strict,))
    told = soup_of(scheduler, "/ui/overview").select("[aria-labelledby=laboratories-heading] li")[0].text
    assert told == (
        "TL-2 fails comparable products 0.5 times as often as the other laboratories (0.3 to 0.8), 9 of 200 tests. "
        "Ask for split samples. 75 % of 12 repeats by another laboratory say the same (43 % to 95 %)."
    )


def test_the_overview_shows_what_it_knows_and_says_what_it_does_not(
    scheduler: TestClient, own: tuple[Workspace, sa.Engine]
) -> None:
    """No estimate, no monitoring, too few decisions: each says so, and what to run."""
    text = " ".join(soup_of(scheduler, "/ui/overview").text.split())
    for part in ("200 SKUs", "Not estimated yet", "touchstone estimate", "Not measured yet", "too little to say"):
        assert part in text
    kpi_file(own[0], DAY).unlink()
    assert "Run `touchstone score`" in soup_of(scheduler, "/ui/overview").text


@pytest.mark.parametrize("broken", ["{", "[]", '{"figures": []}', "null"])
def test_a_broken_report_costs_the_page_nothing(
    scheduler: TestClient, own: tuple[Workspace, sa.Engine], broken: str
) -> None:
    for path in (own[0].reports / "prevalence-2026-01-01.json", own[0].monitor_report(DAY) / "monitor.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(broken, encoding="utf-8")
    assert "Not estimated yet" in soup_of(scheduler, "/ui/overview").text
    assert soup_of(scheduler, "/ui/plan").find("h1") is not None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12), max_size=5))
def test_no_cell_of_an_export_is_a_formula(cells: list[str]) -> None:
    """What was written comes back, behind an apostrophe where it would run, its invisible characters shown."""
    shown = [str(show_invisible(cell)) for cell in cells]
    said = "".join(csv_rows(pa.table({"cell": pa.array(cells, pa.string())})))
    found = [row[0] for row in csv.reader(io.StringIO(said.removeprefix("\ufeff"), newline="")) if row][1:]
    assert len(found) <= len(cells)
    for cell in found:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell in shown or cell[1:] in shown


def test_figures_that_the_data_carry_are_shown_with_their_intervals(
    scheduler: TestClient, own: tuple[Workspace, sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that it does not are counted among what is left out."""
    counted = replace(
        compute_totals(open_online_store(own[0]).dossiers.folder),
        relisted=(RelistingCounts(30, 40, 2, 10, 4), RelistingCounts(90, 7, 1, 1, 1)),
        chosen=(
            SelectionOutcome("model", 100, 30, 50_000.0),
            SelectionOutcome("random", 100, 10, 50_000.0),
            SelectionOutcome("rule", 3, 1, 10.0),
        ),
    )
    save_totals(own[0], counted)
    forecasts = [Forecast("toys", 40, 8.0, 20), Forecast("apparel", 80, 9.6, 8), Forecast("lamps", 5, 1.0, 1)]
    quick = RemovalCounts(12, TakeDown((1, 2) * 6), ())
    monkeypatch.setattr(overview, "forecasts_of_training", lambda _: forecasts)
    monkeypatch.setattr(overview, "count_removals", lambda *_: quick)
    page = soup_of(scheduler, "/ui/overview")
    text = " ".join(page.get_text(" ").split())
    for said in (
        "Of 100 tests that the model selected, 30 failed (22 to 40); of 100 drawn at random, 10 (6 to 17).",
        "In 1 of 2 categories the prediction lies within the 95 % interval of the observed share; not in toys.",
        "1 of 3 categories have fewer than 20 tests", "Median time to take-down: 1.5 working days",
        "held by an authority 30 days 40 5 % 25 % 10 %", "held by an authority 90 days 7 too few",
        "too few results of the rounds drawn here", "What the figures mean",
    ):  # fmt: skip
        assert said in text
    rule = next(row for row in page.select("tbody tr") if row.select_one("th") and row.select("th")[0].text == "rule")
    assert "too few" in rule.text
    for picture in page.select("svg"):
        assert picture.get("aria-label") or picture.get("aria-hidden") == "true"
