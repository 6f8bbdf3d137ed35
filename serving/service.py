"""The HTTP service; it and `framework.py` alone know BentoML."""

import gc
import logging
from asyncio import to_thread
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
import bentoml
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from data.database.audit_log import record_event
from data.database.connection import LazyEngine
from data.errors import UnavailableError, UserError
from data.lab_results.store import Sender, file_results
from data.settings import read_settings
from serving.api.allocate import Planner, draw_plan
from serving.api.bentoml_patches import bound_what_is_kept, end_with_parent, keep_words_out
from serving.api.catalogue_status import RescoringAnswer, catalogue_app
from serving.api.errors import ErrorShape
from serving.api.explain import ExplainAnswer, explain
from serving.api.lab_results import Counter, Results, ResultsAnswer, take_in
from serving.api.openapi import Documentation, our_document
from serving.api.screen import Listing, ScreenAnswer, screen_of, screening_deed
from serving.api.screening_policy import Stage
from serving.auth.api_keys import Key, KeyRing, key_by_id
from serving.auth.middleware import BodyLimit, Gate, SecurityHeaders, caller
from serving.auth.permissions import CONSOLE
from serving.auth.rate_limit import access_policy_in_force
from serving.console.app import console_app
from serving.console.context import AppContext
from serving.console.session import session_secret
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore
from serving.schemas import Budget, Item, Items, PlanAnswer, ScoreAnswer, Seed, Text, plan_answer
from serving.scoring.rescoring import rescore

REQUEST_SECONDS = 60
THREADS = 4
ITEMS_AT_ONCE = 20
"""So many SKUs are scored in about the time that it takes to hand them to a thread and back."""

# BentoML takes middleware and mounted applications when the class is declared, so what they share is made here;
# none of it opens anything before the first question.
_SETTINGS = read_settings()
_ACCESS = access_policy_in_force(datetime.now(UTC).date())
_STATE = LazyEngine(_SETTINGS.database_address)
_DESK = HotReloader(_SETTINGS.workspace)
_RING = KeyRing(_STATE.engine, _ACCESS)
bound_what_is_kept()


def _key_by_id(key_id: str) -> Key | None:
    return key_by_id(_STATE.engine(), key_id)


def _house() -> AppContext:
    house: AppContext = bentoml.get_current_service().house
    return house


@bentoml.asgi_app(catalogue_app(_SETTINGS.workspace, _DESK, _STATE.engine), path="/catalogue")
@bentoml.asgi_app(console_app(_house), path=CONSOLE)
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
        keep_words_out()
        end_with_parent()
        self.house = AppContext(
            _SETTINGS, _DESK, _STATE.engine, _RING.key, _key_by_id, lambda: datetime.now(UTC),
            _SETTINGS.insecure, session_secret(_SETTINGS.workspace),
        )  # fmt: skip
        log = logging.getLogger("bentoml")
        if _SETTINGS.insecure:
            log.warning("INSECURE (TOUCHSTONE_INSECURE=1): every program on this machine may ask as an admin.")
        try:
            _DESK.published()
        except UserError as refusal:
            log.warning("Not ready: %s", refusal)
        _DESK.watch()
        _file_what_waits(log)

    def __is_ready__(self) -> bool:
        """Whether there are verified scores to answer from; 503 with the sentence where there are none."""
        try:
            _DESK.published()
        except UserError as refusal:
            raise HTTPException(503, str(refusal)) from refusal
        return True

    @bentoml.api(route="/score", output_spec=ScoreAnswer)  # type: ignore[untyped-decorator]
    async def score(self, items: Items, explain: bool = False) -> Any:
        """Scores of up to 1,000 SKUs, with reasons as sentences where `explain` is true.

        SKUs that the catalogue does not know come back under `refused`, the others are answered all the same.
        """

        def question(published: OnlineStore) -> Response:
            return Response(published.answer_json(items, explain), media_type="application/json")

        at_hand = _DESK.at_hand() if len(items) <= ITEMS_AT_ONCE else None
        if at_hand is not None:
            return _answer(question, at_hand)
        return await anyio.to_thread.run_sync(_answer, question)

    @bentoml.api(route="/explain", output_spec=ExplainAnswer)  # type: ignore[untyped-decorator]
    def explain(self, sku_id: Text, market: Text) -> Any:
        """Everything behind one score: all contributions, what is known of the SKU, and what would change the score."""
        return _answer(lambda published: explain(published, Item(sku_id=sku_id, market=market)))

    @bentoml.api(route="/screen", output_spec=ScreenAnswer)  # type: ignore[untyped-decorator]
    def screen(self, listing: Listing, stage: Stage) -> Any:
        """What to do with a listing that nobody tested yet: allow it, test it first, or hold it.

        Only a fact holds it: a failed independent test, a denied mandatory certificate or an authority's order. What
        is not simply allowed is recorded in the ledger.
        """
        return _answer(lambda published: _screened(published, listing, stage))

    @bentoml.api(route="/allocate", output_spec=PlanAnswer)  # type: ignore[untyped-decorator]
    def allocate(self, budget_eur: Budget, seed: Seed = None) -> Any:
        """Which SKUs to test next for a budget, each with the probability with which it was drawn.

        The plan is kept as a round and recorded in the ledger. The same seed and budget give the same round again.
        """
        return _answer(lambda published: _planned(published, budget_eur, seed))

    @bentoml.api(route="/results", output_spec=ResultsAnswer)  # type: ignore[untyped-decorator]
    def results(self, results: Results) -> Any:
        """Take in what the laboratories found; the next training learns from it.

        Each result is judged by itself and taken once: sending the same again, or half of it again, changes nothing.
        """
        return _answer(lambda published: take_in(_counter(published), results, _sender()))

    @bentoml.task(route="/rescore", output_spec=RescoringAnswer)  # type: ignore[untyped-decorator]
    async def rescore(self) -> Any:
        """Score the whole catalogue anew in the background; `GET /catalogue/status` tells how far it is."""
        try:
            ended = await rescore(await to_thread(_STATE.engine), _SETTINGS, caller())
        except UnavailableError as unable:
            return JSONResponse({"error": str(unable)}, status_code=503)
        except UserError as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400)
        if ended.state != "done":
            return JSONResponse({"error": ended.message}, status_code=400)
        return RescoringAnswer(rescoring=ended)


