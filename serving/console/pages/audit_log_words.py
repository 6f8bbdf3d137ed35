"""Words for rows of the ledger: what was done, and each recorded value by its name."""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from serving.html.filters import UNKNOWN, euros, long_day, percent, plain

DISPOSITIONS: Mapping[str, str] = MappingProxyType(
    {
        "pause": "suspension of the listing",
        "remove": "removal",
        "suspend": "suspension of the supplier",
        "recall": "recall",
        "answer_authority": "answer to the authority",
    }
)
"""What a decision that needs approval does, as the object of a verb."""

DECIDED: Mapping[str, str] = MappingProxyType({
    "no_action": "decided on no action", "request_documents": "requested documents", "refer": "escalated the case",
    "order_test": "ordered a test", "answer_authority": "answered the authority",
})  # fmt: skip
"""What a decision that needs no approval did."""

ACTIONS: Mapping[str, str] = MappingProxyType({
    "propose": "proposed {what}", "decide": "decided on {what}", "approve": "approved {what}",
    "decline": "declined {what}", "appeal": "recorded an appeal", "answer_appeal": "answered an appeal",
    "estimate": "gave an own estimate", "verdict": "labelled a review", "assign": "assigned the case",
    "plan": "drew a round", "cancel_round": "cancelled a round",
    "results": "submitted results", "promote": "promoted a model",
    "amend_result": "amended a result", "hand_in_rows": "handed in rows", "ask_issuer": "asked an issuer",
    "record_answer": "recorded an issuer's answer", "approve_answer": "approved an issuer's answer",
    "decline_answer": "declined an issuer's answer", "close_unanswered": "closed a question without an answer",
    "rollback": "rolled back to a model", "rescore": "requested a scoring", "screen": "screened a listing",
    "create_key": "created a key", "revoke_key": "revoked a key", "seal": "sealed the seed of the next round",
    "modify": "modified a decision on appeal", "draft_letter": "drafted a letter", "check_letter": "checked a letter",
    "send_letter": "sent a letter", "deliver_letter": "noted a delivery", "withdraw_letter": "withdrew a letter",
    "make_seller_link": "made a link for a seller", "revoke_seller_links": "revoked a seller's links",
    "seller_file": "sent a file", "infected_file": "sent a file that the virus scanner refused",
    "propose_action": "proposed a corrective action", "accepted_action": "accepted a corrective action",
    "refused_action": "refused a corrective action", "evidence_of_action": "said that all evidence was sent",
    "verified_action": "verified a corrective action by a test",
    "effective_action": "closed a corrective action as effective",
    "ineffective_action": "closed a corrective action as not effective",
    "ask_counter_sample": "asked for the counter-sample to be tested",
    "answer_counter_sample": "answered a request for the counter-sample", "notice": "sent a notice",
    "send_notice_letter": "wrote to who sent a notice", "forget_notice": "deleted what was written in a notice",
    "draft_trends": "drafted an edition of trends", "publish_trends": "published an edition of trends",
    "write_evidence": "wrote evidence for regulators",
    "issue_trust": "published a test summary", "withdraw_trust": "withdrew a test summary",
    "new_trust_key": "made a key for test summaries", "retire_trust_key": "retired a key for test summaries",
})  # fmt: skip
"""What was done, in the past tense."""

NAMES: Mapping[str, str] = MappingProxyType({
    "p_fail": "predicted to fail", "p_low": "lowest likely", "p_high": "highest likely", "as_of": "scores of",
    "agreement": "against the recommendation", "fact_kind": "fact", "fact_row": "row of the fact",
    "fact_sentence": "fact in words", "code": "reason", "budget_eur": "budget", "cost_eur": "cost",
    "frame": "digest of the frame",
    "in_test": "SKUs left out as in test", "why": "explanation", "key": "key of the person", "shown": "what was shown",
    "own_estimate": "own estimate", "offer": "listing", "supplier_id": "supplier",
})  # fmt: skip
"""Names of recorded values that do not read as words."""

AGREEMENT = {"as_asked": "as recommended", "gentler": "more lenient", "harder": "stricter"}
PROBABILITIES = re.compile(r"p_(fail|low|high)|.*probability|estimate|share")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def action_words(action: str, content: Mapping[str, Any] | None) -> str:
    """An action in the past tense: `propose` of a removal as "proposed removal"; `content` None where it is hidden."""
    disposition = str((content or {}).get("disposition", ""))
    if action == "decide" and disposition in DECIDED:
        return DECIDED[disposition]
    what = DISPOSITIONS.get(disposition, plain(disposition) if disposition else "a decision")
    return ACTIONS.get(action, plain(action)).replace("{what}", what)


def name_words(name: str) -> str:
    """The name of a recorded value in words."""
    return NAMES.get(name, plain(name))


def value_words(name: str, value: object) -> str:
    """A recorded value in words: probabilities as percent, amounts in euros, days as "1 July 2026", yes and no."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    text = str(value)
    if name == "agreement":
        return AGREEMENT.get(text, text)
    if DAY.fullmatch(text):
        return _day(text)
    return plain(text) if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", text) else text


def _number(name: str, value: float) -> str:
    if PROBABILITIES.fullmatch(name):
        return percent(value)
    if name.endswith("_eur"):
        return euros(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _day(text: str) -> str:
    try:
        return long_day(date.fromisoformat(text))
    except ValueError:
        return text
