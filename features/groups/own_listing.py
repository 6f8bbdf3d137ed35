"""Own features of a listing that the catalogue does not hold, from the values of the marketplace's own columns."""

import math
from collections.abc import Mapping
from typing import Any

from data.errors import UserError
from data.own_features import OwnFeature
from features.fitted_tables import FittedTables
from features.groups.own import FALSE, LARGEST, TRUE, prior_name

TRUTHS = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}


class OwnListingReader:
    """The features that are declared of columns of `skus`, and what training learned of their values."""

    def __init__(self, reference: FittedTables) -> None:
        self._declared = [each for each in reference.own if each.table == "skus"]
        self._usual = {each.name: reference.prior(prior_name(each)).mean for each in self._declared}
        learned = reference["own_rates"].to_pydict()
        self._rates = dict(
            zip(zip(learned["feature"], learned["value"], strict=True), learned["fail_rate"], strict=True)
        )

    def features(self, given: Mapping[str, Any]) -> dict[str, float]:
        """The features of the columns that are given, by name. Raises UserError where a value can not be read."""
        stated = ((each, given.get(each.source_column)) for each in self._declared)
        return {each.name: self._value(each, value) for each, value in stated if value is not None}

    def _value(self, declared: OwnFeature, given: object) -> float:
        if declared.is_encoded:
            return float(self._rates.get((declared.name, str(given).strip()), self._usual[declared.name]))
        value = TRUTHS.get(given.strip().lower()) if declared.kind == "yes/no" and isinstance(given, str) else given
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not abs(number) <= LARGEST or (declared.kind == "yes/no" and number not in (0, 1)):
            expected = "yes or no" if declared.kind == "yes/no" else "a number"
            raise UserError(f"own.{declared.source_column} is {given!r}; it must be {expected}.")
        return number
