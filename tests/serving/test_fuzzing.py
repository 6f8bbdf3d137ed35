"""Whatever is asked within and beside its own description, a real server answers as the description says."""

import shutil
from collections.abc import Iterator
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

from serving.access.rights import PUBLIC, RIGHTS
from serving.openapi import ERRORS, EXAMPLES
from tests.serving.conftest import ROOT, Scored, serving

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def client(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that may write to its copy of the scored catalogue."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(scored.workspace.home, folder / "workspace")
    with serving("serving.service:Touchstone", folder / "workspace", ROOT, {"BENTOML_HOME": str(folder)}) as client:
        yield client


@pytest.fixture(scope="module")
def api(client: httpx.Client) -> Any:
    """The description that the server gives of itself."""
    schema = schemathesis.openapi.from_dict(client.get("/docs.json").json())
    schema.config.update(base_url=str(client.base_url))
    return schema


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", sorted({*RIGHTS, *PUBLIC} - {"/", "/docs.json", "/rescore/submit"}))
def test_every_question_gets_a_documented_answer(api: Any, path: str, mode: GenerationMode) -> None:
    """Well formed or not: no 5xx, no status, media type or shape that the description does not name."""
    operation = api[path]["POST" if path in EXAMPLES else "GET"]
    if mode is GenerationMode.NEGATIVE and path not in EXAMPLES:
        return

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=list(CHECKS))

    ask()


@pytest.mark.slow
def test_the_description_is_whole(client: httpx.Client) -> None:
    """Every address of the table of rights but the description itself, one error shape, an example per question."""
    document = client.get("/docs.json").json()
    assert set(document["paths"]) == {*RIGHTS, *PUBLIC} - {"/", "/docs.json"}
    assert "BentoML" not in client.get("/").text + client.get("/docs.json").text
    for path, item in document["paths"].items():
        for operation in item.values():
            refs = [each["content"]["application/json"]["schema"]["$ref"]
                    for status, each in operation["responses"].items() if status in (*ERRORS, "404")]  # fmt: skip
            assert set(refs) == {"#/components/schemas/Error"}
            assert path not in EXAMPLES or operation["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_are_questions(client: httpx.Client, path: str) -> None:
    """Each example is read: it is answered, or refused for what this catalogue does not hold, never for its form."""
    answer = client.post(path, json=EXAMPLES[path])
    assert answer.status_code == 200 or "catalogue" in answer.json()["error"]
