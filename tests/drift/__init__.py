"""Drift: made on purpose, behind Trivet's back, then found, reported and put back."""
