"""What a person reads on a terminal: the catalogue in ten lines, a plan in three, one SKU in six."""

from textwrap import fill

from sampling.plan import PlanSummary
from serving.answers import Item, ScoreRow
from serving.explanation.explain import explain
from serving.published import Published

WIDTH = 110
RISKIEST = 5


def catalogue_summary(published: Published) -> str:
    """How large the catalogue is, what held-out tests say of its scores, and the riskiest SKUs with a reason each."""
    scored = published.publication
    return "\n".join([
        "",
        f"{len(published.snapshot):,} SKUs scored as of {scored.as_of} by model {scored.model_version}.",
        _held_out(published),
        _expected(published),
        "",
        f"The {RISKIEST} riskiest SKUs, and the first reason:",
        *(_line(row) for row in published.riskiest(RISKIEST)),
        "",
    ])  # fmt: skip


def plan_summary(plan: PlanSummary) -> str:
    """What a plan buys, what it could not do, and what more would buy."""
    bought = (
        f"EUR {plan.budget_eur:,.0f} buys {plan.tests:,} tests for EUR {plan.cost_eur:,.0f}, "
        f"{plan.random_share:.0%} of the money explores: about {plan.expected_failures:,.0f} failures found, against "
        f"{plan.expected_failures_at_random:,.0f} if all money were drawn at random."
    )
    share = 100 * plan.worth_of_1000_eur / plan.value if plan.value else 0.0
    lines = [_wrapped(bought), f"EUR 1,000 more would add {share:.1f} % to its value."]
    lines += [
        f"Minimum not met: {short.tests - short.unmet} of {short.tests} tests of {short.category} in {short.market}."
        for short in plan.minimums
        if short.unmet
    ]
    if plan.waiting:
        lines.append(f"{plan.waiting:,} SKUs wait for another round: no limit left room for their package.")
    return "\n".join(lines)


def explanation(published: Published, sku_id: str, market: str) -> str:
    """The score of one SKU, its reasons, the facts and steps as sentences; Refusal where nobody knows it."""
    told = explain(published, Item.model_construct(sku_id=sku_id, market=market))
    row = told.score
    facts = [_wrapped(f"- {fact.sentence}") for fact in (told.evidence.facts if told.evidence else ())]
    steps = [
        _wrapped(f"- {step.sentence} The model would then predict {step.p_fail:.0%}.") for step in told.would_change
    ]
    return "\n".join([
        f"{sku_id} in {market} as of {row.as_of}: about {10 * row.p_fail:.0f} in 10 such SKUs fail when tested "
        f"({row.p_low:.0%} to {row.p_high:.0%}); band {row.band}, rank {row.rank:,} of {len(published.snapshot):,}.",
        *(_wrapped(f"- {reason.sentence}") for reason in row.reasons or ()),
        *(["Known for certain:", *facts] if facts else []),
        *(["What would change the prediction:", *steps] if steps else []),
        f"(model {row.model_version}, features {row.feature_version}, policy {row.policy_version})",
    ])  # fmt: skip


def _held_out(published: Published) -> str:
    """The failures among the riskiest held-out tests against random ones."""
    metrics = published.metrics
    depths = metrics["found"]
    found = depths.get("riskiest_100", depths["riskiest_10_percent"])
    low, high = found["failed_interval"]
    return _wrapped(
        f"Held-out tests, drawn from {metrics['data']['test_from']} on: of the {found['tests']:,} riskiest of "
        f"{found['of']:,}, {found['failed']:,.0f} failed ({low:,.0f} to {high:,.0f}); at random "
        f"{found['at_random']:,.0f}. AUC {metrics['auc']:.3f}."
    )


def _expected(published: Published) -> str:
    """The same for the catalogue as predicted."""
    p_fail = sorted(published.p_fail, reverse=True)
    riskiest, mean = sum(p_fail[:100]), sum(p_fail) / len(p_fail)
    return (
        f"Of the 100 riskiest SKUs of the catalogue {riskiest:.0f} are predicted to fail; at random {100 * mean:.0f}."
    )


def _line(row: ScoreRow) -> str:
    reason = (row.reasons or [])[0].sentence if row.reasons else ""
    head = f"{row.rank:>3}  {row.sku_id} {row.market}  {row.p_fail:.0%} ({row.p_low:.0%} to {row.p_high:.0%})  "
    return fill(reason, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _wrapped(text: str) -> str:
    return fill(text, WIDTH)
