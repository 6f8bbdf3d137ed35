"""Where the catalogue stands: what is in service, what waits, how a rescoring goes."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from data.refusal import Refusal
from data.results import result_files
from data.workspace import Workspace, pointed
from models.champion import champion_version
from sampling.rounds import round_ids
from serving.desk import Desk
from serving.published import Published
from serving.rescoring.store import Rescoring, latest


class RescoringAnswer(BaseModel):
    """How a rescoring ended."""

    rescoring: Rescoring


class CatalogueStatus(BaseModel):
    """What the service answers from. `bands` counts SKUs by band.

    `champion` is the model that the next scoring uses, `up_to_date` whether it and the tables are those in service;
    `hand_ins` counts the files of results that came in since, `rounds` names the newest sampling rounds. `rescoring` is
    the newest one that was asked of the service, with its progress; null before the first.
    """

    as_of: date
    skus: int
    bands: dict[str, int]
    publication: str
    fingerprint: str
    champion: str | None
    up_to_date: bool
    hand_ins: int
    rounds: list[str]
    rescoring: Rescoring | None
    model_version: str
    feature_version: str
    policy_version: str


def catalogue_status(workspace: Workspace, published: Published, rescoring: Rescoring | None) -> CatalogueStatus:
    """The state of the catalogue in service."""
    scored, bands = published.publication, published.assessor.bands
    counts = np.bincount(bands.rank(published.p_fail), minlength=len(bands.names)).tolist()
    champion, hand_ins = champion_version(workspace), len(result_files(workspace))
    same_lake = pointed(workspace.lake / "CURRENT") in (None, scored.fingerprint)
    return CatalogueStatus(
        as_of=scored.as_of, skus=len(published.snapshot), bands=dict(zip(bands.names, counts, strict=True)),
        publication=published.name, fingerprint=scored.fingerprint, champion=champion,
        up_to_date=champion == scored.model_version and same_lake and not hand_ins,
        hand_ins=hand_ins, rounds=round_ids(workspace)[-5:], rescoring=rescoring, model_version=scored.model_version,
        feature_version=scored.feature_version, policy_version=scored.policy_version,
    )  # fmt: skip


def catalogue_app(workspace: Workspace, desk: Desk, engine: Callable[[], sa.Engine]) -> FastAPI:
    """The address that is read with GET, which BentoML's own do not offer."""
    app = FastAPI(title="Touchstone", openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/status", response_model=CatalogueStatus)
    def status() -> CatalogueStatus | JSONResponse:
        """Where the catalogue stands."""
        try:
            return catalogue_status(workspace, desk.published(), latest(engine(), datetime.now(UTC)))
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=503)

    return app
