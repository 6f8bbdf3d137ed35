"""The model card: what a model may be used for and how it fared, in the operator's words."""

from collections.abc import Mapping
from typing import Any

from training.baselines import BASELINES

SHOWN_FEATURES = 10
NAMES = {"model": "the model", **{name: name.replace("_", " ") for name in BASELINES}}


def card_of(metrics: Mapping[str, Any]) -> str:
    """The card (Markdown) of a model with these metrics."""
    strongest = sorted(metrics["contributions"].items(), key=lambda named: -named[1])
    return "\n\n".join([
        "# Model card",
        _use(),
        _data(metrics),
        "## What it finds\n\n" + "\n".join(f"- {line}" for line in found_lines(metrics)),
        _beside_baselines(metrics),
        _calibration(metrics),
        "## What the scores are made of\n\nMean absolute contribution in log-odds, strongest first: "
        + ", ".join(f"{name} {size:.2f}" for name, size in strongest[:SHOWN_FEATURES]) + ".",
    ]) + "\n"  # fmt: skip


def found_lines(metrics: Mapping[str, Any]) -> list[str]:
    """One sentence for each depth: how many failures the riskiest tests held, and how many random ones would."""
    return [
        f"Of the {depth['tests']:,} riskiest of {depth['of']:,} tests: {_count(depth['failed'])} failed"
        f"{_range(depth['failed_interval'])}; at random {_count(depth['at_random'])}."
        for depth in sorted(metrics["found"].values(), key=lambda depth: int(depth["tests"]))
    ]


def _use() -> str:
    return (
        "Says for each SKU and market how likely an independent laboratory test would fail, and why, to decide what "
        "to test next and what a person should look at. It does not establish that a product is unsafe: no seller "
        "should be sanctioned on a score alone.\n\n"
        "It learns from tested SKUs, which were not chosen at random. It cannot see what no table tells: a changed "
        "component, a batch, a forged report nobody checked. Supplier country and size are not used."
    )


def _data(metrics: Mapping[str, Any]) -> str:
    data = metrics["data"]
    return (
        "## Data\n\nA label is an independent test (samples handed in by the supplier do not count) that passed or "
        "failed; inconclusive ones are left out.\n\n"
        "| part | tests | failed | days |\n|---|--:|--:|---|\n"
        + "\n".join(
            f"| {part} | {data[part]['n']:,} | {data[part]['base_rate']:.1%} | "
            f"{data[part]['first_day']} to {data[part]['last_day']} |"
            for part in ("train", "calibration", "test")
        )
        + f"\n\nTraining used what was known before {data['calibration_from']}, calibration what was known before "
        f"{data['test_from']}; features of every test used what was known before its own day. Tables: fingerprint "
        f"`{data['fingerprint']}`. Recipe: `{data['recipe']}`, {data['trees']} trees."
    )


def _beside_baselines(metrics: Mapping[str, Any]) -> str:
    rows = [("model", metrics), *metrics["baselines"].items()]
    return (
        "## Beside simpler rankings\n\nWith 95 % intervals over suppliers.\n\n"
        "| ranking | AUC | average precision | Brier | failed of the riskiest 10 % |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| {NAMES[name]} | {_told(skills, 'auc')} | {_told(skills, 'average_precision')} | "
            f"{_told(skills, 'brier')} | {_of_tenth(skills)} |"
            for name, skills in rows
        )
        + "\n\n" + "\n".join(f"- {NAMES[name]}: {meaning}" for name, meaning in BASELINES.items())
    )  # fmt: skip


def _calibration(metrics: Mapping[str, Any]) -> str:
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    coverage = metrics["interval_coverage"]
    return (
        f"## Do the probabilities hold\n\n{after['observed']:,} tests failed; the calibrated probabilities expected "
        f"{after['expected']:.0f}, the raw ones {before['expected']:.0f}.\n\n"
        "| | slope | intercept | expected per observed |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {name} | {_told(line, 'slope', 2)} | {_told(line, 'intercept', 2)} | "
            f"{_told(line, 'expected_per_observed', 2)} |"
            for name, line in (("before calibration", before), ("after calibration", after))
        )
        + f"\n\nThe {coverage['level']:.0%} intervals held the realised share in {coverage['covered']} of "
        f"{coverage['bins']} groups of equal size."
    )


def _of_tenth(skills: Mapping[str, Any]) -> str:
    tenth = skills["found"]["riskiest_10_percent"]
    return f"{_count(tenth['failed'])} of {tenth['tests']:,}{_range(tenth['failed_interval'])}"


def _told(skills: Mapping[str, Any], name: str, digits: int = 3) -> str:
    value, interval = skills[name], skills[f"{name}_interval"]
    if value is None:
        return "not defined"
    return f"{value:.{digits}f}" + (
        "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    )


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f" ({_count(interval[0])} to {_count(interval[1])})"


def _count(number: float) -> str:
    return f"{number:,.0f}"
