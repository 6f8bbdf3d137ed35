"""Answers of a real server over HTTP."""

import gzip
import json
import shutil
import socket
import time
from hashlib import sha256
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from data.progress import SilentProgress
from data.workspace import Workspace
from models.reasons import STORED_REASONS
from models.registry import load_champion, set_champion, store_model
from sampling.plan import allocate
from sampling.policy import sampling_policy_in_force
from serving.online.store import open_online_store
from serving.publication import published_name
from serving.scoring.batch import score_catalogue
from tests.features.catalogues import DAY
from tests.models.worlds import tiny_parts
from tests.serving.conftest import ROOT, SERVICE, Scored, scored_workspace, serving, wait_until


def rows_of(scored: Scored) -> list[dict[str, object]]:
    """The score rows of the files as JSON would say them."""
    rows = [row for path in sorted(scored.scores.iterdir()) for row in pq.read_table(path).to_pylist()]
    return [{**row, "as_of": row["as_of"].isoformat()} for row in rows]


def test_a_score_over_http_equals_the_row_of_the_file(client: httpx.Client, scored: Scored) -> None:
    """Every SKU gets the numbers, band, rank and versions of its Parquet row, and reasons as sentences."""
    rows = rows_of(scored)
    items = [{"sku_id": row["sku_id"], "market": row["market"]} for row in rows]
    answer = client.post("/score", json={"items": items, "explain": True}).json()
    assert answer["refused"] == []
    for score, row in zip(answer["scores"], rows, strict=True):
        assert {**score, "reasons": None} == {**row, "reasons": None}
        assert 0 < len(score["reasons"]) <= STORED_REASONS
        assert all(reason["sentence"].endswith(".") for reason in score["reasons"])


def test_without_explain_only_the_reasons_are_left_out(client: httpx.Client, scored: Scored) -> None:
    """Without `explain` the same row comes back with reasons null."""
    row = rows_of(scored)[17]
    answer = client.post("/score", json={"items": [{"sku_id": row["sku_id"], "market": row["market"]}]}).json()
    assert answer["scores"] == [{**row, "reasons": None}]
    assert answer["as_of"] == DAY.isoformat()
    assert {name: answer[name] for name in answer if name.endswith("_version")} == {
        name: row[name] for name in ("model_version", "feature_version", "policy_version")
    }


def test_an_unknown_sku_is_refused_and_the_others_are_answered(client: httpx.Client) -> None:
    """One unknown SKU costs the others nothing."""
    items = [{"sku_id": "K-1", "market": "DE"}, {"sku_id": "K-1", "market": "PL"}, {"sku_id": "K-2", "market": "FR"}]
    answer = client.post("/score", json={"items": items}).json()
    assert [(row["sku_id"], row["market"]) for row in answer["scores"]] == [("K-1", "DE"), ("K-2", "FR")]
    assert [(row["sku_id"], row["market"]) for row in answer["refused"]] == [("K-1", "PL")]
    assert "has no SKU 'K-1' in market 'PL'" in answer["refused"][0]["why"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"items": []}', "at least 1 item"),
        ('{"items": [' + ",".join(['{"sku_id": "K", "market": "DE"}'] * 1001) + "]}", "at most 1000 items"),
        ('{"items": [{"sku_id": 7, "market": "DE"}]}', "items[0].sku_id"),
        ('{"items": [{"sku_id": "K-1"}]}', "items[0].market: Field required"),
        ('{"items": "K-1"}', "items: Input should be a valid array"),
        ('{"items": [', "Invalid JSON"),
        ("[]", "The body: Input should be an object"),
        ("{}", "items: Field required"),
    ],
)
def test_a_malformed_question_gets_one_error_shape(client: httpx.Client, body: str, sentence: str) -> None:
    """A malformed question is answered with 400 and {"error": sentence}, nothing else."""
    answer = client.post("/score", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]


def test_a_misspelt_field_is_refused_and_nothing_is_done(client: httpx.Client) -> None:
    """No round is kept by a question that says "sed" for "seed"; the sentence names the field."""
    before = client.get("/catalogue/status").json()["rounds"]
    answer = client.post("/allocate", json={"budget_eur": 20000, "sed": 5})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("sed is no field of this question.")
    assert client.get("/catalogue/status").json()["rounds"] == before


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/score", {"items": [{"sku_id": "K-1", "market": "DE"}], "explain": "true"}),
        ("/explain", {"sku_id": "K-1", "market": "DE", "lang": "de"}),
        ("/screen", {"listing": {"sku_id": "K-1", "market": "DE", "supplier_id": "S-1", "category": "toys",
                                 "price_eur": "3.50"}, "stage": "listing"}),
        ("/allocate", {"budget_eur": "20000"}),
        ("/results", {"results": [{}], "dry_run": True}),
    ],
)  # fmt: skip
def test_a_question_is_taken_as_it_is_or_refused(client: httpx.Client, path: str, question: object) -> None:
    """No field is left unread and no value made another, at any address."""
    answer = client.post(path, json=question)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_packed_question_gets_the_answer_of_the_unpacked(client: httpx.Client) -> None:
    question = json.dumps({"items": [{"sku_id": "K-1", "market": "DE"}]}).encode()
    headers = {"content-type": "application/json"}
    plain = client.post("/score", content=question, headers=headers)
    packed = client.post("/score", content=gzip.compress(question), headers={**headers, "content-encoding": "gzip"})
    assert (plain.status_code, plain.json()) == (packed.status_code, packed.json())


