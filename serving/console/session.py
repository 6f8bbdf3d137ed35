"""Sessions in one signed cookie, and CSRF tokens of forms.

The database holds which sessions were begun and ended. A session ends with its key, with a sign-out on every worker at
once, ten hours after the sign-in, and after two hours without a request.
"""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from itsdangerous import BadSignature, Signer, URLSafeSerializer
from starlette.datastructures import FormData

from data.workspace import Workspace
from serving.auth.forwarded_prefix import application_root
from serving.auth.permissions import CONSOLE
from serving.auth.sign_ins import SESSION_SECONDS, is_open_session
from serving.console.context import AppContext

COOKIE = "touchstone_session"
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


class StaleFormError(Exception):
    """The form was made for the same key in an earlier session; `form` holds its fields, to be shown once more."""

    def __init__(self, form: FormData) -> None:
        super().__init__("This form was made in an earlier session.")
        self.form = form


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
    """The application context of a request."""
    make_context: Callable[[], AppContext] = request.app.state.context
    return make_context()


def root_of(request: Request) -> str:
    """The root path of the console, with the prefix of a proxy."""
    return application_root(request) + CONSOLE


async def _context_without_a_thread(request: Request) -> AppContext:
    """FastAPI would take a thread for a dependency that is not `async`."""
    return app_context(request)


ContextDep = Annotated[AppContext, Depends(_context_without_a_thread)]


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
    """The token that every form of this session sends in its field `csrf`: its nonce and the key it was shown to."""
    return _form_signer(context).sign(f"{session.nonce}.{_key_id_of(session)}".encode()).decode()


@dataclass(frozen=True)
class FormToken:
    """The content of a form's token: the nonce of its session, the id of the key, empty before the sign-in."""

    nonce: str
    key_id: str


def form_token_of(context: AppContext, form: FormData) -> FormToken | None:
    """The token of a form, of whatever session; None where it was not made here."""
    text = form.get(CSRF_FIELD)
    try:
        nonce, _, key_id = _form_signer(context).unsign(str(text).encode()).decode().partition(".")
    except BadSignature:
        return None
    return FormToken(nonce, key_id)


def current_person(session: SessionDep, context: ContextDep) -> Person:
    """The person signed in; SignInNeededError where there is none, or their key or session is not in force any more."""
    person = session.person
    if person is None or not ((person == INSECURE and context.insecure) or _is_in_force(context, session, person)):
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
    """The fields of a form with the CSRF token of this session.

    Raises StaleFormError for a form of an earlier session of the same key, NotAllowedError for any other form.
    """
    return verify_form(await request.form(max_files=0, max_fields=MOST_FIELDS), context, session)


async def verified_upload(request: Request, context: ContextDep, session: SessionDep) -> AsyncIterator[FormData]:
    """The fields of a form with one file at most, and the CSRF token of this session; errors as above."""
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        yield verify_form(form, context, session)


def verify_form(form: FormData, context: AppContext, session: Session) -> FormData:
    """The form, where its token is that of the session."""
    token = form_token_of(context, form)
    if token is None or token.key_id != _key_id_of(session):
        raise NotAllowedError("This form does not belong to your session. Open the page again and send it from there.")
    if token.nonce != session.nonce:
        raise StaleFormError(form)
    return form


VerifiedForm = Annotated[FormData, Depends(verified_form)]
VerifiedUpload = Annotated[FormData, Depends(verified_upload)]


def _key_id_of(session: Session) -> str:
    return session.person.key_id if session.person else ""


def _is_key_in_force(context: AppContext, person: Person) -> bool:
    """Whether the key of the session is in force, with the same person and role: one database row a request."""
    principal = context.principal_by_id(person.key_id)
    return principal is not None and (principal.person, principal.role) == (person.name, person.role)


def _is_in_force(context: AppContext, session: Session, person: Person) -> bool:
    return _is_key_in_force(context, person) and is_open_session(context.engine, session.nonce, person.key_id)


def address_of(request: Request) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client is not None else ""


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine."""
    return address_of(request) in LOOPBACK


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
