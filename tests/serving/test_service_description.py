"""The description that a real server gives of itself; at the end, whether it keeps to it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from data.database.connection import open_database
from serving.api.openapi import ERRORS, EXAMPLES
from serving.auth.api_keys import create_key
from serving.auth.permissions import PERMISSIONS, PUBLIC
from tests.serving.conftest import ROOT, SERVICE, Scored, serving

RESOURCE_PATHS = {
    "/catalogue/status", "/certificates/answers", "/certificates/questions",
    "/decisions", "/lab-orders", "/outbox", "/outbox/{letter_id}/delivered", "/rounds",
    "/rounds/{round_id}", "/rounds/{round_id}/tests", "/rounds/{round_id}/cancel",
}  # fmt: skip
PATHS = {*PERMISSIONS, *PUBLIC, *RESOURCE_PATHS} - {"/schema.json"}
"""What is described; the descriptions themselves and the pages are not."""


@pytest.fixture(scope="module")
def client(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client with the key of an admin, of a server over a copy of the scored catalogue."""
    folder = tmp_path_factory.mktemp("described")
    shutil.copytree(scored.workspace.home, folder / "workspace")
    engine = open_database(f"sqlite:///{folder / 'workspace' / 'touchstone.db'}")
    key = create_key(engine, "client", "admin", datetime.now(UTC))[1]
    engine.dispose()
    with serving(SERVICE, folder / "workspace", ROOT, {"BENTOML_HOME": str(folder), "TOUCHSTONE_INSECURE": ""}) as made:
        made.headers["authorization"] = f"Bearer {key}"
        yield made


def test_the_addresses_are_documented(client: httpx.Client) -> None:
    """The OpenAPI document describes both questions and their answers."""
    document = client.get("/docs.json").json()
    assert {"/score", "/allocate"} <= set(document["paths"])
    assert {"ScoreRow", "RefusedItem", "PlannedTest"} <= set(document["components"]["schemas"])
    assert client.get("/").status_code == 200


def test_behind_a_proxy_descriptions_carry_its_prefix(client: httpx.Client) -> None:
    """The server of the OpenAPI document and the links of the page; elsewhere nothing is said of a server."""
    headers = {"x-forwarded-prefix": "/touchstone"}
    assert client.get("/docs.json", headers=headers).json()["servers"] == [{"url": "/touchstone"}]
    assert "servers" not in client.get("/docs.json").json()
    page = client.get("/", headers=headers).text
    assert 'href="/touchstone/ui"' in page
    assert 'href="/touchstone/docs.json"' in page
    assert client.get("/ui/", headers=headers).history == []
    answer = client.post("/score", json={"items": [{"sku_id": "K-1", "market": "DE"}]}, headers=headers)
    assert len(answer.json()["scores"]) == 1


@pytest.mark.slow
def test_the_description_is_whole(client: httpx.Client) -> None:
    """Every address but those of descriptions, one error shape, an example per question, schemas by reference."""
    document = client.get("/docs.json").json()
    assert set(document["paths"]) == PATHS
    assert "BentoML" not in client.get("/").text + client.get("/docs.json").text
    for path, item in document["paths"].items():
        for operation in item.values():
            refs = [each["content"]["application/json"]["schema"]["$ref"]
                    for status, each in operation["responses"].items() if status in (*ERRORS, "404")]  # fmt: skip
            assert set(refs) == {"#/components/schemas/Error"}
            content = operation["responses"]["200"]["content"]
            assert path in (*PUBLIC, "/metrics") or "$ref" in content["application/json"]["schema"]
            assert path not in EXAMPLES or "$ref" in operation["requestBody"]["content"]["application/json"]["schema"]
            assert path not in EXAMPLES or operation["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.slow
def test_a_description_names_only_what_there_is(client: httpx.Client) -> None:
    """A word between backticks is a field of a question or an answer."""
    document = client.get("/docs.json").json()
    fields = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", ())}
    said = {(path, word) for path, item in document["paths"].items() for operation in item.values()
            for word in re.findall(r"`([a-z_]+)`", operation["description"])}  # fmt: skip
    assert said
    assert not {(path, word) for path, word in said if word not in fields}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_are_questions(client: httpx.Client, path: str) -> None:
    """Each example is read: it is answered, or refused for what this catalogue does not hold, never for its form."""
    answer = client.post(path, json=EXAMPLES[path])
    assert answer.status_code == 200 or re.search("catalogue|No round has a result", answer.json()["error"])


CONTRACT = """
[checks]
# Another question with a known Idempotency-Key is 422, as the description says.
positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422", "503"]

[[operations]]
# A budget of the right form may buy nothing, a round carry no list; a task may have ended with an error.
include-path = ["/allocate", "/rescore/get", "/select"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422", "503"]

[[operations]]
# A bad record is an answer: each result is judged by itself, so that it costs the others nothing.
include-path = "/results"
checks.negative_data_rejection.enabled = false
"""
"""What is meant where the checks of schemathesis expect something else."""


@pytest.mark.slow
def test_the_service_keeps_its_description(client: httpx.Client, tmp_path: Path) -> None:
    """Every check of schemathesis at every address: keys, statuses, headers, shapes, methods, good and bad data."""
    (tmp_path / "schemathesis.toml").write_text(CONTRACT, encoding="utf-8")
    schemathesis, url = str(Path(sys.executable).parent / "schemathesis"), str(client.base_url).rstrip("/")
    key = f"Authorization: {client.headers['authorization']}"
    bounds = ["--max-examples", "6", "--generation-deterministic", "--continue-on-failure", "--rate-limit", "100/s"]
    command = [schemathesis, "--config-file", "schemathesis.toml", "run", f"{url}/docs.json", "-H", key, *bounds]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"Tested: {sum(map(len, client.get('/docs.json').json()['paths'].values()))}" in ran.stdout