def _answer(question: Callable[[OnlineStore], Any], at_hand: OnlineStore | None = None) -> Any:
    try:
        published = at_hand or _DESK.published()
    except UserError as refusal:
        return JSONResponse({"error": str(refusal)}, status_code=503)
    try:
        return question(published)
    except UnavailableError as unable:
        return JSONResponse({"error": str(unable)}, status_code=503)
    except UserError as refusal:
        return JSONResponse({"error": str(refusal)}, status_code=400)


def _file_what_waits(log: logging.Logger) -> None:
    """Write the results that were accepted just before the service last ended."""
    try:
        filed = file_results(_STATE.engine(), _SETTINGS.workspace, datetime.now(UTC))
        if filed:
            log.warning("%d results that were accepted before are filed now.", filed)
    except (UserError, OSError) as unable:
        log.warning("Results that were accepted may wait for their file: %s", unable)


def _screened(published: OnlineStore, listing: Listing, stage: Stage) -> ScreenAnswer:
    answer = screen_of(published).decision(listing, stage)
    if answer.decision != "allow":
        record_event(_STATE.engine(), screening_deed(answer, caller()), datetime.now(UTC))
    return answer


def _planned(published: OnlineStore, budget_eur: float, seed: int | None) -> PlanAnswer:
    by, scored = Planner(_STATE.engine(), caller().name, datetime.now(UTC)), published.publication
    plan = draw_plan(_SETTINGS.workspace, published, budget_eur, by, seed)
    return plan_answer(plan, scored.model_version, scored.feature_version)


def _counter(published: OnlineStore) -> Counter:
    return Counter(_STATE.engine(), _SETTINGS.workspace, published)


def _sender() -> Sender:
    return Sender(caller().name, caller().id, datetime.now(UTC))


# In this order from the outside in: an error of the gate has the one shape, and every answer the headers.
Touchstone.add_asgi_middleware(SecurityHeaders)  # type: ignore[attr-defined]
Touchstone.add_asgi_middleware(ErrorShape)  # type: ignore[attr-defined]
Touchstone.add_asgi_middleware(  # type: ignore[attr-defined]
    Gate, ring=_RING, policy=_ACCESS, insecure=_SETTINGS.insecure
)
Touchstone.add_asgi_middleware(BodyLimit, largest_bytes=int(_ACCESS.largest_body_bytes))  # type: ignore[attr-defined]
Touchstone.add_asgi_middleware(  # type: ignore[attr-defined]
    Documentation,
    document=lambda: our_document(Touchstone.openapi_spec.asdict(), Touchstone.inner.__doc__),  # type: ignore[attr-defined]
)
