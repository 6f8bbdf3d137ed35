"""Whether folds keep apart what belongs together: a second look that does not trust how they were made."""

import pandas as pd

from data.errors import Refusal
from training.periods import Period
from training.splits import Rows


class LeakFound(Refusal):
    """Something that judges a model has taught it."""


def audit_folds(labels: pd.DataFrame, period: Period) -> None:
    """Raise LeakFound where a judged label shares a supplier, or factory and title, with one that taught its model.

    Also where it was drawn before all that taught were known.
    """
    for fold in period.folds:
        for rows in (fold.fit, fold.calibration):
            _require_apart(labels, rows, fold.validation)


def _require_apart(labels: pd.DataFrame, taught: Rows, judged: Rows) -> None:
    teaching, judging = labels.iloc[taught], labels.iloc[judged]
    shared = set(teaching["supplier_id"]) & set(judging["supplier_id"])
    twins = set(_products(teaching)) & set(_products(judging))
    if shared or twins:
        named = min(shared) if shared else "factory {} with title {!r}".format(*min(twins))
        raise LeakFound(
            f"The folds of the validation leak: {len(shared)} suppliers and {len(twins)} products teach and judge, "
            f"such as {named}. Group labels by training.examples.near_duplicate_groups."
        )
    late = int((teaching["known_on"] >= judging["as_of"].min()).sum())
    if late:
        raise LeakFound(
            f"The folds of the validation leak: {late} labels teach that were not known when the judged period began "
            f"on {judging['as_of'].min():%Y-%m-%d}. Fit on what was known before."
        )


def _products(labels: pd.DataFrame) -> list[tuple[str, str]]:
    named = labels[["factory_id", "title_key"]].dropna()
    return list(named.itertuples(index=False, name=None))
