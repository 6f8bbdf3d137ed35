"""Exact path-dependent SHAP contributions of LightGBM models, from the booster's public dump."""

from models.treeshap.dump import UnsupportedModel
from models.treeshap.engine import Contributions, Engine, Precision, Top, compile_model

__all__ = ["Contributions", "Engine", "Precision", "Top", "UnsupportedModel", "compile_model"]
