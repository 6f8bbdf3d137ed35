"""Fitting: target encoding, laboratory effects, booster, calibration."""
