"""Whoever holds several keys is one pair of eyes, however the keys are named."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.auth.api_keys import create_key, key_by_id, key_by_secret
from serving.console.context import AppContext
from tests.serving.browser.shop import FAILED_SKU
from tests.serving.console.conftest import SHOP_NOW, csrf_of, mounted, soup_of

FORM = f"/ui/decide?market=EU&sku_id={FAILED_SKU}"


@pytest.fixture
def keyed(shop: AppContext) -> AppContext:
    """The marketplace with its own keys: two of Olga's, one of Otto's."""
    return replace(
        shop,
        principal_of=lambda text: key_by_secret(shop.engine, text),
        principal_by_id=lambda id_: key_by_id(shop.engine, id_),
    )


def signed_in(context: AppContext, name: str, person: str | None) -> TestClient:
    """A browser signed in with a new officer's key."""
    _, secret = create_key(context.engine, name, "officer", SHOP_NOW, person=person)
    client = TestClient(mounted(context), follow_redirects=False)
    form = {"csrf": csrf_of(client, "/ui/sign-in"), "key": secret}
    assert client.post("/ui/sign-in", data=form).status_code == 303
    return client


def test_what_one_key_proposes_no_other_of_the_person_approves(keyed: AppContext) -> None:
    """Another person does; the console shows the person, not the key."""
    desk, laptop, otto = (
        signed_in(keyed, name, person) for name, person in (("Olga", None), ("laptop 7", "olga "), ("Otto", None))
    )
    fields = BeautifulSoup(desk.get(FORM).text, "html.parser").select("form.decide input[type=hidden]")
    said = {"disposition": "remove", "code": "failed_independent_test", "explanation": "It failed in June."}
    answer = desk.post("/ui/decide", data={**{str(each["name"]): str(each["value"]) for each in fields}, **said})
    where = answer.headers["location"]
    assert "You proposed this. Another officer must approve it." in soup_of(laptop, where).text
    refused = laptop.post(f"{where}/approve", data={"csrf": csrf_of(laptop, where), "note": ""})
    assert refused.status_code == 400
    assert "needs four eyes: olga proposed it" in refused.text
    assert "laptop 7" not in refused.text
    assert otto.post(f"{where}/approve", data={"csrf": csrf_of(otto, where), "note": ""}).status_code == 303
    laptop.post(f"{where}/appeal", data={"csrf": csrf_of(laptop, where), "grounds": "The sample was of an old batch."})
    assert "took part in the decision; somebody else answers" in soup_of(laptop, where).text
