"""Shared by commands: options, plans of inputs and outputs, progress, reports; no command."""
