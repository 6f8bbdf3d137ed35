"""Changes of champion in the audit log: which model followed which, decided by whom and why."""

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
"""Subject of these events in the audit log."""

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
    """`version` replaced `previous` by an act of promote or rollback, on the ISO day `on`.

    `broken` names the rules that did not hold, `policy` the version of the rules, None where none applied.
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
    """Every change of champion, the oldest first."""
    with _open_audit_log(settings) as engine, closing(audit_log.audit_rows(engine, SUBJECT)) as rows:
        return tuple(_champion_change(row) for row in rows)


def record_change(
    settings: Settings, act: Act, version: str, previous: str | None, decision: ChampionDecision
) -> ChampionChange:
    """Append a change of champion to the audit log."""
    content = {"previous": previous, "why": decision.why, "force": decision.force, "broken": list(decision.broken)}
    versions = audit_log.Versions(model=version, policy=decision.policy)
    with _open_audit_log(settings) as engine:
        return _champion_change(
            audit_log.record_event(
                engine, audit_log.AuditEvent(decision.by, act, SUBJECT, content, versions), decision.at
            )
        )


def champion_stack(changes: Sequence[ChampionChange]) -> tuple[str, ...]:
    """The champions that a rollback steps back through, the present one last.

    A promotion adds one, a rollback removes the last; a model that was rolled back is not restored by another rollback.
    """
    stack: list[str] = []
    for change in changes:
        if change.act == "rollback":
            stack = stack[:-1]
        elif not stack and change.previous is not None:
            stack = [change.previous]
        if stack[-1:] != [change.version]:
            stack.append(change.version)
    return tuple(stack)


def _champion_change(row: audit_log.AuditRow) -> ChampionChange:
    content = json.loads(row.content)
    return ChampionChange(
        "rollback" if row.action == "rollback" else "promote", row.model_version or "", content["previous"],
        row.recorded_at[:10], row.actor, content["why"], tuple(content["broken"]), row.policy_version,
    )  # fmt: skip


@contextmanager
def _open_audit_log(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database_address)
    try:
        yield engine
    finally:
        engine.dispose()
