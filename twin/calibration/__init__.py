"""Calibration of the card model to measured cards, and the report of its errors."""
