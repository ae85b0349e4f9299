"""Attacks: ways to make an image that a network is sure of and that shows nothing."""
