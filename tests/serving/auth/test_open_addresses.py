"""Addresses for everybody: open without a key, strict in their headers, limited by client."""

import httpx
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from tests.serving.auth.applications import app_with, asking


@pytest.mark.anyio
async def test_open_addresses_need_no_key_and_allow_no_script_and_no_cookie(engine: sa.Engine) -> None:
    """They answer anybody; nothing that a page could load comes from elsewhere, and nothing is kept unasked."""
    async with asking(app_with(engine), client="203.0.113.9") as client:
        answer = await client.get("/p/ABC")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "set-cookie" not in answer.headers


@pytest.mark.anyio
async def test_a_client_may_open_so_many_pages_and_others_go_on(engine: sa.Engine) -> None:
    """The sixth of five at once is told when to ask again, as a page; another client and shared files are answered."""
    app = app_with(engine)
    async with asking(app, client="203.0.113.9") as client:
        answers = [await client.get("/p/ABC") for _ in range(6)]
        file = await client.get("/static/base.css")
    async with asking(app, client="203.0.113.10") as other:
        answers.append(await other.get("/p/ABC"))
    assert [each.status_code for each in answers] == [200] * 5 + [429, 200]
    assert int(answers[5].headers["retry-after"]) >= 1
    assert "Ask again" in _alert(answers[5])
    assert file.status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "size", "status"), [("/p/A", 1001, 413), ("/s/A", 2000, 200), ("/s/A", 2001, 413)])
async def test_what_is_uploaded_has_a_limit_of_its_own(engine: sa.Engine, path: str, size: int, status: int) -> None:
    """Files of sellers may be larger than questions; what is too large is told as a page."""
    async with asking(app_with(engine)) as client:
        answer = await client.post(path, content=b"x" * size)
    assert answer.status_code == status
    assert status == 200 or "bytes" in _alert(answer)


def _alert(answer: httpx.Response) -> str:
    found = BeautifulSoup(answer.text, "html.parser").find(role="alert")
    assert found is not None
    return found.get_text()
