"""Deciding in the console: the rules hold whatever a form sends, and every step can be read again."""

import json
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.database.audit_log import newest_audit_rows, verify_chain
from data.errors import UserError
from serving.decisions.appeals import appeals
from serving.decisions.blind_assessment import Case, draw_for_estimate
from serving.decisions.policy import decision_policy_in_force
from serving.online.store import OnlineStore
from tests.features.catalogues import DAY
from tests.serving.console.conftest import NOW, Clients, csrf_of, soup_of

FAILED, FAILED_TOO = ("K-60", "FR"), ("K-61", "FR")
WORDS = "The charger grew hot in three reviews."
POLICY = decision_policy_in_force(NOW.date())
HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(2)>"


def drawn(wanted: bool, skip: int = 0) -> tuple[str, str]:
    """A SKU of the small catalogue whose case was, or was not, drawn for an own estimate."""
    every = [(f"K-{number}", market) for number in range(100) for market in ("FR", "DE")]
    found = [sku for sku in every if draw_for_estimate(Case(*sku, DAY), POLICY).drawn == wanted and sku != FAILED]
    return found[skip]


def decide_path(sku: tuple[str, str]) -> str:
    """The address of the form."""
    return "/ui/decide?" + urlencode({"sku_id": sku[0], "market": sku[1]})


def sent(client: TestClient, sku: tuple[str, str], **fields: str) -> dict[str, str]:
    """The form as the page gives it, with the fields filled in."""
    page = soup_of(client, decide_path(sku))
    hidden = {str(field["name"]): str(field["value"]) for field in page.select("form.decide input[type=hidden]")}
    return {**hidden, "disposition": "order_test", "code": "score_high", "explanation": WORDS, **fields}


def decided(client: TestClient, sku: tuple[str, str], **fields: str) -> str:
    """Decide; the address of the decision."""
    answer = client.post("/ui/decide", data=sent(client, sku, **fields))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_the_form_says_which_fact_is_missing_and_bars_what_needs_it(officer: TestClient) -> None:
    page = soup_of(officer, decide_path(drawn(False)))
    barred = {str(field["value"]) for field in page.select("input[name=disposition][disabled]")}
    assert barred == {"remove", "suspend", "recall", "answer_authority"}
    assert "A score alone cannot justify removal, suspension or recall. You need a failed independent test" in page.text


def test_a_forged_form_removes_nothing(officer: TestClient, engine: sa.Engine) -> None:
    """The function says what the form says; the ledger has no row of it."""
    sku = drawn(False, 1)
    form = sent(officer, sku, disposition="remove", code="failed_independent_test", fact="T-1")
    answer = officer.post("/ui/decide", data=form)
    assert answer.status_code == 400
    assert "A score alone cannot justify removal" in answer.text
    assert WORDS in answer.text
    assert newest_audit_rows(engine, 1, f"{sku[0]} {sku[1]}") == []


def test_a_test_is_ordered_and_stands_in_history_and_ledger(officer: TestClient) -> None:
    """The price is the policy's, whatever the form says."""
    sku = drawn(False, 2)
    package = soup_of(officer, decide_path(sku)).select_one("select[name=package] option")
    assert package is not None
    where = decided(officer, sku, package=str(package["value"]), cost_eur="1")
    page = soup_of(officer, where)
    assert "in force" in page.text
    assert str(package["value"]) in page.text
    assert "EUR 1\n" not in page.text
    history = soup_of(officer, decide_path(sku)).select("section[aria-labelledby=history-heading]")
    assert "Order test" in history[0].text
    ledger = soup_of(officer, "/ui/ledger?" + urlencode({"subject": f"{sku[0]} {sku[1]}", "check": "true"}))
    assert "rows are complete and unchanged" in ledger.text
    assert [cell.text for cell in ledger.select("tbody tr td:nth-of-type(4)")] == ["ordered a test"]


def test_the_same_form_sent_twice_is_one_decision(officer: TestClient) -> None:
    sku = drawn(False, 3)
    form = sent(officer, sku)
    first, second = (officer.post("/ui/decide", data=form).headers["location"] for _ in range(2))
    assert first == second


