"""Baselines to compare with; later the studies that need them."""
