"""Exact path-dependent SHAP contributions of LightGBM models, from the booster's public text."""

from .engine import (
    Contributions,
    Engine,
    Interactions,
    Precision,
    TopContributions,
    TopInteractions,
    compile_model,
)
from .explainer import Explainer
from .model_file import UnsupportedModel

__all__ = [
    "Contributions", "Engine", "Explainer", "Interactions", "Precision", "TopContributions", "TopInteractions",
    "UnsupportedModel", "compile_model",
]  # fmt: skip
