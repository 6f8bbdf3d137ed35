"""The public addresses of test summaries: page, signed copy, badge, QR code, status list, keys to check them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from data.errors import NotFoundError, UnavailableError
from data.policy import policies_read_once
from serving.console.context import AppContext
from serving.console.session import ContextDep
from serving.letters.policy import LetterSender, letter_policy_in_force
from serving.letters.words import LetterWords
from serving.public.pages import cached, public_address, public_page
from serving.trust.answer import TrustAnswer, max_age
from serving.trust.codes import MistypedCodeError, read_code
from serving.trust.credential import MEDIA_TYPE, Claims, Issuer, conformity_credential, credential, sign
from serving.trust.keys import jwk_set, signing_key
from serving.trust.pictures import badge, qr_code
from serving.trust.policy import TrustPolicy, trust_policy_in_force
from serving.trust.register import TrustRegister, trust_register
from serving.trust.status_list import status_list_credential
from serving.trust.summary import TrustState
from serving.trust.view import trust_view
from serving.trust.words import trust_words

router = APIRouter()

LANGUAGES = (("en", "English"), ("de", "Deutsch"))
_SVG = "image/svg+xml"


@dataclass(frozen=True)
class TrustDesk:
    """What every address here draws on, at one moment."""

    context: AppContext
    now: datetime

    @cached_property
    def register(self) -> TrustRegister:
        """The codes."""
        return trust_register(self.context.engine, self.context.settings.workspace)

    @cached_property
    def policy(self) -> TrustPolicy:
        """The policy in force."""
        return trust_policy_in_force(self.now.date())

    @cached_property
    def marketplace(self) -> LetterSender:
        """The marketplace: its name, and where shoppers write to."""
        return letter_policy_in_force(self.now.date()).sender

    @property
    def issuer(self) -> Issuer:
        """Who signs; UnavailableError where the service does not know its public address."""
        address = self.context.settings.public_url
        if address is None:
            raise UnavailableError("Signed copies and QR codes need the public address: set TOUCHSTONE_PUBLIC_URL.")
        return Issuer(address, self.marketplace.name)

    def sign(self, payload: Claims) -> str:
        """A payload as a compact JWS; UnavailableError where there is no key."""
        return sign(payload, signing_key(self.register.keys(self.now)))


def trust_desk(context: AppContext) -> TrustDesk:
    """The desk of this request."""
    return TrustDesk(context, context.now().astimezone(UTC))


async def answered(request: Request, context: AppContext, code: str, work: Callable[[], Response]) -> Response:
    """What `work` answers of a code: at once where all of it is in memory, in a thread where the database is asked.

    A thread would wait for those of the console, and both for the interpreter.
    """
    register: TrustRegister | None = getattr(request.app.state, "trust_register", None)
    with policies_read_once():
        if register is not None and _is_in_memory(register, code, context.now()):
            return work()

    def in_thread() -> Response:
        answer = work()
        request.app.state.trust_register = trust_desk(context).register
        return answer

    return await run_in_threadpool(in_thread)


def _is_in_memory(register: TrustRegister, code: str, now: datetime) -> bool:
    try:
        return register.has_in_memory(read_code(code), now)
    except MistypedCodeError:
        return True


@router.get("/.well-known/jwks.json", include_in_schema=False)
def keys(request: Request, context: ContextDep) -> Response:
    """The public keys of signed copies, those that were retired lately among them (RFC 7517)."""
    desk = trust_desk(context)
    body = json.dumps(jwk_set(desk.register.keys(desk.now), desk.now), sort_keys=True)
    return cached(request, Response(body, media_type="application/jwk-set+json"), desk.policy.max_age_seconds)


@router.get("/p/status", include_in_schema=False)
def status_list(request: Request, context: ContextDep) -> Response:
    """The signed status list of all codes."""
    desk = trust_desk(context)
    ended, length = desk.register.ended_positions(desk.now)
    interval = desk.policy.max_age_seconds
    began = datetime.fromtimestamp(int(desk.now.timestamp()) // interval * interval, UTC)
    body = desk.sign(status_list_credential(ended, length, desk.issuer, began, desk.policy))
    return cached(request, Response(body, media_type=MEDIA_TYPE), interval)


@router.get("/p/{code}.json", include_in_schema=False)
async def signed_copy(
    request: Request, context: ContextDep, code: str, form: Literal["vc", "untp", "plain"] = "vc"
) -> Response:
    """The signed copy of a summary: as a test summary or (`untp`) as the UN's credential; `plain` is not signed."""
    return await answered(request, context, code, partial(_signed_copy, request, context, code, form))


