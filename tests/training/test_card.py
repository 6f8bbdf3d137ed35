"""The card: sentences an operator can check."""

from training.card import found_lines


def test_each_depth_is_one_sentence_shallowest_first() -> None:
    metrics = {"found": {
        "riskiest_10_percent": {"tests": 500, "of": 5000, "failed": 120.4, "failed_interval": [100.0, 140.2],
                                "at_random": 20.0},
        "riskiest_100": {"tests": 100, "of": 5000, "failed": 37.0, "failed_interval": [31.0, 43.0], "at_random": 4.0},
    }}  # fmt: skip
    assert found_lines(metrics) == [
        "Of the 100 riskiest of 5,000 tests: 37 failed (31 to 43); at random 4.",
        "Of the 500 riskiest of 5,000 tests: 120 failed (100 to 140); at random 20.",
    ]


def test_an_interval_that_cannot_be_told_is_left_out() -> None:
    depth = {"tests": 1, "of": 1, "failed": 1.0, "failed_interval": None, "at_random": 1.0}
    assert found_lines({"found": {"riskiest_100": depth}}) == ["Of the 1 riskiest of 1 tests: 1 failed; at random 1."]
