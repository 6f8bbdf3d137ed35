"""How a conclusion is earned: examples, splits, fit, evaluation, comparison, MLflow, replay."""
