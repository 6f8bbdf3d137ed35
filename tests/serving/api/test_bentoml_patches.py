"""What takes the place of parts of BentoML is in the application that it builds, and does what it is there for."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from serving.api.errors import Deadline
from serving.api.request_log import RequestLog
from serving.api.worker_process import own_socket, reserve_address
from tests.serving.conftest import ROOT

BUILT = """
import json
from _bentoml_impl.server.app import ServiceAppFactory
from serving.service import Touchstone

Touchstone.inject_config()
app = ServiceAppFactory(Touchstone, is_main=True)()
layers = [[each.cls.__module__, each.cls.__name__, each.kwargs.get("timeout")] for each in app.user_middleware]
paths = [getattr(route, "path", "") for route in app.routes]

from bentoml._internal.configuration.containers import BentoMLContainer
from circus.sockets import CircusSocket
import socket
listens = []
for workers in (1, 2):
    BentoMLContainer.config.services.get()["touchstone"]["workers"] = workers
    bound = CircusSocket("_bento_api_server", host="127.0.0.1", port=0)
    bound.bind_and_listen()
    listens.append(bool(bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)))
print(json.dumps({"layers": layers, "paths": paths, "listens": listens}))
"""
SMALL = """
import json
import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from data.errors import UserError, UnavailableError
from serving.api.bentoml_patches import patch_bentoml

patch_bentoml(lambda path: path)

class Question(BaseModel):
    kind: str

class Answer(BaseModel):
    number: int

ERRORS = {"refused": UserError("No."), "gone": UnavailableError("Later."), "broken": RuntimeError("a secret")}

@bentoml.service(name="small")
class Small:
    def __is_ready__(self):
        raise HTTPException(503, "Not yet.")

    @bentoml.api(route="/ask", input_spec=Question, output_spec=Answer)
    def ask(self, kind):
        if kind in ERRORS:
            raise ERRORS[kind]
        return Answer.model_validate({"number": kind})

Small.inject_config()
told = {}
with TestClient(ServiceAppFactory(Small, is_main=True)()) as client:
    for kind in ("7", "a secret", *ERRORS):
        answer = client.post("/ask", json={"kind": kind})
        told[kind] = [answer.status_code, answer.json()]
    for method, path in (("GET", "/ask"), ("GET", "/nothing"), ("GET", "/readyz"), ("POST", "/ask")):
        answer = client.request(method, path, json={})
        told[f"{method} {path}"] = [answer.status_code, answer.json()]
print(json.dumps(told))
"""
LOG = """
import logging, sys
from serving.api.bentoml_patches import redact_logs

log = logging.getLogger("bentoml._internal.server.http_app")
log.addHandler(logging.StreamHandler(sys.stdout))
redact_logs(lambda path: "(known)" if path == "/score" else "(none)")
for path in ("/score", "/my-secret"):
    try:
        raise ValueError("my-" + "secret")
    except ValueError:
        log.exception("Exception on %s [%s]", path, "POST")
"""
ORPHAN = """
import os, subprocess, sys
child = "import serving.api.worker_process as f, time; f.exit_with_parent(); print('up', flush=True); time.sleep(60)"
worker = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
os._exit(0)
"""
Layer = tuple[str, str, float | None]
"""Module and name of a middleware, and the seconds that it waits where it has any."""


def printed(script: str) -> str:
    """What a script of this tree prints."""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    """The middleware of the service, the outermost first, and its paths, as a worker of BentoML puts it together."""
    built: dict[str, Any] = json.loads(printed(BUILT))
    return {**built, "layers": [(module, name, seconds) for module, name, seconds in built["layers"]]}


def test_requests_have_our_deadline_and_no_other(built: dict[str, Any]) -> None:
    """Only our deadline has seconds to wait, those of the service; nothing of BentoML's traffic is left."""
    layers = built["layers"]
    assert [layer for layer in layers if layer[2] is not None] == [(Deadline.__module__, Deadline.__name__, 60)]
    assert [layer for layer in layers if "traffic" in layer[0] or "Timeout" in layer[1]] == []


def test_requests_are_counted_under_addresses_that_exist(built: dict[str, Any]) -> None:
    """Our log and metrics are the outermost layer; BentoML's own and spans that nobody exports are not beside them."""
    assert built["layers"][0][1] == RequestLog.__name__
    others = ("instruments", "access", "opentelemetry")
    assert [layer for layer in built["layers"] if any(name in layer[0] for name in others)] == []


def test_workers_share_the_connections(built: dict[str, Any]) -> None:
    """The common socket of several workers is bound only; each worker listens itself, and each gets connections."""
    assert built["listens"] == [True, False]
    with socket.socket() as common:
        reserve_address(common, "127.0.0.1", 0)
        listeners = [own_socket(common) for _ in range(2)]
        for listener in listeners:
            listener.listen()
            listener.setblocking(False)
        clients = [socket.create_connection(common.getsockname()) for _ in range(60)]
        accepted = [_accept_all(listener) for listener in listeners]
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            reserve_address(other, *common.getsockname())
        for each in (*clients, *listeners):
            each.close()
    assert sum(accepted) == 60
    assert min(accepted) > 5  # of 60 fair draws fewer are less likely than one in 10^11


def _accept_all(listener: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_the_application_comes_before_bentomls_own_pages(built: dict[str, Any]) -> None:
    """What BentoML would answer at / and /docs.json is never reached."""
    paths: list[str] = [str(path) for path in built["paths"]]
    assert paths.index("") < min(paths.index("/"), paths.index("/docs.json"))


def test_errors_of_bentoml_have_our_shape() -> None:
    """Refused, gone, broken, unreadable, of no such method or path: the one shape, and no words of an exception."""
    output = json.loads(next(line for line in printed(SMALL).splitlines() if line.startswith('{"7"')))
    assert output.pop("7") == [200, {"number": 7}]
    assert {kind: status for kind, (status, _) in output.items()} == {
        "a secret": 500, "refused": 400, "gone": 503, "broken": 500, "GET /ask": 405, "GET /nothing": 404,
        "GET /readyz": 503, "POST /ask": 400,
    }  # fmt: skip
    assert all(list(answer) == ["error"] for _, answer in output.values())
    assert [output[kind][1]["error"] for kind in ("refused", "gone", "GET /readyz")] == ["No.", "Later.", "Not yet."]
    assert output["POST /ask"][1]["error"] == "kind: Field required."
    assert "secret" not in json.dumps([answer for _, answer in output.values()])


def test_the_log_repeats_nobody() -> None:
    """Neither a path that is no address nor the message of an exception is logged by BentoML."""
    log = printed(LOG)
    assert "my-secret" not in log
    assert [name in log for name in ("(none)", "(known)", "ValueError")] == [True] * 3


def test_a_worker_ends_with_the_server_that_started_it() -> None:
    """Also where the server said nothing before it was gone."""
    pid = int(printed(ORPHAN))
    latest = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < latest
        time.sleep(0.1)
