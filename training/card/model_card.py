"""The model card as Markdown: intended use, data, metrics, fairness, reasons and validity."""

from collections.abc import Mapping
from typing import Any

from training.card.hazards import hazard_line
from training.card.interactions import interactions_table
from training.card.learner_section import learner_section, own_features_line
from training.evaluation.baselines import BASELINES

Metrics = Mapping[str, Any]


def riskiest_lines(metrics: Metrics) -> list[str]:
    """Sentence of each depth: failures among the riskiest tests, and among as many random ones."""
    return [
        f"Of the {depth['tests']:,} riskiest of {depth['of']:,} tests: {_count(depth['failed'])} failed"
        f"{_range(depth['failed_interval'])}; at random {_count(depth['at_random'])}."
        for depth in sorted(metrics["found"].values(), key=lambda depth: int(depth["tests"]))
    ]


def budget_line(budget: Metrics) -> str:
    """Sentence on the failures within the laboratory's budget: at random, with the model and with hindsight."""
    return (
        f"The budget pays for {budget['tests']:,} of {budget['of']:,} tests: {_count(budget['failed'])} of the "
        f"riskiest failed{_range(budget['failed_interval'])}; at random {_count(budget['at_random'])}, with hindsight "
        f"{budget['oracle']:,}."
    )


def schedule_line(replay: Metrics) -> str:
    """Sentence on the simulated schedule, riskiest first; empty where tests are too few."""
    if replay.get("too_few") or replay.get("days_earlier") is None:
        return ""
    return (
        f"The same tests at the same pace, riskiest first: failures found {text_of(replay, 'days_earlier', 1)} days "
        "earlier on average."
    )


def learning_curve_line(curve: Metrics) -> str:
    """Sentence on the gain of more tests; empty where sizes are too few."""
    if curve["too_few"] or curve.get("gain_found") is None:
        return ""
    return (
        f"{curve['more']} more tests to learn from would change the failures among the {curve['tests']:,} riskiest by "
        f"about {text_of(curve, 'gain_found', 1)}."
    )


def periods(metrics: Metrics) -> str:
    """Section on the backtest; empty where there were no periods."""
    rows = metrics["periods"]
    if not rows:
        return ""
    return (
        "## Period by period\n\nThe same procedure on earlier periods, suppliers never on both sides.\n\n"
        "| period | tests | failed | AUC | slope | failed of the budget's tests |\n|---|--:|--:|---|---|---|\n"
        + "\n".join(
            f"| {each['from']} to {each['until']} | {each['n']:,} | {each['base_rate']:.1%} | {text_of(each, 'auc')} | "
            f"{text_of(each, 'slope', 2)} | {text_of(each['budget'], 'failed', 0)} of {each['budget']['tests']:,} |"
            for each in rows
        )
    )


def cold_start(metrics: Metrics) -> str:
    """Section on cold start; empty where no group is large enough."""
    rows = [each for each in metrics["cold_start"] if not each.get("too_few")]
    if not rows:
        return ""
    return (
        "## Strangers\n\n| rows | tests | failed | AUC |\n|---|--:|--:|---|\n"
        + "\n".join(
            f"| {each['rows']} | {each['n']:,} | {each['base_rate']:.1%} | {text_of(each, 'auc')} |" for each in rows
        )
    )  # fmt: skip


def groups(metrics: Metrics) -> str:
    """Section on groups of sellers; empty where none is large enough."""
    rows = group_rows(metrics)
    if not rows:
        return ""
    return (
        "## Groups of sellers\n\nOn tests weighted to the catalogue. Needless: compliant SKUs whose probability asks "
        "for a test; missed: failing ones whose probability does not.\n\n"
        "| group | tests | expected per observed | needless | missed |\n|---|--:|---|---|---|\n"
        + "\n".join(
            f"| {str(each['dimension']).replace('_', ' ')}: {each['group']} | {each['n']:,} | "
            f"{text_of(each, 'expected_per_observed', 2)} | {text_of(each, 'false_positive_rate', 2)} | "
            f"{text_of(each, 'false_negative_rate', 2)} |"
            for each in rows
        )
    )


def group_rows(metrics: Metrics) -> list[Metrics]:
    """Metrics of each group that is not suppressed, on the tests weighted to the catalogue.

    `false_positive_rate` and `false_negative_rate` are those at the lowest band that asks for a test.
    """
    rows: list[Metrics] = []
    floor = metrics["gate"]["testing_floor"]
    for each in metrics["fairness"]:
        skills = each["logged"]
        bands = [band for band in skills["bands"].values() if band["floor"] == floor]
        if skills["suppressed"] is None and bands:
            rows.append({**each, **skills, **bands[0]})
    return rows


def text_of(skills: Metrics, name: str, digits: int = 3) -> str:
    """A metric with its interval as text."""
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


TOP_FEATURES = 10
NAMES = {"model": "the model", **{name: name.replace("_", " ") for name in BASELINES}}


def card_of(metrics: Metrics) -> str:
    """The card (Markdown) of a model with these metrics."""
    sections = (
        "# Model card", _intended_use(metrics), _data(metrics),
        _findings(metrics),
        _baselines(metrics), _catalogue(metrics), _calibration(metrics),
        learner_section(metrics), periods(metrics), cold_start(metrics), groups(metrics),
        _reasons(metrics), _laboratories(metrics), _validity(metrics),
    )  # fmt: skip
    return "\n\n".join(section for section in sections if section) + "\n"


