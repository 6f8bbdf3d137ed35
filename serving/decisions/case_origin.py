"""The origin of a case: what really brought a product to the marketplace's attention."""

from enum import StrEnum

from serving.decisions.ground_rows import GroundRows, GroundTest
from serving.decisions.legal_grounds import FAILED_TEST, ORDER
from serving.decisions.records import Decision


class CaseOrigin(StrEnum):
    """What started a case.

    `own_test` is a test whose strategy nobody recorded, `model` a score that asked for a test or for documents.
    """

    ARTICLE_16_NOTICE = "article_16_notice"
    TRUSTED_FLAGGER = "trusted_flagger"
    OTHER_NOTIFICATION = "other_notification"
    AUTHORITY = "authority"
    CUSTOMS_SAMPLE = "customs_sample"
    COMPLAINT_SAMPLE = "complaint_sample"
    RANDOM_TEST = "random_test"
    MANDATORY_TEST = "mandatory_test"
    RULE_TEST = "rule_test"
    FOLLOW_UP_TEST = "follow_up_test"
    OWN_TEST = "own_test"
    DOCUMENT_CHECK = "document_check"
    MODEL = "model"
    OFFICER = "officer"

    @property
    def found_by_model(self) -> bool:
        """Whether automated means found the product."""
        return self is CaseOrigin.MODEL


NOTICE_ORIGINS = (CaseOrigin.ARTICLE_16_NOTICE, CaseOrigin.TRUSTED_FLAGGER, CaseOrigin.OTHER_NOTIFICATION)
"""The kinds of notice that a marketplace's incidents may be."""

NOTICE_CODES = ("serious_hazard_reported", "incident_under_inquiry")
"""Reason codes of decisions that answer a notice."""

_SAMPLES = {"complaint": CaseOrigin.COMPLAINT_SAMPLE, "customs": CaseOrigin.CUSTOMS_SAMPLE}
_STRATEGIES = {
    "random": CaseOrigin.RANDOM_TEST, "mandatory": CaseOrigin.MANDATORY_TEST, "rule": CaseOrigin.RULE_TEST,
    "follow_up": CaseOrigin.FOLLOW_UP_TEST, "model": CaseOrigin.MODEL,
}  # fmt: skip


def origin_of_test(test: GroundTest) -> CaseOrigin:
    """The origin of a case that a test started: its sample where others took it, else why it was drawn."""
    return _SAMPLES.get(test.origin) or _STRATEGIES.get(test.strategy or "", CaseOrigin.OWN_TEST)


def origin_of_decision(decision: Decision, notices_are: CaseOrigin) -> CaseOrigin:
    """The origin of a decision's case: the row of its ground, else the notice or the score that it answers.

    `notices_are` is the kind of notice that the marketplace's incidents are. A decision from before rows were stored
    is told from its ground and its reason code alone.
    """
    context = decision.decision_context
    rows = context.rows if context else None
    if decision.fact_kind is None:
        return _origin_without_ground(decision, rows, notices_are)
    if decision.fact_kind == ORDER:
        return CaseOrigin.AUTHORITY
    if decision.fact_kind == FAILED_TEST:
        test = rows.test(decision.fact_row) if rows else None
        return origin_of_test(test) if test else CaseOrigin.OWN_TEST
    return CaseOrigin.DOCUMENT_CHECK


def _origin_without_ground(decision: Decision, rows: GroundRows | None, notices_are: CaseOrigin) -> CaseOrigin:
    if decision.code in NOTICE_CODES and (rows is None or rows.notices):
        return CaseOrigin.ARTICLE_16_NOTICE if rows is not None and rows.notices[0].article_16 else notices_are
    return CaseOrigin.MODEL if rows is not None and rows.flagged_by_score else CaseOrigin.OFFICER
