"""The public test summary of a SKU: what is published, publishing by an officer, withdrawing by anybody at once."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from data.errors import NotFoundError
from serving.console.case import signature_of
from serving.console.context import AppContext
from serving.console.pages.decision import text
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm
from serving.console.templating import address
from serving.decisions.records import SkuKey
from serving.html.filters import urlpath
from serving.trust.eligibility import TrustCase, obstacles, passed_test, trust_case
from serving.trust.policy import trust_policy_in_force
from serving.trust.store import TrustCode, TrustCodes

router = APIRouter(prefix="/trust")


@dataclass(frozen=True)
class TrustPanel:
    """What the SKU's page shows of its public test summary.

    `standing` is the code that stands today, `earlier` are those that do not any more; `missing` says what keeps the
    product from a summary, `may_publish` whether the person's role may publish one.
    """

    standing: TrustCode | None
    earlier: tuple[TrustCode, ...]
    missing: tuple[str, ...]
    package: str | None
    may_publish: bool


def trust_panel(context: AppContext, person: Person, key: SkuKey) -> TrustPanel:
    """The panel of a SKU of the catalogue."""
    today = context.now().date()
    policy, case = trust_policy_in_force(today), _case(context, key)
    test = passed_test(case, policy)
    codes = TrustCodes(context.engine).of_sku(key)
    standing = next((each for each in codes if each.stands(today)), None)
    return TrustPanel(
        standing, tuple(each for each in codes if each is not standing), obstacles(case, policy),
        test.package if test else None, person.role in policy.publishers,
    )  # fmt: skip


@router.post("/publish")
def publish(request: Request, context: ContextDep, person: CurrentPerson, form: VerifiedForm) -> Response:
    """Publish the summary of a SKU."""
    key = SkuKey(text(form, "sku_id"), text(form, "market"))
    TrustCodes(context.engine).issue(_case(context, key), signature_of(context, person))
    return _to_sku(request, key)


@router.post("/withdraw")
def withdraw(request: Request, context: ContextDep, person: CurrentPerson, form: VerifiedForm) -> Response:
    """Withdraw a summary at once."""
    withdrawn = TrustCodes(context.engine).withdraw(
        text(form, "code"), signature_of(context, person), text(form, "why")
    )
    return _to_sku(request, withdrawn.key)


def _case(context: AppContext, key: SkuKey) -> TrustCase:
    case = trust_case(context.engine, context.store, key, context.now().date())
    if case is None:
        raise NotFoundError(f"The catalogue has no SKU {key.sku_id!r} in market {key.market!r}.")
    return case


def _to_sku(request: Request, key: SkuKey) -> Response:
    return RedirectResponse(address(request, f"/sku/{urlpath(key.market)}/{urlpath(key.sku_id)}#trust"), 303)
