"""Fail rates of the values of a marketplace's own choices and codes, learned from labels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from features.fitted_tables import SCHEMAS, Prior
from features.groups.own import PRIOR, TEXT
from training.fitting.beta_priors import FEWEST_GROUPS, beta_prior

STRENGTH = 20.0
"""Tests that the usual rate weighs against those of a value, where the values are too few to tell how they differ."""


def own_code_names(labels: pd.DataFrame) -> tuple[str, ...]:
    """The names of the own choices and codes whose values the labels carry (`training.dataset.own_codes`)."""
    return tuple(column.removeprefix(TEXT) for column in labels.columns if column.startswith(TEXT))


def own_priors(labels: pd.DataFrame) -> Mapping[str, Prior]:
    """The prior of the fail rates of each choice or code, by the name that fitted tables have it under."""
    return {PRIOR + name: own_prior(labels, name) for name in own_code_names(labels)}


def own_prior(labels: pd.DataFrame, name: str) -> Prior:
    """Prior of the fail rates of the values of one choice or code: their mean, and how little they differ."""
    stated = labels.dropna(subset=[TEXT + name])
    by_value = stated.groupby(TEXT + name)["failed"].agg(["sum", "count"])
    if (by_value["count"] > 1).sum() < FEWEST_GROUPS:
        failed, tests = float(stated["failed"].sum()), len(stated)
        return Prior(float(np.clip((failed + 0.5) / (tests + 1), 1e-6, 1 - 1e-6)), STRENGTH)
    return beta_prior(by_value["sum"].to_numpy(float), by_value["count"].to_numpy(float), "category_fail")


def own_rates(labels: pd.DataFrame) -> pa.Table:
    """The fitted table `own_rates`: tests and smoothed fail rate of every value of every choice and code."""
    tables = [_rates_of(labels, name) for name in own_code_names(labels)]
    return pa.concat_tables([SCHEMAS["own_rates"].empty_table(), *tables])


def own_rate_columns(rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The own choices and codes of `rows` as the rates learned from `labels`, as scoring looks them up.

    A value that the labels do not have gets the usual rate, a missing one stays missing.
    """
    columns = {}
    for name in own_code_names(labels):
        usual, values = own_prior(labels, name).mean, rows[TEXT + name]
        rates = values.map(_smoothed_rates(labels, name)["fail_rate"]).astype(float)
        columns[name] = np.where(values.notna(), rates.fillna(usual), np.nan)
    return pd.DataFrame(columns, index=rows.index)


def _rates_of(labels: pd.DataFrame, name: str) -> pa.Table:
    learned = _smoothed_rates(labels, name)
    rows = learned.rename_axis("value").reset_index().assign(feature=name)
    return pa.Table.from_pandas(rows, schema=SCHEMAS["own_rates"], preserve_index=False)


def _smoothed_rates(labels: pd.DataFrame, name: str) -> pd.DataFrame:
    """`tests` and `fail_rate` by value, in the order of the values."""
    prior = own_prior(labels, name)
    tallies = labels.groupby(TEXT + name)["failed"].agg(tests="count", failed="sum").sort_index()
    rate = (tallies["failed"] + prior.mean * prior.strength) / (tallies["tests"] + prior.strength)
    return pd.DataFrame({"tests": tallies["tests"], "fail_rate": rate})
