"""How answers of several models become one, and when the next one is worth asking."""