def _signed_copy(request: Request, context: AppContext, code: str, form: str) -> Response:
    desk = trust_desk(context)
    answer = _issued(desk, code)
    build = conformity_credential if form == "untp" else credential
    payload = build(answer, desk.issuer, desk.policy)
    if form == "plain":
        response = Response(json.dumps(payload, ensure_ascii=False, indent=1), media_type="application/vc")
    else:
        response = Response(desk.sign(payload), media_type=MEDIA_TYPE)
    return cached(request, response, max_age(answer, desk.now, desk.policy))


@router.get("/p/{code}/badge.svg", include_in_schema=False)
async def badge_picture(request: Request, context: ContextDep, code: str, lang: str = "en") -> Response:
    """The badge for product pages of others; of any code, since a missing picture would say nothing."""
    return await answered(request, context, code, partial(_badge_picture, request, context, code, lang))


def _badge_picture(request: Request, context: AppContext, code: str, lang: str) -> Response:
    desk = trust_desk(context)
    try:
        answer = desk.register.find(read_code(code), desk.now)
    except MistypedCodeError:
        answer = None
    seconds = max_age(answer, desk.now, desk.policy) if answer else desk.policy.max_age_seconds
    response = cached(request, Response(badge(answer, trust_words(lang)), media_type=_SVG), seconds)
    response.headers["cross-origin-resource-policy"] = "cross-origin"
    return response


@router.get("/p/{code}/qr.svg", include_in_schema=False)
def qr_picture(request: Request, context: ContextDep, code: str) -> Response:
    """The QR code of the page, for labels."""
    desk = trust_desk(context)
    answer = _issued(desk, code)
    picture = qr_code(desk.issuer.page(answer.code), answer.code)
    return cached(request, Response(picture, media_type=_SVG), desk.policy.max_age_seconds)


@router.get("/p/{code}", include_in_schema=False)
async def summary_page(request: Request, context: ContextDep, code: str, lang: str = "en") -> Response:
    """The page of a code."""
    return await answered(request, context, code, partial(_summary_page, request, context, code, lang))


def _summary_page(request: Request, context: AppContext, code: str, lang: str) -> Response:
    desk, words = trust_desk(context), trust_words(lang)
    try:
        canonical = read_code(code)
    except MistypedCodeError as error:
        return no_summary(request, desk, words, str(error))
    if canonical != code:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(public_address(request, f"/p/{canonical}{query}"), 308)
    answer = desk.register.find(canonical, desk.now)
    if answer is None:
        return no_summary(request, desk, words, report=public_address(request, f"/p/{canonical}/report"))
    is_public = context.settings.public_url is not None
    return public_page(
        request, "summary.html", max_age_seconds=max_age(answer, desk.now, desk.policy), language=words.language,
        view=trust_view(answer, words, desk.marketplace.email), owner=desk.marketplace.name,
        here=public_address(request, f"/p/{canonical}"),
        text=partial(words.text, values={}), languages=LANGUAGES, has_qr=is_public,
        has_copy=is_public and bool(desk.register.keys(desk.now)),
    )  # fmt: skip


def no_summary(
    request: Request, desk: TrustDesk, words: LetterWords, mistake: str | None = None, report: str | None = None
) -> Response:
    """The page of a code that we did not issue, and where to `report` it, or that was mistyped: what is `mistake`."""
    key = "mistyped" if mistake else TrustState.UNKNOWN
    return public_page(
        request, "no_summary.html", 404, language=words.language, state=TrustState.UNKNOWN, owner=desk.marketplace.name,
        title=words.text(f"title.{key}", {}),
        lead=words.html(f"lead.{key}", {"what": mistake or "", "email": desk.marketplace.email}),
        text=partial(words.text, values={}), report=report,
    )  # fmt: skip


def _issued(desk: TrustDesk, code: str) -> TrustAnswer:
    """What is said of a code; NotFoundError where it was not issued."""
    canonical = read_code(code)
    answer = desk.register.find(canonical, desk.now)
    if answer is None:
        raise NotFoundError("We did not issue this code.")
    return answer
