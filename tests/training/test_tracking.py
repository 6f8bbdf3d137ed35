"""What goes into MLflow: flat names and numbers."""

from training.tracking import description, flat_metrics


def test_metrics_are_told_flat_with_the_ends_of_their_intervals() -> None:
    nested = {
        "auc": 0.7, "auc_interval": [0.6, 0.8], "slope": None, "slope_interval": None, "months": [{"n": 3}],
        "baselines": {"random": {"n": 5}}, "data": {"fingerprint": "abc"},
    }  # fmt: skip
    assert flat_metrics(nested) == {"auc": 0.7, "auc_low": 0.6, "auc_high": 0.8, "baselines/random/n": 5.0}


def test_a_model_is_described_in_one_line() -> None:
    metrics = {
        "auc": 0.7512,
        "auc_interval": [0.7, 0.8],
        "n": 1234,
        "base_rate": 0.2,
        "data": {"test_from": "2026-01-02"},
    }
    assert description(metrics) == "AUC 0.751 (0.700 to 0.800) on 1,234 tests from 2026-01-02, 20.0% failed"
