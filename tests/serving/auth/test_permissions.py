"""Who may use which address: by role with a key, on this machine alone without."""

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute

from serving.api.application import RESOURCES
from serving.auth.api_keys import ROLES, Role
from serving.auth.permissions import PERMISSIONS, RequiredRole
from tests.serving.auth.applications import LOCAL, RESOURCE, app_with, asking, bearer


@pytest.mark.anyio
async def test_each_role_may_ask_what_its_rights_say(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """Over every address and role: 200 where the table says so, 403 elsewhere, 401 without a key."""
    async with asking(app_with(engine)) as client:
        for path, roles in PERMISSIONS.items():
            for role in ROLES:
                answer = await client.get(path, headers=bearer(secrets[role]))
                assert answer.status_code == (200 if role in roles else 403)
            assert (await client.get(path)).status_code == 401


@pytest.mark.anyio
async def test_a_route_says_itself_who_may_ask(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """The role that its dependency names is let in, others hear which it needs; without a key nobody gets that far."""
    async with asking(app_with(engine)) as client:
        assert (await client.get(RESOURCE, headers=bearer(secrets["analyst"]))).status_code == 200
        refused = await client.get(RESOURCE, headers=bearer(secrets["officer"]))
        assert (await client.get(RESOURCE)).status_code == 401
    assert (refused.status_code, list(refused.json())) == (403, ["error"])
    assert "It needs analyst." in refused.json()["error"]


def test_every_resource_says_who_may_ask() -> None:
    """No router of the application is without a role."""
    for router in RESOURCES:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert any(isinstance(each.dependency, RequiredRole) for each in route.dependencies), route.path


@pytest.mark.anyio
async def test_the_open_door_is_open_to_this_machine_alone(engine: sa.Engine) -> None:
    """Without keys: local programs are the admin `insecure`; no other machine, proxy, name or site's page is."""
    app = app_with(engine, insecure=True)
    async with asking(app) as client:
        assert (await client.get("/score")).json()["caller"] == "insecure"
        assert (await client.get("/score", headers={"origin": LOCAL})).status_code == 200
        for header in ({"x-forwarded-for": "127.0.0.1"}, {"origin": "https://shop.example"}, {"host": "shop.example"}):
            answer = await client.get("/score", headers=header)
            assert answer.status_code == 403
            assert "TOUCHSTONE_INSECURE" in answer.json()["error"]
    async with asking(app, client="192.0.2.7") as client:
        assert (await client.get("/score")).status_code == 403
    async with asking(app, base="http://192.0.2.1:3000") as client:
        assert (await client.get("/score")).status_code == 403
