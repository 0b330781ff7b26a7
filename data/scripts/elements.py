"""The elements that every table of this project holds."""

SUPPORTED = tuple(range(1, 93))
