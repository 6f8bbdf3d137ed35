"""BentoML builds its application of the service with what takes the place of its own parts."""

import json
import subprocess
import sys

import pytest

from tests.serving.conftest import ROOT

LAYERS = """
import json
from _bentoml_impl.server.app import ServiceAppFactory
from serving.service import Touchstone

Touchstone.inject_config()
layers = ServiceAppFactory(Touchstone, is_main=True)().user_middleware
print(json.dumps([[each.cls.__module__, each.cls.__name__, each.kwargs.get("timeout")] for each in layers]))
"""
Layer = tuple[str, str, float | None]
"""Module and name of a middleware, and the seconds that it waits where it has any."""


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    """The middleware of the service, the outermost first, as a worker of BentoML puts it together."""
    told = subprocess.run([sys.executable, "-c", LAYERS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return [(module, name, seconds) for module, name, seconds in json.loads(told.stdout)]


def test_requests_have_our_deadline_and_no_other(layers: list[Layer]) -> None:
    """Only our deadline has seconds to wait, those of the service; nothing of BentoML's traffic is left."""
    assert [layer for layer in layers if layer[2] is not None] == [("serving.api.request_timeout", "Deadline", 60)]
    assert [layer for layer in layers if "traffic" in layer[0] or "Timeout" in layer[1]] == []


def test_requests_are_counted_under_addresses_that_exist(layers: list[Layer]) -> None:
    """Our metrics are the outermost layer, and BentoML's own are not there beside them."""
    assert layers[0][:2] == ("serving.api.bentoml_patches", "KnownAddresses")
    assert [layer for layer in layers if "instruments" in layer[0]] == []
