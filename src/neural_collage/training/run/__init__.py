"""Experiments: from a config to a trainer, its loggers and its folder; no losses, no callbacks."""
