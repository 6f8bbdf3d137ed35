"""Pages for everybody: below open addresses, with errors that are pages, cached where they say so."""

import httpx
import pytest
from bs4 import BeautifulSoup
from fastapi import FastAPI, Request, Response
from starlette.testclient import TestClient

from data.errors import UserError
from data.settings import read_settings
from serving.api.application import build_application
from serving.auth.permissions import OPEN, is_open
from serving.public.app import ROUTERS
from serving.public.pages import cached


def test_every_public_router_is_below_an_open_address() -> None:
    """Else the middleware would ask for a key."""
    assert all(is_open(route.path) for router in ROUTERS for route in router.routes)  # type: ignore[attr-defined]
    assert not any(map(is_open, ("/", "/ui", "/px", "/score", "/ps", "/pages")))


def test_an_unknown_page_below_an_open_address_is_a_page() -> None:
    """With the frame, the stylesheets that are there, and no word on what the application is made of."""
    app = build_application(lambda: pytest.fail("no page of this test draws on anything"))
    with TestClient(app) as client:
        answer = client.get(f"{OPEN[0]}/no/such/page")
        page = BeautifulSoup(answer.text, "html.parser")
        files = [str(link["href"]) for link in page.find_all("link")]
        assert answer.status_code == 404
        assert "no page at this address" in _alert(answer)
        assert [client.get(path).status_code for path in files] == [200] * 3


def test_a_cached_page_is_sent_once() -> None:
    """Who has it already is answered 304 with the same tag; another content has another."""
    app = FastAPI()

    @app.get("/{content}")
    def answer(request: Request, content: str) -> Response:
        return cached(request, Response(content), 300)

    with TestClient(app) as client:
        first = client.get("/a")
        tag = first.headers["etag"]
        again = client.get("/a", headers={"if-none-match": f'"x", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert first.headers["cache-control"] == again.headers["cache-control"] == "public, max-age=300"
        assert client.get("/b", headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("given", ["example.com", "ftp://example.com", "https://", "https://example.com/?q=1"])
def test_a_public_address_that_is_none_is_refused(given: str) -> None:
    """It would stand in letters and on packages."""
    with pytest.raises(UserError, match="TOUCHSTONE_PUBLIC_URL"):
        read_settings(environment={"TOUCHSTONE_PUBLIC_URL": given})


def test_a_public_address_is_read_without_its_last_slash() -> None:
    """So that paths can follow it; below a prefix too."""
    settings = read_settings(environment={"TOUCHSTONE_PUBLIC_URL": "https://shop.example/safety/"})
    assert settings.public_url == "https://shop.example/safety"
    assert read_settings(environment={}).public_url is None


def _alert(answer: httpx.Response) -> str:
    found = BeautifulSoup(answer.text, "html.parser").find(role="alert")
    assert found is not None
    return found.get_text()
