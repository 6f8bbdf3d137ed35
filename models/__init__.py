"""Models: artifact, registry, calibration, exact SHAP, reasons, risk bands."""
