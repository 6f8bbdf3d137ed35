"""A worker of the service in a process of its own: `python -m tests.serving.trust.worker HOME PORT POLICY SINCE`.

Its policy of summaries lies in the folder POLICY; it was SHOP_NOW at SINCE (Unix seconds), and time goes on from there.
"""

import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvicorn

from data.database.connection import open_database
from serving.api.application import known_address
from serving.auth.api_keys import ApiKeyCache
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from serving.trust.policy import trust_policy_in_force
from tests.serving.console.conftest import SHOP_NOW, context_of, mounted


def main(home: str, port: str, policy: str, since: str) -> None:
    """Answer until the process is ended."""
    trust_policy_in_force.__defaults__ = (Path(policy),)
    began = float(since)
    engine = open_database(f"sqlite:///{Path(home) / 'touchstone.db'}")
    context = replace(context_of(Path(home), engine), now=lambda: SHOP_NOW + timedelta(seconds=time.time() - began))
    access = access_policy_in_force(SHOP_NOW.date())
    access = access.model_copy(update={"open_burst": 100_000.0, "open_requests_per_minute": 100_000.0})
    gate = AccessMiddleware(mounted(context), ApiKeyCache(lambda: engine, access), access, False, known_address)
    uvicorn.run(gate, host="127.0.0.1", port=int(port), log_level="error", lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])
