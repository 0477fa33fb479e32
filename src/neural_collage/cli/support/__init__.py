"""Shared by the commands: options, plans of inputs and outputs, running, progress, reports."""
