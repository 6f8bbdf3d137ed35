"""The HTTP service: scores and sampling plans; the only module that knows BentoML."""

import logging
from collections.abc import Callable
from typing import Any

import bentoml
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from data.refusal import Refusal
from data.settings import read_settings
from serving.answers import Budget, Items, PlanAnswer, ScoreAnswer, Seed, plan_answer
from serving.desk import Desk
from serving.error_shape import ErrorShape
from serving.published import Published

REQUEST_SECONDS = 60
THREADS = 4


@bentoml.service(name="touchstone", workers=1, threads=THREADS, traffic={"timeout": REQUEST_SECONDS})
class Touchstone:
    """Says whether a SKU would fail an independent laboratory test, why, and which SKUs to test next.

    Answers from the newest scores that `touchstone score` published in the workspace (`TOUCHSTONE_HOME`) and moves on
    by itself when newer ones are published. Until there are any, every question is answered with 503 and what to do.
    Every error has the form {"error": sentence}.
    """

    def __init__(self) -> None:
        self._desk = Desk(read_settings().workspace)
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


def _planned(published: Published, budget_eur: float, seed: int) -> PlanAnswer:
    scored = published.publication
    return plan_answer(published.plan(budget_eur, seed), scored.model_version, scored.feature_version)


Touchstone.add_asgi_middleware(ErrorShape)  # type: ignore[attr-defined]
