"""What is said of a code at a moment: its state, and what of its summary may be shown in that state."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from serving.trust.policy import TrustPolicy
from serving.trust.store import TrustCode
from serving.trust.summary import PublicSummary, TrustState


@dataclass(frozen=True)
class Recall:
    """A recall in force: the day on which it was approved, and the hazard, None where none may be named."""

    since: date
    hazard: str | None


@dataclass(frozen=True)
class TrustAnswer:
    """What anybody is told of a code.

    `changed_on` is the day of the withdrawal or the recall. `checked_at` is the time for which the state is given, the
    beginning of the interval in which all workers answer alike; `status_index` its position in the status list.
    """

    code: str
    state: TrustState
    summary: PublicSummary
    checked_at: datetime
    status_index: int
    changed_on: date | None = None
    hazard: str | None = None

    @property
    def shows_test(self) -> bool:
        """Whether the test itself is shown: not of a summary that was withdrawn, or of a product that was recalled."""
        return self.state in (TrustState.PASSED, TrustState.EXPIRED)


@dataclass(frozen=True)
class Fall:
    """What ended a code: the day on which it was withdrawn, the recall of its product; None where there is none."""

    withdrawn_on: date | None = None
    recall: Recall | None = None


def trust_answer(row: TrustCode, fall: Fall, now: datetime, policy: TrustPolicy) -> TrustAnswer:
    """What is said of a code now."""
    checked_at, today = _interval_start(row, now, policy), now.astimezone(UTC).date()
    if fall.recall is not None:
        return TrustAnswer(
            row.code, TrustState.RECALLED, row.content, checked_at, row.status_index, fall.recall.since,
            fall.recall.hazard,
        )  # fmt: skip
    withdrawn_on = row.withdrawn_on or fall.withdrawn_on
    if withdrawn_on is not None:
        return TrustAnswer(row.code, TrustState.WITHDRAWN, row.content, checked_at, row.status_index, withdrawn_on)
    state = TrustState.PASSED if today <= row.expiry else TrustState.EXPIRED
    return TrustAnswer(row.code, state, row.content, checked_at, row.status_index)


def max_age(answer: TrustAnswer, now: datetime, policy: TrustPolicy) -> int:
    """For how many seconds an answer may be kept: less than the policy's where it expires sooner."""
    if answer.state is not TrustState.PASSED:
        return policy.max_age_seconds
    end = datetime.combine(answer.summary.valid_until + timedelta(days=1), time(), UTC)
    return max(0, min(policy.max_age_seconds, int((end - now).total_seconds())))


def _interval_start(row: TrustCode, now: datetime, policy: TrustPolicy) -> datetime:
    """The beginning of the interval of the policy's length that `now` is in, not before the code's last change."""
    seconds = int(now.timestamp())
    start = datetime.fromtimestamp(seconds - seconds % policy.max_age_seconds, UTC)
    changed = datetime.fromisoformat(row.withdrawn_at or row.issued_at).replace(microsecond=0)
    return max(start, changed)
