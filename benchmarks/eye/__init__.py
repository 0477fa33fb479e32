"""Decodes beside those of peers at equal bytes."""
