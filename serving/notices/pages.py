"""The form on which everybody can report an unsafe product, with the code of a test summary or one that we lack."""

import re
import unicodedata
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from serving.auth.rate_limit import TokenBucket
from serving.console.context import AppContext
from serving.console.session import ContextDep
from serving.decisions.policy import decision_policy_in_force
from serving.letters.policy import letter_policy_in_force
from serving.notices.letters import acknowledge
from serving.notices.policy import NoticePolicy, notice_policy_in_force
from serving.notices.store import NoticeForm, NoticeReport, NoticeSubject, TooManyNoticesError, take_notice
from serving.public.pages import public_address, public_page
from serving.seller.forms import SentForm, new_form_token
from serving.trust.codes import MistypedCodeError, read_code
from serving.trust.store import TrustCode, TrustCodes

router = APIRouter(prefix="/p", include_in_schema=False)

HAZARDS = (
    "fire", "electric_shock", "burn", "explosion", "choking", "strangulation", "suffocation", "cut", "chemical",
    "irritant", "battery", "fall", "noise", "no_protection",
)  # fmt: skip
INJURIES = (
    ("0", "Nobody was hurt"), ("1", "A small injury, treated at home"), ("2", "An injury treated by a doctor"),
    ("3", "Somebody was in hospital"), ("4", "A life was in danger, or lost"),
)  # fmt: skip
LONGEST_CODE, LONGEST_LINE, LONGEST_EMAIL = 40, 200, 254
_REFERENCE = re.compile(r"N-[0-9A-Z]{5}-[0-9A-Z]{5}")
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_EMAIL = re.compile(r"[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,180}\.[^@\s<>,;:\".]{2,}")


@dataclass(frozen=True)
class NoticePage:
    """What a notice of this address is about: its subject, and the summary that was issued for its code."""

    context: AppContext
    subject: NoticeSubject
    issued: TrustCode | None
    policy: NoticePolicy

    @property
    def path(self) -> str:
        """The address of the form."""
        return f"/p/{self.subject.code}/report"


@dataclass
class NoticeReader:
    """Reads the fields of the form; `problems` are sentences by the name of the field that is wrong."""

    form: FormData
    policy: NoticePolicy
    problems: dict[str, str] = field(default_factory=dict)

    def given(self, name: str) -> str:
        """A field as it was typed."""
        value = self.form.get(name)
        return value.replace("\r\n", "\n").replace("\x00", "").strip() if isinstance(value, str) else ""

    def report(self) -> NoticeReport:
        """What was told; where something is missing, `problems` says what."""
        happened, why = self._text("happened", "Tell us what happened"), self._text("why", "Tell us why it is unsafe")
        if not self.given("bought"):
            self.problems["bought"] = "Tell us where you bought or saw it: the shop, or the address of the page."
        for name in ("bought", "name"):
            if len(self.given(name)) > LONGEST_LINE:
                self.problems[name] = f"Write at most {LONGEST_LINE} characters."
        email = self.given("email")
        if email and not (len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email)):
            self.problems["email"] = "This is no email address. Correct it, or leave it out."
        if self.given("good_faith") != "yes":
            self.problems["good_faith"] = "Confirm that you believe this to be correct and complete."
        hazard, injury = self.given("hazard"), self.given("injury")
        return NoticeReport(
            happened, why, self.given("bought"), hazard if hazard in HAZARDS else None,
            int(injury) if injury in dict(INJURIES) else None, self.given("name") or None, email or None,
        )  # fmt: skip

    def form_token(self) -> str:
        """The token of the form; a new one where it was altered."""
        given = self.given("form_token")
        return given if _FORM_TOKEN.fullmatch(given) else new_form_token()

    def _text(self, name: str, sentence: str) -> str:
        given = self.given(name)
        if len(given) < self.policy.least_characters:
            self.problems[name] = f"{sentence}, in at least {self.policy.least_characters} characters."
        elif len(given) > self.policy.most_characters:
            self.problems[name] = f"Write at most {self.policy.most_characters:,} characters."
        return given


def notice_page(context: AppContext, code: str) -> NoticePage:
    """The page of a code as it was typed; one that we did not issue, or that nobody could, is told of too."""
    policy = notice_policy_in_force(context.now().date())
    try:
        canonical = read_code(code)
        issued = TrustCodes(context.engine).find(canonical)
    except MistypedCodeError:
        canonical, issued = "".join(filter(_is_plain, code))[:LONGEST_CODE] or "none", None
    return NoticePage(context, NoticeSubject(canonical, issued.key if issued else None), issued, policy)


def _is_plain(symbol: str) -> bool:
    return symbol in "-." or unicodedata.category(symbol)[0] in "LN"


@router.get("/{code}/report")
def form(request: Request, context: ContextDep, code: str, received: str = "") -> Response:
    """The form; after it was sent, its acknowledgement with the reference."""
    page = notice_page(context, code)
    if _REFERENCE.fullmatch(received):
        days = decision_policy_in_force(context.now().date()).deadlines.notice
        return _render(request, page, "notice_received.html", reference=received, days=days)
    return _form_page(request, page, None)


@router.post("/{code}/report")
def send(request: Request, context: ContextDep, code: str, form: SentForm) -> Response:
    """Take a notice: a case with a clock at once, and an acknowledgement to the address that was given."""
    page = notice_page(context, code)
    reader = NoticeReader(form, page.policy)
    report = reader.report()
    if reader.problems:
        return _form_page(request, page, reader)
    if _bucket(context.engine, page.policy).spend(_client_of(request)):
        return _render(
            request, page, "notice_refused.html", 429, sentence="You have sent several notices within an hour."
        )
    try:
        notice_form = NoticeForm(page.subject, report, reader.form_token())
        notice = take_notice(context.engine, notice_form, page.policy, context.now())
    except TooManyNoticesError as refusal:
        return _render(request, page, "notice_refused.html", 429, sentence=str(refusal))
    if report.email:
        acknowledge(context.engine, notice, report.email, context.now())
    return RedirectResponse(public_address(request, f"{page.path}?received={notice.reference}"), 303)


def _form_page(request: Request, page: NoticePage, reader: NoticeReader | None) -> Response:
    fields = {name: reader.given(name) for name in reader.form} if reader else {}
    return _render(
        request, page, "notice_form.html", 400 if reader else 200, fields=fields,
        problems=reader.problems if reader else {}, hazards=HAZARDS, injuries=INJURIES,
        form_token=reader.form_token() if reader else new_form_token(),
    )  # fmt: skip


def _render(request: Request, page: NoticePage, template: str, status: int = 200, **values: object) -> Response:
    sender = letter_policy_in_force(page.context.now().date()).sender
    product = page.issued.content.product if page.issued else None
    shown = {"here": public_address(request, page.path), "sender": sender, "product": product,
             "known": page.issued is not None, "code": page.subject.code, "policy": page.policy, **values}  # fmt: skip
    return public_page(request, template, status, max_age_seconds=0, **shown)


_BUCKETS: WeakKeyDictionary[sa.Engine, TokenBucket] = WeakKeyDictionary()


def _bucket(engine: sa.Engine, policy: NoticePolicy) -> TokenBucket:
    """The allowance of clients of this worker."""
    return _BUCKETS.setdefault(engine, TokenBucket(policy.per_client_per_hour / 60, policy.per_client_per_hour))


def _client_of(request: Request) -> str:
    """The address of the client; of one of IPv6 the network, which one person has to themselves."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else host
