"""The model card: findings, plots and their rendering."""
