"""The card: sentences an operator can check."""

from training.card.interactions import interactions_table
from training.card.model_card import (
    budget_line,
    group_rows,
    learning_curve_line,
    riskiest_lines,
    schedule_line,
    text_of,
)


def test_each_depth_is_one_sentence_shallowest_first() -> None:
    metrics = {"found": {
        "riskiest_10_percent": {"tests": 500, "of": 5000, "failed": 120.4, "failed_interval": [100.0, 140.2],
                                "at_random": 20.0},
        "riskiest_100": {"tests": 100, "of": 5000, "failed": 37.0, "failed_interval": [31.0, 43.0], "at_random": 4.0},
    }}  # fmt: skip
    assert riskiest_lines(metrics) == [
        "Of the 100 riskiest of 5,000 tests: 37 failed (31 to 43); at random 4.",
        "Of the 500 riskiest of 5,000 tests: 120 failed (100 to 140); at random 20.",
    ]


def test_the_budget_is_compared_with_chance_and_hindsight() -> None:
    budget = {"tests": 92, "of": 1105, "failed": 62.0, "failed_interval": [51.0, 69.0], "at_random": 19.0, "oracle": 92}
    assert budget_line(budget) == (
        "The budget pays for 92 of 1,105 tests: 62 of the riskiest failed (51 to 69); at random 19, with hindsight 92."
    )


def test_metrics_of_too_few_tests_are_left_out() -> None:
    assert schedule_line({"too_few": True}) == ""
    assert learning_curve_line({"too_few": True, "points": []}) == ""
    assert text_of({"slope": None, "slope_interval": None}, "slope") == "not defined"


def test_a_group_is_reported_on_the_tests_weighted_to_the_catalogue_at_the_band_that_asks_for_a_test() -> None:
    floors = {"moderate": (0.1, 0.4), "high": (0.25, 0.1)}
    bands = {name: {"floor": floor, "false_positive_rate": rate} for name, (floor, rate) in floors.items()}
    logged = {"n": 40, "suppressed": None, "bands": bands}
    large = {"dimension": "country", "group": "DE", "logged": logged, "random": {"n": 4}}
    small = {"dimension": "country", "group": "FR", "logged": {**logged, "suppressed": "too few"}, "random": {"n": 1}}
    metrics = {"fairness": [large, small], "gate": {"testing_floor": 0.25}}
    assert [(row["group"], row["n"], row["false_positive_rate"]) for row in group_rows(metrics)] == [("DE", 40, 0.1)]


def test_pairs_are_told_in_plain_words_and_left_out_where_none_interacts() -> None:
    pair = {"features": ["a", "b"], "meanings": ["whether a", "share of b"], "size": 0.0123}
    table = interactions_table({"interactions": [pair]})
    assert table.startswith(
        "\n\nWhat two facts add together beyond what each adds alone: mean absolute size in log-odds"
    )
    assert table.endswith("|---|---|--:|\n| whether a | share of b | 0.012 |")
    assert interactions_table({"interactions": []}) == ""
