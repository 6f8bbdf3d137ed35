"""Nobody sends more requests than burst and rate allow."""

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from serving.auth.api_keys import Role
from serving.auth.rate_limit import TokenBucket
from tests.serving.auth.applications import POLICY, app_with, asking, bearer


@pytest.mark.anyio
async def test_a_key_that_asks_too_often_waits_and_others_do_not(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """Beyond its burst: 429 and when to come back."""
    async with asking(
        app_with(engine, policy=POLICY.model_copy(update={"requests_per_minute": 1, "burst": 3}))
    ) as client:
        statuses = [(await client.get("/score", headers=bearer(secrets["admin"]))).status_code for _ in range(5)]
        answer = await client.get("/score", headers=bearer(secrets["admin"]))
        assert statuses == [200, 200, 200, 429, 429]
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await client.get("/score", headers=bearer(secrets["analyst"]))).status_code == 200


@given(waits=st.lists(st.floats(0, 30), max_size=60), per_minute=st.floats(1, 600), burst=st.floats(1, 20))
def test_nobody_gets_more_than_burst_and_rate(waits: list[float], per_minute: float, burst: float) -> None:
    """Over any time, the requests let through are at most the burst and the rate times the time."""
    clock = 1000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.auth.rate_limit.time.monotonic", lambda: clock)
        bucket = TokenBucket(per_minute, burst)
        passed, started = 0, clock
        for wait in waits:
            clock += wait
            passed += bucket.spend("me") == 0
            assert passed <= burst + (clock - started) * per_minute / 60 + 1e-6


def test_whoever_waits_as_told_gets_through() -> None:
    """The seconds of a refusal are enough."""
    clock = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.auth.rate_limit.time.monotonic", lambda: clock)
        bucket = TokenBucket(per_minute=2, burst=1)
        assert bucket.spend("me") == 0
        wait = bucket.spend("me")
        clock += wait + 1e-9
        assert bucket.spend("me") == 0