def test_removal_takes_two_people_and_gives_a_statement_of_reasons(
    officer: TestClient, signed: Clients, engine: sa.Engine
) -> None:
    where = decided(officer, FAILED, disposition="remove", code="failed_independent_test")
    assert "Another officer must approve it" in soup_of(officer, where).text
    for paper in ("statement", "transparency.json"):
        early = officer.get(f"{where}/{paper}")
        assert early.status_code == 400
        assert "no statement of reasons is owed for it now" in " ".join(early.text.split())
    own = officer.post(f"{where}/approve", data={"csrf": csrf_of(officer, where)})
    assert own.status_code == 400
    assert "needs four eyes" in own.text
    admin = signed("admin")
    assert "Approve or decline" in soup_of(admin, "/ui/decisions").text
    assert admin.post(f"{where}/approve", data={"csrf": csrf_of(admin, where)}).status_code == 303
    assert "Olga and Ada" in " ".join(soup_of(admin, "/ui/decisions").text.split())
    sheet = admin.get(f"{where}/statement").headers["location"]
    assert "we removed your listing in France" in " ".join(soup_of(admin, sheet).text.split())
    letter, record = admin.get(f"{sheet}/letter.txt"), admin.get(f"{where}/transparency.json")
    assert letter.headers["content-disposition"].startswith("attachment")
    assert "Olga" not in letter.text + record.text
    assert json.loads(record.text)["territorial_scope"] == ["FR"]
    appeal = {"csrf": csrf_of(admin, where), "grounds": "It was another batch."}
    assert officer.post(f"{where}/appeal", data={**appeal, "csrf": csrf_of(officer, where)}).status_code == 303
    assert "Ada took part in the decision" in soup_of(admin, where).text
    assert "Olga took part in the decision" in soup_of(officer, "/ui/appeals").text
    for page in ("/ui/appeals", where):
        assert "16 Jul 2024" in soup_of(officer, page).text
    [filed] = appeals(engine, where.rpartition("/")[2])
    said = {"csrf": csrf_of(admin, where), "outcome": "reversed", "note": "A sound new report."}
    refused = admin.post(f"{where}/appeals/{filed.appeal_id}", data=said)
    assert refused.status_code == 400
    assert "took part in the decision" in refused.text
    assert verify_chain(engine) is not None


