"""Overgeneralisation of neural classifiers: reproduced, measured, extended."""

from __future__ import annotations


class OvergenError(Exception):
    """An error meant for the user: it names the value, the place and the way out. Shown without a traceback."""
