"""Scores of methods that are no networks; **larger = more in-distribution**."""
