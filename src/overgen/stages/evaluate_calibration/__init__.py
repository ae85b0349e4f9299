"""Open-set scores under attack."""
