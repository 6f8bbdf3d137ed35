"""Evaluation on held-out tests: skill, backtest, leakage, drift, fairness."""
