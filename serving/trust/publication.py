"""The step after a publication went into service: codes fall by what it knows, and all are written beside it."""

from datetime import datetime

import sqlalchemy as sa

from data.database.connection import open_database
from data.settings import Settings
from data.workspace import Workspace
from serving.online.store import open_online_store
from serving.publication import published_name
from serving.trust.store import TrustCodes
from serving.trust.table import trust_folder, write_trust_table
from serving.trust.withdrawals import withdraw_fallen, withdraw_ineligible


def publish_trust_of(settings: Settings, now: datetime) -> int:
    """`publish_trust` for the database and the workspace of these settings."""
    engine = open_database(settings.database_address)
    try:
        return publish_trust(engine, settings.workspace, now)
    finally:
        engine.dispose()


def publish_trust(engine: sa.Engine, workspace: Workspace, now: datetime) -> int:
    """Withdraw the codes that may not stand any more and write the table of all; return how many were withdrawn.

    Doing it again changes nothing. Without any code no table is written.
    """
    codes, name = TrustCodes(engine), published_name(workspace)
    newest = codes.newest_change()
    if name is None or newest == 0:
        return 0
    fallen = [*withdraw_fallen(engine, now), *withdraw_ineligible(engine, open_online_store(workspace), now)]
    newest = codes.newest_change()
    write_trust_table(trust_folder(workspace, name), codes.changed_since(0), newest)
    return len(fallen)
