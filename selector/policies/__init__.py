"""Policies: the baselines of the benchmark, each a GainPredictor (docs/decision.md, Baselines)."""