def _intended_use(metrics: Metrics) -> str:
    return (
        "**Intended use.** Says for each SKU and market how likely an independent laboratory test would fail, and why, "
        "to decide what to test next and what a person should look at.\n\n"
        "**Not for.** It does not establish that a product is unsafe and is no safety certificate: no seller should be "
        "sanctioned on a score alone, no authority should act on one.\n\n"
        "**What it cannot see.** A changed component, a batch, a forged report nobody checked; chemicals that no "
        "customer notices, unless tests found them before. It learns from tested SKUs, and most were chosen by "
        "suspicion. A new supplier with a new factory and a new product is scored by its category, market and listing, "
        "and little else. Supplier country and size are not used."
        f"{_selection_note(metrics)}"
    )


def _selection_note(metrics: Metrics) -> str:
    if metrics["catalogue"]["logged"]["n"]:
        return ""
    return (
        " No test tells its propensity, so the probabilities could not be corrected for how tests were chosen: they "
        "are those of tested SKUs, not of the catalogue."
    )


def _data(metrics: Metrics) -> str:
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
        f"`{data['recipe']}`."
    )  # fmt: skip


def _findings(metrics: Metrics) -> str:
    lines = (
        *riskiest_lines(metrics), budget_line(metrics["budget"]), schedule_line(metrics["replay"]),
        learning_curve_line(metrics["learning_curve"]), hazard_line(metrics.get("hazards")),
    )  # fmt: skip
    return "## What it finds\n\n" + "\n".join(f"- {line}" for line in lines if line)


def _baselines(metrics: Metrics) -> str:
    rows = [("model", metrics), *metrics["baselines"].items()]
    return (
        "## Beside simpler rankings\n\nOn the tests as they were chosen, with 95 % intervals over suppliers.\n\n"
        "| ranking | AUC | average precision | Brier | failed of the budget's tests |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| {NAMES[name]} | {text_of(skills, 'auc')} | {text_of(skills, 'average_precision')} | "
            f"{text_of(skills, 'brier')} | {text_of(skills['budget'], 'failed', 0)} of {skills['budget']['tests']:,} |"
            for name, skills in rows
        )
        + "\n\n" + "\n".join(f"- {NAMES[name]}: {meaning}" for name, meaning in BASELINES.items())
        + _champion_comparison(metrics.get("champion"))
    )  # fmt: skip


def _champion_comparison(champion: Metrics | None) -> str:
    if champion is None:
        return ""
    if "incomparable" in champion:
        return f"\n\nBeside the champion: {champion['incomparable']}."
    return (
        f"\n\nBeside the champion {champion['version']} on {champion['n']:,} tests from {champion['from']} on that "
        f"neither learned from: of the {champion['tests']:,} riskiest {champion['found']:.0f} failed, of the "
        f"champion's {champion['found_by_champion']:.0f}; difference in AUC {text_of(champion, 'auc_gain')}."
    )


def _catalogue(metrics: Metrics) -> str:
    strata = metrics["catalogue"]
    rows = [
        (name, strata[key], strata[key]["claims"][predictions])
        for key, name, predictions in (
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
            f"| {name} | {each['n']:,} | {text_of(each, 'base_rate')} | {text_of(predictions, 'auc')} | "
            f"{text_of(predictions, 'slope', 2)} | {text_of(predictions, 'expected_per_observed', 2)} |"
            for name, each, predictions in rows
        )
    )


def _calibration(metrics: Metrics) -> str:
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    lines = {
        "before calibration": before, "calibrated on the latest tests alone": metrics["calibration"].get("latest"),
        "after calibration": after,
    }  # fmt: skip
    coverage = metrics["interval_coverage"]
    return (
        f"## Do the probabilities hold\n\nOf the tests as chosen {after['observed']:,} failed; the calibrated "
        f"probabilities expected {after['expected']:.0f}, the raw ones {before['expected']:.0f}. The calibration "
        "rests on all tests before, the newer the more, so that it follows a level that drifts.\n\n"
        "| | slope | intercept | expected per observed |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {name} | {text_of(line, 'slope', 2)} | {text_of(line, 'intercept', 2)} | "
            f"{text_of(line, 'expected_per_observed', 2)} |"
            for name, line in lines.items()
            if line
        )
        + f"\n\nThe {coverage['level']:.0%} intervals held the realised share in {coverage['covered']} of "
        f"{coverage['bins']} groups of equal size."
    )


def _reasons(metrics: Metrics) -> str:
    strongest = sorted(metrics["contributions"].items(), key=lambda named: -named[1])
    gate = metrics["gate"]
    return (
        "## What the scores are made of\n\nMean absolute contribution in log-odds, strongest first: "
        + ", ".join(f"{name} {size:.2f}" for name, size in strongest[:TOP_FEATURES])
        + own_features_line(metrics)
        + f".\n\nContributions sum to the margin within {gate['contribution_gap']:.0e}. Trained with another seed, the "
        f"top four reasons of a SKU share {gate['reason_jaccard']:.2f} with these (mean Jaccard similarity)."
        f"{interactions_table(metrics)}"
    )


def _laboratories(metrics: Metrics) -> str:
    tester = metrics["tester"]
    if not tester["counted"]:
        return ""
    return (
        f"## Laboratories\n\nThe {tester['labs']} laboratories differ beyond chance (p = {tester['p_value']:.3f}); "
        "what each adds was taken out of training, and scores speak of the average laboratory."
    )


def _validity(metrics: Metrics) -> str:
    return (
        f"## Approval\n\nExpires on {metrics['data']['expires_on']}, or when `touchstone monitor` asks for a new "
        "model. Whoever promoted it is named by `touchstone models show`."
    )
