"""Measurements of `scripts/bench`; each figure is a ratio within one run."""
