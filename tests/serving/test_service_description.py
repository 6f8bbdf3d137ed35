"""The description that a real server gives of itself; at the end, random questions that it allows."""

import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.api.openapi import ERRORS, EXAMPLES
from serving.auth.permissions import PERMISSIONS, PUBLIC

RESOURCE_PATHS = {
    "/catalogue/status", "/decisions", "/lab-orders", "/outbox", "/outbox/{letter_id}/delivered", "/rounds",
    "/rounds/{round_id}", "/rounds/{round_id}/tests", "/rounds/{round_id}/cancel",
}  # fmt: skip
PATHS = {*PERMISSIONS, *PUBLIC, *RESOURCE_PATHS} - {"/schema.json"}
"""What is described; the descriptions themselves and the pages are not."""
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def api(client: httpx.Client) -> Any:
    """The description that the server gives of itself."""
    schema = schemathesis.openapi.from_dict(client.get("/docs.json").json())
    schema.config.update(base_url=str(client.base_url))
    return schema


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
    assert answer.status_code == 200 or "catalogue" in answer.json()["error"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", sorted(PATHS - {"/rescore/submit"}))
def test_every_question_gets_a_documented_answer(api: Any, path: str, mode: GenerationMode) -> None:
    """Well formed or not: no 5xx, no status, media type or shape that the description does not name."""
    [operation] = api[path].values()
    if mode is GenerationMode.NEGATIVE and path not in EXAMPLES:
        return

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=list(CHECKS))

    ask()
