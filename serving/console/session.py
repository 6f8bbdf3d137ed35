"""Who is signed in, and whether a form came from our own page: one signed cookie, nothing kept on the server.

A session ends with its key, ten hours after the sign-in, and after two hours without a request.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from itsdangerous import BadSignature, Signer, URLSafeSerializer
from starlette.datastructures import FormData

from data.workspace import Workspace
from serving.auth.middleware import application_root
from serving.auth.permissions import CONSOLE
from serving.console.context import AppContext

COOKIE = "touchstone_session"
SESSION_SECONDS = 10 * 3600
"""One working day; then a person signs in again."""

IDLE_SECONDS = 2 * 3600
"""A browser that asked for nothing so long was left alone."""

SECRET_BYTES = 32
MOST_FIELDS = 2_000
CSRF_FIELD = "csrf"


@dataclass(frozen=True)
class Person:
    """Somebody signed in: their name, the role of their key, and which key it is."""

    name: str
    role: str
    key_id: str


LOOPBACK = ("127.0.0.1", "::1", "testclient")
INSECURE = Person("insecure", "admin", "insecure")
"""Everybody, where the service runs without keys."""


@dataclass(frozen=True)
class Session:
    """One browser: `nonce` ties forms to it, `person` is None before they sign in.

    `began` is the second (Unix time) of the sign-in, or of the first page.
    """

    nonce: str
    person: Person | None
    began: int


def new_session(house: AppContext, person: Person | None) -> Session:
    """A session that begins now."""
    return Session(secrets.token_urlsafe(16), person, _second(house))


class SignInNeededError(Exception):
    """Nobody is signed in; the answer leads to the sign-in page."""


class NotAllowedError(Exception):
    """The person, or the form, may not do this; the message says why."""


def session_secret(workspace: Workspace) -> bytes:
    """The secret that signs cookies, the same for every worker of this workspace; made on first use, owner-readable."""
    path = workspace.home / "session.secret"
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(made, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()


def app_context(request: Request) -> AppContext:
    """What the pages of this app draw on."""
    house: Callable[[], AppContext] = request.app.state.house
    return house()


def root_of(request: Request) -> str:
    """The address of the console, below the prefix of the service."""
    return application_root(request) + CONSOLE


AnyHouse = Annotated[AppContext, Depends(app_context)]


def session_of(request: Request, house: AnyHouse) -> Session:
    """The session of this request's cookie; a new one where there is none, or it is forged or too old."""
    kept: Session | None = getattr(request.state, "session", None)
    if kept is None:
        kept = _read(house, request.cookies.get(COOKIE, "")) or new_session(house, None)
        if house.insecure and kept.person is None and _here(request):
            kept = replace(kept, person=INSECURE)
        request.state.session = kept
    return kept


AnySession = Annotated[Session, Depends(session_of)]


def keep(request: Request, response: Response, house: AppContext, session: Session) -> None:
    """Write the session into the answer's cookie: out of scripts' reach, for this site's own requests alone."""
    response.set_cookie(
        COOKIE, _cookies(house).dumps({**asdict(session), "seen": _second(house)}), max_age=SESSION_SECONDS,
        path=root_of(request), httponly=True, samesite="lax", secure=request.url.scheme == "https",
    )  # fmt: skip


def csrf_token(house: AppContext, session: Session) -> str:
    """What every form of this session carries in its field `csrf`."""
    return _forms(house).sign(session.nonce.encode()).decode()


def signed_in(session: AnySession, house: AnyHouse) -> Person:
    """The person signed in; leads to the sign-in page where there is none, or where their key opens no more."""
    person = session.person
    if person is None or not ((person == INSECURE and house.insecure) or _holds(house, person)):
        raise SignInNeededError
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


def may(*roles: str) -> Any:
    """A dependency: the person signed in, who must have one of these roles. An admin may everything."""

    def allowed(person: SignedIn) -> Person:
        if person.role not in (*roles, "admin"):
            raise NotAllowedError(f"This takes the role {' or '.join(roles)}; your key has the role {person.role}.")
        return person

    return Depends(allowed)


async def own_form(request: Request, house: AnyHouse, session: AnySession) -> FormData:
    """The fields of a form that one of our pages of this session sent; NotAllowedError for any other."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    token = form.get(CSRF_FIELD)
    try:
        sound = isinstance(token, str) and _forms(house).unsign(token.encode()) == session.nonce.encode()
    except BadSignature:
        sound = False
    if not sound:
        raise NotAllowedError("This form is too old or not ours. Open the page again and send it once more.")
    return form


OwnForm = Annotated[FormData, Depends(own_form)]


def _holds(house: AppContext, person: Person) -> bool:
    """Whether the key of the session is in force, of the same person and role: one row of the database a request."""
    holder = house.holder_by_id(person.key_id)
    return holder is not None and (holder.person, holder.role) == (person.name, person.role)


def _here(request: Request) -> bool:
    """Whether the request comes from this machine."""
    return request.client is not None and request.client.host in LOOPBACK


def _read(house: AppContext, cookie: str) -> Session | None:
    try:
        told = _cookies(house).loads(cookie)
        now, person = _second(house), Person(**told["person"]) if told["person"] else None
        fresh = now - told["seen"] < IDLE_SECONDS and now - told["began"] < SESSION_SECONDS
        return Session(told["nonce"], person, told["began"]) if fresh else None
    except (BadSignature, KeyError, TypeError):
        return None


def _second(house: AppContext) -> int:
    return int(house.now().timestamp())


def _cookies(house: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(house.secret, salt="session")


def _forms(house: AppContext) -> Signer:
    return Signer(house.secret, salt="form")
