"""A client whose body is too large reads why, also one that sends all of it before it reads."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
import uvicorn

from serving.auth.api_keys import Role
from tests.serving.auth.applications import app_with
from tests.serving.conftest import wait_until


@pytest.fixture
def port(engine: sa.Engine) -> Iterator[int]:
    """A port on which the middleware listens, as the service does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app_with(engine), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.mark.parametrize("megabytes", [1, 12])
def test_the_connection_lasts_until_the_answer_is_read(port: int, secrets: dict[Role, str], megabytes: int) -> None:
    headers = {"authorization": f"Bearer {secrets['admin']}", "content-type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("POST", "/score", b" " * (megabytes << 20), headers)
        answer = client.getresponse()
        assert answer.status == 413
        assert b"Ask in several parts." in answer.read()
        client.request("GET", "/livez")
        assert client.getresponse().status == 200
