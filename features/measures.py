"""Verbs in which features are declared: counts, totals, rates and times over the rows an entity has seen.

`seen` is always a table with one row per (entity, as_of, event known before as_of), all facts missing where an
entity has seen nothing; `age_days` counts from the event to as_of.
"""

from typing import TYPE_CHECKING

from features.reference import Prior

if TYPE_CHECKING:
    import ibis.expr.types as ir


def within(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    """Whether the event happened at most `window_days` before as_of."""
    return seen.age_days <= window_days


def count(condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """How many rows fulfil `condition`; 0 where nothing was seen."""
    return condition.ifelse(1, 0).sum()


def total(number: "ir.NumericValue", condition: "ir.BooleanValue") -> "ir.NumericScalar":
    """The sum of `number` over the rows that fulfil `condition`; 0 where nothing was seen."""
    return condition.ifelse(number, 0).sum()


def smoothed(hits: "ir.NumericValue", trials: "ir.NumericValue", prior: Prior) -> "ir.FloatingValue":
    """The empirical-Bayes rate: `hits` of `trials` shrunk to the prior mean, which weighs `prior.strength` trials.

    Source: the posterior mean of a beta-binomial (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4).
    """
    # As floats: engines differ in what they make of a whole number and a decimal.
    return (hits.cast("float64") + prior.mean * prior.strength) / (trials.cast("float64") + prior.strength)


def share(hits: "ir.NumericValue", trials: "ir.NumericValue") -> "ir.FloatingValue":
    """`hits` of `trials`, missing where there were no trials."""
    return hits / trials.nullif(0)


def days_since_last(seen: "ir.Table", condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """Days from the latest event that fulfils `condition` to as_of; missing where there is none."""
    return seen.age_days.min(where=condition)
