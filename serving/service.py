"""The HTTP service: scores and sampling plans; the only module that knows BentoML."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import bentoml
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from data.refusal import Refusal
from data.settings import read_settings
from data.state.database import open_state
from serving.answers import Budget, Items, PlanAnswer, ScoreAnswer, Seed, plan_answer
from serving.console.app import console_app
from serving.console.house import House
from serving.console.session import session_secret
from serving.desk import Desk
from serving.error_shape import ErrorShape
from serving.published import Published

REQUEST_SECONDS = 60
THREADS = 4
CONSOLE = "/ui"


def _house() -> House:
    house: House = bentoml.get_current_service().house
    return house


@bentoml.asgi_app(console_app(_house), path=CONSOLE)
@bentoml.service(name="touchstone", workers=1, threads=THREADS, traffic={"timeout": REQUEST_SECONDS})
class Touchstone:
    """Says whether a SKU would fail an independent laboratory test, why, and which SKUs to test next.

    Answers from the newest scores that `touchstone score` published in the workspace (`TOUCHSTONE_HOME`) and moves on
    by itself when newer ones are published. Until there are any, every question is answered with 503 and what to do.
    Every error has the form {"error": sentence}.
    """

    def __init__(self) -> None:
        settings = read_settings()
        self._desk = Desk(settings.workspace)
        self.house = House(
            settings, self._desk, open_state(settings.database_address), _no_keys_yet, lambda: datetime.now(UTC),
            settings.insecure, session_secret(settings.workspace),
        )  # fmt: skip
        try:
            self._desk.published()
        except Refusal as refusal:
            logging.getLogger("bentoml").warning("Not ready: %s", refusal)

    def __is_ready__(self) -> bool:
        """Whether there are verified scores to answer from; 503 with the sentence where there are none."""
        try:
            self._desk.published()
        except Refusal as refusal:
            raise HTTPException(503, str(refusal)) from refusal
        return True

    @bentoml.api(route="/score", output_spec=ScoreAnswer)  # type: ignore[untyped-decorator]
    def score(self, items: Items, explain: bool = False) -> Any:
        """Scores of up to 1,000 SKUs, with reasons as sentences where `explain` is true.

        SKUs that the catalogue does not know come back under `refused`, the others are answered all the same.
        """
        return self._answer(lambda published: published.answer(items, explain))

    @bentoml.api(route="/allocate", output_spec=PlanAnswer)  # type: ignore[untyped-decorator]
    def allocate(self, budget_eur: Budget, seed: Seed) -> Any:
        """Which SKUs to test next for a budget, each with the probability with which it was drawn."""
        return self._answer(lambda published: _planned(published, budget_eur, seed))

    def _answer(self, question: Callable[[Published], Any]) -> Any:
        try:
            published = self._desk.published()
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=503)
        try:
            return question(published)
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400)


def _no_keys_yet(_: str) -> None:
    """Nobody holds a key before keys are kept."""


def _planned(published: Published, budget_eur: float, seed: int) -> PlanAnswer:
    scored = published.publication
    return plan_answer(published.plan(budget_eur, seed), scored.model_version, scored.feature_version)


Touchstone.add_asgi_middleware(ErrorShape, spared=CONSOLE)  # type: ignore[attr-defined]
