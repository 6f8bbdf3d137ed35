"""Model training: dataset, fitting, evaluation, model card, lifecycle in MLflow, tuning and simulation."""
