"""The model card: what a model may be used for and how it fared, in the operator's words."""

from collections.abc import Mapping
from typing import Any

from training.evaluation.baselines import BASELINES

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


SHOWN_FEATURES = 10
NAMES = {"model": "the model", **{name: name.replace("_", " ") for name in BASELINES}}


def card_of(metrics: Measured) -> str:
    """The card (Markdown) of a model with these metrics."""
    sections = (
        "# Model card", _use(metrics), _data(metrics),
        _found(metrics),
        _beside_baselines(metrics), _catalogue(metrics), _calibration(metrics), periods(metrics), cold_start(metrics),
        groups(metrics), _reasons(metrics), _testers(metrics), _validity(metrics),
    )  # fmt: skip
    return "\n\n".join(section for section in sections if section) + "\n"


def _use(metrics: Measured) -> str:
    return (
        "**Intended use.** Says for each SKU and market how likely an independent laboratory test would fail, and why, "
        "to decide what to test next and what a person should look at.\n\n"
        "**Not for.** It does not establish that a product is unsafe and is no safety certificate: no seller should be "
        "sanctioned on a score alone, no authority should act on one.\n\n"
        "**What it cannot see.** A changed component, a batch, a forged report nobody checked; chemicals that no "
        "customer notices, unless tests found them before. It learns from tested SKUs, and most were chosen by "
        "suspicion. A new supplier with a new factory and a new product is scored by its category, market and listing, "
        "and little else. Supplier country and size are not used."
        f"{_uncorrected(metrics)}"
    )


def _uncorrected(metrics: Measured) -> str:
    if metrics["catalogue"]["logged"]["n"]:
        return ""
    return (
        " No test tells its propensity, so the probabilities could not be corrected for how tests were chosen: they "
        "are those of tested SKUs, not of the catalogue."
    )


def _data(metrics: Measured) -> str:
    data, rule = metrics["data"], metrics["data"]["labels"]
    return (
        "## Data\n\nA label is an independent test that passed or failed, from "
        f"{', '.join(origin.replace('_', ' ') for origin in rule['origins'])}; samples handed in by the supplier do "
        "not count, inconclusive ones are left out."
        + ("" if rule["least_severity"] == "minor"
           else f" A failure milder than {rule['least_severity']} counts as passed.")
        + "\n\n| part | tests | failed | days |\n|---|--:|--:|---|\n"
        + "\n".join(
            f"| {part} | {data[part]['n']:,} | {data[part]['base_rate']:.1%} | "
            f"{data[part]['first_day']} to {data[part]['last_day']} |"
            for part in ("train", "calibration", "test")
        )
        + f"\n\nTraining used what was known before {data['calibration_from']}, calibration what was known before "
        f"{data['test_from']}; features of every test used what was known before its own day. Tables: fingerprint "
        f"`{data['fingerprint']}`, known until {data['known_until']}. Recipe: "
        f"`{data['recipe']}`, {data['trees']} trees."
    )  # fmt: skip


def _found(metrics: Measured) -> str:
    lines = (
        *found_lines(metrics), budget_line(metrics["budget"]), replay_line(metrics["replay"]),
        more_line(metrics["learning_curve"]),
    )  # fmt: skip
    return "## What it finds\n\n" + "\n".join(f"- {line}" for line in lines if line)


def _beside_baselines(metrics: Measured) -> str:
    rows = [("model", metrics), *metrics["baselines"].items()]
    return (
        "## Beside simpler rankings\n\nOn the tests as they were chosen, with 95 % intervals over suppliers.\n\n"
        "| ranking | AUC | average precision | Brier | failed of the budget's tests |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| {NAMES[name]} | {told(skills, 'auc')} | {told(skills, 'average_precision')} | "
            f"{told(skills, 'brier')} | {told(skills['budget'], 'failed', 0)} of {skills['budget']['tests']:,} |"
            for name, skills in rows
        )
        + "\n\n" + "\n".join(f"- {NAMES[name]}: {meaning}" for name, meaning in BASELINES.items())
        + _beside_champion(metrics.get("champion"))
    )  # fmt: skip


def _beside_champion(champion: Measured | None) -> str:
    if champion is None:
        return ""
    if "incomparable" in champion:
        return f"\n\nBeside the champion: {champion['incomparable']}."
    return (
        f"\n\nBeside the champion {champion['version']} on {champion['n']:,} tests from {champion['from']} on that "
        f"neither learned from: of the {champion['tests']:,} riskiest {champion['found']:.0f} failed, of the "
        f"champion's {champion['found_by_champion']:.0f}; difference in AUC {told(champion, 'auc_gain')}."
    )


def _catalogue(metrics: Measured) -> str:
    strata = metrics["catalogue"]
    rows = [
        (name, strata[key], strata[key]["claims"][claim])
        for key, name, claim in (
            ("targeted", "tests as chosen", "uncorrected"), ("random", "random tests", "corrected"),
            ("logged", "tests weighted to the catalogue", "corrected"),
        )
        if strata[key]["n"]
    ]  # fmt: skip
    return (
        "## Of the tested and of the catalogue\n\nTests follow suspicion, so the tested fail more often than the "
        "catalogue would. The last two rows count each test 1 / propensity times, and judge the probabilities that are "
        "corrected for the catalogue: those that scores tell.\n\n"
        "| | tests | share that fails | AUC | slope | expected per observed |\n|---|--:|---|---|---|---|\n"
        + "\n".join(
            f"| {name} | {each['n']:,} | {told(each, 'base_rate')} | {told(claim, 'auc')} | "
            f"{told(claim, 'slope', 2)} | {told(claim, 'expected_per_observed', 2)} |"
            for name, each, claim in rows
        )
    )


def _calibration(metrics: Measured) -> str:
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    coverage = metrics["interval_coverage"]
    return (
        f"## Do the probabilities hold\n\nOf the tests as chosen {after['observed']:,} failed; the calibrated "
        f"probabilities expected {after['expected']:.0f}, the raw ones {before['expected']:.0f}.\n\n"
        "| | slope | intercept | expected per observed |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {name} | {told(line, 'slope', 2)} | {told(line, 'intercept', 2)} | "
            f"{told(line, 'expected_per_observed', 2)} |"
            for name, line in (("before calibration", before), ("after calibration", after))
        )
        + f"\n\nThe {coverage['level']:.0%} intervals held the realised share in {coverage['covered']} of "
        f"{coverage['bins']} groups of equal size."
    )


def _reasons(metrics: Measured) -> str:
    strongest = sorted(metrics["contributions"].items(), key=lambda named: -named[1])
    gate = metrics["gate"]
    return (
        "## What the scores are made of\n\nMean absolute contribution in log-odds, strongest first: "
        + ", ".join(f"{name} {size:.2f}" for name, size in strongest[:SHOWN_FEATURES])
        + f".\n\nContributions sum to the margin within {gate['contribution_gap']:.0e}. Trained with another seed, the "
        f"top four reasons of a SKU share {gate['reason_jaccard']:.2f} with these (mean Jaccard similarity)."
    )


def _testers(metrics: Measured) -> str:
    tester = metrics["tester"]
    if not tester["counted"]:
        return ""
    return (
        f"## Laboratories\n\nThe {tester['labs']} laboratories differ beyond chance (p = {tester['p_value']:.3f}); "
        "what each adds was taken out of training, and scores speak of the average laboratory."
    )


def _validity(metrics: Measured) -> str:
    return (
        f"## Approval\n\nExpires on {metrics['data']['expires_on']}, or when `touchstone monitor` asks for a new "
        "model. Whoever promoted it is named by `touchstone models show`."
    )
