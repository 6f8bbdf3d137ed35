"""Exact path-dependent SHAP contributions of LightGBM models, from the booster's public text."""

from models.treeshap.engine import Contributions, Engine, Precision, Top, compile_model
from models.treeshap.model_file import UnsupportedModel

__all__ = ["Contributions", "Engine", "Precision", "Top", "UnsupportedModel", "compile_model"]
