"""The card of a model: what is declared about it, and what it is checked against."""
