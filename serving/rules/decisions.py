"""What happens when a product fails, how it is put right and how to appeal, told from the policies of decisions."""

from serving.decisions.legal_grounds import GroundPolicy
from serving.decisions.policy import DecisionPolicy, Disposition, GroundWording, RequiredFacts
from serving.letters.policy import LetterPolicy
from serving.rules.screening import FACT_WORDS
from serving.rules.section import RuleTerm, Section, and_list, working_days


def decision_section(policy: DecisionPolicy, facts: GroundPolicy, letters: LetterPolicy) -> Section:
    """Facts, clocks and restrictions."""
    days, clocks = policy.deadlines.failed_test, policy.deadlines
    paragraphs = (
        f"A failed independent test counts for {facts.test_days} days, unless a later sample passed the same tests. An "
        f"authority's order counts for {facts.order_days} days, or until it is lifted.",
        f"We decide within {working_days(days.critical)} where the failure is critical, {working_days(days.major)} "
        f"where it is major, and {working_days(days.minor)} where it is minor. An authority's order is acted on within "
        f"{working_days(clocks.authority_order)}, a notice of a danger within {working_days(clocks.notice)}.",
        f"A seller is told what failed and may answer within {working_days(letters.periods.answer_working_days)} "
        "before we decide, unless the failure is critical. Whatever restricts a product, its seller gets the reasons "
        "in writing.",
        "No product is removed and no seller suspended because of an estimate.",
    )
    terms = [
        RuleTerm(each.title, _restriction(each, policy))
        for each in sorted(policy.declared, key=lambda each: each.strength)
        if each.restricts
    ]
    return Section("failures", "What happens when a product fails", paragraphs, tuple(terms))


def _restriction(disposition: Disposition, policy: DecisionPolicy) -> str:
    sentences = []
    if disposition.facts is not None:
        sentences.append(_needs(disposition, disposition.facts))
    else:
        reasons = and_list((_lower(policy.codes[code].words) for code in disposition.codes), "or")
        sentences.append(f"For one of these reasons: {reasons}.")
    if disposition.four_eyes:
        sentences.append("One person proposes it, another one decides.")
    if disposition.ends:
        sentences.append(f"It ends by itself after {policy.limits.pause_days} days.")
    if disposition.binds == "supplier":
        sentences.append("It holds for all products of the seller, and facts about any of them count.")
    return " ".join(sentences)


def _needs(disposition: Disposition, facts: RequiredFacts) -> str:
    kinds = and_list((FACT_WORDS[each] for each in disposition.fact_kinds if each in FACT_WORDS), "or")
    number = f"at least {facts.number} such facts are needed" if facts.number > 1 else "one such fact is needed"
    severity = "" if facts.severity == "minor" else f" A failed test has to be {facts.severity} or worse."
    return f"Only where {kinds}: {number}, none older than {facts.most_age_days} days.{severity}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def remedy_section(policy: DecisionPolicy) -> Section:
    """What a seller can do, by the reason of the decision."""
    used = dict.fromkeys(code for each in policy.declared if each.restricts or each.strength for code in each.codes)
    terms = tuple(
        RuleTerm(policy.codes[code].words, policy.codes[code].remedy) for code in used if policy.codes[code].remedy
    )
    paragraphs = ("The letter to the seller says which of these is the reason.",)
    return Section("remedies", "How a seller puts it right", paragraphs, terms)


def appeal_section(policy: DecisionPolicy) -> Section:
    """Who answers an appeal, and by when; the legal basis of restrictions."""
    terms = policy.appeals
    paragraphs = (
        f"A seller may appeal against every restriction for {terms.months} months after the letter with its reasons "
        f"was sent, free of charge. Where: {terms.address}.",
        f"A person who took no part in the decision answers within {working_days(terms.answer_working_days)}. The "
        "decision then stands, becomes a milder one, or falls.",
    )
    grounds = tuple(RuleTerm(each.rule, _law(each)) for each in policy.grounds.values())
    return Section("appeals", "How to appeal, and the law", paragraphs, grounds)


def _law(wording: GroundWording) -> str:
    """The law of the EU that a restriction rests on, and that of other markets where it is another."""
    same = wording.elsewhere == wording.legal_ground
    return f"{wording.legal_ground}." if same else f"{wording.legal_ground}. Elsewhere: {_lower(wording.elsewhere)}."
