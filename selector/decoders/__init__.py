"""Decoders: from the outputs of one kind of model to scores, boxes or numbers, one kind a file."""
