"""Which model was champion after which, decided by whom and why, as the ledger tells it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from data.database import audit_log
from data.database.connection import open_database
from data.settings import Settings

SUBJECT = "champion"
"""The subject under which the ledger keeps every succession."""

Act = Literal["promote", "rollback"]


@dataclass(frozen=True)
class ChampionDecision:
    """Who decided, when and why; `force` is a decision against the rules.

    `broken` names the promotion rules that did not hold, `policy` is their version, None where none applied.
    """

    by: str
    at: datetime
    why: str = ""
    force: bool = False
    broken: tuple[str, ...] = ()
    policy: str | None = None


@dataclass(frozen=True)
class ChampionChange:
    """`version` took the place of `previous` by an act of promote or rollback, on the ISO day `on`.

    `broken` names the rules that did not hold, `policy` the version of the rules, None where none was asked.
    """

    act: Act
    version: str
    previous: str | None
    on: str
    by: str
    why: str
    broken: tuple[str, ...]
    policy: str | None


def champion_changes(settings: Settings) -> tuple[ChampionChange, ...]:
    """Every succession in the ledger, the oldest first."""
    with _ledger(settings) as engine, closing(audit_log.audit_rows(engine, SUBJECT)) as rows:
        return tuple(_champion_change(row) for row in rows)


def record_change(
    settings: Settings, act: Act, version: str, previous: str | None, decision: ChampionDecision
) -> ChampionChange:
    """Record a change of champion in the ledger."""
    content = {"previous": previous, "why": decision.why, "force": decision.force, "broken": list(decision.broken)}
    versions = audit_log.Versions(model=version, policy=decision.policy)
    with _ledger(settings) as engine:
        return _champion_change(
            audit_log.record_event(
                engine, audit_log.AuditEvent(decision.by, act, SUBJECT, content, versions), decision.at
            )
        )


def champion_stack(lines: Sequence[ChampionChange]) -> tuple[str, ...]:
    """The champions that a rollback steps back through, the present one last.

    A promotion adds one, a rollback takes the last away: what was rolled back is not come back to.
    """
    standing: list[str] = []
    for line in lines:
        if line.act == "rollback":
            standing = standing[:-1]
        elif not standing and line.previous is not None:
            standing = [line.previous]
        if standing[-1:] != [line.version]:
            standing.append(line.version)
    return tuple(standing)


def _champion_change(row: audit_log.AuditRow) -> ChampionChange:
    told = json.loads(row.content)
    return ChampionChange(
        "rollback" if row.action == "rollback" else "promote", row.model_version or "", told["previous"],
        row.recorded_at[:10], row.actor, told["why"], tuple(told["broken"]), row.policy_version,
    )  # fmt: skip


@contextmanager
def _ledger(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database_address)
    try:
        yield engine
    finally:
        engine.dispose()
