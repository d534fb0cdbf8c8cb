"""A model file that nobody knows yet: what it is, and the card it would get."""
