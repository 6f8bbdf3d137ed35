"""Exact path-dependent SHAP contributions of LightGBM models, from the booster's public text."""

from models.treeshap.engine import (
    Contributions,
    Engine,
    Interactions,
    Precision,
    TopContributions,
    TopInteractions,
    compile_model,
)
from models.treeshap.model_file import UnsupportedModel

__all__ = [
    "Contributions", "Engine", "Interactions", "Precision", "TopContributions", "TopInteractions", "UnsupportedModel",
    "compile_model",
]  # fmt: skip
