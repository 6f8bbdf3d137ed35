"""Clients that others made call the service: BentoML's own, and one generated from our description."""

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from data.database.connection import open_database
from serving.api.openapi import EXAMPLES
from serving.auth.api_keys import create_key
from tests.serving.conftest import ROOT, Scored, serving

PACKAGE = "generated_client"
TYPESCRIPT = Path(__file__).parent / "typescript"
ITEM = {"sku_id": "K-1", "market": "DE"}
LISTING = {"sku_id": "K-new", "market": "DE", "supplier_id": "nobody", "category": "toys", "price_eur": 3.5}
RESULT = {"test_id": "T-client", **ITEM, "happened_on": "2026-01-02", "known_on": "2026-01-09", "result": "fail",
          "origin": "warehouse"}  # fmt: skip
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "score": {"items": [ITEM], "explain": True},
    "explain": ITEM,
    "screen": {"listing": LISTING, "stage": "payment"},
    "allocate": {"budget_eur": 3000.0, "seed": 5},
    "results": {"results": [RESULT]},
}
REFUSED: Mapping[str, Mapping[str, Any]] = {"select": {"goal": "fails", "fdr": 0.1}}
"""What this catalogue cannot answer, as no round of it has a result."""
BENTOML = """
import json, sys
import bentoml

url, key, questions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with bentoml.SyncHTTPClient(url, token=key) as client:
    print(json.dumps([getattr(client, name)(**question) for name, question in questions]))
"""