def test_a_client_that_goes_away_rings_no_alarm(client: httpx.Client) -> None:
    """A connection that ends within the question counts as no answer of the service, least of all as an error."""

    def counted() -> list[str]:
        return [line for line in client.get("/metrics").text.splitlines() if "request_total{" in line]

    before = counted()
    head = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    for begun in (b"", b'{"items"'):
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as gone:
            gone.sendall(head + begun)
            time.sleep(0.2)
    time.sleep(0.2)
    assert counted() == before


def test_a_thousand_skus_are_answered_in_one_call(client: httpx.Client) -> None:
    """1,000 items are within the limit."""
    answer = client.post("/score", json={"items": [{"sku_id": "K-3", "market": "DE"}] * 1000})
    assert answer.status_code == 200
    assert len(answer.json()["scores"]) == 1000


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/score", 405)])
def test_a_wrong_address_gets_the_same_error_shape(client: httpx.Client, method: str, path: str, status: int) -> None:
    """A wrong address is told where the addresses are listed."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_a_plan_over_http_equals_the_plan_of_the_library(client: httpx.Client, scored: Scored) -> None:
    """The plan for a budget and seed is the one that `allocate` draws from the published scores."""
    answer = client.post("/allocate", json={"budget_eur": 9000, "seed": 3}).json()
    candidates = open_online_store(scored.workspace).candidates()
    plan = allocate(candidates, sampling_policy_in_force(DAY), 9000, 3)
    assert answer["cost_eur"] == plan.summary.cost_eur <= 9000
    assert answer["policy_version"] == plan.summary.policy_version
    assert (answer["note"], answer["without_package"]) == (plan.summary.note, list(plan.summary.without_package))
    assert answer["model_version"] == load_champion(scored.workspace).version
    names = list(answer["tests"][0])
    tests = [{**test, "due_on": test["due_on"].isoformat()} for test in plan.units.select(names).to_pylist()]
    assert answer["tests"] == tests
    assert all(0 < test["inclusion_probability"] <= 1 for test in answer["tests"])


def test_a_plan_weighs_what_the_failure_of_each_sku_would_do(scored: Scored) -> None:
    """As the score rows assess it; nothing where no failure of the category is known."""
    store = open_online_store(scored.workspace)
    weights = store.candidates()["harm_weight"].to_pylist()
    keys = store.snapshot.keys(0, len(store.snapshot))
    cells = list(zip(*(keys[name].to_pylist() for name in ("category", "market", "supplier_id")), strict=True))
    whole = store.scorer.harms.assess(cells, store.snapshot.matrix(0, len(store.snapshot)), store.p_fail)
    assert weights == [None if np.isnan(weight) else weight for weight in whole.plan_weight]
    known = {category for (category, _, _), weight in zip(cells, weights, strict=True) if weight is not None}
    assert known == {"toys_3_plus", "mains_chargers"}


@pytest.mark.parametrize("budget", [0, -5])
def test_a_budget_that_buys_nothing_is_refused(client: httpx.Client, budget: int) -> None:
    """A budget of zero or less is answered with 400 and the reason."""
    answer = client.post("/allocate", json={"budget_eur": budget, "seed": 1})
    assert answer.status_code == 400
    assert "Give a positive amount" in answer.json()["error"]


def test_the_service_is_ready_with_scores(client: httpx.Client) -> None:
    """With published scores /readyz says 200."""
    assert client.get("/readyz").status_code == 200


@pytest.mark.slow
def test_before_the_first_scores_it_says_what_to_do_and_then_answers_by_itself(tmp_path: Path) -> None:
    """Without scores: 503 with a sentence; when they are published, and again by another model, it moves on."""
    home = tmp_path / "served" / "workspace"
    home.mkdir(parents=True)
    item = {"items": [{"sku_id": "K-1", "market": "DE"}]}
    with serving(SERVICE, home, ROOT, {"BENTOML_HOME": str(tmp_path)}) as client:
        for answer in (client.post("/score", json=item), client.get("/readyz")):
            assert answer.status_code == 503
            assert "Run `touchstone score`" in answer.json()["error"]
        status = client.get("/catalogue/status")
        assert (status.status_code, status.json()["published"]) == (200, False)
        assert "Run `touchstone score`" in status.json()["why"]
        made = scored_workspace(tmp_path / "made" / "workspace")
        shutil.copytree(made.workspace.home, home, dirs_exist_ok=True)
        assert client.get("/readyz").status_code == 200
        first = client.post("/score", json=item).json()
        workspace = Workspace(home)
        set_champion(workspace, store_model(workspace, tiny_parts(seed=1)))
        score_catalogue(workspace, made.tables, load_champion(workspace), DAY, SilentProgress())
        named = str(published_name(workspace))
        wait_until(lambda: client.get("/catalogue/status").json()["publication"] == named)
        second = client.post("/score", json=item).json()
    assert second["model_version"] == load_champion(workspace).version != first["model_version"]
    assert second["scores"][0]["model_version"] == second["model_version"]


def test_a_plan_needs_no_seed_and_is_told_with_what_opens_its_seal(client: httpx.Client) -> None:
    """The seed that nobody chose comes with the plan; asked with another seed, another round is drawn."""
    answered = client.post("/allocate", json={"budget_eur": 3000})
    assert answered.status_code == 200, answered.text
    answer = answered.json()
    opened = sha256(f"{answer['seed']}:{answer['nonce']}".encode()).hexdigest()
    assert answer["seal"] == opened
    assert answer["round_id"] in client.get("/catalogue/status").json()["rounds"]


def test_the_status_tells_what_is_in_service(client: httpx.Client, scored: Scored) -> None:
    """Day, versions and counts are those of the scores."""
    status = client.get("/catalogue/status").json()
    assert (status["published"], status["why"]) == (True, None)
    assert status["as_of"] == DAY.isoformat()
    assert status["skus"] == sum(status["bands"].values()) == len(rows_of(scored))
    assert status["model_version"] == load_champion(scored.workspace).version


def test_metrics_name_no_address_that_a_scanner_made_up(client: httpx.Client) -> None:
    """A hundred made-up addresses add one name to the metrics, however deep below the console they are."""
    for number in range(50):
        assert client.get(f"/made-up-{number}").status_code == 404
        client.get(f"/ui/made-up-{number}")
    metrics = client.get("/metrics").text
    assert "made-up" not in metrics
    assert 'endpoint="(no address of ours)"' in metrics
    assert 'endpoint="/ui"' in metrics
    assert "\ntouchstone_scores_age_seconds " in metrics


def test_a_listing_is_screened_over_http(client: httpx.Client) -> None:
    """A newcomer gets a decision, the rule that made it, and reasons."""
    listing = {"sku_id": "K-new", "market": "DE", "supplier_id": "nobody", "category": "toys", "price_eur": 3.5}
    answer = client.post("/screen", json={"listing": listing, "stage": "payment"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["decision"] in ("allow", "test_first")
    assert answer.json()["rule"]
    wrong = client.post("/screen", json={"listing": listing, "stage": "soon"})
    assert wrong.status_code == 400
    assert "stage" in wrong.json()["error"]


def test_an_explanation_over_http_adds_up(client: httpx.Client) -> None:
    """Groups and base value make the margin, after the way through JSON too."""
    answer = client.post("/explain", json={"sku_id": "K-1", "market": "DE"}).json()
    whole = sum(group["contribution"] for group in answer["groups"]) + answer["base_value"]
    assert whole == pytest.approx(answer["margin"], abs=1e-9)


def test_a_result_is_taken_once(client: httpx.Client) -> None:
    """The same result twice is accepted once, then known; with another content it is left alone; a bad one is told."""
    result = {"test_id": "T-http", "sku_id": "K-1", "market": "DE", "happened_on": "2026-01-02",
              "known_on": "2026-01-09", "result": "fail", "origin": "warehouse"}  # fmt: skip
    first = client.post("/results", json={"results": [result, {**result, "test_id": "T-bad", "result": "burnt"}]})
    assert first.status_code == 200, first.text
    answer = first.json()
    assert (answer["accepted"], answer["filed"]) == (["T-http"], True)
    assert answer["refused"] == [
        {"place": 1, "test_id": "T-bad", "why": ["result is not one of pass, fail, inconclusive"]}
    ]
    assert "drafted a letter" in client.get("/ui/ledger").text
    assert client.post("/results", json={"results": [result]}).json()["known"] == ["T-http"]
    other = client.post("/results", json={"results": [{**result, "result": "pass"}]}).json()
    assert (other["accepted"], other["changed"]) == ([], ["T-http"])
