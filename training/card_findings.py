"""The sentences and tables of a model card that say what was found, where and for whom."""

from collections.abc import Mapping
from typing import Any

Measured = Mapping[str, Any]


def found_lines(metrics: Measured) -> list[str]:
    """One sentence for each depth: how many failures the riskiest tests held, and how many random ones would."""
    return [
        f"Of the {depth['tests']:,} riskiest of {depth['of']:,} tests: {_count(depth['failed'])} failed"
        f"{_range(depth['failed_interval'])}; at random {_count(depth['at_random'])}."
        for depth in sorted(metrics["found"].values(), key=lambda depth: int(depth["tests"]))
    ]


def budget_line(budget: Measured) -> str:
    """What the laboratory's budget finds, at random, with the model and with hindsight."""
    return (
        f"The budget pays for {budget['tests']:,} of {budget['of']:,} tests: {_count(budget['failed'])} of the "
        f"riskiest failed{_range(budget['failed_interval'])}; at random {_count(budget['at_random'])}, with hindsight "
        f"{budget['oracle']:,}."
    )


def replay_line(replay: Measured) -> str:
    """What testing in the order of the scores would have brought forward; empty where too few tests tell."""
    if replay.get("too_few") or replay.get("days_earlier") is None:
        return ""
    return (
        f"The same tests at the same pace, riskiest first: failures found {told(replay, 'days_earlier', 1)} days "
        "earlier on average."
    )


def more_line(curve: Measured) -> str:
    """What more tests would buy; empty where too few sizes tell."""
    if curve["too_few"] or curve.get("gain_found") is None:
        return ""
    return (
        f"{curve['more']} more tests to learn from would change the failures among the {curve['tests']:,} riskiest by "
        f"about {told(curve, 'gain_found', 1)}."
    )


def periods(metrics: Measured) -> str:
    """The section on earlier periods; empty where there were none."""
    rows = metrics["periods"]
    if not rows:
        return ""
    return (
        "## Period by period\n\nThe same procedure on earlier periods, suppliers never on both sides.\n\n"
        "| period | tests | failed | AUC | slope | failed of the budget's tests |\n|---|--:|--:|---|---|---|\n"
        + "\n".join(
            f"| {each['from']} to {each['until']} | {each['n']:,} | {each['base_rate']:.1%} | {told(each, 'auc')} | "
            f"{told(each, 'slope', 2)} | {told(each['budget'], 'failed', 0)} of {each['budget']['tests']:,} |"
            for each in rows
        )
    )


def cold_start(metrics: Measured) -> str:
    """The section on strangers; empty where there is no row."""
    rows = [each for each in metrics["cold_start"] if not each.get("too_few")]
    if not rows:
        return ""
    return (
        "## Strangers\n\n| rows | tests | failed | AUC |\n|---|--:|--:|---|\n"
        + "\n".join(
            f"| {each['rows']} | {each['n']:,} | {each['base_rate']:.1%} | {told(each, 'auc')} |" for each in rows
        )
    )  # fmt: skip


def groups(metrics: Measured) -> str:
    """The section on groups of sellers; empty where none was measured."""
    rows = group_rows(metrics)
    if not rows:
        return ""
    return (
        "## Groups of sellers\n\nOn tests weighted to the catalogue. Needless: compliant SKUs whose probability asks "
        "for a test; missed: failing ones whose probability does not.\n\n"
        "| group | tests | expected per observed | needless | missed |\n|---|--:|---|---|---|\n"
        + "\n".join(
            f"| {str(each['dimension']).replace('_', ' ')}: {each['group']} | {each['n']:,} | "
            f"{told(each, 'expected_per_observed', 2)} | {told(each, 'false_positive_rate', 2)} | "
            f"{told(each, 'false_negative_rate', 2)} |"
            for each in rows
        )
    )


def group_rows(metrics: Measured) -> list[Measured]:
    """One row for each group that is large enough to be told of, on the tests weighted to the catalogue.

    `false_positive_rate` and `false_negative_rate` are those at the lowest band that asks for a test.
    """
    rows: list[Measured] = []
    floor = metrics["gate"]["testing_floor"]
    for each in metrics["fairness"]:
        skills = each["logged"]
        bands = [band for band in skills["bands"].values() if band["floor"] == floor]
        if skills["suppressed"] is None and bands:
            rows.append({**each, **skills, **bands[0]})
    return rows


def told(skills: Measured, name: str, digits: int = 3) -> str:
    """A skill with its interval, or that it is not defined."""
    value, interval = skills.get(name), skills.get(f"{name}_interval")
    if value is None:
        return "not defined"
    return f"{value:.{digits}f}" + (
        "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    )


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f" ({_count(interval[0])} to {_count(interval[1])})"


def _count(number: float) -> str:
    return f"{number:,.0f}"
