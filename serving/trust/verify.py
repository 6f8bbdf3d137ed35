"""The page `/verify`: type a code by hand, or paste a signed copy and read what was checked of it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from serving.console.session import ContextDep
from serving.public.pages import public_address, public_page
from serving.trust.codes import MistypedCodeError, read_code
from serving.trust.page import trust_desk
from serving.trust.summary import TrustState
from serving.trust.verification import NOT_CHECKED, CopyError, verify_copy

router = APIRouter(prefix="/verify", include_in_schema=False)

_NOW = {
    TrustState.PASSED: "The summary stands today.",
    TrustState.EXPIRED: "The summary has expired since.",
    TrustState.WITHDRAWN: "The summary was withdrawn since. Do not rely on the copy.",
    TrustState.RECALLED: "The product was recalled since. Stop using it.",
    TrustState.UNKNOWN: "We did not issue this code.",
}


@router.get("")
def form(request: Request, context: ContextDep, code: str = "") -> Response:
    """The form; a code that was typed leads to its page."""
    mistake = None
    if code.strip():
        try:
            return RedirectResponse(public_address(request, f"/p/{read_code(code)}"), 303)
        except MistypedCodeError as error:
            mistake = str(error)
    return public_page(
        request, "verify.html", 400 if mistake else 200, owner=trust_desk(context).marketplace.name, code=code,
        mistake=mistake, refused=None, verified=None, now=None, not_checked=(),
    )  # fmt: skip


@router.post("")
def check(request: Request, context: ContextDep, signed_copy: Annotated[str, Form()] = "") -> Response:
    """What was checked of a signed copy, and what is so now."""
    desk = trust_desk(context)
    refused, verified, now = None, None, None
    try:
        verified = verify_copy(signed_copy, desk.register.keys(desk.now), desk.issuer, desk.now, desk.policy)
        answer = desk.register.find(verified.code, desk.now)
        now = _NOW[answer.state if answer else TrustState.UNKNOWN]
    except CopyError as error:
        refused = str(error)
    return public_page(
        request, "verify.html", 400 if refused else 200, owner=desk.marketplace.name, code="", mistake=None,
        refused=refused, verified=verified, now=now, not_checked=NOT_CHECKED if verified else (),
    )  # fmt: skip
