"""Stale knowledge: sentences on scores that are older than the policy allows, or that newer tables wait for."""

from data.lake.lab_results import tables_fingerprint
from serving.console.case import current_policy
from serving.console.context import AppContext
from serving.decisions.days import long_date
from serving.online.store import OnlineStore


def stale_knowledge(context: AppContext, store: OnlineStore) -> tuple[str, ...]:
    """What is wrong with the age of the scores in service; empty where they are fresh."""
    publication, most_days = store.publication, current_policy(context).limits.score_days
    age_days = (context.now().date() - publication.as_of).days
    sentences = []
    if age_days > most_days:
        sentences.append(
            f"The scores are of {long_date(publication.as_of)}, {age_days} days old; at most {most_days} are allowed. "
            "Have the catalogue scored anew."
        )
    if tables_fingerprint(context.settings.workspace) not in (None, publication.fingerprint):
        sentences.append(
            "Newer data has come in since the scoring: results count at once, the scores follow at the next one."
        )
    return tuple(sentences)
