"""The whole explanation of one score."""

import numpy as np

from data.errors import Refusal
from models.reasons import Place
from serving.answers import Item
from serving.explanation.advice import changes, steps_in_force
from serving.explanation.answers import Evidence, ExplainAnswer, evidence_of, step_told
from serving.explanation.grouped import grouped
from serving.facts import standing_facts
from serving.published import Published


def explain(published: Published, item: Item) -> ExplainAnswer:
    """Why a SKU has its score: every contribution, what is known of it, what would change it.

    Raises Refusal where the catalogue does not know it.
    """
    row = published.score_row(item)
    position = int(published.snapshot.find([item.sku_id], [item.market])[0])
    matrix = published.snapshot.matrix_at(np.array([position]))
    scores, names = published.assessor.whole(matrix), published.snapshot.feature_names
    place = Place(published.snapshot.category(position), float(scores.margin[0]))
    steps = steps_in_force(row.as_of)
    return ExplainAnswer(
        score=row,
        action=str(published.assessor.bands.action(row.p_fail)),
        margin=float(scores.margin[0]),
        base_value=scores.base_value,
        groups=list(grouped(published.narrator, names, place, matrix[0], scores.contributions[0])),
        would_change=[step_told(change) for change in changes(published.assessor, names, matrix[0], steps)],
        evidence=_evidence(published, position),
        model_version=row.model_version, feature_version=row.feature_version, policy_version=row.policy_version,
        as_of=row.as_of,
    )  # fmt: skip


def _evidence(published: Published, position: int) -> Evidence | None:
    try:
        dossier = published.dossiers.of(position)
    except Refusal:
        return None
    return evidence_of(dossier, standing_facts(dossier, dossier.as_of))
