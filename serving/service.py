"""The HTTP service; this file and `api/bentoml_patches.py` alone import BentoML."""

import gc
import logging
from asyncio import to_thread
from datetime import UTC, datetime
from functools import cache
from typing import Any

import anyio.to_thread
import bentoml
from starlette.exceptions import HTTPException
from starlette.responses import Response

from data.database.audit_log import record_event
from data.database.connection import LazyEngine
from data.errors import UnavailableError, UserError
from data.handed_in_rows import file_rows
from data.lab_results.store import Sender, file_results
from data.settings import read_settings
from sampling.selected_lists import Goal
from serving.api.allocate import Planner, draw_plan
from serving.api.application import RESOURCES, build_application, known_address
from serving.api.bentoml_patches import patch_bentoml, redact_logs
from serving.api.catalogue_status import RescoringAnswer
from serving.api.explain import ExplainAnswer, explain_sku
from serving.api.idempotency import IdempotencyMiddleware, earlier_effect
from serving.api.lab_results import LabResultIntake, Record, ResultsAnswer, ResultsQuestion, accept_results
from serving.api.openapi import ModelApi, openapi_document
from serving.api.operator_metrics import MetricsEndpoint, OperatorState
from serving.api.rounds import stored_plan
from serving.api.screen import Listing, ScreenAnswer, ScreenQuestion, screener_of, screening_event
from serving.api.screening_policy import Stage
from serving.api.select import SelectAnswer, SelectQuestion, answer_selection
from serving.api.worker_process import exit_with_parent
from serving.auth.api_keys import ApiKeyCache, Key, key_by_id
from serving.auth.middleware import AccessMiddleware
from serving.auth.permissions import current_principal
from serving.auth.rate_limit import access_policy_in_force
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.session import session_secret
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore
from serving.schemas import Item, NoQuestion, PlanAnswer, PlanQuestion, ScoreAnswer, ScoreQuestion, plan_answer
from serving.scoring.rescoring import rescore
from serving.webhooks.delivery import start_deliveries

REQUEST_SECONDS = 60
THREADS = 4
ITEMS_AT_ONCE = 20
"""So many SKUs are scored in about the time that it takes to hand them to a thread and back."""

# BentoML takes middleware and mounted applications when the class is declared, so what they share is made here;
# none of it opens anything before the first question.
_SETTINGS = read_settings()
_ACCESS = access_policy_in_force(datetime.now(UTC).date())
_STATE = LazyEngine(_SETTINGS.database_address)
_HOT_RELOADER = HotReloader(_SETTINGS.workspace)
_KEY_CACHE = ApiKeyCache(_STATE.engine, _ACCESS)
patch_bentoml(known_address)


def _key_by_id(key_id: str) -> Key | None:
    return key_by_id(_STATE.engine(), key_id)


def _context() -> AppContext:
    context: AppContext = bentoml.get_current_service().context
    return context


_WEB = build_application(_context)


