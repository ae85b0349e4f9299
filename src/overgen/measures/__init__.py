"""Metrics, intervals, verdicts."""
