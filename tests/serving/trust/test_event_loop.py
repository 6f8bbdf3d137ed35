"""What is in memory is answered without a thread, and no reading of the database holds up the event loop."""

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from serving.console.context import AppContext
from serving.trust import page
from serving.trust.codes import new_code
from serving.trust.register import TrustRegister, trust_register
from serving.trust.store import TrustCodes
from tests.serving.trust.cases import published

ENDINGS = ("", ".json", "/badge.svg")


def test_threads_are_for_readings_of_the_database_alone(
    trusted: AppContext, shopper: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first, for a code that is not known, and when the time has come to read again; not for one that is known."""
    in_thread, readings = list[object](), list[bool]()

    def counted(work: Callable[[], Any]) -> Awaitable[Any]:
        in_thread.append(work)
        return run_in_threadpool(work)

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*given: Any) -> Any:
            readings.append("worker thread" in threading.current_thread().name)
            return work(*given)

        return reading

    monkeypatch.setattr(page, "run_in_threadpool", counted)
    monkeypatch.setattr(TrustRegister, "_read", watched(TrustRegister._read))
    monkeypatch.setattr(TrustCodes, "find", watched(TrustCodes.find))
    code, register = published(trusted).code, trust_register(trusted.engine, trusted.settings.workspace)

    def threads_and_readings(path: str, status: int) -> tuple[int, int]:
        in_thread.clear()
        readings.clear()
        assert shopper.get(path).status_code == status
        assert all(readings)
        return len(in_thread), len(readings)

    assert threads_and_readings(f"/p/{code}", 200) == (1, 1)
    assert [threads_and_readings(f"/p/{code}{ending}", 200) for ending in ENDINGS] == [(0, 0)] * 3
    assert threads_and_readings("/p/mistyped", 404) == (0, 0)
    assert threads_and_readings(f"/p/{new_code()}", 404) == (1, 1)
    monkeypatch.setattr(register, "_clock", lambda: time.monotonic() + 3600)
    assert [threads_and_readings(f"/p/{code}{ending}", 200) for ending in ("", "")] == [(1, 1), (0, 0)]
