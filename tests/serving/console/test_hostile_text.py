"""Text of sellers and buyers is data on every page: whatever it says, nothing of it becomes markup or an address."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.dossiers.dossier import Dossier, Quote
from serving.dossiers.reading import Dossiers
from serving.queue.reading import Entry, Queue
from tests.features.catalogues import DAY
from tests.serving.console.conftest import Clients

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></textarea><script>alert(1)</script>",
    "javascript:alert(1)//",
    "{{ 7 * 7 }}{% raw %}",
    "<b hx-get=/ui/ hx-trigger=load>",
)  # fmt: skip


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A text that stands in titles, brands, suppliers, factories and reviews of every SKU."""
    text = str(request.param)
    true_dossier, true_entries = Dossiers.of, Queue.entries
    said = Quote("R-1", DAY, DAY, 1, True, text, f"It burned {text}", 0, len(text) + 10, 3, 9, text, 2, 0.9)

    def dossier(self: Dossiers, position: int) -> Dossier:
        told = true_dossier(self, position)
        listing = replace(told.listing, title=text, brand=text, supplier_id=text, factory_id=text, battery=text)
        tests = tuple(replace(test, package=text, hazard=text, test_id=text) for test in told.tests)
        return replace(told, listing=listing, tests=tests, quotes=(said,))

    def entries(self: Queue, numbers: "np.ndarray[Any, Any]") -> list[Entry]:
        return [replace(entry, title=text, supplier_id=text) for entry in true_entries(self, numbers)]

    monkeypatch.setattr(Dossiers, "of", dossier)
    monkeypatch.setattr(Queue, "entries", entries)
    return text


@pytest.mark.parametrize("path", ["/ui/?view=all", "/ui/sku/DE/K-1"])
def test_stored_text_is_shown_as_text(signed: Clients, hostile: str, path: str) -> None:
    answer = signed("analyst").get(path)
    assert answer.status_code == 200
    soup = BeautifulSoup(answer.text, "html.parser")
    assert hostile in soup.get_text()
    assert_inert(soup)


def test_reflected_text_is_shown_as_text(signed: Clients) -> None:
    client: TestClient = signed("analyst")
    for text in HOSTILE:
        for name in ("q", "supplier", "band", "market", "view", "sort", "page"):
            assert_inert(BeautifulSoup(client.get("/ui/", params={name: text}).text, "html.parser"))
        assert_inert(BeautifulSoup(client.get("/ui/sign-in", params={"next": text}).text, "html.parser"))


def assert_inert(soup: BeautifulSoup) -> None:
    """Nothing on the page runs, loads or leads elsewhere but what our own templates put there."""
    assert [script.get("src") for script in soup.find_all("script")] == ["/ui/static/htmx.min.js"]
    assert not soup.find_all(["img", "iframe", "object", "embed", "b"])
    for element in soup.find_all(True):
        names = [name for name in element.attrs if name.startswith(("on", "style"))]
        assert not names, element
        for name in ("href", "src", "action", "hx-get"):
            value = str(element.get(name, "/ui/"))
            assert value.startswith(("/ui/", "#")), value
