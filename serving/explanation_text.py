"""The explanation of one score as text for a terminal."""

from textwrap import fill

from serving.api.explain import explain_sku
from serving.console.pages.sku_sentences import prediction, risk_level_sentence
from serving.html.filters import long_day, percent
from serving.online.store import OnlineStore
from serving.schemas import Item

WIDTH = 110


def explanation(published: OnlineStore, sku_id: str, market: str) -> str:
    """The score of one SKU, its reasons, the facts and steps as text; UserError where the catalogue lacks it."""
    answer = explain_sku(published, Item.model_construct(sku_id=sku_id, market=market))
    row = answer.score
    facts = [_wrapped(f"- {fact.sentence}") for fact in (answer.evidence.facts if answer.evidence else ())]
    steps = [
        _wrapped(f"- {step.sentence} The prediction would then be {percent(step.p_fail)}.")
        for step in answer.would_change
    ]
    return "\n".join([
        _wrapped(
            f"{sku_id} in {market}, scores of {long_day(row.as_of)}. {prediction(row.p_fail)} The prediction is "
            f"{percent(row.p_fail)}, likely between {percent(row.p_low)} and {percent(row.p_high)}: band {row.band}, "
            f"rank {row.rank:,} of {len(published.snapshot):,}."
        ),
        *([_wrapped(risk_level_sentence(row))] if row.risk_level else []),
        *(_wrapped(f"- {reason.sentence}") for reason in row.reasons or ()),
        *(_wrapped(f"- {pair.sentence}") for pair in answer.interactions),
        *(["Known for certain:", *facts] if facts else []),
        *(["Steps that go with lower failure rates:", *steps] if steps else []),
        f"(model {row.model_version}, features {row.feature_version}, policy {row.policy_version})",
    ])  # fmt: skip


def _wrapped(text: str) -> str:
    return fill(text, WIDTH)
