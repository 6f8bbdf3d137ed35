"""What happens to a listing that is not tested yet, told from `policy/screening`."""

from serving.api.screening_policy import ScreeningPolicy, ScreeningRule
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_ELSEWHERE, FAILED_TEST, ORDER
from serving.rules.section import RuleTerm, Section, and_list, market_words, words

_BEFORE = {
    "listing": "before it goes live", "payment": "before its seller is paid", "shipment": "before its goods are sent",
}  # fmt: skip
FACT_WORDS = {
    FAILED_TEST: "the product failed an independent test", ORDER: "an authority ordered something against it",
    DENIED_CERTIFICATE: "whoever issued a required document denied or withdrew it",
    FAILED_ELSEWHERE: "the same product failed a test in another market",
}  # fmt: skip
_OUTCOMES = {
    ("hold", "none"): "It is held.", ("test_first", "test"): "It is tested first.",
    ("test_first", "documents"): "Its documents come first.",
    ("allow", "documents"): "It goes on; we ask for documents.",
    ("allow", "test"): "It goes on; we order a test.", ("allow", "none"): "It goes on.",
}  # fmt: skip


def screening_section(policy: ScreeningPolicy) -> Section:
    """The rules in their order."""
    paragraphs = (
        f"A listing is looked at {and_list(_BEFORE.values())}. The first of these rules that fits "
        "decides. Only a decision or a fact can hold a product; an estimate of its risk asks for a test or for "
        "documents at most.",
    )
    terms = tuple(RuleTerm(_condition(rule), _outcome(rule)) for rule in policy.rules)
    return Section("listings", "What happens before a product is sold", paragraphs, terms)


def _condition(rule: ScreeningRule) -> str:
    conditions = []
    if rule.restricted:
        conditions.append("a decision restricts the product or all products of its seller")
    if rule.facts:
        conditions.append(and_list((FACT_WORDS[each] for each in rule.facts), "or"))
    if rule.bands:
        conditions.append(f"its estimated risk is {and_list(rule.bands, 'or')}")
    if rule.missing:
        conditions.append(f"the listing does not state its {and_list(map(words, rule.missing), 'or its')}")
    if not conditions:
        return "In every other case"
    where = f" (only in {market_words(rule.markets)})" if rule.markets else ""
    return f"Where {' and '.join(conditions)}{where}"


def _outcome(rule: ScreeningRule) -> str:
    said = _OUTCOMES.get((rule.decision, rule.ask), _OUTCOMES[rule.decision, "none"] if rule.decision == "hold" else "")
    if len(rule.stages) == len(_BEFORE):
        return said
    return f"{said} This holds {and_list(_BEFORE[stage] for stage in rule.stages)}."