@bentoml.asgi_app(_WEB, path="/")
@bentoml.service(name="touchstone", workers=1, threads=THREADS, traffic={"timeout": REQUEST_SECONDS})
class Touchstone:
    """Says whether a SKU would fail an independent laboratory test, why, and which SKUs to test next.

    Answers from the newest scores that `touchstone score` published in the workspace (`TOUCHSTONE_HOME`) and moves on
    by itself when newer ones are published. Until there are any, questions of scores are answered with 503 and what
    to do. Every address but /livez and /readyz needs a key. Every error has the form {"error": sentence}.
    """

    def __init__(self) -> None:
        # Whole collections then pass over what was imported, so that they come sooner and take no tenth of a second.
        gc.collect()
        gc.freeze()
        redact_logs(known_address)
        exit_with_parent()
        self.context = AppContext(
            _SETTINGS, _HOT_RELOADER, _STATE.engine, _KEY_CACHE.key, _key_by_id, lambda: datetime.now(UTC),
            _SETTINGS.insecure, session_secret(_SETTINGS.workspace),
        )  # fmt: skip
        log = logging.getLogger("bentoml")
        if _SETTINGS.insecure:
            log.warning("INSECURE (TOUCHSTONE_INSECURE=1): every program on this machine may ask as an admin.")
        try:
            _HOT_RELOADER.store()
        except UserError as error:
            log.warning("Not ready: %s", error)
        _HOT_RELOADER.start_polling()
        start_deliveries(_STATE.engine, log)
        _file_pending_results(log)

    def __is_ready__(self) -> bool:
        """Whether there are verified scores to answer from; 503 with the sentence where there are none."""
        try:
            _HOT_RELOADER.store()
        except UserError as error:
            raise HTTPException(503, str(error)) from error
        return True

    @bentoml.api(route="/score", input_spec=ScoreQuestion, output_spec=ScoreAnswer)  # type: ignore[untyped-decorator]
    async def score(self, items: list[Item], explain: bool) -> Any:
        """Scores of up to 1,000 SKUs, with reasons as sentences where `explain` is true.

        SKUs that the catalogue does not know come back under `refused`, the others are answered all the same.
        """
        current = _HOT_RELOADER.current() if len(items) <= ITEMS_AT_ONCE else None
        if current is not None:
            return _scores(items, explain, current)
        return await anyio.to_thread.run_sync(_scores, items, explain)

    @bentoml.api(route="/explain", input_spec=Item, output_spec=ExplainAnswer)  # type: ignore[untyped-decorator]
    def explain(self, sku_id: str, market: str) -> Any:
        """Everything behind one score: all contributions, what is known of the SKU, and what would change the score."""
        return explain_sku(_published(), Item(sku_id=sku_id, market=market))

    @bentoml.api(route="/screen", input_spec=ScreenQuestion, output_spec=ScreenAnswer)  # type: ignore[untyped-decorator]
    def screen(self, listing: Listing, stage: Stage) -> Any:
        """What to do with a listing that nobody tested yet: allow it, test it first, or hold it.

        Only a decision in force or a fact holds it: a failed independent test, a denied mandatory certificate or an
        authority's order, as known at this moment. What is not simply allowed is recorded in the ledger.
        """
        answer = screener_of(_published()).decide(listing, stage, _STATE.engine(), datetime.now(UTC).date())
        if answer.decision != "allow":
            record_event(_STATE.engine(), screening_event(answer, current_principal()), datetime.now(UTC))
        return answer

    @bentoml.api(route="/allocate", input_spec=PlanQuestion, output_spec=PlanAnswer)  # type: ignore[untyped-decorator]
    def allocate(self, budget_eur: float, seed: int | None) -> Any:
        """Which SKUs to test next for a budget, each with the probability with which it was drawn.

        The plan is stored as a round and recorded in the ledger. The same seed and budget give the same round, and so
        does the same `Idempotency-Key`.
        """
        drawn_before = earlier_effect()
        if drawn_before is not None:
            return stored_plan(_SETTINGS.workspace, drawn_before)
        published = _published()
        by, scored = Planner(_STATE.engine(), current_principal().name, datetime.now(UTC)), published.publication
        plan = draw_plan(_SETTINGS.workspace, published, budget_eur, by, seed)
        return plan_answer(plan, scored.model_version, scored.feature_version)

    @bentoml.api(route="/select", input_spec=SelectQuestion, output_spec=SelectAnswer)  # type: ignore[untyped-decorator]
    def select(self, goal: Goal, fdr: float | None, category: str | None, market: str | None) -> Any:
        """SKUs that nobody tested and that would fail (or pass), with the share of the list that may be wrong.

        The share holds on average over draws of the round the list rests on. Where its tests carry no such list, the
        answer is 400 with the smallest share they could carry.
        """
        question = SelectQuestion(goal=goal, fdr=fdr, category=category, market=market)
        return answer_selection(_SETTINGS.workspace, question, datetime.now(UTC).date())

    @bentoml.api(route="/results", input_spec=ResultsQuestion, output_spec=ResultsAnswer)  # type: ignore[untyped-decorator]
    def results(self, results: list[Record]) -> Any:
        """Accept the results of laboratories; the next training learns from them.

        Each result is validated by itself and accepted once: sending the same one twice changes nothing. The letters
        that the accepted ones cause are drafted. A laboratory sends its own results only.
        """
        intake = LabResultIntake(_STATE.engine(), _SETTINGS.workspace, _published())
        key = current_principal()
        sender = Sender(key.name, key.id, datetime.now(UTC), lab_id=key.lab_id)
        answer = accept_results(intake, results, sender)
        draft_letters(self.context)
        return answer

    @bentoml.task(route="/rescore", input_spec=NoQuestion, output_spec=RescoringAnswer)  # type: ignore[untyped-decorator]
    async def rescore(self) -> Any:
        """Score the whole catalogue anew in the background; `GET /catalogue/status` tells how far it is."""
        ended = await rescore(await to_thread(_STATE.engine), _SETTINGS, current_principal())
        if ended.state != "done":
            raise UserError(ended.message or "The rescoring did not end. Ask again.")
        return RescoringAnswer(rescoring=ended)


def _published() -> OnlineStore:
    """The publication to answer from; UnavailableError where there is none yet."""
    try:
        return _HOT_RELOADER.store()
    except UserError as error:
        raise UnavailableError(str(error)) from error


def _scores(items: list[Item], explain: bool, published: OnlineStore | None = None) -> Response:
    """The answer to `/score`, its JSON written straight from arrays."""
    answer = (published or _published()).answer_json(items, explain)
    return Response(answer, media_type="application/json")


def _file_pending_results(log: logging.Logger) -> None:
    """Write the results and other rows that were accepted just before the service last ended."""
    try:
        filed = sum(file(_STATE.engine(), _SETTINGS.workspace, datetime.now(UTC)) for file in (file_results, file_rows))
        if filed:
            log.warning("%d results or rows that were accepted before are filed now.", filed)
    except (UserError, OSError) as error:
        log.warning("Results or rows that were accepted may wait for their file: %s", error)


@cache
def _document() -> dict[str, Any]:
    service: Any = Touchstone
    apis = [
        # BentoML makes a model of its own of each of ours, which is its last base.
        ModelApi(api.route, api.input_spec.__bases__[-1], api.output_spec.__bases__[-1], api.doc, api.is_task)
        for api in service.apis.values()
    ]
    return openapi_document(apis, RESOURCES, service.inner.__doc__)


_WEB.openapi = _document  # type: ignore[method-assign]
Touchstone.add_asgi_middleware(  # type: ignore[attr-defined]
    AccessMiddleware, keys=_KEY_CACHE, policy=_ACCESS, insecure=_SETTINGS.insecure, address_of=known_address
)
Touchstone.add_asgi_middleware(  # type: ignore[attr-defined]
    IdempotencyMiddleware, engine=_STATE.engine, policy=_ACCESS, address_of=known_address,
    now=lambda: datetime.now(UTC),
)  # fmt: skip
Touchstone.add_asgi_middleware(  # type: ignore[attr-defined]
    MetricsEndpoint, state=OperatorState(_SETTINGS.workspace, _HOT_RELOADER, _STATE.engine, lambda: datetime.now(UTC))
)
