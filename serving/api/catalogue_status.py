"""Resource `/catalogue/status`: the publication in service, newer inputs that wait, the newest rescoring."""

from datetime import UTC, date, datetime

import numpy as np
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from data.errors import UnavailableError, UserError
from data.lake.lab_results import result_hand_ins, tables_fingerprint
from data.workspace import Workspace
from models.registry import champion_version
from sampling.plan_files import round_ids
from serving.api.errors import without_paths
from serving.auth.api_keys import ROLES
from serving.auth.permissions import require_role
from serving.console.session import ContextDep
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore
from serving.scoring.rescoring import Rescoring, latest_rescoring


class RescoringAnswer(BaseModel):
    """How a rescoring ended."""

    rescoring: Rescoring


class CatalogueStatus(BaseModel):
    """The catalogue in service. `bands` counts SKUs by band.

    Before the first publication `published` is false, `why` says what to do, and fields about scores are null.
    `champion` is the model that the next scoring uses, `up_to_date` whether it and the tables are those in service;
    `hand_ins` counts the hand-ins of results, `rounds` names the newest sampling rounds. `rescoring` is the newest one
    that the service ran, with its progress; null before the first.
    """

    published: bool
    why: str | None = None
    as_of: date | None = None
    skus: int = 0
    bands: dict[str, int] = {}
    publication: str | None = None
    fingerprint: str | None = None
    champion: str | None
    up_to_date: bool = False
    hand_ins: int
    rounds: list[str]
    rescoring: Rescoring | None
    model_version: str | None = None
    feature_version: str | None = None
    policy_version: str | None = None


def catalogue_status(
    workspace: Workspace, published: OnlineStore | UserError, rescoring: Rescoring | None
) -> CatalogueStatus:
    """The state of the catalogue in service, or why there is none."""
    champion, handed_in = champion_version(workspace), len(result_hand_ins(workspace).names())
    rounds = round_ids(workspace)[-5:]
    if isinstance(published, UserError):
        return CatalogueStatus(
            published=False, why=without_paths(str(published)), champion=champion, hand_ins=handed_in, rounds=rounds,
            rescoring=rescoring,
        )  # fmt: skip
    scored, bands = published.publication, published.scorer.bands
    counts = np.bincount(bands.rank(published.p_fail), minlength=len(bands.names)).tolist()
    same_tables = tables_fingerprint(workspace) in (None, scored.fingerprint)
    return CatalogueStatus(
        published=True, as_of=scored.as_of, skus=len(published.snapshot),
        bands=dict(zip(bands.names, counts, strict=True)), publication=published.name, fingerprint=scored.fingerprint,
        champion=champion, up_to_date=champion == scored.model_version and same_tables,
        hand_ins=handed_in, rounds=rounds, rescoring=rescoring, model_version=scored.model_version,
        feature_version=scored.feature_version, policy_version=scored.policy_version,
    )  # fmt: skip


router = APIRouter(prefix="/catalogue", dependencies=[Depends(require_role(*ROLES))])


@router.get("/status")
def status(context: ContextDep) -> CatalogueStatus:
    """Where the catalogue stands, before the first scores too."""
    try:
        return catalogue_status(
            context.settings.workspace,
            _store_or_error(context.reloader),
            latest_rescoring(context.engine, datetime.now(UTC)),
        )
    except UserError as error:
        raise UnavailableError(str(error)) from error


def _store_or_error(reloader: HotReloader) -> OnlineStore | UserError:
    try:
        return reloader.store()
    except UserError as error:
        return error
