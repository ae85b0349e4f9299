"""Training networks, one or many together."""
