"""Sessions in one signed cookie, and CSRF tokens of forms; the server stores nothing.

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
"""The longest session: one working day."""

IDLE_SECONDS = 2 * 3600
"""The longest time between two requests of a session."""

SECRET_BYTES = 32
MOST_FIELDS = 2_000
CSRF_FIELD = "csrf"


@dataclass(frozen=True)
class Person:
    """A person signed in: name, and role and id of their key."""

    name: str
    role: str
    key_id: str


LOOPBACK = ("127.0.0.1", "::1", "testclient")
INSECURE = Person("insecure", "admin", "insecure")
"""The person of every local request, where the service runs without keys."""


@dataclass(frozen=True)
class Session:
    """The session of one browser: `nonce` ties forms to it, `person` is None before the sign-in.

    `began` is the time of the sign-in, or of the first page, in Unix seconds.
    """

    nonce: str
    person: Person | None
    began: int


def new_session(context: AppContext, person: Person | None) -> Session:
    """Begin a session."""
    return Session(secrets.token_urlsafe(16), person, _unix_seconds(context))


class SignInNeededError(Exception):
    """Nobody is signed in; the response redirects to the sign-in page."""


class NotAllowedError(Exception):
    """The person or the form is not authorized; the message says why."""


def session_secret(workspace: Workspace) -> bytes:
    """The secret that signs cookies, one for all workers of the workspace; created on first use with mode 0600."""
    path = workspace.home / "session.secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()


def app_context(request: Request) -> AppContext:
    """The application context of a request (a dependency)."""
    make_context: Callable[[], AppContext] = request.app.state.context
    return make_context()


def root_of(request: Request) -> str:
    """The root path of the console, with the prefix of a proxy."""
    return application_root(request) + CONSOLE


ContextDep = Annotated[AppContext, Depends(app_context)]


def session_of(request: Request, context: ContextDep) -> Session:
    """The session of the request's cookie; a new one where there is none, or it is forged or expired."""
    session: Session | None = getattr(request.state, "session", None)
    if session is None:
        session = _read_cookie(context, request.cookies.get(COOKIE, "")) or new_session(context, None)
        if context.insecure and session.person is None and _is_local(request):
            session = replace(session, person=INSECURE)
        request.state.session = session
    return session


SessionDep = Annotated[Session, Depends(session_of)]


def save_session(request: Request, response: Response, context: AppContext, session: Session) -> None:
    """Set the session cookie of the response: HttpOnly, SameSite=Lax, Secure over HTTPS."""
    value = _cookie_serializer(context).dumps({**asdict(session), "seen": _unix_seconds(context)})
    response.set_cookie(
        COOKIE, value, max_age=SESSION_SECONDS, path=root_of(request), httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip


def csrf_token(context: AppContext, session: Session) -> str:
    """The token that every form of this session sends in its field `csrf`."""
    return _form_signer(context).sign(session.nonce.encode()).decode()


def current_person(session: SessionDep, context: ContextDep) -> Person:
    """The person signed in; SignInNeededError where there is none, or their key is not in force any more."""
    person = session.person
    if person is None or not ((person == INSECURE and context.insecure) or _is_key_in_force(context, person)):
        raise SignInNeededError
    return person


CurrentPerson = Annotated[Person, Depends(current_person)]


def requires_role(*roles: str) -> Any:
    """A dependency: the person signed in, NotAllowedError unless they have one of the roles or are an admin."""

    def authorize(person: CurrentPerson) -> Person:
        if person.role not in (*roles, "admin"):
            raise NotAllowedError(f"This takes the role {' or '.join(roles)}; your key has the role {person.role}.")
        return person

    return Depends(authorize)


async def verified_form(request: Request, context: ContextDep, session: SessionDep) -> FormData:
    """The fields of a form with the CSRF token of this session; NotAllowedError for any other form."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    token = form.get(CSRF_FIELD)
    try:
        valid = isinstance(token, str) and _form_signer(context).unsign(token.encode()) == session.nonce.encode()
    except BadSignature:
        valid = False
    if not valid:
        raise NotAllowedError("This form is too old or not ours. Open the page again and send it once more.")
    return form


VerifiedForm = Annotated[FormData, Depends(verified_form)]


def _is_key_in_force(context: AppContext, person: Person) -> bool:
    """Whether the key of the session is in force, with the same person and role: one database row a request."""
    principal = context.principal_by_id(person.key_id)
    return principal is not None and (principal.person, principal.role) == (person.name, person.role)


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine."""
    return request.client is not None and request.client.host in LOOPBACK


def _read_cookie(context: AppContext, cookie: str) -> Session | None:
    try:
        values = _cookie_serializer(context).loads(cookie)
        now, person = _unix_seconds(context), Person(**values["person"]) if values["person"] else None
        is_fresh = now - values["seen"] < IDLE_SECONDS and now - values["began"] < SESSION_SECONDS
        return Session(values["nonce"], person, values["began"]) if is_fresh else None
    except (BadSignature, KeyError, TypeError):
        return None


def _unix_seconds(context: AppContext) -> int:
    return int(context.now().timestamp())


def _cookie_serializer(context: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(context.secret, salt="session")


def _form_signer(context: AppContext) -> Signer:
    return Signer(context.secret, salt="form")
