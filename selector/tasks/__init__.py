"""Tasks: what a prediction, its evidence and its loss are, one file per kind of task."""
