"""Benchmarks, one command each. They print ratios of times measured side by side in one run."""