@dataclass(frozen=True)
class Served:
    """A server that asks for keys: its address, and the key of a scheduler."""

    url: str
    key: str

    def answer(self, name: str, question: Mapping[str, Any]) -> Any:
        """What it answers to whoever needs no client."""
        return httpx.post(f"{self.url}/{name}", json=question, headers=self._headers).json()

    def description(self) -> bytes:
        """Its OpenAPI document."""
        return httpx.get(f"{self.url}/docs.json", headers=self._headers).content

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def served(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a copy of the scored catalogue, which has seen every question once."""
    folder = tmp_path_factory.mktemp("served")
    home = folder / "workspace"
    shutil.copytree(scored.workspace.home, home)
    engine = open_database(f"sqlite:///{home / 'touchstone.db'}")
    key = create_key(engine, "client", "scheduler", datetime.now(UTC))[1]
    engine.dispose()
    environment = {"BENTOML_HOME": str(folder), "TOUCHSTONE_INSECURE": ""}
    with serving("serving.service:Touchstone", home, ROOT, environment) as client:
        served = Served(str(client.base_url).rstrip("/"), key)
        for name, question in QUESTIONS.items():
            served.answer(name, question)
        yield served


@pytest.fixture(scope="module")
def generated(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package that `openapi-python-client` makes of the description, without a warning."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "document.json").write_bytes(served.description())
    (folder / "config.json").write_text('{"post_hooks": []}', encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "document.json", "--meta", "none",
               "--config", "config.json", "--output-path", PACKAGE, "--fail-on-warning"]  # fmt: skip
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "arning" not in made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module(PACKAGE)


@pytest.mark.slow
def test_bentomls_own_client_asks_every_question(served: Served) -> None:
    """With reasons and without; each answer is that of the address."""
    questions = [*QUESTIONS.items(), ("score", {"items": [ITEM]})]
    output = _printed([sys.executable, "-c", BENTOML, served.url, served.key, json.dumps(questions)])
    assert output == [served.answer(name, question) for name, question in questions]


@pytest.mark.slow
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_generated_client_asks_every_question(served: Served, generated: ModuleType, name: str) -> None:
    """Its models take the question, send it with a key and read the whole answer."""
    api, models = (importlib.import_module(f"{PACKAGE}.{part}") for part in (f"api.default.{name}", "models"))
    named = {"score": "ScoreQuestion", "explain": "Item", "screen": "ScreenQuestion", "allocate": "PlanQuestion",
             "results": "ResultsQuestion"}  # fmt: skip
    with generated.AuthenticatedClient(base_url=served.url, token=served.key) as client:
        answer = api.sync(client=client, body=getattr(models, named[name]).from_dict(QUESTIONS[name]))
    assert answer.to_dict() == served.answer(name, QUESTIONS[name])


@pytest.mark.slow
def test_a_generated_client_reads_an_error(served: Served, generated: ModuleType) -> None:
    """The one shape is a model of its own."""
    api, models = (importlib.import_module(f"{PACKAGE}.{part}") for part in ("api.default.explain", "models"))
    with generated.AuthenticatedClient(base_url=served.url, token=served.key[::-1]) as client:
        answer = api.sync(client=client, body=models.Item.from_dict(ITEM))
    assert isinstance(answer, models.Error)
    assert "opens nothing" in answer.error


@pytest.mark.slow
def test_a_generated_client_reads_a_refusal(served: Served, generated: ModuleType) -> None:
    """A question that the catalogue cannot answer is sent whole and comes back as the one shape, with what to do."""
    api, models = (importlib.import_module(f"{PACKAGE}.{part}") for part in ("api.default.select", "models"))
    with generated.AuthenticatedClient(base_url=served.url, token=served.key) as client:
        answer = api.sync(client=client, body=models.SelectQuestion.from_dict(REFUSED["select"]))
    assert isinstance(answer, models.Error)
    assert "No round has a result yet" in answer.error


def test_a_plan_asked_for_twice_with_one_key_is_drawn_once(served: Served) -> None:
    """The same bytes and one more round; another question with this key is refused, an unknown SKU is 404."""
    with httpx.Client(base_url=served.url, headers={"authorization": f"Bearer {served.key}"}, timeout=30) as client:
        before = client.get("/rounds", params={"limit": 100}).json()["rounds"]
        first, again = (
            client.post("/allocate", json={"budget_eur": 3000}, headers={"idempotency-key": "order-17"})
            for _ in range(2)
        )
        assert (first.status_code, again.content, again.headers["idempotent-replayed"]) == (200, first.content, "true")
        after = client.get("/rounds", params={"limit": 100}).json()["rounds"]
        assert len(after) == len(before) + 1
        other = client.post("/allocate", json={"budget_eur": 3001}, headers={"idempotency-key": "order-17"})
        assert (other.status_code, list(other.json())) == (422, ["error"])
        unknown = client.post("/explain", json={"sku_id": "nobody", "market": "DE"})
        assert (unknown.status_code, "has no SKU 'nobody'" in unknown.json()["error"]) == (404, True)
        for method, path, allowed in (
            ("GET", "/allocate", "POST"),
            ("DELETE", f"/rounds/{first.json()['round_id']}", "GET"),
        ):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.slow
def test_a_program_of_generated_types_is_checked_and_asks(served: Served, tmp_path: Path) -> None:
    """TypeScript: `openapi-typescript` reads the description, a wrong field is found before it is sent, Node asks."""
    modules, node = TYPESCRIPT / "node_modules", shutil.which("node")
    if node is None or not (modules / "typescript").is_dir():
        pytest.skip("Node or its packages are not installed: npm ci in tests/serving/typescript")
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "document.json").write_bytes(served.description())
    shutil.copy(TYPESCRIPT / "ask.ts", tmp_path)

    def run(script: str, *arguments: str) -> str:
        ran = subprocess.run([node, script, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run("node_modules/openapi-typescript/bin/cli.js", "document.json", "-o", "touchstone.d.ts")
    run("node_modules/typescript/bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "ask.ts")
    answers = json.loads(run("ask.js", served.url, served.key))
    assert answers["band"] == served.answer("score", QUESTIONS["score"])["scores"][0]["band"]
    assert (answers["state"], answers["status"]) == ("open", 400)
    assert "There is no round 'r-0'" in answers["sentence"]
    assert answers["rounds"][0] == answers["rounds"][1]


def test_every_question_is_asked_here() -> None:
    assert {f"/{name}" for name in (*QUESTIONS, *REFUSED)} == set(EXAMPLES)


def _printed(command: list[str]) -> Any:
    ran = subprocess.run(command, cwd=Path(ROOT), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])