def test_a_statement_quotes_what_was_read_whatever_is_in_service_since(
    officer: TestClient, signed: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other scores, or a catalogue without the SKU, change no letter."""
    where = decided(officer, FAILED, disposition="pause", code="serious_hazard_reported")
    admin = signed("admin")
    admin.post(f"{where}/approve", data={"csrf": csrf_of(admin, where)})
    sheet = admin.get(f"{where}/statement").headers["location"]
    letter, page = admin.get(f"{sheet}/letter.txt").text, soup_of(admin, where).text
    assert "How this product came to our attention" in letter
    assert "Olga had read" in page

    def gone(*_: object) -> None:
        raise UserError("The catalogue has no such SKU.")

    monkeypatch.setattr(OnlineStore, "answer", gone)
    assert admin.get(f"{sheet}/letter.txt").text == letter
    assert soup_of(admin, where).text == page


def test_nothing_comes_into_force_on_a_fact_that_stands_no_more(
    officer: TestClient, signed: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later test passed, or an order was lifted, while the proposal waited."""
    where, admin = decided(officer, FAILED_TOO, disposition="remove", code="failed_independent_test"), signed("admin")
    form = {"csrf": csrf_of(admin, where)}
    with monkeypatch.context() as later:
        later.setattr("serving.console.pages.approvals.read_state", lambda *_: SimpleNamespace(grounds=()))
        refused = admin.post(f"{where}/approve", data=form)
    assert refused.status_code == 400
    assert "The fact that it rests on does not stand any more" in refused.text
    assert "awaiting approval" in soup_of(admin, where).text
    assert admin.post(f"{where}/approve", data=form).status_code == 303


def test_the_ledger_shows_what_was_read_and_every_version(officer: TestClient) -> None:
    """In words, not in the brackets of a program."""
    where = decided(officer, drawn(False, 11), disposition="pause", code="serious_hazard_reported")
    made = soup_of(officer, where).get_text(" ")
    newest = soup_of(officer, "/ui/ledger").select("tbody tr")[0]
    assert "{" not in newest.text
    for name in ("model", "features", "policy"):
        assert f" {name} " in newest.get_text(" ")
        version = newest.get_text(" ").split(f" {name} ")[-1].split()[0]
        assert version in made
    assert "sentence" in newest.text


def test_a_form_from_before_other_scores_decides_nothing(officer: TestClient) -> None:
    """What is kept as read was read."""
    answer = officer.post("/ui/decide", data=sent(officer, drawn(False, 10), publication="p-earlier"))
    assert answer.status_code == 400
    assert "scored anew while you were deciding" in answer.text


def test_declining_takes_words(officer: TestClient) -> None:
    where = decided(officer, drawn(False, 4), disposition="pause", code="serious_hazard_reported")
    csrf = csrf_of(officer, where)
    assert officer.post(f"{where}/decline", data={"csrf": csrf, "note": "no"}).status_code == 400
    note = "Taken back, the review spoke of a lamp."
    assert officer.post(f"{where}/decline", data={"csrf": csrf, "note": note}).status_code == 303
    assert note in soup_of(officer, where).text


@pytest.mark.parametrize("role", ["analyst", "scheduler"])
def test_who_may_not_decide_is_told(signed: Clients, role: str) -> None:
    client, sku = signed(role), drawn(False, 5)
    form = sent(client, sku, disposition="pause", code="serious_hazard_reported")
    answer = client.post("/ui/decide", data=form)
    assert answer.status_code == 400
    assert f"signed in as {role}" in answer.text


def test_a_drawn_case_shows_the_score_after_the_own_estimate(officer: TestClient) -> None:
    sku = drawn(True)
    before = soup_of(officer, decide_path(sku))
    assert "First your own estimate" in before.text
    assert "Predicted to fail" not in before.text
    form = {"csrf": csrf_of(officer, decide_path(sku)), "sku_id": sku[0], "market": sku[1]}
    for wrong in ("", "lots", "101", "nan"):
        assert officer.post("/ui/estimate", data={**form, "percent": wrong}).status_code == 400
    assert officer.post("/ui/estimate", data={**form, "percent": "30"}).status_code == 303
    assert "Predicted to fail if tested" in soup_of(officer, decide_path(sku)).text


def test_hostile_words_are_words(officer: TestClient) -> None:
    """In the decision, the list, the ledger and a refused form."""
    sku = drawn(False, 6)
    where = decided(officer, sku, explanation=HOSTILE)
    refused = officer.post("/ui/decide", data=sent(officer, sku, explanation=HOSTILE, code="nonsense"))
    pages = [officer.get(path).text for path in (where, "/ui/decisions", "/ui/ledger?subject=" + HOSTILE)]
    for text in [refused.text, *pages]:
        page = BeautifulSoup(text, "html.parser")
        scripts = {str(script.get("src")) for script in page.find_all("script")}
        assert scripts <= {"/ui/static/htmx.min.js", "/ui/static/decide.js"}
        assert page.find("img") is None
    assert HOSTILE in BeautifulSoup(pages[0], "html.parser").text


def test_forms_of_others_are_refused(officer: TestClient) -> None:
    sku = drawn(False, 7)
    for path in ("/ui/decide", "/ui/estimate", "/ui/assign", "/ui/verdict", "/ui/plan"):
        assert officer.post(path, data={**sent(officer, sku), "csrf": "forged"}).status_code == 403


def test_a_case_is_given_to_its_owner(officer: TestClient) -> None:
    sku = drawn(False, 8)
    form = {"csrf": csrf_of(officer, decide_path(sku)), "sku_id": sku[0], "market": sku[1], "mine": "1"}
    answer = officer.post("/ui/assign", data=form)
    assert answer.headers["location"] == f"/ui/sku/{sku[1]}/{sku[0]}"
    assert officer.post("/ui/assign", data={**form, "sku_id": "nope"}).status_code == 404


def test_a_verdict_on_a_quote_that_is_not_there_is_refused(officer: TestClient) -> None:
    sku = drawn(False, 9)
    form = {"csrf": csrf_of(officer, decide_path(sku)), "sku_id": sku[0], "market": sku[1], "verdict": "hazard"}
    answer = officer.post("/ui/verdict", data={**form, "review_id": "R-1", "start": "0", "hazard": "fire"})
    assert answer.status_code == 400
    assert "no such quote" in answer.text
