"""Backends: one kind of model a file, each keeping the contract of `selector.prediction.Model`."""
