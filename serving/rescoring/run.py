"""A rescoring as the service runs it: in a process of its own, so that answers stay quick."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from data.errors import Refusal
from data.settings import Settings
from serving.access.keys import Key
from serving.rescoring.store import Rescoring, begin, end, latest

REPOSITORY = Path(__file__).resolve().parents[2]


async def rescore(engine: sa.Engine, settings: Settings, key: Key) -> Rescoring:
    """Score the catalogue anew and return how it ended; the service moves on by itself to what is published.

    Raises Refusal where another rescoring runs, or where this installation holds nothing that computes features.
    """
    if find_spec("ibis") is None:
        raise Refusal("This image only answers; it cannot compute features. Run `touchstone score` where the lake is.")
    name = await asyncio.to_thread(begin, engine, key, datetime.now(UTC))
    environment = os.environ | {"TOUCHSTONE_HOME": str(settings.workspace.home)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serving.rescoring", name, cwd=REPOSITORY, env=environment
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    # It says itself how it ended, unless it was killed.
    await asyncio.to_thread(
        end, engine, name, "failed", f"The process ended with {code}. Ask again.", datetime.now(UTC)
    )
    ended = await asyncio.to_thread(latest, engine, datetime.now(UTC))
    if ended is None:
        raise Refusal(f"The rescoring {name} is not in the database any more. Ask again.")
    return ended
