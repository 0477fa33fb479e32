"""Tasks: models with their losses, metrics and optimiser, independent of how they are run."""
