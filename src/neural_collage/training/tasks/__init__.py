"""Tasks: models with losses, metrics and optimiser; not the trainer, data or checkpoints."""
