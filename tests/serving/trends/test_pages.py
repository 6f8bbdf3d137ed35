"""The pages `/trends`: without a key, as published, cached, and nothing below them but the files of an edition."""

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.trends.edition import CELLS_FILE, public_reports
from tests.serving.trends.quarters import Office, application


@pytest.fixture(scope="module")
def client(published: Office) -> Iterator[TestClient]:
    with TestClient(application(published.workspace)) as client:
        yield client


def text_of(client: TestClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())


def test_the_newest_edition_says_how_to_read_it(client: TestClient) -> None:
    """What failing means, how products were drawn, and that it is no statement on a seller; hidden cells say why."""
    text = text_of(client, "/trends")
    assert "Of all products on sale, about 17 % would fail an independent safety test." in text
    assert "By lot. Every product in the draw had a chance of being tested" in text
    assert "They are no statement on a seller" in text
    assert text.count("Too few tests to publish.") == 5
    assert "25 % of those that sellers named were confirmed" in text
    assert text == text_of(client, "/trends/2026Q2")


def test_a_page_names_no_seller_and_no_sku(client: TestClient, published: Office) -> None:
    page = client.get("/trends").text + client.get(f"/trends/2026Q2/{CELLS_FILE}").text
    skus = published.plan.units["sku_id"].to_pylist()
    assert not any(sku in page for sku in skus)


def test_the_files_are_those_that_were_published(client: TestClient, published: Office) -> None:
    for name in ("cells.csv", "figures.csv", "datapackage.json", "SHA256SUMS"):
        answer = client.get(f"/trends/2026Q2/{name}")
        assert answer.content == (public_reports(published.workspace) / "2026Q2" / name).read_bytes()
        assert answer.headers["cache-control"] == "public, max-age=300"
        tag = {"if-none-match": answer.headers["etag"]}
        assert client.get(f"/trends/2026Q2/{name}", headers=tag).status_code == 304


@pytest.mark.parametrize(
    "path",
    ["2026Q1", "2026Q2-2", "..%2F2026Q2", ".draft-2026Q2", "2026Q2/index.html", "2026Q2/..%2F..%2Fround.json",
     "2026Q2/%2e%2e/touchstone.db", "2026Q2/cells.csv%00"],
)  # fmt: skip
def test_whatever_else_is_asked_for_is_not_there(client: TestClient, path: str) -> None:
    assert client.get(f"/trends/{path}").status_code == 404


def test_before_the_first_edition_the_page_says_so(waiting: Office) -> None:
    with TestClient(application(waiting.workspace)) as client:
        assert "No edition has been published yet." in text_of(client, "/trends")
