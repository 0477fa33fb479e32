"""Fitting what ships with the library to data."""
